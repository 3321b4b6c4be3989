import { NEGLIGIBLE } from './logprobs.ts';
import { argmax, forEachToken, type TokenBits } from './token-set.ts';

/**
 * The tokens that a draw can hit, with weights exp((logit − largest) / temperature). Arrays are
 * reused between calls: one instance per engine thread. Nothing sorts the whole vocabulary.
 */
export class Candidates {
  readonly #tokens: Int32Array;
  readonly #weights: Float64Array;
  #count = 0;
  /** Sum of weights before anything was filtered out. */
  #total = 0;

  constructor(vocabularySize: number) {
    this.#tokens = new Int32Array(vocabularySize);
    this.#weights = new Float64Array(vocabularySize);
  }

  get count(): number {
    return this.#count;
  }

  /** Log of the unfiltered sum of exp(logit / temperature): subtract it for log probabilities. */
  collect(logits: Float32Array, bits: TokenBits, temperature: number): number {
    this.#count = 0;
    this.#total = 0;
    const largest = logits[argmax(logits, bits)];
    if (largest === undefined) return Number.NEGATIVE_INFINITY;
    const scale = 1 / temperature;
    if (bits === null) {
      for (let token = 0; token < logits.length; token += 1) {
        this.#consider(token, logits[token] ?? Number.NaN, largest, scale);
      }
    } else {
      forEachToken(bits, logits.length, (token) =>
        this.#consider(token, logits[token] ?? Number.NaN, largest, scale),
      );
    }
    return largest * scale + Math.log(this.#total);
  }

  /** Keeps weights of at least `minP` of the largest. */
  keepMinP(minP: number): void {
    if (minP <= 0) return;
    let kept = 0;
    for (let index = 0; index < this.#count; index += 1) {
      if ((this.#weights[index] ?? 0) < minP) continue;
      this.#swap(kept, index);
      kept += 1;
    }
    this.#count = kept;
  }

  /** Keeps the `topK` largest. */
  keepTopK(topK: number): void {
    if (topK < 0 || topK >= this.#count) return;
    this.#select(0, topK);
    this.#count = topK;
  }

  /**
   * Keeps the largest whose predecessors together have a probability of at most `topP`, measured in
   * the unfiltered distribution (SGLang applies top-k and top-p jointly, not one after the other).
   */
  keepTopP(topP: number): void {
    if (topP >= 1) return;
    const limit = topP * this.#total;
    // Quickselect by weight instead of rank: linear however flat the distribution is.
    let before = 0;
    let low = 0;
    let high = this.#count - 1;
    while (low <= high) {
      const pivot = this.#partition(low, high);
      const beforePivot = before + this.#sum(low, pivot);
      if (beforePivot > limit) {
        high = pivot - 1;
      } else {
        before = beforePivot + (this.#weights[pivot] ?? 0);
        low = pivot + 1;
      }
    }
    this.#count = low;
  }

  /** The token at `uniform` ∈ [0, 1) of the remaining weights; −1 if there are none. */
  draw(uniform: number): number {
    let rest = uniform * this.#sum(0, this.#count);
    for (let index = 0; index < this.#count; index += 1) {
      rest -= this.#weights[index] ?? 0;
      if (rest < 0) return this.#tokens[index] ?? -1;
    }
    return this.#tokens[this.#count - 1] ?? -1;
  }

  /** Leaves negligible tokens and NaN out. */
  #consider(token: number, logit: number, largest: number, scale: number): void {
    // Equal logits must not become NaN when the largest is infinite.
    const exponent = logit === largest ? 0 : (logit - largest) * scale;
    if (!(exponent > NEGLIGIBLE)) return;
    const weight = Math.exp(exponent);
    this.#tokens[this.#count] = token;
    this.#weights[this.#count] = weight;
    this.#count += 1;
    this.#total += weight;
  }

  /** Quickselect: afterwards [start, end) holds the largest of [start, count). */
  #select(start: number, end: number): void {
    let low = start;
    let high = this.#count - 1;
    while (low < high) {
      const pivot = this.#partition(low, high);
      if (pivot === end || pivot === end - 1) return;
      if (pivot < end) low = pivot + 1;
      else high = pivot - 1;
    }
  }

  /** Hoare-style selection around the middle element; returns its final place. */
  #partition(low: number, high: number): number {
    this.#swap((low + high) >> 1, high);
    let place = low;
    for (let index = low; index < high; index += 1) {
      if (!this.#precedes(index, high)) continue;
      this.#swap(place, index);
      place += 1;
    }
    this.#swap(place, high);
    return place;
  }

  #sum(start: number, end: number): number {
    let sum = 0;
    for (let index = start; index < end; index += 1) sum += this.#weights[index] ?? 0;
    return sum;
  }

  /** Larger weight first; equal weights by token, so that results do not depend on the algorithm. */
  #precedes(a: number, b: number): boolean {
    const difference = (this.#weights[a] ?? 0) - (this.#weights[b] ?? 0);
    if (difference !== 0) return difference > 0;
    return (this.#tokens[a] ?? 0) < (this.#tokens[b] ?? 0);
  }

  #swap(a: number, b: number): void {
    if (a === b) return;
    const token = this.#tokens[a] ?? 0;
    const weight = this.#weights[a] ?? 0;
    this.#tokens[a] = this.#tokens[b] ?? 0;
    this.#weights[a] = this.#weights[b] ?? 0;
    this.#tokens[b] = token;
    this.#weights[b] = weight;
  }
}
