import { closeSync, openSync, readSync } from 'node:fs';
import { EngineError } from '../engine/engine.ts';
import { tensorBytes } from '../engine/ggml-types.ts';
import { GgufError, type GgufHeader, readGgufHeader } from '../engine/gguf-header.ts';
import { ProjectorError } from './projector-error.ts';
import type { Size } from './resize.ts';

/** Shape and arithmetic of a vision tower, from the metadata of its mmproj file. */
export interface ProjectorShape {
  readonly file: string;
  /** Side of the square that the tower sees, pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  readonly width: number;
  readonly hidden: number;
  readonly heads: number;
  /** Blocks that are computed. */
  readonly blocks: number;
  /** Length of a row of the language model's input. */
  readonly outputLength: number;
  readonly epsilon: number;
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
  readonly activation: 'gelu' | 'silu' | 'quick-gelu';
  /** A learned row in front of the patches. */
  readonly hasClassToken: boolean;
  /** Rows of the language model's input per square: one for each patch. */
  readonly tokensPerTile: number;
  /** Canvases for pictures larger than a square, in tiles of it: LLaVA 1.6. */
  readonly grids: readonly Size[];
  /** A learned row for the end of a line of patches of several tiles. */
  readonly hasNewline: boolean;
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
  const named = header.metadata.get('clip.projector_type');
  const type = named ?? header.metadata.get('clip.vision.projector_type') ?? 'unknown';
  // Yi's has the same name and another tensor.
  if (type !== 'mlp' || header.tensors.has('mm.3.weight')) {
    const kind = type === 'mlp' ? 'mlp_norm' : type;
    throw new ProjectorError(
      'UNSUPPORTED',
      `${file} has a vision projector of the type ${JSON.stringify(kind)}. This runtime itself computes LLaVA-style ones ("mlp"), such as those of LLaVA 1.5, 1.6 and BakLLaVA.`,
    );
  }
  const shape = shapeOf(file, header);
  const straightened = { ...header, tensors: withFeedForwardInOrder(header.tensors, shape.width) };
  checkTensors(shape, straightened);
  return { shape, header: straightened };
}

/** Converters for LLaVA 1.5 wrote the two halves of the feed-forward network under each other's name. */
function withFeedForwardInOrder(
  tensors: GgufHeader['tensors'],
  width: number,
): GgufHeader['tensors'] {
  const ordered = new Map(tensors);
  for (const [name, tensor] of tensors) {
    const match = /^(v\.blk\.\d+\.)ffn_down\.(weight|bias)$/.exec(name);
    if (match === null) continue;
    const [, prefix, kind] = match;
    const up = tensors.get(`${prefix}ffn_up.${kind}`);
    const isSwapped = tensors.get(`${prefix}ffn_down.weight`)?.dimensions[0] === width;
    if (up === undefined || !isSwapped) continue;
    ordered.set(`${prefix}ffn_up.${kind}`, tensor).set(name, up);
  }
  return ordered;
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
const EPSILON = 'vision.attention.layer_norm_epsilon';

function shapeOf(file: string, header: GgufHeader): ProjectorShape {
  const valid = <Value>(name: string, value: Value | undefined): Value => {
    if (value !== undefined) return value;
    throw new ProjectorError('INVALID', `${file} has no valid clip.${name}.`);
  };
  const positive = (name: string): number | undefined => {
    const value = header.metadata.get(`clip.${name}`);
    return typeof value === 'number' && value > 0 && value <= MOST ? value : undefined;
  };
  /** A file may store any number as a float. */
  const number = (name: string): number => {
    const value = positive(name);
    return valid(name, Number.isInteger(value) ? value : undefined);
  };
  const triple = (name: string, fits: (value: number) => boolean): readonly number[] => {
    const value = header.metadata.get(`clip.${name}`);
    const numbers = typeof value === 'object' ? (value.numbers ?? []) : [];
    return valid(name, numbers.length === 3 && numbers.every(fits) ? numbers : undefined);
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
    epsilon: valid(EPSILON, positive(EPSILON)),
    mean: triple('vision.image_mean', Number.isFinite),
    // Colours are divided by it.
    deviation: triple('vision.image_std', (value) => Number.isFinite(value) && value > 0),
    activation: header.metadata.get('clip.use_gelu') === true ? 'gelu' : otherActivation(header),
    hasClassToken: header.tensors.has('v.class_embd'),
    tokensPerTile: (imageSize / patchSize) ** 2,
    grids: gridsOf(file, header, imageSize),
    hasNewline: newlineName(header.tensors) !== undefined,
  };
}

function gridsOf(file: string, { metadata }: GgufHeader, imageSize: number): readonly Size[] {
  const value = metadata.get('clip.vision.image_grid_pinpoints');
  const numbers = typeof value === 'object' ? (value.numbers ?? []) : [];
  const areTiles = numbers.every(
    (side) => Number.isInteger(side) && side > 0 && side <= MOST && side % imageSize === 0,
  );
  if (numbers.length % 2 !== 0 || !areTiles) {
    throw new ProjectorError(
      'INVALID',
      `${file} has no valid clip.vision.image_grid_pinpoints: pairs of multiples of ${imageSize}.`,
    );
  }
  return Array.from({ length: numbers.length / 2 }, (_, index) => ({
    width: numbers[index * 2] ?? 0,
    height: numbers[index * 2 + 1] ?? 0,
  }));
}

/**
 * LLaVA takes the features before the tower's last block, which converters leave out of the file: all of
 * those that are there. (llama.cpp v0.4 leaves one more out: its issue 25817.)
 */
function blocksOf(file: string, header: GgufHeader, count: number): number {
  const layers = header.metadata.get('clip.vision.feature_layer');
  if (layers === undefined) return count;
  const numbers = typeof layers === 'object' ? layers.numbers : undefined;
  const [layer] = numbers ?? [];
  const isBlock = (value: number) => Number.isInteger(value) && value >= 1 && value <= count;
  if (numbers?.length === 1 && layer !== undefined && isBlock(layer)) return layer;
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

/** LLaVA 1.6's, as converters called it and as llama.cpp does. */
export function newlineName(tensors: GgufHeader['tensors']): string | undefined {
  return ['model.image_newline', 'v.image_newline'].find((name) => tensors.has(name));
}

export const PATCHES = 'v.patch_embd.weight';

/** Every tensor that is computed with, as (input length, output length). */
export function expectedTensors(
  shape: ProjectorShape,
  { tensors }: GgufHeader,
): Map<string, readonly number[]> {
  const { width, hidden, outputLength, patchSize, tokensPerTile } = shape;
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
  found.set('v.position_embd.weight', [width, tokensPerTile + (shape.hasClassToken ? 1 : 0)]);
  optional('v.class_embd', width);
  const newline = newlineName(tensors);
  if (newline !== undefined) found.set(newline, [outputLength]);
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
