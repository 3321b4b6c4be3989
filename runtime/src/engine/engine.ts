/**
 * What the scheduler needs from a model: synchronous calls on one thread. `llama-engine.ts`
 * implements it over llama.cpp; `fake-engine.ts` is deterministic and needs no model, for tests.
 *
 * Vocabulary: a *cell* holds the keys and values of one token position; a *sequence* is a set of
 * cells that attention sees together (llama.cpp `llama_seq_id`). Cells can be shared by sequences.
 */

export interface ModelInfo {
  /** Path as given on the command line, or the model's name. */
  readonly path: string;
  readonly name: string;
  readonly architecture: string;
  readonly vocabularySize: number;
  /** Longest context the model was trained for, tokens. */
  readonly trainedContext: number;
  readonly parameterCount: number;
  readonly sizeBytes: number;
  /** Jinja chat template stored in the model, if any. */
  readonly chatTemplate: string | null;
  /** False for recurrent and sliding-window models, whose sequences cannot be cut in the middle. */
  readonly supportsPartialRemoval: boolean;
}

export interface EngineLimits {
  /** Cells of the context: prompt and generated tokens of everything alive and cached. */
  readonly cells: number;
  /** Sequence ids are 0 … sequences − 1. */
  readonly sequences: number;
  /** Most tokens of one `forward`. */
  readonly batchTokens: number;
}

/** One token to compute: its id, its position in its sequence, and whether its logits are wanted. */
export interface BatchToken {
  readonly token: number;
  /** A row of input instead of the token's own, as of a part of an image; `token` is only a name then. */
  readonly embedding?: Float32Array | undefined;
  /** The image that the row belongs to. */
  readonly image?: ImageRowsInfo | undefined;
  readonly position: number;
  readonly sequence: number;
  readonly wantsLogits: boolean;
}

/** What an engine must know of the rows of an image. */
export interface ImageRowsInfo {
  /** Position of the first row in its sequence, and the number of rows. */
  readonly start: number;
  readonly length: number;
  /** Null: the rows stand one after the other, as tokens do. */
  readonly layout: { readonly positions: number; readonly columns: number } | null;
  /** Each row sees all of them: the batch has all or none. */
  readonly isWhole: boolean;
}

export type ForwardResult =
  | { readonly status: 'ok' }
  /** No room for the batch; the context is unchanged. */
  | { readonly status: 'full' }
  | { readonly status: 'aborted' };

export interface Engine {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  readonly vocabulary: Vocabulary;

  /** Computes a batch (1 … batchTokens tokens). Throws `EngineError` on anything but the results above. */
  forward(batch: readonly BatchToken[]): ForwardResult;
  /**
   * Logits of batch index `index` of the last `forward` (its token had `wantsLogits`), length
   * `vocabularySize`. The array is reused: valid until the next call of `logits` or `forward`.
   */
  logits(index: number): Float32Array;

  /** Shares cells [from, to) of `source` with `target`, without copying. */
  copySequence(source: number, target: number, from: number, to: number): void;
  /** Drops `sequence` from cells [from, to); to = −1 means to the end. False if not possible. */
  removeSequence(sequence: number, from: number, to: number): boolean;
  /** Positions of a sequence, counted to its last cell; 0 if it is empty. */
  sequenceLength(sequence: number): number;
  /** Exact copy of a sequence's cells in host memory, and back. */
  saveSequence(sequence: number): Uint8Array;
  /** Bytes that `saveSequence` would give. */
  savedBytes(sequence: number): number;
  restoreSequence(sequence: number, state: Uint8Array): boolean;
  clear(): void;
  dispose(): void;
}

export interface Vocabulary {
  readonly size: number;
  /** Token ids of the text. `parseSpecial` maps texts like `<|im_end|>` to their control tokens. */
  tokenize(
    text: string,
    options: { readonly addSpecial: boolean; readonly parseSpecial: boolean },
  ): number[];
  /** Raw bytes of a token as they appear in text; empty for control tokens unless `special`. */
  bytes(token: number, special: boolean): Uint8Array;
  isControl(token: number): boolean;
  isEndOfGeneration(token: number): boolean;
  /** The model's own end-of-sequence token first: it ends an output that may not go on. */
  readonly endOfGeneration: readonly number[];
  readonly beginOfSequence: number | null;
}

export class EngineError extends Error {
  readonly code:
    | 'MODEL_NOT_FOUND'
    | 'MODEL_INVALID'
    | 'MODEL_UNSUPPORTED'
    | 'LIBRARY_MISSING'
    | 'LIBRARY_MISMATCH'
    | 'OUT_OF_MEMORY'
    | 'DECODE_FAILED';

  constructor(code: EngineError['code'], message: string) {
    super(message);
    this.name = 'EngineError';
    this.code = code;
  }
}
