import { Candidates } from './candidates.ts';
import { logSumExp, type TokenLogprob, topTokens } from './logprobs.ts';
import { uniformAt } from './random.ts';
import type { SamplingState } from './sampling-state.ts';
import { argmax, isIn, type TokenBits } from './token-set.ts';

export interface SampleRequest {
  /** Allowed tokens (a constraint's mask); null allows all. */
  readonly mask: TokenBits;
  readonly wantsLogprob: boolean;
  /** How many of the most likely tokens to report, 0 for none. */
  readonly topLogprobs: number;
  /** Tokens to report whatever is chosen. */
  readonly tokenIds?: readonly number[];
}

export interface Sample {
  readonly token: number;
  /** Null unless asked for. */
  readonly logprob: number | null;
  readonly top: readonly TokenLogprob[];
  readonly ids: readonly TokenLogprob[];
}

export class SamplingError extends Error {
  readonly code = 'NO_TOKEN';

  constructor(message: string) {
    super(message);
    this.name = 'SamplingError';
  }
}

/**
 * Logits to a token. One instance per engine thread (it owns scratch arrays of the vocabulary's size);
 * what belongs to a request is in its `SamplingState`.
 *
 * Log probabilities are SGLang's: of the distribution that is sampled from, after penalties, bias,
 * mask and temperature, before top-k, top-p and min-p. Greedy counts as temperature 1.
 */
export class Sampler {
  readonly #endOfGeneration: readonly number[];
  readonly #candidates: Candidates;

  constructor(vocabularySize: number, endOfGeneration: readonly number[]) {
    this.#endOfGeneration = endOfGeneration;
    this.#candidates = new Candidates(vocabularySize);
  }

  /**
   * Does not record the token: call `state.accept`. Changes `logits` in place (penalties, bias, barred
   * tokens). Throws `SamplingError` when no token is possible (an empty mask, or logits of NaN).
   */
  sample(logits: Float32Array, state: SamplingState, request: SampleRequest): Sample {
    state.adjust(logits);
    if (state.barsEnd) this.#barEnd(logits, state, request.mask);
    const token = state.greedy
      ? argmax(logits, request.mask)
      : this.#draw(logits, state, request.mask);
    if (token < 0) throw noToken(request.mask);
    return this.#withLogprobs(logits, state, request, token);
  }

  #draw(logits: Float32Array, state: SamplingState, mask: TokenBits): number {
    const { topK, topP, minP } = state.params;
    const filters = { temperature: state.temperature, topK, topP, minP };
    return this.#candidates.draw(logits, mask, filters, uniformAt(state.seed, state.length));
  }

  #withLogprobs(
    logits: Float32Array,
    state: SamplingState,
    request: SampleRequest,
    token: number,
  ): Sample {
    if (!request.wantsLogprob && request.topLogprobs === 0)
      return { token, logprob: null, top: [], ids: [] };
    const { temperature } = state;
    const normaliser = logSumExp(logits, request.mask, temperature);
    const { mask, tokenIds = [] } = request;
    const of = (id: number): TokenLogprob => ({
      token: id,
      logprob: isIn(mask, id) ? (logits[id] ?? 0) / temperature - normaliser : -Infinity,
    });
    return {
      token,
      logprob: of(token).logprob,
      top: topTokens(logits, request.topLogprobs, mask).map(of),
      ids: tokenIds.map(of),
    };
  }

  /** Bars the end tokens, unless a mask leaves nothing else. */
  #barEnd(logits: Float32Array, state: SamplingState, mask: TokenBits): void {
    const saved = new Map<number, number>();
    for (const token of [...this.#endOfGeneration, ...state.params.stopTokenIds]) {
      const logit = logits[token];
      if (logit === undefined || saved.has(token)) continue;
      saved.set(token, logit);
      logits[token] = Number.NEGATIVE_INFINITY;
    }
    if (mask !== null && argmax(logits, mask) < 0) {
      for (const [token, logit] of saved) logits[token] = logit;
    }
  }
}

function noToken(mask: TokenBits): SamplingError {
  return new SamplingError(
    mask === null
      ? 'The model gave no usable logits (all are NaN or minus infinity).'
      : 'The constraint allows no token here.',
  );
}
