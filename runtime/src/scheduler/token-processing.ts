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
import type { TokenLogprob } from './messages.ts';
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
        request.inputLogprobs.add([null, token], null);
        continue;
      }
      const scored = promptLogprob(this.#engine.logits(first + offset), token, logprobs.top);
      request.inputLogprobs.add([scored.logprob, token], topRow(scored.top, logprobs.top));
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
    const { token, logprob, top } = this.#likeliest(request, row) ?? this.#sample(request, row);
    if (logprobs !== null) request.outputLogprobs.add([logprob, token], topRow(top, logprobs.top));
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
    const unbound = { mask: null, wantsLogprob: false, topLogprobs: 0 };
    const best = this.#sampler.sample(this.#engine.logits(row), sampling, unbound);
    return matcher.allows(best.token) ? best : null;
  }
}

function topRow(top: readonly SampledLogprob[], wanted: number): readonly TokenLogprob[] | null {
  return wanted === 0 ? null : top.map(({ token, logprob }) => [logprob, token]);
}
