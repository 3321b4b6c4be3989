/** Whether a model will fit into memory: an estimate, made before anything is loaded. */

/** What the size of the key-value cache and of the compute buffers depends on. */
export interface AttentionShape {
  readonly layers: number;
  /** Numbers per token and layer: key-value heads × length of one head. */
  readonly keyLength: number;
  readonly valueLength: number;
  /** Tokens in the vocabulary. */
  readonly vocabulary: number;
}

export interface MemoryEstimate {
  readonly weights: number;
  readonly cache: number;
  readonly overhead: number;
  /** Sum of the others, bytes. */
  readonly total: number;
}

export interface Gpu {
  /** What its driver calls it. */
  readonly name: string;
  /** Bytes. */
  readonly free: number;
  readonly total: number;
}

export interface GpuShare {
  /** Of all GPUs, between which llama.cpp splits a model. */
  readonly names: string;
  /** Bytes, summed. */
  readonly free: number;
  /** Layers that fit, and how many there are with the output layer. */
  readonly layers: number;
  readonly allLayers: number;
}

/** The runtime: its cache holds at least that many tokens. */
const LEAST_CONTEXT = 8192;
const BYTES_F16 = 2;
const BYTES_F32 = 4;
/** Tokens per forward pass in the runtime. */
const BATCH_TOKENS = 512;
/**
 * The process itself: Node, llama.cpp's libraries, the tokenizer. With the starter model a runtime's
 * resident memory is 131 MB (Linux x64); the rest allows for the token tables of large vocabularies.
 */
const PROCESS_BYTES = 180e6;
/** Of a GPU, left for the desktop and for what its driver needs. */
const SPARE_SHARE = 0.05;
const SPARE_BYTES = 256 * 2 ** 20;

/**
 * Bytes for `context` tokens of cache (at least 8192, as the runtime allocates).
 *
 * - weights: the file, which llama.cpp maps or copies once;
 * - cache: `n_ctx × n_layer × (n_embd_k_gqa + n_embd_v_gqa) × 2` bytes, half precision, as in
 *   llama.cpp's `llama_kv_cache` (src/llama-kv-cache.cpp). Layers with a sliding window need less:
 *   for those models the estimate is too high, never too low;
 * - overhead: the logits of one batch, `n_ubatch × n_vocab × 4` bytes, the largest of llama.cpp's
 *   compute buffers, and the process itself.
 */
export function estimateMemory(
  fileBytes: number,
  shape: AttentionShape,
  context: number,
): MemoryEstimate {
  const tokens = Math.max(context, LEAST_CONTEXT);
  const cache = tokens * shape.layers * (shape.keyLength + shape.valueLength) * BYTES_F16;
  const overhead = BATCH_TOKENS * shape.vocabulary * BYTES_F32 + PROCESS_BYTES;
  return { weights: fileBytes, cache, overhead, total: fileBytes + cache + overhead };
}

/**
 * How much of a model the runtime will put on these GPUs; `null` without one. The rule is that of
 * `runtime/src/devices/offload.ts`; a test keeps both agreed.
 */
export function gpuShare(
  { weights, cache, overhead }: MemoryEstimate,
  { layers }: AttentionShape,
  gpus: readonly Gpu[],
): GpuShare | null {
  if (gpus.length === 0) return null;
  const usable = gpus.reduce(
    (sum, { free, total }) => sum + Math.max(0, free - total * SPARE_SHARE - SPARE_BYTES),
    0,
  );
  const allLayers = layers + 1;
  const buffers = (overhead - PROCESS_BYTES) * gpus.length;
  const fitting = Math.floor(((usable - buffers) / (weights + cache)) * allLayers);
  return {
    names: [...new Set(gpus.map(({ name }) => name))].join(', '),
    free: gpus.reduce((sum, { free }) => sum + free, 0),
    layers: Math.min(allLayers, Math.max(0, fitting)),
    allLayers,
  };
}

/** Bytes that the main memory has to hold when a GPU takes its share. */
export function besideGpu({ total, overhead }: MemoryEstimate, share: GpuShare | null): number {
  if (share === null) return total;
  return overhead + (total - overhead) * (1 - share.layers / share.allLayers);
}

export type MemoryFit = 'fits' | 'tight' | 'too big';

/** `tight`: more than nine tenths of what is free, so that other programs may be slowed down. */
export function memoryFit(needed: number, free: number): MemoryFit {
  if (needed > free) return 'too big';
  return needed > free * 0.9 ? 'tight' : 'fits';
}
