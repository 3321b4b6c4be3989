import { closeSync, openSync, readSync } from 'node:fs';
import { EngineError } from '../engine/engine.ts';
import { tensorBytes } from '../engine/ggml-types.ts';
import { GgufError, type GgufHeader, readGgufHeader } from '../engine/gguf-header.ts';
import { ProjectorError } from './projector-error.ts';

/** Shape and arithmetic of a vision tower, from the metadata of its mmproj file. */
export interface ProjectorShape {
  readonly file: string;
  /** Side of the square that the tower sees, pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  /** Blocks that are computed; LLaVA takes the features before the last one. */
  readonly blocks: number;
  /** Length of a row of the language model's input. */
  readonly outputLength: number;
  readonly epsilon: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly activation: 'gelu' | 'silu' | 'quick-gelu';
  /** A learned row in front of the patches. */
  readonly hasClassToken: boolean;
  /** Rows of the language model's input per image: one for each patch. */
  readonly tokensPerImage: number;
}

/**
 * Reads and checks an mmproj file: `clip` metadata and every tensor's shape, since ggml ends the
 * process on shapes that do not fit. Throws `ProjectorError`.
 */
export function readProjector(file: string): { shape: ProjectorShape; header: GgufHeader } {
  const header = readHeader(file);
  if (header.architecture !== 'clip') {
    throw new ProjectorError(
      'INVALID',
      `${file} is a ${header.architecture} model, not a vision projector (mmproj).`,
    );
  }
  const type = header.metadata.get('clip.projector_type') ?? 'unknown';
  if (type !== 'mlp') {
    throw new ProjectorError(
      'UNSUPPORTED',
      `${file} has a vision projector of the type ${JSON.stringify(type)}. This runtime computes LLaVA-style ones ("mlp"), such as those of LLaVA 1.5 and BakLLaVA.`,
    );
  }
  const shape = shapeOf(file, header);
  checkTensors(shape, header);
  return { shape, header };
}

function readHeader(file: string): GgufHeader {
  try {
    return readGgufHeader(file);
  } catch (error) {
    if (!(error instanceof GgufError)) throw error;
    const code = error.code === 'NOT_FOUND' ? 'NOT_FOUND' : 'INVALID';
    throw new ProjectorError(code, error.message.replace('model file', 'projector file'));
  }
}

const MOST = 65_536;

function shapeOf(file: string, header: GgufHeader): ProjectorShape {
  const number = (name: string): number => {
    const value = header.metadata.get(`clip.${name}`);
    if (typeof value === 'number' && value > 0 && value <= MOST) return value;
    throw new ProjectorError('INVALID', `${file} has no valid clip.${name}.`);
  };
  const triple = (name: string): readonly number[] => {
    const value = header.metadata.get(`clip.vision.${name}`);
    const numbers = typeof value === 'object' ? value.numbers : undefined;
    if (numbers?.length === 3) return numbers;
    throw new ProjectorError('INVALID', `${file} has no valid clip.vision.${name}.`);
  };
  const imageSize = number('vision.image_size');
  const patchSize = number('vision.patch_size');
  const width = number('vision.embedding_length');
  const heads = number('vision.attention.head_count');
  if (imageSize % patchSize !== 0 || width % heads !== 0) {
    throw new ProjectorError(
      'INVALID',
      `${file} claims patches or heads that do not divide its sizes.`,
    );
  }
  const output = header.tensors.get('mm.2.bias')?.dimensions[0];
  return {
    file,
    imageSize,
    patchSize,
    width,
    hidden: number('vision.feed_forward_length'),
    heads,
    blocks: blocksOf(file, header, number('vision.block_count')),
    outputLength: output ?? number('vision.projection_dim'),
    epsilon: number('vision.attention.layer_norm_epsilon'),
    mean: triple('image_mean'),
    deviation: triple('image_std'),
    activation: header.metadata.get('clip.use_gelu') === true ? 'gelu' : otherActivation(header),
    hasClassToken: header.tensors.has('v.class_embd'),
    tokensPerImage: (imageSize / patchSize) ** 2,
  };
}

/** As llama.cpp has it: without a named feature layer, the features before the last block. */
function blocksOf(file: string, header: GgufHeader, count: number): number {
  const layers = header.metadata.get('clip.vision.feature_layer');
  if (layers === undefined) return count - 1;
  const numbers = typeof layers === 'object' ? layers.numbers : undefined;
  const [layer] = numbers ?? [];
  if (numbers?.length === 1 && layer !== undefined && layer >= 1 && layer <= count) return layer;
  throw new ProjectorError(
    'UNSUPPORTED',
    `${file} joins the features of several layers, which this runtime does not compute.`,
  );
}

function otherActivation(header: GgufHeader): 'silu' | 'quick-gelu' {
  return header.metadata.get('clip.use_silu') === true ? 'silu' : 'quick-gelu';
}

function checkTensors(shape: ProjectorShape, header: GgufHeader): void {
  for (const [name, expected] of expectedTensors(shape, header)) {
    const tensor = header.tensors.get(name);
    const found = tensor?.dimensions ?? [];
    const fits =
      tensor !== undefined &&
      found.reduce((product, length) => product * length, 1) ===
        expected.reduce((product, length) => product * length, 1) &&
      (found[0] === expected[0] || name === PATCHES) &&
      tensorBytes(tensor.type, found[0] ?? 0) !== null;
    if (fits) continue;
    const problem = tensor === undefined ? 'is missing' : `has the shape ${found.join(' × ')}`;
    throw new ProjectorError(
      'INVALID',
      `${shape.file} is not a complete LLaVA-style projector: the tensor ${name} ${problem}.`,
    );
  }
}

export const PATCHES = 'v.patch_embd.weight';

/** Every tensor that is computed with, as (input length, output length). */
export function expectedTensors(
  shape: ProjectorShape,
  { tensors }: GgufHeader,
): Map<string, readonly number[]> {
  const { width, hidden, outputLength, patchSize, tokensPerImage } = shape;
  const found = new Map<string, readonly number[]>();
  const optional = (name: string, length: number): void => {
    if (tensors.has(name)) found.set(name, [length]);
  };
  const linear = (name: string, from: number, to: number): void => {
    found.set(`${name}.weight`, [from, to]);
    optional(`${name}.bias`, to);
  };
  const norm = (name: string): void => {
    found.set(`${name}.weight`, [width]);
    found.set(`${name}.bias`, [width]);
  };
  linear('v.patch_embd', 3 * patchSize * patchSize, width);
  found.set('v.position_embd.weight', [width, tokensPerImage + (shape.hasClassToken ? 1 : 0)]);
  optional('v.class_embd', width);
  for (const name of ['v.pre_ln', 'v.post_ln']) if (tensors.has(`${name}.weight`)) norm(name);
  for (let block = 0; block < shape.blocks; block += 1) {
    const prefix = `v.blk.${block}.`;
    for (const name of ['ln1', 'ln2']) norm(prefix + name);
    for (const name of ['attn_q', 'attn_k', 'attn_v', 'attn_out'])
      linear(prefix + name, width, width);
    linear(`${prefix}ffn_up`, width, hidden);
    linear(`${prefix}ffn_down`, hidden, width);
  }
  linear('mm.0', width, outputLength);
  linear('mm.2', outputLength, outputLength);
  return found;
}

/** The bytes of one tensor. */
export function readTensor(file: string, header: GgufHeader, name: string): Uint8Array {
  const tensor = header.tensors.get(name);
  if (tensor === undefined) throw new ProjectorError('INVALID', `${file} has no tensor ${name}.`);
  const elements = tensor.dimensions.reduce((product, length) => product * length, 1);
  const bytes = new Uint8Array(new ArrayBuffer(tensorBytes(tensor.type, elements) ?? 0));
  const descriptor = openSync(file, 'r');
  try {
    const got = readSync(descriptor, bytes, 0, bytes.length, tensor.offset);
    if (got === bytes.length) return bytes;
    throw new EngineError('MODEL_INVALID', `${file} ends inside the tensor ${name}.`);
  } finally {
    closeSync(descriptor);
  }
}
