import { ConstraintError } from '../constraints/constraint.ts';
import type { Engine, Vocabulary } from '../engine/engine.ts';
import { promptLogprob } from '../sampling/logprobs.ts';
import type { TokenLogprob as SampledLogprob } from '../sampling/logprobs.ts';
import type { Sampler } from '../sampling/sampler.ts';
import { SamplingError } from '../sampling/sampler.ts';
import type { Slice } from './batch.ts';
import type { FinishReason, TokenLogprob } from './messages.ts';
import type { Request } from './request.ts';
import { badRequest } from './request-factory.ts';

/** Turns the logits of a batch into scores of prompt tokens, new tokens, and ends of requests. */
export class TokenProcessor {
  readonly #engine: Engine;
  readonly #sampler: Sampler;

  constructor(engine: Engine, sampler: Sampler) {
    this.#engine = engine;
    this.#sampler = sampler;
  }

  /** Handles a computed slice; afterwards the request may be finished. True if a token came out. */
  process({ request, first, count, reachesEnd }: Slice): boolean {
    const start = request.computed;
    this.#scorePrompt(request, start, first, count);
    request.computed += count;
    if (!reachesEnd) return false;
    request.promptDone();
    try {
      return this.#extend(request, this.#engine.logits(first + count - 1));
    } catch (error) {
      if (!(error instanceof SamplingError || error instanceof ConstraintError)) throw error;
      request.finish = badRequest(error.message);
      return false;
    }
  }

  /** Log probabilities of the prompt tokens that follow those of the slice. */
  #scorePrompt(request: Request, start: number, first: number, count: number): void {
    const { logprobs } = request.spec;
    if (logprobs === null) return;
    for (let offset = 0; offset < count; offset += 1) {
      const position = start + offset;
      if (!request.scoresAfter(position)) continue;
      const token = request.tokens[position + 1] ?? 0;
      const scored = promptLogprob(this.#engine.logits(first + offset), token, logprobs.top);
      request.inputLogprobs.add([scored.logprob, token], topRow(scored.top, logprobs.top));
    }
  }

  #extend(request: Request, logits: Float32Array): boolean {
    const { logprobs, sampling } = request.spec;
    const prefillOnly = sampling.maxNewTokens === 0;
    if (prefillOnly && logprobs === null) {
      request.finish = { type: 'length', length: 0 };
      return false;
    }
    const { token, logprob, top } = this.#sampler.sample(logits, request.sampling, {
      mask: request.matcher?.mask() ?? null,
      wantsLogprob: logprobs !== null,
      topLogprobs: logprobs?.top ?? 0,
    });
    if (logprobs !== null) request.outputLogprobs.add([logprob, token], topRow(top, logprobs.top));
    if (prefillOnly) {
      request.finish = { type: 'length', length: 0 };
      return false;
    }
    this.#accept(request, token);
    return true;
  }

  #accept(request: Request, token: number): void {
    request.sampling.accept(token);
    request.tokens.push(token);
    const accepted = request.matcher?.accept(token) ?? true;
    request.finish = accepted
      ? stopReason(request, token, this.#engine.vocabulary)
      : badRequest('the constraint refused a token that it had allowed');
    if (request.finish !== null) request.text.finish();
  }
}

/**
 * Why the request ends with its newest token, or null. An end token leaves no text; SGLang checks
 * the length first, so that a stop at the last allowed token counts as "length".
 */
function stopReason(request: Request, token: number, vocabulary: Vocabulary): FinishReason | null {
  const { sampling } = request.spec;
  const isEnd =
    (!sampling.ignoreEos || request.matcher?.canEnd === true) &&
    vocabulary.isEndOfGeneration(token);
  const stops = isEnd || (!sampling.ignoreEos && sampling.stopTokenIds.includes(token));
  const leavesText = !stops || (sampling.noStopTrim && !vocabulary.isControl(token));
  const matched = leavesText ? request.text.append(token) : null;
  if (request.generated >= sampling.maxNewTokens) return lengthReason(request);
  if (stops) return { type: 'stop', matched: token };
  if (matched !== null) return { type: 'stop', matched };
  const [end] = vocabulary.endOfGeneration;
  // Only the end may follow: no need to compute it.
  return request.matcher?.mustEnd === true && end !== undefined
    ? { type: 'stop', matched: end }
    : null;
}

function lengthReason({ spec, matcher }: Request): FinishReason {
  const reason = { type: 'length', length: spec.sampling.maxNewTokens } as const;
  if (matcher === null || matcher.canEnd || matcher.mustEnd) return reason;
  return {
    ...reason,
    message: `The output was cut at max_new_tokens before it matched the ${spec.sampling.constraint?.kind}.`,
  };
}

function topRow(top: readonly SampledLogprob[], wanted: number): readonly TokenLogprob[] | null {
  return wanted === 0 ? null : top.map(({ token, logprob }) => [logprob, token]);
}
