import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import * as koffi from 'koffi';
import { EngineError } from './engine.ts';
import type { Pointer } from './llama-layout.ts';
import type { NativeLibrary } from './native-library.ts';
import { declare } from './native-function.ts';

/** `ggml_type` codes of what graphs are made of. */
export const F32 = 0;
export const I32 = 26;

/** `ggml_backend_dev_type`. */
const CPU_DEVICE = 0;

/** `libggml-base.so`, `ggml-base.dll`, …, beside `libggml`. */
const GGML_BASE = /^(lib)?ggml-base(\.v[\d.]+)?\.(so|dylib|dll)$/;

type Count = number | bigint;

/** The functions of ggml.h, ggml-alloc.h and ggml-backend.h that a graph of our own needs. */
function bind(base: koffi.LibraryHandle, ggml: koffi.LibraryHandle) {
  // The type parameter is the caller's declaration of the C signature beside it.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  const b = <F>(signature: string): F => declare<F>(base, signature);
  return {
    init: b<(params: { mem_size: number; mem_buffer: Pointer; no_alloc: boolean }) => Pointer>(
      'void *ggml_init(ggml_init_params params)',
    ),
    free: b<(context: Pointer) => void>('void ggml_free(void *context)'),
    newTensor: b<
      (context: Pointer, type: number, a: number, b: number, c: number, d: number) => Pointer
    >(
      'void *ggml_new_tensor_4d(void *context, int type, int64 ne0, int64 ne1, int64 ne2, int64 ne3)',
    ),
    bytesOf: b<(tensor: Pointer) => Count>('size_t ggml_nbytes(void *tensor)'),
    multiply: b<(context: Pointer, weights: Pointer, input: Pointer) => Pointer>(
      'void *ggml_mul_mat(void *context, void *a, void *b)',
    ),
    add: b<(context: Pointer, a: Pointer, b: Pointer) => Pointer>(
      'void *ggml_add(void *context, void *a, void *b)',
    ),
    scaleBy: b<(context: Pointer, a: Pointer, b: Pointer) => Pointer>(
      'void *ggml_mul(void *context, void *a, void *b)',
    ),
    norm: b<(context: Pointer, a: Pointer, epsilon: number) => Pointer>(
      'void *ggml_norm(void *context, void *a, float eps)',
    ),
    gelu: b<(context: Pointer, a: Pointer) => Pointer>('void *ggml_gelu(void *context, void *a)'),
    geluQuick: b<(context: Pointer, a: Pointer) => Pointer>(
      'void *ggml_gelu_quick(void *context, void *a)',
    ),
    silu: b<(context: Pointer, a: Pointer) => Pointer>('void *ggml_silu(void *context, void *a)'),
    softMax: b<
      (context: Pointer, a: Pointer, mask: Pointer, scale: number, bias: number) => Pointer
    >('void *ggml_soft_max_ext(void *context, void *a, void *mask, float scale, float max_bias)'),
    reshape: b<(context: Pointer, a: Pointer, x: number, y: number, z: number) => Pointer>(
      'void *ggml_reshape_3d(void *context, void *a, int64 ne0, int64 ne1, int64 ne2)',
    ),
    permute: b<
      (context: Pointer, a: Pointer, x: number, y: number, z: number, w: number) => Pointer
    >('void *ggml_permute(void *context, void *a, int x, int y, int z, int w)'),
    contiguous: b<(context: Pointer, a: Pointer) => Pointer>(
      'void *ggml_cont(void *context, void *a)',
    ),
    contiguousMatrix: b<(context: Pointer, a: Pointer, x: number, y: number) => Pointer>(
      'void *ggml_cont_2d(void *context, void *a, int64 ne0, int64 ne1)',
    ),
    concat: b<(context: Pointer, a: Pointer, b: Pointer, dimension: number) => Pointer>(
      'void *ggml_concat(void *context, void *a, void *b, int dim)',
    ),
    rows: b<(context: Pointer, a: Pointer, indices: Pointer) => Pointer>(
      'void *ggml_get_rows(void *context, void *a, void *b)',
    ),
    setInput: b<(tensor: Pointer) => void>('void ggml_set_input(void *tensor)'),
    setOutput: b<(tensor: Pointer) => void>('void ggml_set_output(void *tensor)'),
    newGraph: b<(context: Pointer) => Pointer>('void *ggml_new_graph(void *context)'),
    expand: b<(graph: Pointer, tensor: Pointer) => void>(
      'void ggml_build_forward_expand(void *graph, void *tensor)',
    ),
    allocateTensors: b<(context: Pointer, backend: Pointer) => Pointer>(
      'void *ggml_backend_alloc_ctx_tensors(void *context, void *backend)',
    ),
    freeBuffer: b<(buffer: Pointer) => void>('void ggml_backend_buffer_free(void *buffer)'),
    bufferType: b<(backend: Pointer) => Pointer>(
      'void *ggml_backend_get_default_buffer_type(void *backend)',
    ),
    newAllocator: b<(bufferType: Pointer) => Pointer>('void *ggml_gallocr_new(void *type)'),
    allocateGraph: b<(allocator: Pointer, graph: Pointer) => boolean>(
      'bool ggml_gallocr_alloc_graph(void *allocator, void *graph)',
    ),
    freeAllocator: b<(allocator: Pointer) => void>('void ggml_gallocr_free(void *allocator)'),
    write: b<(tensor: Pointer, data: ArrayBufferView, offset: number, bytes: number) => void>(
      'void ggml_backend_tensor_set(void *tensor, void *data, size_t offset, size_t size)',
    ),
    read: b<(tensor: Pointer, data: ArrayBufferView, offset: number, bytes: number) => void>(
      'void ggml_backend_tensor_get(void *tensor, void *data, size_t offset, size_t size)',
    ),
    compute: b<(backend: Pointer, graph: Pointer) => number>(
      'int ggml_backend_graph_compute(void *backend, void *graph)',
    ),
    deviceOf: declare<(type: number) => Pointer>(ggml, 'void *ggml_backend_dev_by_type(int type)'),
    start: b<(device: Pointer, params: string | null) => Pointer>(
      'void *ggml_backend_dev_init(void *device, const char *params)',
    ),
    freeBackend: b<(backend: Pointer) => void>('void ggml_backend_free(void *backend)'),
    registryOf: b<(device: Pointer) => Pointer>('void *ggml_backend_dev_backend_reg(void *device)'),
    procedure: b<(registry: Pointer, name: string) => Pointer>(
      'void *ggml_backend_reg_get_proc_address(void *registry, const char *name)',
    ),
  };
}

type GgmlCalls = ReturnType<typeof bind>;

export interface GgmlBinding extends GgmlCalls {
  /** A CPU back end with this many compute threads. Free it with `freeBackend`. */
  startCpu(threads: number): Pointer;
}

let loaded: GgmlBinding | null = null;

/**
 * ggml's graph functions from the library that llama.cpp uses, once per thread; `loadLlama` comes
 * first, it loads the back ends. Throws `EngineError` LIBRARY_MISMATCH.
 */
export function loadGgml(library: NativeLibrary): GgmlBinding {
  if (loaded !== null) return loaded;
  try {
    koffi.struct('ggml_init_params', {
      mem_size: 'size_t',
      mem_buffer: 'void *',
      no_alloc: 'bool',
    });
    const setThreads = koffi.proto('void ggml_backend_set_n_threads(void *backend, int threads)');
    const calls = bind(koffi.load(basePath(library)), koffi.load(library.ggml));
    loaded = {
      ...calls,
      startCpu: (threads) => {
        const device = calls.deviceOf(CPU_DEVICE);
        const backend = device === null ? null : calls.start(device, null);
        if (backend === null) throw mismatch(library, 'it has no CPU back end');
        const address = calls.procedure(calls.registryOf(device), 'ggml_backend_set_n_threads');
        if (address !== null) koffi.call(address, setThreads, backend, threads);
        return backend;
      },
    };
    return loaded;
  } catch (error) {
    if (error instanceof EngineError) throw error;
    throw mismatch(library, error instanceof Error ? error.message : String(error));
  }
}

function basePath({ directory, ggml }: NativeLibrary): string {
  const name = existsSync(directory)
    ? readdirSync(directory).find((file) => GGML_BASE.test(file))
    : undefined;
  // Some builds have everything in one library.
  return name === undefined ? ggml : join(directory, name);
}

function mismatch(library: NativeLibrary, reason: string): EngineError {
  return new EngineError(
    'LIBRARY_MISMATCH',
    `ggml in ${library.directory} cannot compute images: ${reason}.`,
  );
}
