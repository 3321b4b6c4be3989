import type { Vocabulary } from '../engine/engine.ts';
import { badRequest } from './finish-reasons.ts';
import type { FinishReason } from './messages.ts';
import type { Request } from './request.ts';

/**
 * Appends a token to the output: sampling state, text, constraint; afterwards the request may be
 * finished. The first `written` bytes of the token are in the text already.
 */
export function acceptToken(
  request: Request,
  token: number,
  vocabulary: Vocabulary,
  written = 0,
): void {
  request.sampling.accept(token);
  request.tokens.push(token);
  const accepted = request.matcher?.accept(token) ?? true;
  request.finish = accepted
    ? stopReason(request, token, vocabulary, written)
    : badRequest('the constraint refused a token that it had allowed');
  if (request.finish !== null) request.text.finish();
}

/**
 * Why the request ends with its newest token, or null. An end token leaves no text; SGLang checks
 * the length first, so that a stop at the last allowed token counts as "length".
 */
function stopReason(
  request: Request,
  token: number,
  vocabulary: Vocabulary,
  written: number,
): FinishReason | null {
  const { sampling } = request.spec;
  const isEnd =
    (!sampling.ignoreEos || request.matcher?.canEnd === true) &&
    vocabulary.isEndOfGeneration(token);
  const stops = isEnd || (!sampling.ignoreEos && sampling.stopTokenIds.includes(token));
  const leavesText = !stops || (sampling.noStopTrim && !vocabulary.isControl(token));
  const matched = leavesText ? request.text.append(token, written) : null;
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
