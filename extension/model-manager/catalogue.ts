/**
 * Well-known instruction-tuned models as GGUF files on Hugging Face. These rows were written from the
 * models' public pages and cannot be checked offline. Nothing is downloaded on their word: the hub's
 * API tells the file's exact size and SHA-256 (`HubClient.describe`), against which the bytes are
 * compared, and once the file is here its own header gives the shape for the memory estimate.
 */
import type { AttentionShape } from './memory-fit.ts';

export interface CatalogueEntry {
  /** What programs write in `--model-path`; the first is the model's own repository. */
  readonly names: readonly [string, ...string[]];
  /** Repository and file that are downloaded. */
  readonly repository: string;
  readonly file: string;
  /** Of a vision model, the file with which it sees. */
  readonly projector: string | null;
  readonly approximateBytes: number;
  readonly licence: string;
  /** Parameters, in billions. */
  readonly billions: number;
  /** Context that the model was trained for, tokens. */
  readonly context: number;
  /** From the model's `config.json`; for the memory estimate before the file is here. */
  readonly shape: AttentionShape;
}

type Row = readonly [
  names: readonly [string, ...string[]],
  repository: string,
  file: string,
  megabytes: number,
  licence: string,
  billions: number,
  context: number,
  layers: number,
  kvHeads: number,
  headLength: number,
  vocabulary: number,
  projector?: string,
];

// oxfmt-ignore
const ROWS: readonly Row[] = [
  [['HuggingFaceTB/SmolLM2-135M-Instruct'], 'bartowski/SmolLM2-135M-Instruct-GGUF', 'SmolLM2-135M-Instruct-Q4_K_M.gguf', 105, 'Apache-2.0', 0.135, 8192, 30, 3, 64, 49_152],
  [['HuggingFaceTB/SmolLM2-360M-Instruct'], 'bartowski/SmolLM2-360M-Instruct-GGUF', 'SmolLM2-360M-Instruct-Q4_K_M.gguf', 271, 'Apache-2.0', 0.362, 8192, 32, 5, 64, 49_152],
  [['HuggingFaceTB/SmolLM2-1.7B-Instruct'], 'bartowski/SmolLM2-1.7B-Instruct-GGUF', 'SmolLM2-1.7B-Instruct-Q4_K_M.gguf', 1060, 'Apache-2.0', 1.71, 8192, 24, 32, 64, 49_152],
  [['Qwen/Qwen2.5-0.5B-Instruct'], 'Qwen/Qwen2.5-0.5B-Instruct-GGUF', 'qwen2.5-0.5b-instruct-q4_k_m.gguf', 491, 'Apache-2.0', 0.494, 32_768, 24, 2, 64, 151_936],
  [['Qwen/Qwen2.5-1.5B-Instruct'], 'Qwen/Qwen2.5-1.5B-Instruct-GGUF', 'qwen2.5-1.5b-instruct-q4_k_m.gguf', 1120, 'Apache-2.0', 1.54, 32_768, 28, 2, 128, 151_936],
  [['Qwen/Qwen2.5-3B-Instruct'], 'Qwen/Qwen2.5-3B-Instruct-GGUF', 'qwen2.5-3b-instruct-q4_k_m.gguf', 2100, 'Qwen Research', 3.09, 32_768, 36, 2, 128, 151_936],
  [['Qwen/Qwen2.5-7B-Instruct'], 'bartowski/Qwen2.5-7B-Instruct-GGUF', 'Qwen2.5-7B-Instruct-Q4_K_M.gguf', 4680, 'Apache-2.0', 7.62, 32_768, 28, 4, 128, 152_064],
  [['meta-llama/Llama-3.2-1B-Instruct'], 'bartowski/Llama-3.2-1B-Instruct-GGUF', 'Llama-3.2-1B-Instruct-Q4_K_M.gguf', 808, 'Llama 3.2 Community', 1.24, 131_072, 16, 8, 64, 128_256],
  [['meta-llama/Llama-3.2-3B-Instruct'], 'bartowski/Llama-3.2-3B-Instruct-GGUF', 'Llama-3.2-3B-Instruct-Q4_K_M.gguf', 2020, 'Llama 3.2 Community', 3.21, 131_072, 28, 8, 128, 128_256],
  [['meta-llama/Llama-3.1-8B-Instruct', 'meta-llama/Meta-Llama-3.1-8B-Instruct'], 'bartowski/Meta-Llama-3.1-8B-Instruct-GGUF', 'Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf', 4920, 'Llama 3.1 Community', 8.03, 131_072, 32, 8, 128, 128_256],
  [['google/gemma-2-2b-it'], 'bartowski/gemma-2-2b-it-GGUF', 'gemma-2-2b-it-Q4_K_M.gguf', 1710, 'Gemma', 2.61, 8192, 26, 4, 256, 256_000],
  [['google/gemma-2-9b-it'], 'bartowski/gemma-2-9b-it-GGUF', 'gemma-2-9b-it-Q4_K_M.gguf', 5760, 'Gemma', 9.24, 8192, 42, 8, 256, 256_000],
  [['mistralai/Mistral-7B-Instruct-v0.3'], 'bartowski/Mistral-7B-Instruct-v0.3-GGUF', 'Mistral-7B-Instruct-v0.3-Q4_K_M.gguf', 4370, 'Apache-2.0', 7.25, 32_768, 32, 8, 128, 32_768],
  [['microsoft/Phi-3.5-mini-instruct'], 'bartowski/Phi-3.5-mini-instruct-GGUF', 'Phi-3.5-mini-instruct-Q4_K_M.gguf', 2390, 'MIT', 3.82, 131_072, 32, 32, 96, 32_064],
  [['microsoft/phi-4'], 'bartowski/phi-4-GGUF', 'phi-4-Q4_K_M.gguf', 9050, 'MIT', 14.7, 16_384, 40, 10, 128, 100_352],
  [['llava-hf/llava-1.5-7b-hf', 'liuhaotian/llava-v1.5-7b'], 'second-state/Llava-v1.5-7B-GGUF', 'llava-v1.5-7b-Q4_K_M.gguf', 4710, 'Llama 2 Community', 7.06, 4096, 32, 32, 128, 32_000, 'llava-v1.5-7b-mmproj-model-f16.gguf'],
];

export const CATALOGUE: readonly CatalogueEntry[] = ROWS.map(
  ([
    names,
    repository,
    file,
    megabytes,
    licence,
    billions,
    context,
    layers,
    kvHeads,
    headLength,
    vocabulary,
    projector = null,
  ]) => ({
    names,
    repository,
    file,
    projector,
    approximateBytes: megabytes * 1e6,
    licence,
    billions,
    context,
    shape: attentionShape(layers, kvHeads, headLength, vocabulary),
  }),
);

function attentionShape(
  layers: number,
  kvHeads: number,
  headLength: number,
  vocabulary: number,
): AttentionShape {
  return { layers, keyLength: kvHeads * headLength, valueLength: kvHeads * headLength, vocabulary };
}

/** The entry for a model's name or for the repository of its GGUF files, in any case. */
export function findInCatalogue(name: string): CatalogueEntry | null {
  const wanted = name.toLowerCase();
  const matches = (entry: CatalogueEntry) =>
    [...entry.names, entry.repository].some((known) => known.toLowerCase() === wanted);
  return CATALOGUE.find(matches) ?? null;
}
