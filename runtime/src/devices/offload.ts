/**
 * How many layers of a model go to the GPU: an estimate before anything is loaded, and fewer after each
 * refusal.
 */
import type { GgufHeader } from '../engine/gguf-header.ts';
import { EngineError } from '../engine/engine.ts';
import { isGpu, type Device } from '../engine/device-list.ts';

export interface OffloadNeed {
  /** Repeating layers of the model; the output layer counts as one more. */
  readonly layers: number;
  /** Bytes of the file. */
  readonly weights: number;
  /** Bytes of the key-value cache of all layers. */
  readonly cache: number;
  /** Bytes of the compute buffers: the logits of one batch are the largest. */
  readonly buffers: number;
}

/** Left for the desktop and for what the driver needs itself. */
const SPARE_SHARE = 0.05;
const SPARE_BYTES = 256 * 2 ** 20;
const BYTES_F16 = 2;
const BYTES_F32 = 4;

/**
 * Layers that fit: `(free − spare − buffers) / ((weights + cache) / (layers + 1))`, free summed over the
 * GPUs, between which llama.cpp splits layers. −1 means all of them, 0 none.
 */
export function planOffload(need: OffloadNeed, devices: readonly Device[]): number {
  const gpus = devices.filter(isGpu);
  if (gpus.length === 0) return 0;
  const usable = gpus.reduce(
    (sum, { free, total }) => sum + Math.max(0, free - total * SPARE_SHARE - SPARE_BYTES),
    0,
  );
  const perLayer = (need.weights + need.cache) / (need.layers + 1);
  const fitting = Math.floor((usable - need.buffers * gpus.length) / perLayer);
  if (fitting > need.layers) return -1;
  return Math.max(0, fitting);
}

/** What the header says of a model's need with `cells` tokens of cache and batches of `batch` tokens. */
export function offloadNeed(
  header: GgufHeader,
  fileBytes: number,
  cells: number,
  batch: number,
): OffloadNeed {
  const number = (name: string): number => {
    const value = header.metadata.get(`${header.architecture}.${name}`);
    return typeof value === 'number' ? value : 0;
  };
  const layers = number('block_count');
  const heads = number('attention.head_count') || 1;
  const keyHeads = number('attention.head_count_kv') || heads;
  const usual = number('embedding_length') / heads;
  const keyLength = number('attention.key_length') || usual;
  const valueLength = number('attention.value_length') || usual;
  return {
    layers,
    weights: fileBytes,
    cache: cells * layers * keyHeads * (keyLength + valueLength) * BYTES_F16,
    buffers: batch * (header.vocabularySize ?? 0) * BYTES_F32,
  };
}

/** Share of the layers that stay after a refusal. */
const STEP = 0.75;

/**
 * Loads with `gpuLayers`, and with fewer as long as the GPU's memory does not suffice; with none the
 * failure is final. `−1` counts as all of `layers` and the output layer.
 */
export function loadWithOffload<Loaded>(
  gpuLayers: number,
  layers: number,
  load: (gpuLayers: number) => Loaded,
  onFewer: (gpuLayers: number, reason: string) => void,
): Loaded {
  let wanted = gpuLayers < 0 ? layers + 1 : gpuLayers;
  let asked = gpuLayers;
  for (;;) {
    try {
      return load(asked);
    } catch (error) {
      const isFull = error instanceof EngineError && error.code === 'OUT_OF_MEMORY';
      if (!isFull || wanted === 0) throw error;
      wanted = Math.floor(wanted * STEP);
      asked = wanted;
      onFewer(wanted, error.message);
    }
  }
}
