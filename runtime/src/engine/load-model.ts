import { availableParallelism, totalmem } from 'node:os';
import { EngineError } from './engine.ts';
import type { GgufHeader } from './gguf-header.ts';
import type { LlamaBinding } from './llama-binding.ts';
import type { Pointer } from './llama-layout.ts';
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

export function defaultThreads(): number {
  return Math.max(1, availableParallelism() - 1);
}

/**
 * Refuses a cache that the machine cannot hold before llama.cpp tries: the system would grant the
 * memory and then stall. Two half-precision values per layer, key-value head and head dimension.
 */
export function checkMemory(header: GgufHeader, cells: number): void {
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

/** A list of devices ends with NULL. */
const NO_DEVICES = new BigUint64Array(new ArrayBuffer(8));

export function loadModel(llama: LlamaBinding, options: LlamaEngineOptions): Pointer {
  const gpuLayers = options.gpuLayers ?? -1;
  const params = {
    ...llama.modelDefaults(),
    n_gpu_layers: gpuLayers,
    // With an empty list nothing is put on a GPU, not even buffers for computing, which may not fit.
    ...(gpuLayers === 0 ? { devices: NO_DEVICES } : {}),
  };
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

export function createContext(
  llama: LlamaBinding,
  model: Pointer,
  options: LlamaEngineOptions,
): Pointer {
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
