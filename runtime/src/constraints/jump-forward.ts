import type { Matcher } from './constraint.ts';

/** What jump-forward must know of a vocabulary; a subset of the engine's `Vocabulary`. */
export interface JumpVocabulary {
  bytes(token: number, special: boolean): Uint8Array;
  tokenize(
    text: string,
    options: { readonly addSpecial: boolean; readonly parseSpecial: boolean },
  ): number[];
}

/** How to continue without asking the model. */
export interface Jump {
  /** Output tokens that stay; the later ones are replaced (in the KV cache too). */
  readonly keep: number;
  /** Tokens behind them, all allowed by the grammar. */
  readonly tokens: readonly number[];
}

/** Trailing tokens given back because the model might choose a longer one in their place. */
const MAXIMUM_RETURNED = 4;
/** Trailing tokens of the output that are tokenised anew with the forced text. */
const WINDOW = 16;

/**
 * SGLang's jump-forward: when the grammar leaves no choice, the forced text is appended without
 * running the model. The output and the forced text are tokenised together, so that the tokens are
 * those that the model has learnt; this may replace the last tokens of the output. Tokens at the
 * end that an allowed longer token begins with are left to the model (`"` where `"H` is possible).
 *
 * `output` are the tokens that `matcher` has accepted since its start. Null if nothing is gained.
 * The matcher is not changed; to follow the jump: `rollback(output.length - keep)`, then `accept`
 * each of `tokens`.
 */
export function planJump(
  matcher: Matcher,
  output: readonly number[],
  vocabulary: JumpVocabulary,
): Jump | null {
  const forced = matcher.forcedBytes();
  if (forced.length === 0) return null;
  const target = tokenizeEnd(output, forced, vocabulary);
  if (target === null) return null;
  const { keep, tokens } = target;
  const fork = matcher.fork();
  fork.rollback(output.length - keep);
  // A tokeniser that changes the text (normalisation, a blank in front) cannot be followed.
  if (!tokens.every((token) => fork.accept(token))) return null;
  giveBack(fork, tokens, vocabulary);
  const gained = length(tokens, vocabulary) - length(output.slice(keep), vocabulary);
  return gained > 0 ? { keep, tokens } : null;
}

/**
 * Tokens of the output followed by `forced`, behind those that stay. Looks at the last tokens of
 * the output only, unless so many of them change that earlier ones might.
 */
function tokenizeEnd(
  output: readonly number[],
  forced: Uint8Array,
  vocabulary: JumpVocabulary,
): { readonly keep: number; readonly tokens: number[] } | null {
  for (const start of [Math.max(0, output.length - WINDOW), 0]) {
    const window = output.slice(start);
    const own = window.map((token) => vocabulary.bytes(token, false));
    const text = decodeComplete(Buffer.concat([...own, forced]));
    if (text === null) continue;
    const target = vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false });
    const same = commonPrefix(window, target);
    if (start > 0 && same < WINDOW / 2) continue;
    return { keep: start + same, tokens: target.slice(same) };
  }
  return null;
}

/** The text of the bytes without an unfinished character at the end; null if it is not UTF-8. */
function decodeComplete(bytes: Uint8Array): string | null {
  let end = bytes.length;
  let start = end;
  // The last lead byte is at most three bytes from the end.
  while (start > 0 && end - start < 4 && ((bytes[start - 1] ?? 0) & 0xc0) === 0x80) start--;
  const lead = bytes[start - 1] ?? 0;
  const needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (needed > 1 && end - (start - 1) < needed) end = start - 1;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      bytes.subarray(0, end),
    );
  } catch {
    return null;
  }
}

function commonPrefix(left: readonly number[], right: readonly number[]): number {
  let length = 0;
  while (length < left.length && length < right.length && left[length] === right[length]) length++;
  return length;
}

/** Drops tokens from the end as long as an allowed token begins with the last one. */
function giveBack(matcher: Matcher, tokens: number[], vocabulary: JumpVocabulary): void {
  for (let returned = 0; returned < MAXIMUM_RETURNED && tokens.length > 0; returned++) {
    const last = vocabulary.bytes(tokens.at(-1) ?? 0, false);
    matcher.rollback(1);
    if (!matcher.allowsLonger(last)) return;
    tokens.pop();
  }
}

function length(tokens: readonly number[], vocabulary: JumpVocabulary): number {
  return tokens.reduce((sum, token) => sum + vocabulary.bytes(token, false).length, 0);
}
