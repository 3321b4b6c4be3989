import type { Vocabulary } from './engine.ts';

export interface FakeVocabularyOptions {
  /**
   * Ordinary tokens after the 256 byte tokens, as text or bytes. Text is tokenised by longest match,
   * so with `['ab']` the text `abc` becomes two tokens.
   */
  readonly pieces?: readonly (string | Uint8Array)[];
  /** Control tokens after the pieces; the last one ends the generation. */
  readonly controls?: readonly string[];
}

export const FAKE_PIECES: readonly string[] = [
  ' the',
  'the',
  ' a',
  'in',
  'er',
  'on',
  're',
  ' s',
  ' w',
  'ing',
  ' and',
  'é',
  '世界',
  '\n\n',
  '  ',
  '", "',
];

const FAKE_CONTROLS: readonly string[] = ['<|endoftext|>', '<|im_start|>', '<|im_end|>'];
const NO_BYTES = new Uint8Array(0);

/**
 * A vocabulary without a model: token b < 256 is the byte b, then a few longer pieces, then ChatML's
 * control tokens. Ids are stable for given options.
 */
export class FakeVocabulary implements Vocabulary {
  readonly size: number;
  readonly endOfGeneration: readonly number[];
  readonly beginOfSequence = null;
  readonly #bytes: readonly Uint8Array[];
  readonly #firstControl: number;
  /** Longest first, so that the first match is the longest. */
  readonly #pieces: readonly { readonly token: number; readonly bytes: Uint8Array }[];
  readonly #controls: readonly { readonly token: number; readonly text: string }[];

  constructor(options: FakeVocabularyOptions = {}) {
    const encoder = new TextEncoder();
    const pieces = (options.pieces ?? FAKE_PIECES).map((piece) =>
      typeof piece === 'string' ? encoder.encode(piece) : piece,
    );
    const controls = options.controls ?? FAKE_CONTROLS;
    this.#firstControl = 256 + pieces.length;
    this.#bytes = [
      ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
      ...pieces,
      ...controls.map((text) => encoder.encode(text)),
    ];
    this.size = this.#bytes.length;
    this.endOfGeneration = controls.length === 0 ? [] : [this.size - 1];
    this.#pieces = pieces
      .map((bytes, index) => ({ token: 256 + index, bytes }))
      .sort((a, b) => b.bytes.length - a.bytes.length);
    this.#controls = controls.map((text, index) => ({ token: this.#firstControl + index, text }));
  }

  tokenize(
    text: string,
    options: { readonly addSpecial: boolean; readonly parseSpecial: boolean },
  ): number[] {
    if (!options.parseSpecial) return this.#tokenizePlain(text);
    const tokens: number[] = [];
    let start = 0;
    for (let at = 0; at < text.length;) {
      const control = this.#controls.find((candidate) => text.startsWith(candidate.text, at));
      if (control === undefined) {
        at += 1;
        continue;
      }
      tokens.push(...this.#tokenizePlain(text.slice(start, at)), control.token);
      at += control.text.length;
      start = at;
    }
    return [...tokens, ...this.#tokenizePlain(text.slice(start))];
  }

  bytes(token: number, special: boolean): Uint8Array {
    if (this.isControl(token) && !special) return NO_BYTES;
    return this.#bytes[token] ?? NO_BYTES;
  }

  isControl(token: number): boolean {
    return token >= this.#firstControl && token < this.size;
  }

  isEndOfGeneration(token: number): boolean {
    return this.endOfGeneration.includes(token);
  }

  #tokenizePlain(text: string): number[] {
    const bytes = new TextEncoder().encode(text);
    const tokens: number[] = [];
    for (let at = 0; at < bytes.length;) {
      const piece = this.#pieces.find((candidate) => matchesAt(bytes, at, candidate.bytes));
      tokens.push(piece?.token ?? bytes[at] ?? 0);
      at += piece?.bytes.length ?? 1;
    }
    return tokens;
  }
}

function matchesAt(bytes: Uint8Array, at: number, piece: Uint8Array): boolean {
  if (piece.length === 0 || at + piece.length > bytes.length) return false;
  return piece.every((byte, index) => bytes[at + index] === byte);
}
