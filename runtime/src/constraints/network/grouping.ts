/** Items 0 … n − 1 sorted by key: those of key k are `items[from[k]] … items[from[k + 1] − 1]`. */
export interface Grouping {
  readonly from: Int32Array;
  readonly items: Int32Array;
}

/** Counting sort; `keys` are in 0 … `keyCount` − 1. */
export function groupByKey(keys: Int32Array, keyCount: number): Grouping {
  const from = new Int32Array(keyCount + 1);
  for (const key of keys) from[key + 1] = (from[key + 1] ?? 0) + 1;
  for (let key = 0; key < keyCount; key++) from[key + 1] = (from[key + 1] ?? 0) + (from[key] ?? 0);
  const next = from.slice();
  const items = new Int32Array(keys.length);
  keys.forEach((key, index) => {
    const place = next[key] ?? 0;
    items[place] = index;
    next[key] = place + 1;
  });
  return { from, items };
}
