import * as koffi from 'koffi';
import { EngineError } from './engine.ts';
import type { Pointer } from './llama-layout.ts';
import { declare } from './native-function.ts';

/** `mtmd_context_params` of mtmd.h in llama.cpp v0.4 and v0.5; field order is the ABI. */
const CONTEXT_PARAMS = {
  use_gpu: 'bool',
  device: 'void *',
  print_timings: 'bool',
  n_threads: 'int',
  image_marker: 'void *',
  media_marker: 'void *',
  flash_attn_type: 'int',
  warmup: 'bool',
  image_min_tokens: 'int',
  image_max_tokens: 'int',
  cb_eval: 'void *',
  cb_eval_user_data: 'void *',
  batch_max_tokens: 'int32',
  progress_callback: 'void *',
  progress_callback_user_data: 'void *',
};

const INPUT_TEXT = {
  text: 'const char *',
  text_len: 'size_t',
  add_special: 'bool',
  parse_special: 'bool',
};

export type MtmdParams = Record<keyof typeof CONTEXT_PARAMS, number | boolean | Pointer>;

/** What those versions fill in; another layout shows up as other values here. */
const KNOWN_DEFAULTS: Partial<MtmdParams> = {
  use_gpu: true,
  device: null,
  print_timings: true,
  n_threads: 4,
  image_marker: null,
  flash_attn_type: -1,
  warmup: true,
  image_min_tokens: -1,
  image_max_tokens: -1,
  cb_eval: null,
  batch_max_tokens: 1024,
  progress_callback: null,
};

export interface InputText {
  readonly text: string;
  readonly text_len: number;
  readonly add_special: boolean;
  readonly parse_special: boolean;
}

/** Kinds of chunks. */
export const TEXT_CHUNK = 0;
export const IMAGE_CHUNK = 1;

/** The functions of mtmd.h; each line is one of them. */
function bind(library: koffi.LibraryHandle) {
  // The type parameter is the caller's declaration of the C signature beside it.
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters
  const m = <F>(signature: string): F => declare<F>(library, signature);
  return {
    marker: m<() => string>('const char *mtmd_default_marker()'),
    markerAddress: m<() => Pointer>('void *mtmd_default_marker()'),
    defaults: m<() => MtmdParams>('mtmd_context_params mtmd_context_params_default()'),
    open: m<(file: string, model: Pointer, params: MtmdParams) => Pointer>(
      'void *mtmd_init_from_file(const char *file, void *model, mtmd_context_params params)',
    ),
    close: m<(context: Pointer) => void>('void mtmd_free(void *context)'),
    seesImages: m<(context: Pointer) => boolean>('bool mtmd_support_vision(void *context)'),
    usesPlane: m<(context: Pointer) => boolean>('bool mtmd_decode_use_mrope(void *context)'),
    looksAhead: m<(context: Pointer, chunk: Pointer) => boolean>(
      'bool mtmd_decode_use_non_causal(void *context, void *chunk)',
    ),
    bitmap: m<(width: number, height: number, rgb: Uint8Array) => Pointer>(
      'void *mtmd_bitmap_init(uint32 nx, uint32 ny, void *data)',
    ),
    freeBitmap: m<(bitmap: Pointer) => void>('void mtmd_bitmap_free(void *bitmap)'),
    newChunks: m<() => Pointer>('void *mtmd_input_chunks_init()'),
    freeChunks: m<(chunks: Pointer) => void>('void mtmd_input_chunks_free(void *chunks)'),
    tokenize: m<
      (
        context: Pointer,
        chunks: Pointer,
        text: InputText,
        bitmaps: BigUint64Array,
        count: number,
      ) => number
    >(
      'int32 mtmd_tokenize(void *context, void *chunks, mtmd_input_text *text, void *bitmaps, size_t count)',
    ),
    chunkCount: m<(chunks: Pointer) => number | bigint>(
      'size_t mtmd_input_chunks_size(void *chunks)',
    ),
    chunkAt: m<(chunks: Pointer, index: number) => Pointer>(
      'void *mtmd_input_chunks_get(void *chunks, size_t index)',
    ),
    chunkType: m<(chunk: Pointer) => number>('int mtmd_input_chunk_get_type(void *chunk)'),
    chunkTokens: m<(chunk: Pointer) => number | bigint>(
      'size_t mtmd_input_chunk_get_n_tokens(void *chunk)',
    ),
    chunkPositions: m<(chunk: Pointer) => number>('int32 mtmd_input_chunk_get_n_pos(void *chunk)'),
    chunkText: m<(chunk: Pointer, count: BigUint64Array) => Pointer>(
      'void *mtmd_input_chunk_get_tokens_text(void *chunk, void *count)',
    ),
    chunkImage: m<(chunk: Pointer) => Pointer>(
      'void *mtmd_input_chunk_get_tokens_image(void *chunk)',
    ),
    imageColumns: m<(image: Pointer) => number | bigint>(
      'size_t mtmd_image_tokens_get_nx(void *image)',
    ),
    encode: m<(context: Pointer, chunk: Pointer) => number>(
      'int32 mtmd_encode_chunk(void *context, void *chunk)',
    ),
    output: m<(context: Pointer) => Pointer>('void *mtmd_get_output_embd(void *context)'),
    logSet: m<(callback: Pointer, data: Pointer) => void>(
      'void mtmd_log_set(void *callback, void *data)',
    ),
  };
}

export type MtmdBinding = ReturnType<typeof bind>;

let loaded: { readonly file: string; readonly binding: MtmdBinding } | null = null;

/**
 * Loads libmtmd into this thread (once) and checks its layout; llama.cpp's own libraries, whose
 * functions it calls, come first. Throws `EngineError` LIBRARY_MISMATCH.
 */
export function loadMtmd(file: string, engine: readonly string[]): MtmdBinding {
  if (loaded?.file === file) return loaded.binding;
  const binding = open(file, engine);
  const defaults = binding.defaults();
  const wrong = Object.entries(KNOWN_DEFAULTS)
    .filter(
      ([field, value]) => Object.entries(defaults).find(([name]) => name === field)?.[1] !== value,
    )
    .map(([field]) => field);
  if (defaults.media_marker !== binding.markerAddress()) wrong.push('media_marker');
  if (wrong.length > 0) throw mismatch(file, `it has other ${wrong.join(', ')}`);
  loaded = { file, binding };
  return binding;
}

function open(file: string, engine: readonly string[]): MtmdBinding {
  try {
    koffi.struct('mtmd_context_params', CONTEXT_PARAMS);
    koffi.struct('mtmd_input_text', INPUT_TEXT);
    // Our builds of libmtmd name no libraries, since these are called differently for each GPU.
    for (const library of engine) koffi.load(library, { global: true });
    return bind(koffi.load(file));
  } catch (error) {
    throw mismatch(file, error instanceof Error ? error.message : String(error));
  }
}

function mismatch(file: string, reason: string): EngineError {
  return new EngineError(
    'LIBRARY_MISMATCH',
    `${file} cannot be used: ${reason}. It has to be libmtmd of the llama.cpp that runs the model.`,
  );
}
