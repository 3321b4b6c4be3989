import { EngineError } from '../engine/engine.ts';
import type { GgufHeader } from '../engine/gguf-header.ts';
import { F32, type GgmlBinding, loadGgml } from '../engine/ggml-binding.ts';
import { loadLlama } from '../engine/llama-binding.ts';
import type { Pointer } from '../engine/llama-layout.ts';
import type { NativeLibraryOptions } from '../engine/native-library.ts';
import { type ClipGraph, ClipGraphBuilder } from './clip-graph.ts';
import { asFloats } from './float-formats.ts';
import { NEWLINE } from './clip-tiles.ts';
import type { TowerPicture } from './image-parts.ts';
import {
  expectedTensors,
  newlineName,
  type ProjectorShape,
  readProjector,
  readTensor,
} from './projector-file.ts';
import type { VisionEncoder } from './vision-encoder.ts';

export interface ClipEncoderOptions {
  readonly file: string;
  readonly threads: number;
  readonly library?: NativeLibraryOptions;
}

/** Room for the descriptions of tensors (ggml's are below 512 bytes) and a graph of 2,048 nodes. */
const WEIGHTS_CONTEXT = 4 << 20;
const GRAPH_CONTEXT = 8 << 20;

/** Loads a LLaVA-style projector onto the CPU. Throws `ProjectorError` or `EngineError`. */
export function loadClipEncoder({ file, threads, library }: ClipEncoderOptions): VisionEncoder {
  const { shape, header } = readProjector(file);
  const ggml = loadGgml(loadLlama(library).library);
  const backend = ggml.startCpu(threads);
  const context = ggml.init({ mem_size: WEIGHTS_CONTEXT, mem_buffer: null, no_alloc: true });
  const weights = new Map<string, Pointer>();
  for (const [name, [x = 1, y = 1]] of expectedTensors(shape, header)) {
    const type = isMatrix(name) ? (header.tensors.get(name)?.type ?? F32) : F32;
    weights.set(name, ggml.newTensor(context, type, x, y, 1, 1));
  }
  const buffer = ggml.allocateTensors(context, backend);
  if (buffer === null) {
    throw new EngineError('OUT_OF_MEMORY', `There is no memory for the vision projector ${file}.`);
  }
  for (const [name, tensor] of weights) {
    const bytes = readTensor(file, header, name);
    const type = header.tensors.get(name)?.type ?? F32;
    const data = isMatrix(name) ? bytes : asFloats(bytes, type, name);
    ggml.write(tensor, data, 0, data.byteLength);
  }
  const newline = newlineOf(file, header);
  return new ClipEncoder(ggml, backend, shape, { context, buffer, tensors: weights }, newline);
}

function newlineOf(file: string, header: GgufHeader): Float32Array | undefined {
  const name = newlineName(header.tensors);
  if (name === undefined) return undefined;
  const row = asFloats(readTensor(file, header, name), header.tensors.get(name)?.type ?? F32, name);
  return row instanceof Float32Array ? row : new Float32Array(row.slice().buffer);
}

/** What is multiplied with stays as it is stored; the rest is added and has to be F32. */
function isMatrix(name: string): boolean {
  return name.endsWith('.weight') && !/(ln\d?|position_embd)\.weight$/.test(name);
}

interface Weights {
  readonly context: Pointer;
  readonly buffer: Pointer;
  readonly tensors: ReadonlyMap<string, Pointer>;
}

class ClipEncoder implements VisionEncoder {
  readonly #ggml: GgmlBinding;
  readonly #backend: Pointer;
  readonly #shape: ProjectorShape;
  readonly #weights: Weights;
  readonly #graphContext: Pointer;
  readonly #allocator: Pointer;
  readonly #graph: ClipGraph;
  /** Ends a line of patches of LLaVA 1.6. */
  readonly #newline: Float32Array | undefined;

  constructor(
    ggml: GgmlBinding,
    backend: Pointer,
    shape: ProjectorShape,
    weights: Weights,
    newline: Float32Array | undefined,
  ) {
    this.#ggml = ggml;
    this.#backend = backend;
    this.#shape = shape;
    this.#weights = weights;
    this.#newline = newline;
    this.#graphContext = ggml.init({ mem_size: GRAPH_CONTEXT, mem_buffer: null, no_alloc: true });
    this.#graph = new ClipGraphBuilder(ggml, this.#graphContext, shape, weights.tensors).build();
    this.#allocator = ggml.newAllocator(ggml.bufferType(backend));
    if (!ggml.allocateGraph(this.#allocator, this.#graph.graph)) {
      throw new EngineError('OUT_OF_MEMORY', 'There is no memory to compute images.');
    }
  }

  encode({ order, rgb }: TowerPicture): readonly Float32Array[] {
    const tile = this.#shape.imageSize ** 2 * 3;
    const rows = Array.from({ length: rgb.length / tile }, (_, index) =>
      this.#encodeTile(rgb.subarray(index * tile, (index + 1) * tile)),
    ).flat();
    if (order === undefined) return rows;
    return Array.from(order, (index) => {
      const row = index === NEWLINE ? this.#newline : rows[index];
      if (row === undefined) throw new RangeError(`the picture has no row ${index}`);
      return row;
    });
  }

  dispose(): void {
    this.#ggml.freeAllocator(this.#allocator);
    this.#ggml.free(this.#graphContext);
    this.#ggml.freeBuffer(this.#weights.buffer);
    this.#ggml.free(this.#weights.context);
    this.#ggml.freeBackend(this.#backend);
  }

  #encodeTile(rgb: Uint8Array): readonly Float32Array[] {
    const { hasClassToken, outputLength, tokensPerTile } = this.#shape;
    this.#set(this.#graph.input, patches(rgb, this.#shape));
    const first = hasClassToken ? 1 : 0;
    const indices = new Int32Array(new ArrayBuffer(tokensPerTile * 4));
    this.#set(
      this.#graph.picked,
      indices.map((_, index) => index + first),
    );
    const status = this.#ggml.compute(this.#backend, this.#graph.graph);
    if (status !== 0) {
      throw new EngineError('DECODE_FAILED', `ggml answered ${status} for an image`);
    }
    const all = new Float32Array(new ArrayBuffer(outputLength * tokensPerTile * 4));
    this.#ggml.read(this.#graph.output, all, 0, all.byteLength);
    return Array.from({ length: tokensPerTile }, (_, row) =>
      all.subarray(row * outputLength, (row + 1) * outputLength),
    );
  }

  #set(tensor: Pointer, data: Float32Array | Int32Array): void {
    this.#ggml.write(tensor, data, 0, data.byteLength);
  }
}

/** Normalised pixels, patch after patch; inside a patch by channel, row, column. */
export function patches(
  rgb: Uint8Array,
  {
    imageSize,
    patchSize,
    mean,
    deviation,
  }: Pick<ProjectorShape, 'imageSize' | 'patchSize' | 'mean' | 'deviation'>,
): Float32Array {
  const side = imageSize / patchSize;
  const out = new Float32Array(new ArrayBuffer(rgb.length * 4));
  let at = 0;
  for (let patch = 0; patch < side * side; patch += 1) {
    const top = Math.floor(patch / side) * patchSize;
    const left = (patch % side) * patchSize;
    for (let channel = 0; channel < 3; channel += 1) {
      const shift = mean[channel] ?? 0;
      const scale = deviation[channel] ?? 1;
      for (let y = top; y < top + patchSize; y += 1) {
        for (let x = left; x < left + patchSize; x += 1) {
          const value = rgb[(y * imageSize + x) * 3 + channel] ?? 0;
          out[at] = (value / 255 - shift) / scale;
          at += 1;
        }
      }
    }
  }
  return out;
}
