import { randomSeed } from './random.ts';

/** What a sampler must know of a request; names and ranges are SGLang's (`SamplingParams`). */
export interface SamplerParams {
  /** ≥ 0; below 1e−6 means greedy. */
  readonly temperature: number;
  /** 0 < topP ≤ 1. */
  readonly topP: number;
  /** −1 for all, or ≥ 1. */
  readonly topK: number;
  /** 0 … 1. */
  readonly minP: number;
  /** −2 … 2, times the number of times that the token was generated. */
  readonly frequencyPenalty: number;
  /** −2 … 2, once for every generated token. */
  readonly presencePenalty: number;
  /** 0 … 2; 1 changes nothing. Divides positive and multiplies negative logits of generated tokens. */
  readonly repetitionPenalty: number;
  /** Until so many tokens are generated, end-of-generation and stop tokens are barred. */
  readonly minNewTokens: number;
  readonly stopTokenIds: readonly number[];
  /** Added to logits, by token. */
  readonly logitBias: ReadonlyMap<number, number>;
  /** Null draws a random one. */
  readonly seed: number | null;
}

export const GREEDY: SamplerParams = {
  temperature: 0,
  topP: 1,
  topK: -1,
  minP: 0,
  frequencyPenalty: 0,
  presencePenalty: 0,
  repetitionPenalty: 1,
  minNewTokens: 0,
  stopTokenIds: [],
  logitBias: new Map(),
  seed: null,
};

/**
 * The sampling of one request: its parameters, seed, and the tokens generated so far. Penalties look
 * at generated tokens only, not at the prompt, as in SGLang.
 */
export class SamplingState {
  readonly params: SamplerParams;
  readonly seed: number;
  readonly greedy: boolean;
  readonly #penalised: boolean;
  readonly #output: number[] = [];
  readonly #counts = new Map<number, number>();

  constructor(params: SamplerParams) {
    this.params = params;
    this.seed = params.seed ?? randomSeed();
    this.greedy = params.temperature < 1e-6 || params.topK === 1;
    this.#penalised =
      params.frequencyPenalty !== 0 ||
      params.presencePenalty !== 0 ||
      params.repetitionPenalty !== 1;
  }

  /** Number of tokens generated. */
  get length(): number {
    return this.#output.length;
  }

  get temperature(): number {
    return this.params.temperature < 1e-6 ? 1 : this.params.temperature;
  }

  /** End-of-generation tokens may not come yet. */
  get barsEnd(): boolean {
    return this.#output.length < this.params.minNewTokens;
  }

  accept(token: number): void {
    this.#output.push(token);
    if (this.#penalised) this.#counts.set(token, (this.#counts.get(token) ?? 0) + 1);
  }

  /** Takes the last `count` accepted tokens back. */
  rollback(count: number): void {
    for (const token of this.#output.splice(Math.max(0, this.#output.length - count))) {
      const times = (this.#counts.get(token) ?? 0) - 1;
      if (times > 0) this.#counts.set(token, times);
      else this.#counts.delete(token);
    }
  }

  /**
   * Changes logits in place, only where something applies, in SGLang's order: frequency and
   * presence, then repetition, then bias.
   */
  adjust(logits: Float32Array): void {
    const { frequencyPenalty, presencePenalty, repetitionPenalty, logitBias } = this.params;
    for (const [token, times] of this.#counts) {
      const logit = (logits[token] ?? 0) - times * frequencyPenalty - presencePenalty;
      logits[token] = scale(logit, repetitionPenalty);
    }
    for (const [token, bias] of logitBias) {
      if (token >= 0 && token < logits.length) logits[token] = (logits[token] ?? 0) + bias;
    }
  }
}

/** A repetition penalty of 0 is in SGLang's range; it makes positive logits infinite. */
function scale(logit: number, penalty: number): number {
  if (penalty === 1) return logit;
  return logit < 0 ? logit * penalty : logit / Math.max(penalty, 1e-6);
}
