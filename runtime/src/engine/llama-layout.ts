import * as koffi from 'koffi';

/**
 * Struct layouts of llama.h, pinned to llama.cpp v0.4.0 and v0.5.0 (the same in both). Field order is
 * the ABI. `llama-binding.ts` refuses a library whose defaults do not fit.
 */
const MODEL_PARAMS = {
  devices: 'void *',
  tensor_buft_overrides: 'void *',
  n_gpu_layers: 'int32',
  split_mode: 'int32',
  load_mode: 'int32',
  lazy_mode: 'int32',
  main_gpu: 'int32',
  tensor_split: 'void *',
  progress_callback: 'void *',
  progress_callback_user_data: 'void *',
  kv_overrides: 'void *',
  vocab_only: 'bool',
  check_tensors: 'bool',
  use_extra_bufts: 'bool',
  no_host: 'bool',
  no_alloc: 'bool',
  load_mtp: 'bool',
};

const CONTEXT_PARAMS = {
  n_ctx: 'uint32',
  n_batch: 'uint32',
  n_ubatch: 'uint32',
  n_seq_max: 'uint32',
  n_rs_seq: 'uint32',
  n_outputs_max: 'uint32',
  n_outputs_max_per_seq: 'uint32',
  n_threads: 'int32',
  n_threads_batch: 'int32',
  ctx_type: 'int32',
  rope_scaling_type: 'int32',
  pooling_type: 'int32',
  attention_type: 'int32',
  flash_attn_type: 'int32',
  rope_freq_base: 'float',
  rope_freq_scale: 'float',
  yarn_ext_factor: 'float',
  yarn_attn_factor: 'float',
  yarn_beta_fast: 'float',
  yarn_beta_slow: 'float',
  yarn_orig_ctx: 'uint32',
  defrag_thold: 'float',
  cb_eval: 'void *',
  cb_eval_user_data: 'void *',
  type_k: 'int32',
  type_v: 'int32',
  abort_callback: 'void *',
  abort_callback_data: 'void *',
  embeddings: 'bool',
  offload_kqv: 'bool',
  no_perf: 'bool',
  op_offload: 'bool',
  swa_full: 'bool',
  kv_unified: 'bool',
  samplers: 'void *',
  n_samplers: 'size_t',
  ctx_other: 'void *',
};

const BATCH = {
  n_tokens: 'int32',
  token: 'void *',
  embd: 'void *',
  pos: 'void *',
  n_seq_id: 'void *',
  seq_id: 'void *',
  logits: 'void *',
};

/** Address of something of llama.cpp's; null is C's NULL. */
export type Pointer = bigint | null;

/** A struct as koffi passes it by value. */
export type ModelParams = Record<
  keyof typeof MODEL_PARAMS,
  number | boolean | Pointer | BigUint64Array
>;
export type ContextParams = Record<keyof typeof CONTEXT_PARAMS, number | boolean | Pointer>;

/** `llama_batch`; the arrays belong to the caller and are read during the call only. */
export interface NativeBatch {
  n_tokens: number;
  readonly token: Int32Array | null;
  readonly embd: Float32Array | null;
  readonly pos: Int32Array;
  readonly n_seq_id: Int32Array;
  /** Addresses of one sequence id per token. */
  readonly seq_id: BigUint64Array;
  readonly logits: Int8Array;
}

let defined = false;

/** Declares the types to koffi, once per thread. */
export function defineLayouts(): void {
  if (defined) return;
  defined = true;
  koffi.struct('llama_model_params', MODEL_PARAMS);
  koffi.struct('llama_context_params', CONTEXT_PARAMS);
  koffi.struct('llama_batch', BATCH);
  koffi.proto('void ggml_log_callback(int level, const char *text, void *user_data)');
}

/** Defaults that v0.4.0 and v0.5.0 fill in; another layout shows up as other values here. */
export const KNOWN_MODEL_DEFAULTS: Partial<ModelParams> = {
  n_gpu_layers: -1,
  split_mode: 1,
  main_gpu: 0,
  tensor_split: null,
  kv_overrides: null,
  vocab_only: false,
  check_tensors: false,
  use_extra_bufts: true,
  no_alloc: false,
};

export const KNOWN_CONTEXT_DEFAULTS: Partial<ContextParams> = {
  n_ctx: 512,
  n_batch: 2048,
  n_ubatch: 512,
  n_seq_max: 1,
  rope_scaling_type: -1,
  pooling_type: -1,
  attention_type: -1,
  flash_attn_type: -1,
  rope_freq_base: 0,
  yarn_beta_fast: -1,
  cb_eval: null,
  type_k: 1,
  type_v: 1,
  abort_callback: null,
  offload_kqv: true,
  no_perf: true,
  kv_unified: false,
  samplers: null,
  n_samplers: 0,
};
