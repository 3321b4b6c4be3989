import { EngineError, type Vocabulary } from './engine.ts';
import { type LlamaBinding, loadLlama } from './llama-binding.ts';
import type { Pointer } from './llama-layout.ts';
import { checkModelFile } from './model-file.ts';
import type { NativeLibraryOptions } from './native-library.ts';
import { byteOfToken, decodeByteLevel, decodeSentencePiece } from './token-bytes.ts';

/** `llama_token_attr` of llama.h. */
const UNKNOWN = 1;
const UNUSED = 2;
const CONTROL = 8;
const USER_DEFINED = 16;
const BYTE = 32;

/** `llama_vocab_type`. */
const SENTENCE_PIECE = 1;
const BYTE_LEVEL_BPE = 2;
const UNIGRAM = 4;

const NO_BYTES = new Uint8Array(0);

/** A vocabulary without a context, for threads that only tokenise. */
export interface OpenVocabulary extends Vocabulary {
  /** Calling it twice does nothing; using the vocabulary afterwards throws. */
  dispose(): void;
}

/**
 * Loads only the vocabulary of a model (a fraction of a second, no weights). Not while another thread
 * loads a model: llama.cpp's log is shared. Throws `EngineError`.
 */
export function openVocabulary(path: string, library: NativeLibraryOptions = {}): OpenVocabulary {
  checkModelFile(path);
  const llama = loadLlama(library);
  const { result: model, log } = llama.captureLog(() =>
    llama.loadModel(path, { ...llama.modelDefaults(), vocab_only: true, n_gpu_layers: 0 }),
  );
  if (model === null) {
    const cause = log.at(-1) ?? 'llama.cpp gave no reason';
    throw new EngineError('MODEL_UNSUPPORTED', `Cannot read the vocabulary of ${path}: ${cause}`);
  }
  return new LlamaVocabulary(llama, model, () => llama.freeModel(model));
}

/** The vocabulary of a loaded model. Token bytes are read once, when first asked for. */
export class LlamaVocabulary implements OpenVocabulary {
  readonly size: number;
  readonly endOfGeneration: readonly number[];
  readonly beginOfSequence: number | null;
  readonly #llama: LlamaBinding;
  readonly #vocabulary: Pointer;
  readonly #release: () => void;
  readonly #control: Uint8Array;
  readonly #table: (Uint8Array | undefined)[];
  readonly #type: number;
  #disposed = false;

  constructor(llama: LlamaBinding, model: Pointer, release: () => void = () => {}) {
    this.#llama = llama;
    this.#release = release;
    this.#vocabulary = llama.vocabulary(model);
    this.size = llama.vocabularySize(this.#vocabulary);
    this.#type = llama.vocabularyType(this.#vocabulary);
    const begin = llama.beginOfSequence(this.#vocabulary);
    this.beginOfSequence = begin < 0 ? null : begin;
    this.#table = Array.from({ length: this.size });
    this.#control = new Uint8Array(this.size);
    const ends: number[] = [];
    for (let token = 0; token < this.size; token += 1) {
      const isEnd = llama.tokenEndsGeneration(this.#vocabulary, token);
      const attributes = llama.tokenAttributes(this.#vocabulary, token);
      if (isEnd) ends.push(token);
      // An end token leaves no text even where the file forgot to mark it as control.
      if (isEnd || (attributes & (UNKNOWN | UNUSED | CONTROL)) !== 0) this.#control[token] = 1;
    }
    const end = llama.endOfSequence(this.#vocabulary);
    this.endOfGeneration = ends.toSorted((a, b) => Number(b === end) - Number(a === end));
  }

  tokenize(
    text: string,
    options: { readonly addSpecial: boolean; readonly parseSpecial: boolean },
  ): number[] {
    const { addSpecial, parseSpecial } = options;
    this.#checkAlive();
    // A byte more, so that the address of an empty text is not NULL.
    const bytes = new TextEncoder().encode(`${text}\0`);
    const length = bytes.length - 1;
    const call = (target: Int32Array): number =>
      this.#llama.tokenize(
        this.#vocabulary,
        bytes,
        length,
        target,
        target.length,
        addSpecial,
        parseSpecial,
      );
    const first = new Int32Array(Math.min(length, 4096) + 16);
    const count = call(first);
    if (count >= 0) return [...first.subarray(0, count)];
    // A negative count is the size that the answer needs.
    const exact = new Int32Array(-count);
    return Array.from(exact.subarray(0, call(exact)));
  }

  bytes(token: number, special: boolean): Uint8Array {
    if (this.#control[token] === 1 && !special) return NO_BYTES;
    return (this.#table[token] ??= this.#read(token));
  }

  isControl(token: number): boolean {
    return this.#control[token] === 1;
  }

  isEndOfGeneration(token: number): boolean {
    return this.endOfGeneration.includes(token);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#release();
  }

  /**
   * Not llama.cpp's detokenise, which cleans spaces up (" ." becomes "."): a constraint that was
   * matched token by token must match the text.
   */
  #read(token: number): Uint8Array {
    if (token < 0 || token >= this.size) return NO_BYTES;
    this.#checkAlive();
    const attributes = this.#llama.tokenAttributes(this.#vocabulary, token);
    const text = this.#llama.tokenText(this.#vocabulary, token) ?? '';
    if ((attributes & (UNKNOWN | UNUSED | CONTROL | USER_DEFINED)) !== 0) {
      return new TextEncoder().encode(text);
    }
    const byte = (attributes & BYTE) !== 0 ? byteOfToken(text) : null;
    if (byte !== null) return Uint8Array.of(byte);
    if (this.#type === BYTE_LEVEL_BPE) return decodeByteLevel(text);
    if (this.#type === SENTENCE_PIECE || this.#type === UNIGRAM) return decodeSentencePiece(text);
    return this.#piece(token);
  }

  /** Rarer kinds of vocabulary: the piece as llama.cpp writes it. */
  #piece(token: number): Uint8Array {
    const call = (target: Uint8Array): number =>
      this.#llama.tokenPiece(this.#vocabulary, token, target, target.length, 0, true);
    const buffer = new Uint8Array(128);
    const length = call(buffer);
    if (length >= 0) return buffer.slice(0, length);
    const exact = new Uint8Array(-length);
    return exact.slice(0, call(exact));
  }

  #checkAlive(): void {
    if (this.#disposed) throw new EngineError('DECODE_FAILED', 'The vocabulary was disposed.');
  }
}
