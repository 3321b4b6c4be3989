import { bpeVocabulary } from './bpe-vocabulary.ts';
import {
  type MetadataValue,
  type Tensor,
  tensorByteLength,
  type TensorType,
  writeGguf,
} from './gguf-writer.ts';

/** A llama-architecture model with random weights: real shapes and speed, meaningless text. */
export interface RandomModelOptions {
  readonly architecture?: string;
  readonly layers?: number;
  readonly width?: number;
  readonly heads?: number;
  readonly keyValueHeads?: number;
  readonly feedForward?: number;
  readonly vocabulary?: number;
  readonly context?: number;
  readonly type?: 'f16' | 'q8_0';
  readonly seed?: number;
  /** More control tokens. */
  readonly marks?: readonly string[];
}

/** Some 2 million weights: for tests. */
export const TINY: Required<RandomModelOptions> = {
  architecture: 'llama',
  layers: 4,
  width: 128,
  heads: 4,
  keyValueHeads: 2,
  feedForward: 352,
  vocabulary: 1024,
  context: 2048,
  type: 'f16',
  seed: 1,
  marks: [],
};

/** Some 300 million weights, q8_0: compute dominates, for benchmarks. */
export const LARGE: Required<RandomModelOptions> = {
  ...TINY,
  layers: 18,
  width: 1024,
  heads: 16,
  keyValueHeads: 4,
  feedForward: 3584,
  vocabulary: 32_000,
  context: 8192,
  type: 'q8_0',
};

export const CHATML_TEMPLATE =
  "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

export function writeRandomModel(path: string, options: RandomModelOptions = {}): void {
  const model = { ...TINY, ...options };
  writeGguf(path, metadataOf(model), tensorsOf(model));
}

export function metadataOf(model: Required<RandomModelOptions>): Record<string, MetadataValue> {
  const key = (name: string): string => `${model.architecture}.${name}`;
  return {
    'general.architecture': { type: 'string', value: model.architecture },
    'general.name': { type: 'string', value: 'random' },
    'general.file_type': { type: 'u32', value: model.type === 'f16' ? 1 : 7 },
    [key('block_count')]: { type: 'u32', value: model.layers },
    [key('context_length')]: { type: 'u32', value: model.context },
    [key('embedding_length')]: { type: 'u32', value: model.width },
    [key('feed_forward_length')]: { type: 'u32', value: model.feedForward },
    [key('attention.head_count')]: { type: 'u32', value: model.heads },
    [key('attention.head_count_kv')]: { type: 'u32', value: model.keyValueHeads },
    [key('attention.layer_norm_rms_epsilon')]: { type: 'f32', value: 1e-5 },
    [key('rope.dimension_count')]: { type: 'u32', value: model.width / model.heads },
    // Qwen2-VL: pairs of a head that turn with the position, the row and the column.
    ...(model.architecture === 'qwen2vl'
      ? { [key('rope.dimension_sections')]: { type: 'i32s', value: [4, 6, 6, 0] } as const }
      : {}),
    [key('vocab_size')]: { type: 'u32', value: model.vocabulary },
    ...bpeVocabulary(model.vocabulary, model.marks),
    'tokenizer.chat_template': { type: 'string', value: CHATML_TEMPLATE },
  };
}

export function tensorsOf(model: Required<RandomModelOptions>): Tensor[] {
  const { width, feedForward, vocabulary, type } = model;
  const keyValues = (width / model.heads) * model.keyValueHeads;
  const random = generator(model.seed);
  const matrix = (name: string, inputs: number, outputs: number, gain = 1): Tensor => ({
    name,
    shape: [inputs, outputs],
    type,
    data: () => randomData(inputs * outputs, type, gain / Math.sqrt(inputs), random),
  });
  const norm = (name: string): Tensor => ({
    name,
    shape: [width],
    type: 'f32',
    data: () => [new Uint8Array(new Float32Array(width).fill(1).buffer)],
  });
  const layer = (index: number): Tensor[] => {
    const prefix = `blk.${index}.`;
    return [
      norm(`${prefix}attn_norm.weight`),
      matrix(`${prefix}attn_q.weight`, width, width),
      matrix(`${prefix}attn_k.weight`, width, keyValues),
      matrix(`${prefix}attn_v.weight`, width, keyValues),
      matrix(`${prefix}attn_output.weight`, width, width),
      norm(`${prefix}ffn_norm.weight`),
      matrix(`${prefix}ffn_gate.weight`, width, feedForward),
      matrix(`${prefix}ffn_up.weight`, width, feedForward),
      matrix(`${prefix}ffn_down.weight`, feedForward, width),
    ];
  };
  return [
    matrix('token_embd.weight', width, vocabulary, Math.sqrt(width)),
    norm('output_norm.weight'),
    matrix('output.weight', width, vocabulary, 3),
    ...Array.from({ length: model.layers }, (_, index) => layer(index)).flat(),
  ];
}

const PIECE = 32_768;

/** Weights uniform with the given standard deviation. */
export function* randomData(
  elements: number,
  type: TensorType,
  deviation: number,
  random: () => number,
): Generator<Uint8Array> {
  const bound = deviation * Math.sqrt(3);
  for (let done = 0; done < elements; done += PIECE) {
    const count = Math.min(PIECE, elements - done);
    yield RANDOM[type](count, bound, random);
  }
}

type RandomPiece = (count: number, bound: number, random: () => number) => Uint8Array;

const RANDOM: Readonly<Record<TensorType, RandomPiece>> = {
  f32: (count, bound, random) =>
    new Uint8Array(Float32Array.from({ length: count }, () => (random() * 2 - 1) * bound).buffer),
  f16: halves,
  q8_0: blocks,
  q4_0: nibbles,
};

function halves(count: number, bound: number, random: () => number): Uint8Array {
  const data = new Uint16Array(count);
  for (let index = 0; index < count; index += 1) data[index] = toHalf((random() * 2 - 1) * bound);
  return new Uint8Array(data.buffer);
}

/** q8_0: blocks of a half-precision scale and 32 signed bytes. */
function blocks(count: number, bound: number, random: () => number): Uint8Array {
  const data = new Uint8Array(tensorByteLength([count], 'q8_0'));
  const scale = toHalf(bound / 127);
  for (let at = 0; at < data.length; at += 34) {
    data[at] = scale & 0xff;
    data[at + 1] = scale >> 8;
    for (let index = 2; index < 34; index += 1) data[at + index] = Math.floor(random() * 255) - 127;
  }
  return data;
}

/** q4_0: blocks of a half-precision scale and 32 numbers from −8 to 7, of four bits each. */
function nibbles(count: number, bound: number, random: () => number): Uint8Array {
  const data = new Uint8Array(tensorByteLength([count], 'q4_0'));
  const scale = toHalf(bound / 8);
  for (let at = 0; at < data.length; at += 18) {
    data[at] = scale & 0xff;
    data[at + 1] = scale >> 8;
    for (let index = 2; index < 18; index += 1) data[at + index] = Math.floor(random() * 256);
  }
  return data;
}

const scratch = new DataView(new ArrayBuffer(4));

/** Bits of the half-precision number next to `value` toward zero; tiny values become 0. */
export function toHalf(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const sign = (bits >>> 16) & 0x8000;
  if (exponent <= 0) return sign;
  return sign | (Math.min(exponent, 30) << 10) | ((bits >>> 13) & 0x3ff);
}

/** xorshift32: fast and the same everywhere. */
export function generator(seed: number): () => number {
  let state = (Math.imul(seed, 0x9e3779b9) | 1) >>> 0;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 0x1_0000_0000;
  };
}
