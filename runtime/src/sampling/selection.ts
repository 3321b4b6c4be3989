/**
 * Reorders `items[0 … length)` so that the `count` ones with the largest values come first, in any
 * order; equal values by smaller item, so that the result does not depend on the algorithm.
 * Quickselect: linear time. The item at `count − 1` is afterwards the last one of those.
 */
export function selectLargest(
  items: Int32Array,
  length: number,
  count: number,
  values: Float32Array,
): void {
  if (count <= 0 || count > length) return;
  let low = 0;
  let high = length - 1;
  while (low < high) {
    const place = partition(items, low, high, values);
    if (place === count - 1) return;
    if (place < count - 1) low = place + 1;
    else high = place - 1;
  }
}

/** Moves what precedes the middle item before it; returns its place. */
export function partition(
  items: Int32Array,
  low: number,
  high: number,
  values: Float32Array,
): number {
  swap(items, (low + high) >> 1, high);
  const pivot = items[high] ?? 0;
  const value = values[pivot] ?? 0;
  let place = low;
  for (let index = low; index < high; index += 1) {
    const item = items[index] ?? 0;
    const other = values[item] ?? 0;
    if (other < value || (other === value && item > pivot)) continue;
    swap(items, place, index);
    place += 1;
  }
  swap(items, place, high);
  return place;
}

function swap(items: Int32Array, a: number, b: number): void {
  const item = items[a] ?? 0;
  items[a] = items[b] ?? 0;
  items[b] = item;
}
