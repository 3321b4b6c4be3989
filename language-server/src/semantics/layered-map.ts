/**
 * A map that is copied in constant time. Copies share frozen layers below and write into their own
 * on top; comparing two copies looks only at the layers above the ones they share.
 *
 *     fork:   [own] ─ base        join looks at:  [own a] ┐
 *             [own'] ┘                            [own b] ┴─ common (not visited)
 *
 * Below the last layer there may be a root, which is asked for what no layer has.
 */

interface Layer<Key, Value> {
  readonly entries: ReadonlyMap<Key, Value>;
  readonly below: Layer<Key, Value> | null;
  readonly depth: number;
}

export interface Root<Key, Value> {
  get(key: Key): Value | undefined;
}

const none: ReadonlySet<never> = new Set<never>();

export class LayeredMap<Key, Value> {
  #own: Map<Key, Value> | null = null;
  #below: Layer<Key, Value> | null = null;
  readonly #root: Root<Key, Value> | null;

  constructor(root: Root<Key, Value> | null = null) {
    this.#root = root;
  }

  get(key: Key): Value | undefined {
    const value = this.#inLayers(key);
    return value === undefined && this.#root !== null ? this.#root.get(key) : value;
  }

  #inLayers(key: Key): Value | undefined {
    if (this.#own !== null) {
      const own = this.#own.get(key);
      if (own !== undefined) return own;
    }
    for (let layer = this.#below; layer; layer = layer.below) {
      const value = layer.entries.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  set(key: Key, value: Value): void {
    this.#own ??= new Map();
    this.#own.set(key, value);
  }

  /** A copy; both may change independently from here on. */
  fork(): LayeredMap<Key, Value> {
    this.#freeze();
    return this.#on(this.#below);
  }

  #on(below: Layer<Key, Value> | null): LayeredMap<Key, Value> {
    const map = new LayeredMap(this.#root);
    map.#below = below;
    return map;
  }

  /** Small layers are merged with the next ones, so that their number stays logarithmic. */
  #freeze(): void {
    if (!this.#own) return;
    let entries = this.#own;
    let below = this.#below;
    for (; below && below.entries.size <= 2 * entries.size; below = below.below) {
      const merged = new Map(below.entries);
      for (const [key, value] of entries) merged.set(key, value);
      entries = merged;
    }
    this.#below = { entries, below, depth: (below?.depth ?? 0) + 1 };
    this.#own = null;
  }

  /** What the layers hold, without the root. */
  toMap(): Map<Key, Value> {
    const layers: ReadonlyMap<Key, Value>[] = [this.#own ?? new Map()];
    for (let layer = this.#below; layer; layer = layer.below) layers.push(layer.entries);
    return new Map(layers.toReversed().flatMap((entries) => [...entries]));
  }

  /** Keys that one of the two may have otherwise than the other. Both have the same root. */
  static differingKeys<Key, Value>(
    a: LayeredMap<Key, Value>,
    b: LayeredMap<Key, Value>,
  ): ReadonlySet<Key> {
    a.#freeze();
    b.#freeze();
    if (a.#below === b.#below) return none;
    const common = commonLayer(a.#below, b.#below);
    const keys = new Set<Key>();
    for (const top of [a.#below, b.#below]) {
      for (let layer = top; layer && layer !== common; layer = layer.below) {
        for (const key of layer.entries.keys()) keys.add(key);
      }
    }
    return keys;
  }

  /** Both maps in one: `merge` decides about keys that may differ; `undefined` leaves a key out. */
  static join<Key, Value>(
    a: LayeredMap<Key, Value>,
    b: LayeredMap<Key, Value>,
    merge: (a: Value | undefined, b: Value | undefined, key: Key) => Value | undefined,
  ): LayeredMap<Key, Value> {
    const keys = LayeredMap.differingKeys(a, b);
    if (keys.size === 0) return a.#on(a.#below);
    const result = a.#on(commonLayer(a.#below, b.#below));
    for (const key of keys) {
      const merged = merge(a.get(key), b.get(key), key);
      if (merged !== undefined) result.set(key, merged);
    }
    return result;
  }

  /** Both maps in one, where values that differ give way to fresh ones. The root is not asked. */
  static joinOrRenew<Key, Value>(
    a: LayeredMap<Key, Value>,
    b: LayeredMap<Key, Value>,
    fresh: () => Value,
  ): LayeredMap<Key, Value> {
    const keys = LayeredMap.differingKeys(a, b);
    const result = a.#on(commonLayer(a.#below, b.#below));
    for (const key of keys) {
      const value = a.#inLayers(key);
      result.set(key, value !== undefined && value === b.#inLayers(key) ? value : fresh());
    }
    return result;
  }
}

function commonLayer<Key, Value>(
  a: Layer<Key, Value> | null,
  b: Layer<Key, Value> | null,
): Layer<Key, Value> | null {
  let [left, right] = [a, b];
  while (left !== right) {
    const isDeeper = (left?.depth ?? 0) >= (right?.depth ?? 0);
    if (isDeeper && left) left = left.below;
    else right = right?.below ?? null;
  }
  return left;
}
