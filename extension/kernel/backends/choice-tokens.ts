/** Which of a server's prompt log probabilities belong to a choice. */
import { InvalidAnswerError, type TokenLogprob } from './backend.ts';

/**
 * Where to begin asking for log probabilities so that the prompt's last token is among them: servers
 * of 2024 answer from token `start + 1`, later ones from `start` with a null in front.
 * @param promptTokens number of tokens of the prompt alone.
 */
export function choiceStart(promptTokens: number): number {
  return Math.max(promptTokens - 2, 0);
}

/**
 * The tokens of a choice, from the log probabilities of prompt + choice that start near the prompt's
 * end (`choiceStart`). Leading nulls go in both layouts, so that the first entry left is token
 * `choiceStart + 1`: the prompt's last token, unless the prompt has fewer than two. That one is
 * dropped when it is unchanged; when choice and prompt were tokenised together across the border
 * (token healing), it belongs to the choice.
 */
export function choiceTokens(
  entries: readonly TokenLogprob[],
  promptText: string,
  promptTokens: number,
): readonly TokenLogprob[] {
  const known = entries.filter(([logprob]) => logprob !== null);
  const first = known[0];
  if (first === undefined || promptTokens < 2) return known;
  const text = first[2];
  const unchanged = text !== null && promptText.endsWith(text);
  return unchanged ? known.slice(1) : known;
}

/** Reads a list of `[logprob, id, text]`. @throws InvalidAnswerError */
export function parseTokenLogprobs(value: unknown): readonly TokenLogprob[] {
  if (!Array.isArray(value)) throw invalid();
  return value.map((entry: unknown): TokenLogprob => {
    if (!Array.isArray(entry)) throw invalid();
    const [logprob, id, text]: unknown[] = entry;
    if (logprob !== null && typeof logprob !== 'number') throw invalid();
    return [logprob, typeof id === 'number' ? id : -1, typeof text === 'string' ? text : null];
  });
}

function invalid(): InvalidAnswerError {
  return new InvalidAnswerError(
    'The server gave no log probabilities for the choices of a select; it must support return_logprob.',
  );
}
