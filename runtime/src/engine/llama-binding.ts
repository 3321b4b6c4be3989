import * as koffi from 'koffi';
import { EngineError } from './engine.ts';
import {
  type ContextParams,
  defineLayouts,
  KNOWN_CONTEXT_DEFAULTS,
  KNOWN_MODEL_DEFAULTS,
  type ModelParams,
  type NativeBatch,
  type Pointer,
} from './llama-layout.ts';
import {
  findNativeLibrary,
  type NativeLibrary,
  type NativeLibraryOptions,
} from './native-library.ts';
import { declare } from './native-function.ts';

/** koffi switches stacks during a call; llama.cpp's recursive parsers want more than its 2 MiB; 16 is its limit. */
const STACK_BYTES = 16 << 20;

/** The native functions used here; each line is one of llama.h, ggml-backend.h or the C library. */
function bind(
  llama: koffi.LibraryHandle,
  ggml: koffi.LibraryHandle,
  base: koffi.LibraryHandle,
  libc: koffi.LibraryHandle,
) {
  // The type parameter is the caller's declaration of the C signature beside it.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  const l = <F>(signature: string): F => declare<F>(llama, signature);
  return {
    logSet: l<(callback: Pointer, data: Pointer) => void>(
      'void llama_log_set(void *cb, void *data)',
    ),
    backendInit: l<() => void>('void llama_backend_init()'),
    loadBackends: declare<(directory: string) => void>(
      ggml,
      'void ggml_backend_load_all_from_path(const char *dir)',
    ),
    loadBackend: declare<(path: string) => Pointer>(
      ggml,
      'void *ggml_backend_load(const char *path)',
    ),
    deviceCount: declare<() => number>(ggml, 'size_t ggml_backend_dev_count()'),
    deviceAt: declare<(index: number) => Pointer>(ggml, 'void *ggml_backend_dev_get(size_t index)'),
    deviceName: declare<(device: Pointer) => string | null>(
      base,
      'const char *ggml_backend_dev_name(void *device)',
    ),
    deviceDescription: declare<(device: Pointer) => string | null>(
      base,
      'const char *ggml_backend_dev_description(void *device)',
    ),
    deviceType: declare<(device: Pointer) => number>(
      base,
      'int ggml_backend_dev_type(void *device)',
    ),
    deviceMemory: declare<(device: Pointer, free: BigUint64Array, total: BigUint64Array) => void>(
      base,
      'void ggml_backend_dev_memory(void *device, void *free, void *total)',
    ),
    modelDefaults: l<() => ModelParams>('llama_model_params llama_model_default_params()'),
    contextDefaults: l<() => ContextParams>('llama_context_params llama_context_default_params()'),
    loadModel: l<(path: string, params: ModelParams) => Pointer>(
      'void *llama_model_load_from_file(const char *path, llama_model_params p)',
    ),
    freeModel: l<(model: Pointer) => void>('void llama_model_free(void *model)'),
    createContext: l<(model: Pointer, params: ContextParams) => Pointer>(
      'void *llama_init_from_model(void *model, llama_context_params p)',
    ),
    freeContext: l<(context: Pointer) => void>('void llama_free(void *context)'),
    vocabulary: l<(model: Pointer) => Pointer>('void *llama_model_get_vocab(void *model)'),
    modelParameters: l<(model: Pointer) => number | bigint>(
      'uint64 llama_model_n_params(void *model)',
    ),
    modelBytes: l<(model: Pointer) => number | bigint>('uint64 llama_model_size(void *model)'),
    trainedContext: l<(model: Pointer) => number>('int32 llama_model_n_ctx_train(void *model)'),
    inputLength: l<(model: Pointer) => number>('int32 llama_model_n_embd_inp(void *model)'),
    slidingWindow: l<(model: Pointer) => number>('int32 llama_model_n_swa(void *model)'),
    isRecurrent: l<(model: Pointer) => boolean>('bool llama_model_is_recurrent(void *model)'),
    isHybrid: l<(model: Pointer) => boolean>('bool llama_model_is_hybrid(void *model)'),
    contextCells: l<(context: Pointer) => number>('uint32 llama_n_ctx(void *context)'),
    contextBatch: l<(context: Pointer) => number>('uint32 llama_n_batch(void *context)'),
    maxSequences: l<() => number>('size_t llama_max_parallel_sequences()'),
    setAbortCallback: l<(context: Pointer, callback: Pointer, data: Uint8Array) => void>(
      'void llama_set_abort_callback(void *context, void *cb, void *data)',
    ),
    decode: l<(context: Pointer, batch: NativeBatch) => number>(
      'int32 llama_decode(void *context, llama_batch batch)',
    ),
    setCausal: l<(context: Pointer, causal: boolean) => void>(
      'void llama_set_causal_attn(void *context, bool causal)',
    ),
    logitsAt: l<(context: Pointer, index: number) => Pointer>(
      'void *llama_get_logits_ith(void *context, int32 index)',
    ),
    memory: l<(context: Pointer) => Pointer>('void *llama_get_memory(void *context)'),
    memoryClear: l<(memory: Pointer, data: boolean) => void>(
      'void llama_memory_clear(void *memory, bool data)',
    ),
    sequenceCopy: l<
      (memory: Pointer, source: number, target: number, from: number, to: number) => void
    >('void llama_memory_seq_cp(void *memory, int32 source, int32 target, int32 p0, int32 p1)'),
    sequenceRemove: l<(memory: Pointer, sequence: number, from: number, to: number) => boolean>(
      'bool llama_memory_seq_rm(void *memory, int32 sequence, int32 p0, int32 p1)',
    ),
    sequenceLast: l<(memory: Pointer, sequence: number) => number>(
      'int32 llama_memory_seq_pos_max(void *memory, int32 sequence)',
    ),
    stateSize: l<(context: Pointer, sequence: number) => number | bigint>(
      'size_t llama_state_seq_get_size(void *context, int32 sequence)',
    ),
    stateGet: l<
      (context: Pointer, target: Uint8Array, size: number, sequence: number) => number | bigint
    >('size_t llama_state_seq_get_data(void *context, void *dst, size_t size, int32 sequence)'),
    stateSet: l<
      (context: Pointer, source: Uint8Array, size: number, sequence: number) => number | bigint
    >('size_t llama_state_seq_set_data(void *context, void *src, size_t size, int32 sequence)'),
    vocabularySize: l<(vocabulary: Pointer) => number>('int32 llama_vocab_n_tokens(void *vocab)'),
    vocabularyType: l<(vocabulary: Pointer) => number>('int32 llama_vocab_type(void *vocab)'),
    tokenText: l<(vocabulary: Pointer, token: number) => string | null>(
      'const char *llama_vocab_get_text(void *vocab, int32 token)',
    ),
    tokenAttributes: l<(vocabulary: Pointer, token: number) => number>(
      'int32 llama_vocab_get_attr(void *vocab, int32 token)',
    ),
    tokenEndsGeneration: l<(vocabulary: Pointer, token: number) => boolean>(
      'bool llama_vocab_is_eog(void *vocab, int32 token)',
    ),
    beginOfSequence: l<(vocabulary: Pointer) => number>('int32 llama_vocab_bos(void *vocab)'),
    endOfSequence: l<(vocabulary: Pointer) => number>('int32 llama_vocab_eos(void *vocab)'),
    tokenPiece: l<
      (
        vocabulary: Pointer,
        token: number,
        target: Uint8Array,
        size: number,
        lstrip: number,
        special: boolean,
      ) => number
    >(
      'int32 llama_token_to_piece(void *vocab, int32 token, void *buf, int32 size, int32 lstrip, bool special)',
    ),
    tokenize: l<
      (
        vocabulary: Pointer,
        text: Uint8Array,
        bytes: number,
        target: Int32Array | null,
        size: number,
        special: boolean,
        parse: boolean,
      ) => number
    >(
      'int32 llama_tokenize(void *vocab, void *text, int32 bytes, void *out, int32 size, bool special, bool parse)',
    ),
    copyMemory: declare<
      (target: Float32Array | Int32Array, source: Pointer, bytes: number) => void
    >(libc, 'void *memcpy(void *target, void *source, size_t bytes)'),
    /** `strlen`: as an abort callback it answers true while the first byte of its data is not 0. */
    abortFunction: symbol(libc, 'strlen'),
    /** `abs`: as a log callback it ignores everything. */
    silentFunction: symbol(libc, 'abs'),
  };
}

type NativeCalls = ReturnType<typeof bind>;

export interface LlamaBinding extends NativeCalls {
  readonly library: NativeLibrary;
  /**
   * Runs `action` and gives back what llama.cpp logged as warning or error meanwhile. The log is
   * one per process: two threads must not capture at once.
   */
  captureLog<T>(action: () => T): { readonly result: T; readonly log: readonly string[] };
}

let loaded: LlamaBinding | null = null;

/**
 * Loads llama.cpp into this thread (once), checks its ABI and its back ends, and silences its log.
 * Throws `EngineError` LIBRARY_MISSING or LIBRARY_MISMATCH.
 */
export function loadLlama(options: NativeLibraryOptions = {}): LlamaBinding {
  if (loaded !== null) return loaded;
  const library = findNativeLibrary(options);
  const calls = openLibraries(library);
  checkAbi(library, calls);
  calls.logSet(calls.silentFunction, null);
  if (calls.deviceCount() === 0) loadBackends(library, calls, options.cpuOnly === true);
  if (calls.deviceCount() === 0) {
    throw new EngineError(
      'LIBRARY_MISSING',
      `llama.cpp found no back end in ${library.directory}.`,
    );
  }
  calls.backendInit();
  loaded = { ...calls, library, captureLog: (action) => captureLog(calls, action) };
  return loaded;
}

function loadBackends(library: NativeLibrary, calls: NativeCalls, cpuOnly: boolean): void {
  const processor = cpuOnly ? bestProcessor(library.processors) : null;
  if (processor === null) calls.loadBackends(library.directory);
  else calls.loadBackend(processor);
}

/**
 * The back end for this processor, chosen as ggml chooses (ggml-backend-reg.cpp): the highest score, of
 * which 0 means that the processor lacks instructions. `null` where there is only one.
 */
function bestProcessor(processors: readonly string[]): string | null {
  const scored = processors.map((path) => ({ path, score: scoreOf(path) }));
  const [best] = scored.filter(({ score }) => score > 0).toSorted((a, b) => b.score - a.score);
  return best?.path ?? null;
}

function scoreOf(path: string): number {
  try {
    return declare<() => number>(koffi.load(path), 'int ggml_backend_score()')();
  } catch {
    // Not every build has variants with a score.
    return 0;
  }
}

function openLibraries(library: NativeLibrary): NativeCalls {
  try {
    // Only before the first library is loaded in this thread.
    koffi.config({ sync_stack_size: STACK_BYTES });
    defineLayouts();
    const ggml = koffi.load(library.ggml);
    const base = koffi.load(library.base);
    return bind(koffi.load(library.llama), ggml, base, koffi.load(libcName()));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EngineError(
      'LIBRARY_MISMATCH',
      `llama.cpp in ${library.directory} cannot be used: ${reason}. ${expected()}`,
    );
  }
}

function checkAbi(library: NativeLibrary, calls: NativeCalls): void {
  const wrong = [
    ...differences(calls.modelDefaults(), KNOWN_MODEL_DEFAULTS),
    ...differences(calls.contextDefaults(), KNOWN_CONTEXT_DEFAULTS),
  ];
  if (wrong.length === 0) return;
  throw new EngineError(
    'LIBRARY_MISMATCH',
    `llama.cpp in ${library.directory} has another binary interface (${wrong.slice(0, 4).join(', ')}). ${expected()}`,
  );
}

function expected(): string {
  return 'This runtime needs llama.cpp v0.4.0 or v0.5.0 (@node-llama-cpp 3.21.1 or 3.22.1).';
}

/** Exported for tests: which known defaults a library does not have. */
export function differences(
  actual: Readonly<Record<string, unknown>>,
  known: Readonly<Record<string, unknown>>,
): string[] {
  return Object.entries(known)
    .filter(([field, value]) => actual[field] !== value && Number(actual[field]) !== value)
    .map(([field, value]) => `${field} is ${String(actual[field])} instead of ${String(value)}`);
}

function captureLog<T>(
  calls: NativeCalls,
  action: () => T,
): { readonly result: T; readonly log: readonly string[] } {
  const log: string[] = [];
  const warning = 3;
  const error = 4;
  const callback = koffi.register((level: number, text: string) => {
    if (level === warning || level === error) log.push(text.trim());
  }, koffi.pointer('ggml_log_callback'));
  calls.logSet(callback, null);
  try {
    return { result: action(), log };
  } finally {
    calls.logSet(calls.silentFunction, null);
    koffi.unregister(callback);
  }
}

function symbol(library: koffi.LibraryHandle, name: string): bigint {
  // SAFETY: koffi gives symbols as external pointers or addresses; `address` accepts both.
  const found = library.symbol(name) as unknown;
  return typeof found === 'bigint' ? found : koffi.address(found);
}

function libcName(): string {
  if (process.platform === 'win32') return 'ucrtbase.dll';
  return process.platform === 'darwin' ? 'libSystem.dylib' : 'libc.so.6';
}
