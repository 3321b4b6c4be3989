import type { Vocabulary } from '../engine/engine.ts';

export interface DetokenizerOptions {
  /** SGLang's `skip_special_tokens`: control tokens leave no text. */
  readonly skipSpecialTokens: boolean;
}

/**
 * Tokens to text, one token at a time, never splitting a character: bytes that may still become one
 * are held back. Invalid bytes become U+FFFD exactly as Python's `errors="replace"` makes them (both
 * replace each maximal valid prefix once, WHATWG Encoding 4.1 and Unicode 3.9).
 */
export class Detokenizer {
  readonly #vocabulary: Pick<Vocabulary, 'bytes'>;
  readonly #special: boolean;
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #text = '';

  constructor(vocabulary: Pick<Vocabulary, 'bytes'>, options: DetokenizerOptions) {
    this.#vocabulary = vocabulary;
    this.#special = !options.skipSpecialTokens;
  }

  /** All complete text so far. */
  get text(): string {
    return this.#text;
  }

  /**
   * The text that this token, without its first `skipped` bytes, completes; empty while a character
   * is incomplete.
   */
  append(token: number, skipped = 0): string {
    const bytes = this.#vocabulary.bytes(token, this.#special);
    const piece = this.#decoder.decode(skipped === 0 ? bytes : bytes.subarray(skipped), {
      stream: true,
    });
    this.#text += piece;
    return piece;
  }

  /** Ends the text: an incomplete character becomes U+FFFD. Returns what that adds. */
  flush(): string {
    const piece = this.#decoder.decode();
    this.#text += piece;
    return piece;
  }
}

/** Text of a whole token list. */
export function detokenize(
  vocabulary: Pick<Vocabulary, 'bytes'>,
  tokens: Iterable<number>,
  options: DetokenizerOptions,
): string {
  const detokenizer = new Detokenizer(vocabulary, options);
  for (const token of tokens) detokenizer.append(token);
  detokenizer.flush();
  return detokenizer.text;
}
