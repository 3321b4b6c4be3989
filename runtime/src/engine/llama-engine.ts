import { availableParallelism, totalmem } from 'node:os';
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
import { checkModelFile } from './model-file.ts';
import { BatchBuffers } from './native-batch.ts';
import type { NativeLibraryOptions } from './native-library.ts';

export interface LlamaEngineOptions {
  readonly modelPath: string;
  /** Cells of the cache, rounded up by llama.cpp to a multiple of 256. */
  readonly cells: number;
  /** At most 256. */
  readonly sequences?: number;
  /** Most tokens of one `forward`. */
  readonly batchTokens?: number;
  /** Compute threads; by default one fewer than the processors (spinning threads ruin each other). */
  readonly threads?: number | undefined;
  /** Layers on the GPU; −1 for all, 0 for none. */
  readonly gpuLayers?: number;
  /** Another thread sets the first byte to 1 to abort the `forward` in progress, and back to 0. */
  readonly abortFlag?: Uint8Array;
  readonly library?: NativeLibraryOptions;
}

/** Bytes that `strlen` needs around an abort flag: the byte itself and the end. */
const ABORT_FLAG_BYTES = 2;

/** What `llama_decode` answers. */
const FULL = 1;
const ABORTED = 2;
const INVALID = -1;

export function defaultThreads(): number {
  return Math.max(1, availableParallelism() - 1);
}

/** Loads a model and creates its context. Synchronous; throws `EngineError`. */
export function loadEngine(options: LlamaEngineOptions): Engine {
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

/**
 * Refuses a cache that the machine cannot hold before llama.cpp tries: the system would grant the
 * memory and then stall. Two half-precision values per layer, key-value head and head dimension.
 */
function checkMemory(header: GgufHeader, cells: number): void {
  const number = (name: string): number => {
    const value = header.metadata.get(`${header.architecture}.${name}`);
    return typeof value === 'number' ? value : 0;
  };
  const heads = number('attention.head_count') || 1;
  const headLength = number('attention.key_length') || number('embedding_length') / heads;
  const perCell = number('block_count') * number('attention.head_count_kv') * headLength * 4;
  if (perCell * cells <= totalmem()) return;
  const gigabytes = (perCell * cells) / 2 ** 30;
  throw new EngineError(
    'OUT_OF_MEMORY',
    `A context of ${cells} tokens needs ${gigabytes.toFixed(1)} GiB of memory. Try a smaller context.`,
  );
}

function loadModel(llama: LlamaBinding, options: LlamaEngineOptions): Pointer {
  const params = { ...llama.modelDefaults(), n_gpu_layers: options.gpuLayers ?? -1 };
  const { result, log } = llama.captureLog(() => llama.loadModel(options.modelPath, params));
  if (result !== null) return result;
  const cause = causeOf(log);
  const code = /unknown model architecture/.test(cause)
    ? 'MODEL_UNSUPPORTED'
    : /alloc|out of memory/i.test(cause)
      ? 'OUT_OF_MEMORY'
      : 'MODEL_INVALID';
  throw new EngineError(code, `llama.cpp cannot load ${options.modelPath}: ${cause}`);
}

/** The first line that names a cause; later ones only repeat that loading failed. */
function causeOf(log: readonly string[]): string {
  const line = log.find((text) => /error|alloc|out of memory|failed/i.test(text)) ?? log[0];
  return line?.replace(/^\w+: (error loading model: )?/, '') ?? 'llama.cpp gave no reason';
}

function createContext(llama: LlamaBinding, model: Pointer, options: LlamaEngineOptions): Pointer {
  const threads = options.threads ?? defaultThreads();
  const batch = options.batchTokens ?? 512;
  const params = {
    ...llama.contextDefaults(),
    n_ctx: options.cells,
    n_batch: batch,
    n_ubatch: Math.min(batch, 512),
    n_seq_max: options.sequences ?? 64,
    n_threads: threads,
    n_threads_batch: threads,
    // One pool of cells for all sequences: the only layout in which they share cells.
    kv_unified: true,
    // Without it each step pays for idle cells as if they were in use.
    flash_attn_type: 1,
  };
  const { result, log } = llama.captureLog(() => llama.createContext(model, params));
  if (result !== null) return result;
  throw new EngineError(
    'OUT_OF_MEMORY',
    `llama.cpp cannot create a context of ${options.cells} tokens: ${causeOf(log)}. Try a smaller context.`,
  );
}

class LlamaEngine implements Engine {
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
    const length = header.metadata.get(`${header.architecture}.embedding_length`);
    this.#embeddingLength = typeof length === 'number' ? length : 0;
    this.#batch = new BatchBuffers(this.limits.batchTokens);
    this.#logits = new Float32Array(new ArrayBuffer(this.vocabulary.size * 4));
    this.#abortFlag = options.abortFlag ?? new Uint8Array(new ArrayBuffer(ABORT_FLAG_BYTES));
    llama.setAbortCallback(context, llama.abortFunction, this.#abortFlag);
  }

  forward(batch: readonly BatchToken[]): ForwardResult {
    this.#checkAlive();
    this.#last = [];
    this.#kept.clear();
    this.#checkBatch(batch);
    const runs = runsOf(batch);
    for (const run of runs) {
      const status = this.#llama.decode(this.#context, this.#fill(run.items));
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
    this.#llama.sequenceCopy(this.#memory, source, target, from, to);
  }

  removeSequence(sequence: number, from: number, to: number): boolean {
    this.#checkSequence(sequence);
    return this.#llama.sequenceRemove(this.#memory, sequence, from, to);
  }

  sequenceLength(sequence: number): number {
    this.#checkSequence(sequence);
    return this.#llama.sequenceLast(this.#memory, sequence) + 1;
  }

  saveSequence(sequence: number): Uint8Array {
    this.#checkSequence(sequence);
    const size = this.savedBytes(sequence);
    const state = new Uint8Array(new ArrayBuffer(size));
    const written = Number(this.#llama.stateGet(this.#context, state, size, sequence));
    if (written === 0) throw failed(`cannot save sequence ${sequence}`);
    return state.subarray(0, written);
  }

  savedBytes(sequence: number): number {
    this.#checkSequence(sequence);
    return Number(this.#llama.stateSize(this.#context, sequence));
  }

  restoreSequence(sequence: number, state: Uint8Array): boolean {
    this.#checkSequence(sequence);
    this.#llama.sequenceRemove(this.#memory, sequence, -1, -1);
    return Number(this.#llama.stateSet(this.#context, state, state.byteLength, sequence)) > 0;
  }

  clear(): void {
    this.#checkAlive();
    this.#last = [];
    this.#llama.memoryClear(this.#memory, false);
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.vocabulary.dispose();
    this.#llama.freeContext(this.#context);
    this.#llama.freeModel(this.#model);
  }

  #fill(items: readonly BatchToken[]): NativeBatch {
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
    if (this.#last.length > 0 || (status !== FULL && status !== INVALID)) this.#forget(batch);
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
    for (const [sequence, position] of first) {
      this.#llama.sequenceRemove(this.#memory, sequence, position, -1);
    }
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

/** Neighbours of a batch that llama.cpp computes in one call: token ids, or embeddings. */
interface Run {
  /** Index in the batch. */
  readonly first: number;
  readonly items: readonly BatchToken[];
}

function runsOf(batch: readonly BatchToken[]): readonly Run[] {
  // Nearly all batches are text.
  if (batch.every(({ embedding }) => embedding === undefined)) return [{ first: 0, items: batch }];
  const runs: { first: number; items: BatchToken[] }[] = [];
  batch.forEach((item, index) => {
    const last = runs.at(-1);
    const fits = (last?.items[0]?.embedding === undefined) === (item.embedding === undefined);
    if (last !== undefined && fits) last.items.push(item);
    else runs.push({ first: index, items: [item] });
  });
  return runs;
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
