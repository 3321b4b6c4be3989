/** Positions in the network that one automaton state stands for: network state and call stack. */
export interface Positions {
  readonly states: Int32Array;
  readonly stacks: Int32Array;
}

/**
 * Gives every distinct set of positions a number. Positions are stored one after the other in two
 * growing arrays; a hash table with open addressing finds equal sets.
 */
export class StateTable {
  #count = 0;
  #used = 0;
  #ends = new Int32Array(64);
  #hashes = new Int32Array(64);
  #accepting = new Uint8Array(64);
  #states = new Int32Array(256);
  #stacks = new Int32Array(256);
  #slots = new Int32Array(128).fill(-1);

  get count(): number {
    return this.#count;
  }

  /** Stored numbers, for accounting. */
  get words(): number {
    return 2 * this.#used + 4 * this.#count;
  }

  isAccepting(id: number): boolean {
    return this.#accepting[id] === 1;
  }

  /** A view, valid until the next `intern`. */
  positions(id: number): Positions {
    const from = this.#begin(id);
    const to = this.#ends[id] ?? from;
    return { states: this.#states.subarray(from, to), stacks: this.#stacks.subarray(from, to) };
  }

  /**
   * The number of a set. `keys` are `stack · stateCount + state`, ascending, without repetitions:
   * the same set always has the same keys.
   */
  intern(keys: Float64Array, stateCount: number, accepting: boolean): number {
    this.#append(keys, stateCount);
    const size = keys.length;
    const hash = this.#hash(this.#used, size, accepting);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (let id = this.#slots[slot] ?? -1; id >= 0; id = this.#slots[slot] ?? -1) {
      if (this.#hashes[id] === hash && this.#isEqual(id, size, accepting)) return id;
      slot = (slot + 1) & mask;
    }
    return this.#add(slot, size, hash, accepting);
  }

  #begin(id: number): number {
    return id === 0 ? 0 : (this.#ends[id - 1] ?? 0);
  }

  /** Writes the candidate behind the used part, where it stays if it is new. */
  #append(keys: Float64Array, stateCount: number): void {
    while (this.#used + keys.length > this.#states.length) {
      this.#states = grown(this.#states);
      this.#stacks = grown(this.#stacks);
    }
    keys.forEach((key, index) => {
      const stack = Math.floor(key / stateCount);
      this.#stacks[this.#used + index] = stack;
      this.#states[this.#used + index] = key - stack * stateCount;
    });
  }

  /** FNV-1a over 32-bit words. */
  #hash(from: number, size: number, accepting: boolean): number {
    let hash = accepting ? 0x811c9dc5 | 0 : 0x050c5d1f;
    for (let index = from; index < from + size; index++) {
      hash = Math.imul(hash ^ (this.#states[index] ?? 0), 0x01000193);
      hash = Math.imul(hash ^ (this.#stacks[index] ?? 0), 0x01000193);
    }
    return hash ^ (hash >>> 15);
  }

  #isEqual(id: number, size: number, accepting: boolean): boolean {
    const from = this.#begin(id);
    if ((this.#ends[id] ?? 0) - from !== size || this.isAccepting(id) !== accepting) return false;
    for (let index = 0; index < size; index++) {
      if (this.#states[from + index] !== this.#states[this.#used + index]) return false;
      if (this.#stacks[from + index] !== this.#stacks[this.#used + index]) return false;
    }
    return true;
  }

  #add(slot: number, size: number, hash: number, accepting: boolean): number {
    const id = this.#count++;
    if (id >= this.#ends.length) {
      this.#ends = grown(this.#ends);
      this.#hashes = grown(this.#hashes);
      const wider = new Uint8Array(this.#accepting.length * 2);
      wider.set(this.#accepting);
      this.#accepting = wider;
    }
    this.#used += size;
    this.#ends[id] = this.#used;
    this.#hashes[id] = hash;
    this.#accepting[id] = accepting ? 1 : 0;
    this.#slots[slot] = id;
    if (this.#count * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let id = 0; id < this.#count; id++) {
      let slot = (this.#hashes[id] ?? 0) & mask;
      while ((slots[slot] ?? -1) >= 0) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

export function grown(array: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> {
  const wider = new Int32Array(array.length * 2);
  wider.set(array);
  return wider;
}
