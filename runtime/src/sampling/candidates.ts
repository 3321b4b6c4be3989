import { expNegative, NEGLIGIBLE } from './exponential.ts';
import { partition, selectLargest } from './selection.ts';
import { compact, type TokenBits } from './token-set.ts';

/** What narrows a distribution; names and ranges are SGLang's. */
export interface Filters {
  /** Above 0. */
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
  readonly minP: number;
}

/** Tokens whose largest logit is kept, so that whole blocks can be passed over. */
const BLOCK_BITS = 6;
const BLOCK = 1 << BLOCK_BITS;
/** Steps of the histogram over the distance from the largest logit, per nat. */
const STEPS_PER_NAT = 8;

/**
 * Draws from softmax(logits / temperature) under top-k, top-p and min-p, exactly, at vocabularies of
 * 256k tokens. Each filter keeps a beginning of the tokens sorted by falling logit (equal logits by
 * rising id), so together they keep all tokens up to one: the *last kept*. It is found without
 * sorting; then one pass adds the weights of what is kept, by blocks, and the draw looks for its place
 * in the order of token ids. So a draw depends on the distribution and the uniform number alone.
 *
 * Top-k and top-p apply jointly, as in SGLang: p counts in the unfiltered distribution.
 *
 * Arrays are reused between calls: one instance per engine thread.
 */
export class Candidates {
  readonly #tokens: Int32Array;
  readonly #copy: Float32Array;
  readonly #items: Int32Array;
  readonly #blockMaximum: Float32Array;
  readonly #blockSum: Float64Array;
  readonly #histogram = new Float64Array(-NEGLIGIBLE * STEPS_PER_NAT + 2);
  /** Logits of the tokens that a mask allows, in order; all logits without a mask. */
  #values: Float32Array;
  #count = 0;
  #masked = false;
  #largest = Number.NEGATIVE_INFINITY;
  #scale = 1;

  constructor(vocabularySize: number) {
    const blocks = Math.ceil(vocabularySize / BLOCK);
    this.#tokens = new Int32Array(vocabularySize);
    this.#copy = new Float32Array(vocabularySize);
    this.#items = new Int32Array(vocabularySize);
    this.#blockMaximum = new Float32Array(blocks);
    this.#blockSum = new Float64Array(blocks);
    this.#values = this.#copy;
  }

  /** The token at `uniform` ∈ [0, 1) of the filtered distribution; −1 if no token is possible. */
  draw(logits: Float32Array, bits: TokenBits, filters: Filters, uniform: number): number {
    this.#load(logits, bits);
    if (this.#largest === Number.NEGATIVE_INFINITY) return -1;
    this.#scale = 1 / filters.temperature;
    const last = this.#lastKept(filters);
    const reach = Math.min(-NEGLIGIBLE, filters.minP > 0 ? -Math.log(filters.minP) : Infinity);
    const total = this.#addBlocks(last, reach);
    const item = this.#find(uniform * total, last, reach);
    return this.#masked ? (this.#tokens[item] ?? -1) : item;
  }

  #load(logits: Float32Array, bits: TokenBits): void {
    this.#masked = bits !== null;
    this.#values = bits === null ? logits : this.#copy;
    this.#count = bits === null ? logits.length : compact(logits, bits, this.#tokens, this.#copy);
    this.#findMaxima();
    if (this.#largest === Number.POSITIVE_INFINITY) this.#keepInfinite();
  }

  get #blocks(): number {
    return (this.#count + BLOCK - 1) >> BLOCK_BITS;
  }

  #findMaxima(): void {
    const values = this.#values;
    const count = this.#count;
    let largest = Number.NEGATIVE_INFINITY;
    for (let block = 0, index = 0; index < count; block += 1) {
      const end = Math.min(index + BLOCK, count);
      let maximum = Number.NEGATIVE_INFINITY;
      for (; index < end; index += 1) {
        const value = values[index] ?? 0;
        if (value > maximum) maximum = value;
      }
      this.#blockMaximum[block] = maximum;
      if (maximum > largest) largest = maximum;
    }
    this.#largest = largest;
  }

  /** Infinite logits, which a bias can make, share everything among them. */
  #keepInfinite(): void {
    const values = this.#values;
    for (let index = 0; index < this.#count; index += 1) {
      this.#copy[index] = values[index] === Number.POSITIVE_INFINITY ? 0 : Number.NEGATIVE_INFINITY;
    }
    this.#values = this.#copy;
    this.#findMaxima();
  }

  /** The last token that top-k and top-p keep; −1 if they keep all. */
  #lastKept({ topK, topP }: Filters): number {
    const byRank = topK > 0 && topK < this.#count ? this.#atRank(topK) : -1;
    if (topP >= 1) return byRank;
    if (byRank < 0) return this.#atMass(topP);
    // Top-k is the first part of the items now: if p ends, it ends among them.
    const limit = topP * this.#addBlocks(-1, -NEGLIGIBLE);
    return this.#atMassWithin(topK, limit);
  }

  /** The token at `rank` (from 1). As many block maxima reach the bound, hence also tokens. */
  #atRank(rank: number): number {
    const blocks = this.#blocks;
    let bound = Number.NEGATIVE_INFINITY;
    if (rank <= blocks) {
      for (let block = 0; block < blocks; block += 1) this.#items[block] = block;
      selectLargest(this.#items, blocks, rank, this.#blockMaximum);
      bound = this.#blockMaximum[this.#items[rank - 1] ?? 0] ?? bound;
    }
    const length = this.#gather(bound);
    if (length < rank) return -1;
    selectLargest(this.#items, length, rank, this.#values);
    return this.#items[rank - 1] ?? -1;
  }

  /** The last token whose predecessors together have a probability of at most `topP`. */
  #atMass(topP: number): number {
    const limit = topP * this.#fillHistogram();
    let before = 0;
    for (let step = 0; step < this.#histogram.length; step += 1) {
      const after = before + (this.#histogram[step] ?? 0);
      if (after > limit) return this.#atMassWithin(this.#gatherStep(step), limit - before);
      before = after;
    }
    return -1;
  }

  /**
   * The last one of the first `length` items that has at most `limit` of weight before it.
   * Quickselect by weight instead of rank: linear however flat the distribution is.
   */
  #atMassWithin(length: number, limit: number): number {
    const items = this.#items;
    let before = 0;
    let low = 0;
    let high = length - 1;
    while (low <= high) {
      const place = partition(items, low, high, this.#values);
      let beforePlace = before;
      for (let index = low; index < place; index += 1) {
        beforePlace += this.#weight(items[index] ?? 0);
      }
      if (beforePlace > limit) {
        high = place - 1;
      } else {
        before = beforePlace + this.#weight(items[place] ?? 0);
        low = place + 1;
      }
    }
    return low === 0 ? -1 : (items[low - 1] ?? -1);
  }

  #weight(index: number): number {
    return expNegative(((this.#values[index] ?? 0) - this.#largest) * this.#scale);
  }

  /** Adds all weights, also by distance from the largest logit. Returns the sum. */
  #fillHistogram(): number {
    const values = this.#values;
    const histogram = this.#histogram.fill(0);
    const largest = this.#largest;
    const scale = this.#scale;
    let total = 0;
    for (let index = 0; index < this.#count; index += 1) {
      const exponent = ((values[index] ?? 0) - largest) * scale;
      if (!(exponent > NEGLIGIBLE)) continue;
      const weight = expNegative(exponent);
      const step = (exponent * -STEPS_PER_NAT) | 0;
      histogram[step] = (histogram[step] ?? 0) + weight;
      total += weight;
    }
    return total;
  }

  /** Collects what is at the histogram's step `wanted`; returns how many. */
  #gatherStep(wanted: number): number {
    const items = this.#items;
    const largest = this.#largest;
    const scale = this.#scale;
    let length = 0;
    for (let index = 0; index < this.#count; index += 1) {
      const exponent = ((this.#values[index] ?? 0) - largest) * scale;
      if (!(exponent > NEGLIGIBLE) || ((exponent * -STEPS_PER_NAT) | 0) !== wanted) continue;
      items[length] = index;
      length += 1;
    }
    return length;
  }

  /** Collects what is at least `bound`; returns how many. */
  #gather(bound: number): number {
    const items = this.#items;
    const values = this.#values;
    let length = 0;
    for (let block = 0; block < this.#blocks; block += 1) {
      if ((this.#blockMaximum[block] ?? 0) < bound) continue;
      const end = Math.min((block + 1) << BLOCK_BITS, this.#count);
      for (let index = block << BLOCK_BITS; index < end; index += 1) {
        if (!((values[index] ?? 0) >= bound)) continue;
        items[length] = index;
        length += 1;
      }
    }
    return length;
  }

  /** Sums of the weights that are kept, by blocks; returns their sum. */
  #addBlocks(last: number, reach: number): number {
    const values = this.#values;
    const largest = this.#largest;
    const scale = this.#scale;
    const count = this.#count;
    const least = last < 0 ? Number.NEGATIVE_INFINITY : (values[last] ?? 0);
    let total = 0;
    for (let block = 0; block < this.#blocks; block += 1) {
      const maximum = this.#blockMaximum[block] ?? 0;
      let sum = 0;
      if (maximum >= least && (maximum - largest) * scale >= -reach) {
        const end = Math.min((block + 1) << BLOCK_BITS, count);
        for (let index = block << BLOCK_BITS; index < end; index += 1) {
          const value = values[index] ?? 0;
          const exponent = (value - largest) * scale;
          if (value < least || !(exponent >= -reach) || (value === least && index > last)) continue;
          sum += expNegative(exponent);
        }
      }
      this.#blockSum[block] = sum;
      total += sum;
    }
    return total;
  }

  /** The token at which the weights that are kept add up to more than `target`. */
  #find(target: number, last: number, reach: number): number {
    let rest = target;
    let found = -1;
    for (let block = 0; block < this.#blocks; block += 1) {
      const sum = this.#blockSum[block] ?? 0;
      if (sum === 0) continue;
      // Rounding may leave a little over: then it is the last one that is kept.
      if (rest < sum || block === this.#blocks - 1)
        return this.#findInBlock(block, rest, last, reach);
      found = block;
      rest -= sum;
    }
    return found < 0 ? -1 : this.#findInBlock(found, Number.POSITIVE_INFINITY, last, reach);
  }

  #findInBlock(block: number, target: number, last: number, reach: number): number {
    const least = last < 0 ? Number.NEGATIVE_INFINITY : (this.#values[last] ?? 0);
    const end = Math.min((block + 1) << BLOCK_BITS, this.#count);
    let rest = target;
    let found = -1;
    for (let index = block << BLOCK_BITS; index < end; index += 1) {
      const value = this.#values[index] ?? 0;
      const exponent = (value - this.#largest) * this.#scale;
      if (value < least || !(exponent >= -reach) || (value === least && index > last)) continue;
      found = index;
      rest -= expNegative(exponent);
      if (rest < 0) break;
    }
    return found;
  }
}
