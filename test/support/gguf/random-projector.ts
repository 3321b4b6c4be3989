import { type MetadataValue, type Tensor, type TensorType, writeGguf } from './gguf-writer.ts';
import { generator, randomData } from './random-model.ts';

/** A vision tower and its projector, as the converters of llama.cpp write them, with random weights. */
export interface RandomProjectorOptions {
  /** LLaVA's, Qwen2-VL's, Gemma 3's or SmolVLM's. */
  readonly kind?: 'mlp' | 'qwen2vl_merger' | 'gemma3' | 'idefics3';
  /** Of the matrices of the blocks and the projector; patches and positions stay F16, norms F32. */
  readonly type?: TensorType;
  /** The halves of the feed-forward network under each other's name, as in files for LLaVA 1.5. */
  readonly swapped?: boolean;
  /** LLaVA 1.6: pairs of width and height. */
  readonly grids?: readonly number[];
  /** The block whose output the projector gets; without it the one before the last. */
  readonly featureLayer?: number;
  /** LLaVA 1.6: a row for the end of a line of patches. */
  readonly newline?: boolean;
  readonly gelu?: boolean;
  readonly postNorm?: boolean;
  /** Length of a row of the language model's input. */
  readonly output?: number;
  readonly seed?: number;
}

const IMAGE = 112;
const PATCH = 14;
const WIDTH = 128;
const HIDDEN = 256;
const HEADS = 4;
const BLOCKS = 4;

export function writeRandomProjector(path: string, options: RandomProjectorOptions = {}): void {
  writeGguf(path, metadataOf(options), tensorsOf(options));
}

function metadataOf(options: RandomProjectorOptions): Record<string, MetadataValue> {
  const { featureLayer, gelu = false, grids = [], kind = 'mlp', output = 128 } = options;
  const number = (value: number): MetadataValue => ({ type: 'u32', value });
  return {
    'general.architecture': { type: 'string', value: 'clip' },
    'general.name': { type: 'string', value: 'random' },
    'general.file_type': number(1),
    'clip.has_vision_encoder': { type: 'bool', value: true },
    'clip.has_llava_projector': { type: 'bool', value: kind === 'mlp' },
    'clip.projector_type': { type: 'string', value: kind },
    'clip.use_gelu': { type: 'bool', value: gelu },
    'clip.vision.image_size': number(IMAGE),
    'clip.vision.patch_size': number(PATCH),
    'clip.vision.embedding_length': number(WIDTH),
    'clip.vision.feed_forward_length': number(HIDDEN),
    'clip.vision.projection_dim': number(output),
    'clip.vision.block_count': number(BLOCKS),
    'clip.vision.attention.head_count': number(HEADS),
    'clip.vision.attention.layer_norm_epsilon': { type: 'f32', value: 1e-5 },
    'clip.vision.image_mean': { type: 'f32s', value: [0.481_454_66, 0.457_827_5, 0.408_210_73] },
    'clip.vision.image_std': { type: 'f32s', value: [0.268_629_54, 0.261_302_6, 0.275_777_1] },
    ...(grids.length === 0
      ? {}
      : { 'clip.vision.image_grid_pinpoints': { type: 'i32s', value: grids } }),
    ...(kind === 'idefics3'
      ? {
          'clip.vision.preproc_image_size': number(IMAGE * 3),
          'clip.vision.projector.scale_factor': number(2),
        }
      : {}),
    ...(featureLayer === undefined
      ? {}
      : { 'clip.vision.feature_layer': { type: 'i32s', value: [featureLayer] } }),
  };
}

function tensorsOf(options: RandomProjectorOptions): Tensor[] {
  const { output = 128, seed = 1, swapped = false, type = 'f16' } = options;
  const random = generator(seed);
  const tensor = (
    name: string,
    shape: readonly number[],
    as: TensorType,
    deviation: number,
  ): Tensor => ({
    name,
    shape,
    type: as,
    data: () =>
      randomData(
        shape.reduce((product, length) => product * length, 1),
        as,
        deviation,
        random,
      ),
  });
  const linear = (name: string, from: number, to: number): Tensor[] => [
    tensor(`${name}.weight`, [from, to], type, 1 / Math.sqrt(from)),
    tensor(`${name}.bias`, [to], 'f32', 0.1),
  ];
  const norm = (name: string): Tensor[] => [
    {
      ...tensor(`${name}.weight`, [WIDTH], 'f32', 1),
      data: () => [
        new Uint8Array(Float32Array.from({ length: WIDTH }, () => 0.8 + random() * 0.4).buffer),
      ],
    },
    tensor(`${name}.bias`, [WIDTH], 'f32', 0.1),
  ];
  const [up, down] = swapped ? ['ffn_down', 'ffn_up'] : ['ffn_up', 'ffn_down'];
  const block = (prefix: string): Tensor[] => [
    ...norm(`${prefix}ln1`),
    ...norm(`${prefix}ln2`),
    ...['attn_q', 'attn_k', 'attn_v', 'attn_out'].flatMap((name) =>
      linear(prefix + name, WIDTH, WIDTH),
    ),
    ...linear(prefix + up, WIDTH, HIDDEN),
    ...linear(prefix + down, HIDDEN, WIDTH),
  ];
  const side = IMAGE / PATCH;
  const patch = (name: string): Tensor =>
    tensor(name, [PATCH, PATCH, 3, WIDTH], 'f16', 1 / Math.sqrt(588));
  const positions = (count: number, as: TensorType = 'f16'): Tensor =>
    tensor('v.position_embd.weight', [WIDTH, count], as, 0.3);
  const blocks = Array.from({ length: BLOCKS }, (_, index) => `v.blk.${index}.`).flatMap(block);
  switch (options.kind ?? 'mlp') {
    case 'mlp':
      return [
        patch('v.patch_embd.weight'),
        tensor('v.class_embd', [WIDTH], 'f32', 1),
        positions(side * side + 1),
        ...norm('v.pre_ln'),
        ...(options.newline === true ? [tensor('model.image_newline', [output], 'f32', 1)] : []),
        ...(options.postNorm === true ? norm('v.post_ln') : []),
        ...blocks,
        ...linear('mm.0', WIDTH, output),
        ...linear('mm.2', output, output),
      ];
    case 'qwen2vl_merger':
      return [
        patch('v.patch_embd.weight'),
        patch('v.patch_embd.weight.1'),
        ...blocks,
        ...norm('v.post_ln'),
        ...linear('mm.0', WIDTH * 4, WIDTH * 4),
        ...linear('mm.2', WIDTH * 4, output),
      ];
    case 'idefics3':
      return [
        patch('v.patch_embd.weight'),
        tensor('v.patch_embd.bias', [WIDTH], 'f32', 0.1),
        positions(side * side, 'f32'),
        ...blocks,
        ...norm('v.post_ln'),
        tensor('mm.model.fc.weight', [WIDTH * 4, output], type, 1 / Math.sqrt(WIDTH * 4)),
      ];
    case 'gemma3':
      return [
        patch('v.patch_embd.weight'),
        tensor('v.patch_embd.bias', [WIDTH], 'f32', 0.1),
        positions(side * side, 'f32'),
        ...blocks,
        ...norm('v.post_ln'),
        { ...norm('mm.soft_emb_norm')[0]!, name: 'mm.soft_emb_norm.weight' },
        tensor('mm.input_projection.weight', [output, WIDTH], 'f32', 1 / Math.sqrt(WIDTH)),
      ];
  }
}
