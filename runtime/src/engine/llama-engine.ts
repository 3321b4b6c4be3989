import { basename } from 'node:path';
import {
  type BatchToken,
  type Engine,
  EngineError,
  type EngineLimits,
  type ForwardResult,
  type ModelInfo,
} from './engine.ts';
import type { GgufHeader } from './gguf-header.ts';
import { type LlamaBinding, loadLlama } from './llama-binding.ts';
import type { NativeBatch, Pointer } from './llama-layout.ts';
import { LlamaVocabulary } from './llama-vocabulary.ts';
import { checkMemory, createContext, type LlamaEngineOptions, loadModel } from './load-model.ts';
import { checkModelFile } from './model-file.ts';
import { BatchBuffers } from './native-batch.ts';
import { type NativeToken, PlanePositions } from './plane-positions.ts';

/** Bytes that `strlen` needs around an abort flag: the byte itself and the end. */
const ABORT_FLAG_BYTES = 2;

/** What `llama_decode` answers. */
const FULL = 1;
const ABORTED = 2;
const INVALID = -1;

/** What libmtmd needs of the engine. */
export interface NativeEngine extends Engine {
  readonly native: {
    readonly llama: LlamaBinding;
    readonly model: Pointer;
    readonly context: Pointer;
    /** Length of a row of the model's input. */
    readonly rowLength: number;
  };
  /** For M-RoPE: rows of images stand on a plane from now on. Before anything is computed. */
  usePlane(): void;
}

/** Loads a model and creates its context. Synchronous; throws `EngineError`. */
export function loadEngine(options: LlamaEngineOptions): NativeEngine {
  const header = checkModelFile(options.modelPath);
  const llama = loadLlama(options.library);
  checkMemory(header, options.cells);
  const model = loadModel(llama, options);
  try {
    return new LlamaEngine(llama, model, createContext(llama, model, options), header, options);
  } catch (error) {
    llama.freeModel(model);
    throw error;
  }
}

class LlamaEngine implements NativeEngine {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  readonly vocabulary: LlamaVocabulary;
  readonly #llama: LlamaBinding;
  readonly #model: Pointer;
  readonly #context: Pointer;
  readonly #memory: Pointer;
  readonly #batch: BatchBuffers;
  readonly #logits: Float32Array;
  readonly #abortFlag: Uint8Array;
  /** Scratch of `#checkBatch`, by sequence; −1 when the batch has not named it. */
  readonly #nextPosition: Int32Array;
  /** Batch of the last successful `forward`. */
  #last: readonly BatchToken[] = [];
  /** Index in `#last` of the first item that llama.cpp computed last. */
  #lastRun = 0;
  /** Logits of the runs before it, by index in `#last`. */
  readonly #kept = new Map<number, Float32Array>();
  readonly #embeddingLength: number;
  /** Null where a token's position is its index. */
  #plane: PlanePositions | null = null;
  #disposed = false;

  constructor(
    llama: LlamaBinding,
    model: Pointer,
    context: Pointer,
    header: GgufHeader,
    options: LlamaEngineOptions,
  ) {
    this.#llama = llama;
    this.#model = model;
    this.#context = context;
    this.#memory = llama.memory(context);
    this.vocabulary = new LlamaVocabulary(llama, model);
    this.model = modelInfo(llama, model, header, options.modelPath, this.vocabulary.size);
    this.limits = {
      cells: llama.contextCells(context),
      sequences: options.sequences ?? 64,
      batchTokens: llama.contextBatch(context),
    };
    this.#nextPosition = new Int32Array(this.limits.sequences);
    this.#embeddingLength = llama.inputLength(model);
    this.#batch = new BatchBuffers(this.limits.batchTokens);
    this.#logits = new Float32Array(new ArrayBuffer(this.vocabulary.size * 4));
    this.#abortFlag = options.abortFlag ?? new Uint8Array(new ArrayBuffer(ABORT_FLAG_BYTES));
    llama.setAbortCallback(context, llama.abortFunction, this.#abortFlag);
  }

  get native(): NativeEngine['native'] {
    return {
      llama: this.#llama,
      model: this.#model,
      context: this.#context,
      rowLength: this.#embeddingLength,
    };
  }

  usePlane(): void {
    this.#plane = new PlanePositions();
  }

  forward(batch: readonly BatchToken[]): ForwardResult {
    this.#checkAlive();
    this.#last = [];
    this.#kept.clear();
    this.#checkBatch(batch);
    const runs = runsOf(this.#plane?.place(batch) ?? batch);
    for (const run of runs) {
      const status = this.#decode(run);
      if (status !== 0) return this.#giveUp(batch, status);
      this.#last = batch;
      this.#lastRun = run.first;
      if (runs.length > 1) this.#keepLogits(run);
    }
    return { status: 'ok' };
  }

  logits(index: number): Float32Array {
    this.#checkAlive();
    if (this.#last[index]?.wantsLogits !== true) {
      throw failed(`no logits were asked for at batch index ${index}`);
    }
    const kept = this.#kept.get(index);
    if (kept !== undefined) return kept;
    const row = this.#llama.logitsAt(this.#context, index - this.#lastRun);
    if (row === null) throw failed(`llama.cpp has no logits at batch index ${index}`);
    this.#llama.copyMemory(this.#logits, row, this.#logits.byteLength);
    return this.#logits;
  }

  copySequence(source: number, target: number, from: number, to: number): void {
    this.#checkSequence(source);
    this.#checkSequence(target);
    const [first, end] = [from, to].map((index) => this.#positionOf(source, index));
    this.#llama.sequenceCopy(this.#memory, source, target, first ?? from, end ?? to);
    this.#plane?.copy(source, target, to);
  }

  removeSequence(sequence: number, from: number, to: number): boolean {
    this.#checkSequence(sequence);
    const [first, end] = [from, to].map((index) => this.#positionOf(sequence, index));
    this.#plane?.remove(sequence, from, to);
    return this.#llama.sequenceRemove(this.#memory, sequence, first ?? from, end ?? to);
  }

  sequenceLength(sequence: number): number {
    this.#checkSequence(sequence);
    return this.#plane?.length(sequence) ?? this.#llama.sequenceLast(this.#memory, sequence) + 1;
  }

  saveSequence(sequence: number): Uint8Array {
    this.#checkSequence(sequence);
    const places = placesAsBytes(this.#plane?.save(sequence));
    const size = Number(this.#llama.stateSize(this.#context, sequence));
    const state = new Uint8Array(new ArrayBuffer(places.length + size));
    state.set(places);
    const cells = state.subarray(places.length);
    const written = Number(this.#llama.stateGet(this.#context, cells, size, sequence));
    if (written === 0) throw failed(`cannot save sequence ${sequence}`);
    return state.subarray(0, places.length + written);
  }

  savedBytes(sequence: number): number {
    this.#checkSequence(sequence);
    const places = placesAsBytes(this.#plane?.save(sequence));
    return places.length + Number(this.#llama.stateSize(this.#context, sequence));
  }

  restoreSequence(sequence: number, state: Uint8Array): boolean {
    this.#checkSequence(sequence);
    this.removeSequence(sequence, 0, -1);
    const { cells, places } = this.#plane === null ? { cells: state, places: [] } : split(state);
    const read = Number(this.#llama.stateSet(this.#context, cells, cells.byteLength, sequence));
    if (read > 0) this.#plane?.restore(sequence, places);
    return read > 0;
  }

  clear(): void {
    this.#checkAlive();
    this.#last = [];
    this.#plane?.clear();
    this.#llama.memoryClear(this.#memory, false);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.vocabulary.dispose();
    this.#llama.freeContext(this.#context);
    this.#llama.freeModel(this.#model);
  }

  #decode({ items }: Run): number {
    const batch = this.#fill(items);
    if (items[0]?.image?.isWhole !== true) return this.#llama.decode(this.#context, batch);
    this.#llama.setCausal(this.#context, false);
    try {
      return this.#llama.decode(this.#context, batch);
    } finally {
      this.#llama.setCausal(this.#context, true);
    }
  }

  #positionOf(sequence: number, index: number): number {
    return this.#plane?.positionOf(sequence, index) ?? index;
  }

  #fill(items: readonly NativeToken[]): NativeBatch {
    return items[0]?.embedding === undefined
      ? this.#batch.fill(items)
      : this.#batch.fillEmbeddings(items, this.#embeddingLength);
  }

  /** The next run replaces llama.cpp's logits. */
  #keepLogits({ first, items }: Run): void {
    items.forEach((item, offset) => {
      if (item.wantsLogits) this.#kept.set(first + offset, this.logits(first + offset).slice());
    });
  }

  /** Leaves the context as it was before the batch. */
  #giveUp(batch: readonly BatchToken[], status: number): ForwardResult {
    // The first run of a batch that is full or invalid changed nothing; others may have.
    const changed = this.#last.length > 0 || (status !== FULL && status !== INVALID);
    if (changed || this.#plane !== null) this.#forget(batch);
    this.#last = [];
    if (status === FULL) return { status: 'full' };
    if (status === ABORTED) return { status: 'aborted' };
    throw failed(`llama_decode answered ${status} for a batch of ${batch.length} tokens`);
  }

  /** Parts of a failed batch may be in the cache already: drop them. */
  #forget(batch: readonly BatchToken[]): void {
    const first = new Map<number, number>();
    for (const { sequence, position } of batch) {
      const known = first.get(sequence) ?? position;
      first.set(sequence, Math.min(known, position));
    }
    for (const [sequence, position] of first) this.removeSequence(sequence, position, -1);
  }

  /** What llama.cpp would compute without complaint, though it means nothing. */
  #checkBatch(batch: readonly BatchToken[]): void {
    if (batch.length === 0 || batch.length > this.limits.batchTokens) {
      throw failed(
        `a batch of ${batch.length} tokens; 1 to ${this.limits.batchTokens} are possible`,
      );
    }
    this.#nextPosition.fill(-1);
    for (const { embedding, sequence, position } of batch) {
      if (embedding !== undefined && embedding.length !== this.#embeddingLength) {
        throw failed(`an embedding of ${embedding.length} numbers, not ${this.#embeddingLength}`);
      }
      const next = this.#nextPosition[sequence];
      if (next === undefined) throw failed(`there is no sequence ${sequence}`);
      if (position < 0 || (next >= 0 && position !== next)) {
        throw failed(`sequence ${sequence} cannot continue at position ${position}`);
      }
      this.#nextPosition[sequence] = position + 1;
    }
  }

  #checkSequence(sequence: number): void {
    this.#checkAlive();
    // llama.cpp ends the process on a sequence id out of range.
    if (!(Number.isInteger(sequence) && sequence >= 0 && sequence < this.limits.sequences)) {
      throw failed(`there is no sequence ${sequence}`);
    }
  }

  #checkAlive(): void {
    if (this.#disposed) throw failed('the engine was disposed');
  }
}

/** In front of llama.cpp's state: how many numbers follow, and where images stand on a plane. */
function placesAsBytes(places: readonly number[] | undefined): Uint8Array {
  if (places === undefined) return new Uint8Array();
  return new Uint8Array(Uint32Array.from([places.length, ...places]).buffer);
}

function split(state: Uint8Array): { places: readonly number[]; cells: Uint8Array } {
  const numbers = new DataView(state.buffer, state.byteOffset);
  const count = numbers.getUint32(0, true);
  const places = Array.from({ length: count }, (_, at) => numbers.getUint32(4 * (at + 1), true));
  return { places, cells: state.subarray(4 * (count + 1)) };
}

/** Neighbours of a batch that llama.cpp computes in one call: token ids, or embeddings. */
interface Run {
  /** Index in the batch. */
  readonly first: number;
  readonly items: readonly NativeToken[];
}

function runsOf(batch: readonly NativeToken[]): readonly Run[] {
  // Nearly all batches are text.
  if (batch.every(({ embedding }) => embedding === undefined)) return [{ first: 0, items: batch }];
  const runs: { first: number; items: NativeToken[] }[] = [];
  batch.forEach((item, index) => {
    const last = runs.at(-1);
    const previous = last?.items[0];
    if (last !== undefined && previous !== undefined && goTogether(previous, item)) {
      last.items.push(item);
    } else {
      runs.push({ first: index, items: [item] });
    }
  });
  return runs;
}

/** An image whose rows see each other is alone, so that its rows see no other's. */
function goTogether(a: NativeToken, b: NativeToken): boolean {
  if ((a.embedding === undefined) !== (b.embedding === undefined)) return false;
  if (a.image?.isWhole !== true && b.image?.isWhole !== true) return true;
  return a.sequence === b.sequence && a.image?.start === b.image?.start;
}

function modelInfo(
  llama: LlamaBinding,
  model: Pointer,
  header: GgufHeader,
  path: string,
  vocabularySize: number,
): ModelInfo {
  return {
    path,
    name: header.name ?? basename(path, '.gguf'),
    architecture: header.architecture,
    vocabularySize,
    trainedContext: llama.trainedContext(model),
    parameterCount: Number(llama.modelParameters(model)),
    sizeBytes: Number(llama.modelBytes(model)),
    chatTemplate: header.chatTemplate,
    supportsPartialRemoval:
      !llama.isRecurrent(model) && !llama.isHybrid(model) && llama.slidingWindow(model) === 0,
  };
}

function failed(message: string): EngineError {
  return new EngineError('DECODE_FAILED', message);
}
