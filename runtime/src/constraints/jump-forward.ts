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
  const own = output.map((token) => vocabulary.bytes(token, false));
  const text = decodeComplete(Buffer.concat([...own, forced]));
  if (text === null) return null;
  const target = vocabulary.tokenize(text, { addSpecial: false, parseSpecial: false });
  const keep = commonPrefix(output, target);
  const fork = matcher.fork();
  fork.rollback(output.length - keep);
  const tokens = target.slice(keep);
  // A tokeniser that changes the text (normalisation, a blank in front) cannot be followed.
  if (!tokens.every((token) => fork.accept(token))) return null;
  giveBack(fork, tokens, vocabulary);
  const gained = length(tokens, vocabulary) - length(output.slice(keep), vocabulary);
  return gained > 0 ? { keep, tokens } : null;
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
    if (!allowsLonger(matcher, last, vocabulary)) return;
    tokens.pop();
  }
}

function allowsLonger(matcher: Matcher, bytes: Uint8Array, vocabulary: JumpVocabulary): boolean {
  const mask = matcher.mask();
  for (let index = 0; index < mask.length; index++) {
    for (let word = mask[index] ?? 0; word !== 0; word &= word - 1) {
      const token = index * 32 + (31 - Math.clz32(word & -word));
      if (beginsWith(vocabulary.bytes(token, false), bytes)) return true;
    }
  }
  return false;
}

function beginsWith(longer: Uint8Array, bytes: Uint8Array): boolean {
  return longer.length > bytes.length && bytes.every((byte, index) => longer[index] === byte);
}

function length(tokens: readonly number[], vocabulary: JumpVocabulary): number {
  return tokens.reduce((sum, token) => sum + vocabulary.bytes(token, false).length, 0);
}
