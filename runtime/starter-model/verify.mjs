// Compares the weights in llama.cpp with what PyTorch computed (`python build.py reference`).
// Usage: node verify.mjs MODULES [starter.gguf] [reference.json]
// MODULES is a folder in which `npm install koffi @node-llama-cpp/<platform>@3.21.1` was run.
import { createRequire } from 'node:module';
import fs from 'node:fs';
import path from 'node:path';

const here = import.meta.dirname;
const modules = process.argv[2] ?? '.';
const weights = process.argv[3] ?? path.join(here, 'starter.gguf');
const reference = JSON.parse(
  fs.readFileSync(process.argv[4] ?? path.join(here, '.work', 'reference.json'), 'utf8'),
);
const koffi = createRequire(path.resolve(modules, 'index.js'))('koffi');

const platform = `${process.platform.replace('darwin', 'mac').replace('win32', 'win')}-${process.arch}`;
const packages = path.join(path.resolve(modules), 'node_modules', '@node-llama-cpp');
const folder = fs.readdirSync(packages).find((name) => name.startsWith(platform));
const libraries = path.join(packages, folder, 'bins', folder);
const library = (name) =>
  koffi.load(
    path.join(
      libraries,
      fs
        .readdirSync(libraries)
        .find((f) => new RegExp(`^(lib)?${name}(\\.\\w+)?\\.v[\\d.]+\\.(so|dylib|dll)$`).test(f)),
    ),
  );

const ggml = library('ggml');
const llama = library('llama');
const fields = (text) =>
  Object.fromEntries(
    text
      .trim()
      .split(/\s*,\s*/)
      .map((f) => f.trim().split(/\s+/))
      .flatMap(([type, ...names]) => names.map((n) => [n, type === 'pointer' ? 'void *' : type])),
  );
// llama.cpp v0.4.0: the fields after the ones that are set here only have to keep their place and size.
koffi.struct(
  'llama_model_params',
  fields(`pointer devices overrides, int32 n_gpu_layers split_mode load_mode lazy_mode main_gpu,
    pointer tensor_split progress progress_data kv_overrides,
    bool vocab_only check_tensors use_extra_bufts no_host no_alloc load_mtp`),
);
koffi.struct(
  'llama_context_params',
  fields(`uint32 n_ctx n_batch n_ubatch n_seq_max n_rs_seq n_outputs_max n_outputs_max_per_seq,
    int32 n_threads n_threads_batch ctx_type rope_scaling_type pooling_type attention_type flash_attn_type,
    float rope_freq_base rope_freq_scale yarn_ext yarn_attn yarn_fast yarn_slow, uint32 yarn_orig_ctx, float defrag,
    pointer cb_eval cb_data, int32 type_k type_v, pointer abort abort_data,
    bool embeddings offload_kqv no_perf op_offload swa_full kv_unified, pointer samplers, size_t n_samplers, pointer other`),
);
koffi.struct(
  'llama_batch',
  fields('int32 n_tokens, pointer token embd pos n_seq_id seq_id logits'),
);
const silent = koffi.register(
  () => {},
  koffi.pointer(koffi.proto('void log(int level, str text, void *data)')),
);
llama.func('void llama_log_set(void *callback, void *data)')(silent, null);
ggml.func('void ggml_backend_load_all_from_path(str folder)')(libraries);
llama.func('void llama_backend_init()')();

const modelDefaults = llama.func('llama_model_params llama_model_default_params()')();
const model = llama.func('void *llama_model_load_from_file(str path, llama_model_params params)')(
  weights,
  {
    ...modelDefaults,
    n_gpu_layers: 0,
  },
);
if (!model) throw new Error(`llama.cpp does not load ${weights}`);
const contextDefaults = llama.func('llama_context_params llama_context_default_params()')();
const context = llama.func('void *llama_init_from_model(void *model, llama_context_params params)')(
  model,
  {
    ...contextDefaults,
    n_ctx: 1024,
    n_threads: 1,
    n_threads_batch: 1,
  },
);
const vocabulary = llama.func('void *llama_model_get_vocab(void *model)')(model);
const size = llama.func('int32 llama_vocab_n_tokens(void *vocab)')(vocabulary);
const tokenizeRaw = llama.func(
  'int32 llama_tokenize(void *vocab, str text, int32 length, _Out_ int32 *tokens, int32 max, bool special, bool parse)',
);
const batchOf = llama.func('llama_batch llama_batch_get_one(int32 *tokens, int32 n)');
const decode = llama.func('int32 llama_decode(void *context, llama_batch batch)');
const logits = llama.func('void *llama_get_logits_ith(void *context, int32 i)');
const memory = llama.func('void *llama_get_memory(void *context)')(context);
const clear = llama.func('void llama_memory_clear(void *memory, bool data)');
const endOfGeneration = llama.func('bool llama_vocab_is_eog(void *vocab, int32 token)');

function tokenize(text) {
  const out = new Int32Array(Buffer.byteLength(text) + 8);
  const count = tokenizeRaw(vocabulary, text, Buffer.byteLength(text), out, out.length, true, true);
  return [...out.subarray(0, count)];
}

function greedy(prompt, limit) {
  clear(memory, true);
  const out = [];
  let feed = new Int32Array(prompt);
  while (out.length < limit) {
    if (decode(context, batchOf(feed, feed.length)) !== 0) throw new Error('llama_decode failed');
    const row = koffi.decode(logits(context, -1), koffi.array('float', size, 'Typed'));
    let best = 0;
    for (let i = 1; i < size; i++) if (row[i] > row[best]) best = i;
    if (endOfGeneration(vocabulary, best)) break;
    out.push(best);
    feed = Int32Array.of(best);
  }
  return out;
}

let texts = 0;
for (const { text, ids } of reference.tokens) {
  if (JSON.stringify(tokenize(text)) === JSON.stringify(ids)) texts++;
  else console.log('other tokens for', JSON.stringify(text), tokenize(text), ids);
}
let same = 0;
let total = 0;
const start = performance.now();
for (const { prompt, continuation } of reference.greedy) {
  const ours = greedy(prompt, 96);
  const length = Math.max(ours.length, continuation.length);
  for (let i = 0; i < length; i++) if (ours[i] === continuation[i]) same++;
  total += length;
}
const seconds = (performance.now() - start) / 1000;
const name = llama.func('int32 llama_model_desc(void *model, _Out_ uint8 *out, size_t n)');
const label = new Uint8Array(128);
name(model, label, 128);
console.log(`model: ${Buffer.from(label).toString().replace(/\0.*/s, '')}, vocabulary ${size}`);
console.log(`tokenizer: ${texts} of ${reference.tokens.length} texts have the same ids`);
console.log(
  `greedy tokens: ${same} of ${total} equal, ${Math.round(total / seconds)} tokens/s on one thread`,
);
process.exitCode = texts === reference.tokens.length && same / total > 0.98 ? 0 : 1;
