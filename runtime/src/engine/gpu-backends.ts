import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as koffi from 'koffi';

const GPU_BACKEND = /^(lib)?ggml-(cuda|vulkan|hip|musa|sycl|opencl|metal)\.(so|dylib|dll)$/;

/**
 * Why the back end for GPUs in a folder of llama.cpp's libraries cannot be loaded: in the words of the
 * system's linker, which name the library that is missing. ggml itself passes over it in silence. Null if
 * there is none, or if it loads.
 */
export function gpuBackendFailure(directory: string): string | null {
  for (const name of readdirSync(directory).filter((file) => GPU_BACKEND.test(file))) {
    try {
      koffi.load(join(directory, name));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return reason.replace(/^Failed to load shared library: /, '');
    }
  }
  return null;
}
