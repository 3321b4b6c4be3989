import { NEGLIGIBLE } from './logprobs.ts';
import { argmax, forEachToken, type TokenBits } from './token-set.ts';

/** How many candidates `top_p` sorts first; four times as many whenever they are not enough. */
const FIRST_SELECTION = 64;

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
    const consider = (token: number): void => {
      const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
      // Equal logits must not become NaN when the largest is infinite.
      const exponent = logit === largest ? 0 : (logit - largest) * scale;
      if (exponent > NEGLIGIBLE) this.#add(token, Math.exp(exponent));
    };
    if (bits === null) for (let token = 0; token < logits.length; token += 1) consider(token);
    else forEachToken(bits, logits.length, consider);
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
    let before = 0;
    let sorted = 0;
    for (let size = FIRST_SELECTION; sorted < this.#count; size *= 4) {
      const end = Math.min(size, this.#count);
      this.#select(sorted, end);
      this.#sort(sorted, end);
      for (; sorted < end; sorted += 1) {
        if (before > limit) {
          this.#count = sorted;
          return;
        }
        before += this.#weights[sorted] ?? 0;
      }
    }
  }

  /** The token at `uniform` ∈ [0, 1) of the remaining weights; −1 if there are none. */
  draw(uniform: number): number {
    let sum = 0;
    for (let index = 0; index < this.#count; index += 1) sum += this.#weights[index] ?? 0;
    let rest = uniform * sum;
    for (let index = 0; index < this.#count; index += 1) {
      rest -= this.#weights[index] ?? 0;
      if (rest < 0) return this.#tokens[index] ?? -1;
    }
    return this.#tokens[this.#count - 1] ?? -1;
  }

  #add(token: number, weight: number): void {
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

  #sort(start: number, end: number): void {
    const order = Array.from({ length: end - start }, (_, index) => ({
      token: this.#tokens[start + index] ?? 0,
      weight: this.#weights[start + index] ?? 0,
    })).sort((a, b) => b.weight - a.weight || a.token - b.token);
    order.forEach(({ token, weight }, index) => {
      this.#tokens[start + index] = token;
      this.#weights[start + index] = weight;
    });
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
