/** The devices that llama.cpp's back ends found on this machine. */
import type { LlamaBinding } from './llama-binding.ts';

export interface Device {
  /** ggml's name: `CPU`, `CUDA0`, `Vulkan0`, `Metal`. */
  readonly name: string;
  /** What its driver calls it. */
  readonly description: string;
  /** `igpu` shares the main memory; `accel` only speeds up the processor. */
  readonly kind: 'cpu' | 'gpu' | 'igpu' | 'accel';
  /** Bytes, at this moment. */
  readonly free: number;
  readonly total: number;
}

/** Layers can be put on it. */
export function isGpu({ kind }: Device): boolean {
  return kind === 'gpu' || kind === 'igpu';
}

/** `enum ggml_backend_dev_type` of ggml-backend.h. */
const KINDS = ['cpu', 'gpu', 'igpu', 'accel'] as const;

export function listDevices(llama: LlamaBinding): readonly Device[] {
  const count = llama.deviceCount();
  return Array.from({ length: count }, (_, index) => {
    const device = llama.deviceAt(index);
    const free = new BigUint64Array(1);
    const total = new BigUint64Array(1);
    llama.deviceMemory(device, free, total);
    return {
      name: llama.deviceName(device) ?? '',
      description: llama.deviceDescription(device) ?? '',
      kind: KINDS[llama.deviceType(device)] ?? 'accel',
      free: Number(free[0]),
      total: Number(total[0]),
    };
  });
}
