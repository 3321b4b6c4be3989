import { ConstraintError } from '../constraints/constraint.ts';
import type { Engine } from '../engine/engine.ts';
import { promptLogprob } from '../sampling/logprobs.ts';
import type { TokenLogprob as SampledLogprob } from '../sampling/logprobs.ts';
import type { Sample, Sampler } from '../sampling/sampler.ts';
import { SamplingError } from '../sampling/sampler.ts';
import { isImageToken } from '../vision/image-tokens.ts';
import { acceptToken } from './accept-token.ts';
import type { Slice } from './batch.ts';
import { badRequest } from './finish-reasons.ts';
import type { ForcedText } from './forced-text.ts';
import type { LogprobOptions, TokenLogprob } from './messages.ts';
import type { Request } from './request.ts';

/** Turns the logits of a batch into scores of prompt tokens, new tokens, and ends of requests. */
export class TokenProcessor {
  readonly #engine: Engine;
  readonly #sampler: Sampler;
  readonly #forced: ForcedText | null;

  /** `forced`: jump-forward, null without. */
  constructor(engine: Engine, sampler: Sampler, forced: ForcedText | null = null) {
    this.#engine = engine;
    this.#sampler = sampler;
    this.#forced = forced;
  }

  /**
   * Handles a computed slice; afterwards the request may be finished. Returns how many tokens the
   * output has grown by.
   */
  process({ request, first, count, reachesEnd }: Slice): number {
    const start = request.computed;
    this.#scorePrompt(request, start, first, count);
    request.computed += count;
    if (!reachesEnd) return 0;
    const before = request.generated;
    request.promptDone();
    try {
      this.#extend(request, first + count - 1);
    } catch (error) {
      if (!(error instanceof SamplingError || error instanceof ConstraintError)) throw error;
      request.finish = badRequest(error.message);
    }
    return request.generated - before;
  }

  /** Log probabilities of the prompt tokens that follow those of the slice. */
  #scorePrompt(request: Request, start: number, first: number, count: number): void {
    const { logprobs } = request.spec;
    if (logprobs === null) return;
    for (let offset = 0; offset < count; offset += 1) {
      const position = start + offset;
      if (!request.scoresAfter(position)) continue;
      const token = request.tokens[position + 1] ?? 0;
      if (isImageToken(token)) {
        // A part of an image is not something that the model could have said.
        request.inputLogprobs.add([null, token], null, null);
        continue;
      }
      const logits = this.#engine.logits(first + offset);
      const scored = promptLogprob(logits, token, logprobs.top, logprobs.tokenIds);
      request.inputLogprobs.add([scored.logprob, token], ...extraRows(scored, logprobs));
    }
  }

  /** `row`: batch index of the request's newest token. */
  #extend(request: Request, row: number): void {
    const { logprobs, sampling } = request.spec;
    const prefillOnly = sampling.maxNewTokens === 0;
    if (prefillOnly && logprobs === null) {
      request.finish = { type: 'length', length: 0 };
      return;
    }
    const sample = this.#likeliest(request, row) ?? this.#sample(request, row);
    const { token, logprob } = sample;
    if (logprobs !== null) {
      request.outputLogprobs.add([logprob, token], ...extraRows(sample, logprobs));
    }
    if (prefillOnly) {
      request.finish = { type: 'length', length: 0 };
      return;
    }
    acceptToken(request, token, this.#engine.vocabulary);
    if (request.finish === null) this.#forced?.append(request);
  }

  #sample({ matcher, sampling, spec }: Request, row: number): Sample {
    return this.#sampler.sample(this.#engine.logits(row), sampling, {
      mask: matcher?.mask() ?? null,
      wantsLogprob: spec.logprobs !== null,
      topLogprobs: spec.logprobs?.top ?? 0,
      tokenIds: spec.logprobs?.tokenIds ?? [],
    });
  }

  /**
   * The likeliest token of all, if greedy sampling wants no more and the constraint allows it: saves
   * the work on a mask that is not known yet. Null otherwise.
   */
  #likeliest({ matcher, sampling, spec }: Request, row: number): Sample | null {
    if (matcher === null || !sampling.greedy || sampling.barsEnd || spec.logprobs !== null) {
      return null;
    }
    if (matcher.knowsMask) return null;
    const unbound = { mask: null, wantsLogprob: false, topLogprobs: 0, tokenIds: [] };
    const best = this.#sampler.sample(this.#engine.logits(row), sampling, unbound);
    return matcher.allows(best.token) ? best : null;
  }
}

interface Extras {
  readonly top: readonly SampledLogprob[];
  readonly ids: readonly SampledLogprob[];
}

type Row = readonly TokenLogprob[] | null;

/** The likeliest tokens, and those that the client named; null where none were asked for. */
function extraRows({ top, ids }: Extras, wanted: LogprobOptions): [top: Row, ids: Row] {
  const row = (list: readonly SampledLogprob[]): Row =>
    list.map(({ token, logprob }) => [logprob, token]);
  return [wanted.top === 0 ? null : row(top), wanted.tokenIds === undefined ? null : row(ids)];
}
