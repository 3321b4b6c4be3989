import { closeSync, openSync, writeSync } from 'node:fs';

/** Writes GGUF version 3 files (format: ggml `docs/gguf.md`), tensor data streaming. */
export type MetadataValue =
  | { readonly type: 'u32' | 'i32' | 'f32' | 'u64'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'strings'; readonly value: readonly string[] }
  | { readonly type: 'i32s'; readonly value: readonly number[] }
  | { readonly type: 'f32s'; readonly value: readonly number[] };

export type TensorType = 'f32' | 'f16' | 'q8_0' | 'q4_0';

export interface Tensor {
  readonly name: string;
  /** Fastest dimension first, as ggml has it. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Encoded data in pieces; `tensorByteLength` in all. */
  data(): Iterable<Uint8Array>;
}

const ALIGNMENT = 32;
const TENSOR_TYPE_CODES = { f32: 0, f16: 1, q4_0: 2, q8_0: 8 } as const;

export function tensorByteLength(shape: readonly number[], type: TensorType): number {
  const elements = shape.reduce((product, length) => product * length, 1);
  switch (type) {
    case 'f32':
      return elements * 4;
    case 'f16':
      return elements * 2;
    case 'q8_0':
      return (elements / 32) * 34;
    case 'q4_0':
      return (elements / 32) * 18;
  }
}

export function writeGguf(
  path: string,
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: readonly Tensor[],
): void {
  const file = openSync(path, 'w');
  try {
    writeAll(file, encodeHeader(metadata, tensors));
    for (const tensor of tensors) {
      let written = 0;
      for (const piece of tensor.data()) {
        writeAll(file, piece);
        written += piece.length;
      }
      if (written !== tensorByteLength(tensor.shape, tensor.type)) {
        throw new Error(`${tensor.name}: ${written} bytes written`);
      }
      writeAll(file, padding(written));
    }
  } finally {
    closeSync(file);
  }
}

export function encodeHeader(
  metadata: Readonly<Record<string, MetadataValue>>,
  tensors: readonly Tensor[],
): Buffer {
  const entries = Object.entries(metadata);
  const parts = [
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(entries.length),
    ...entries.flatMap(([key, value]) => [string(key), encodeValue(value)]),
  ];
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    parts.push(string(name), u32(shape.length), ...shape.map(u64));
    parts.push(u32(TENSOR_TYPE_CODES[type]), u64(offset));
    offset += align(tensorByteLength(shape, type));
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, padding(header.length)]);
}

function encodeValue(entry: MetadataValue): Buffer {
  switch (entry.type) {
    case 'u32':
      return Buffer.concat([u32(4), u32(entry.value)]);
    case 'i32':
      return Buffer.concat([u32(5), i32(entry.value)]);
    case 'f32':
      return Buffer.concat([u32(6), f32(entry.value)]);
    case 'u64':
      return Buffer.concat([u32(10), u64(entry.value)]);
    case 'bool':
      return Buffer.concat([u32(7), Buffer.of(entry.value ? 1 : 0)]);
    case 'string':
      return Buffer.concat([u32(8), string(entry.value)]);
    case 'strings':
      return Buffer.concat([u32(9), u32(8), u64(entry.value.length), ...entry.value.map(string)]);
    case 'i32s':
      return Buffer.concat([u32(9), u32(5), u64(entry.value.length), ...entry.value.map(i32)]);
    case 'f32s':
      return Buffer.concat([u32(9), u32(6), u64(entry.value.length), ...entry.value.map(f32)]);
  }
}

function u32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(value);
  return buffer;
}

function i32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeInt32LE(value);
  return buffer;
}

function f32(value: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeFloatLE(value);
  return buffer;
}

function u64(value: number): Buffer {
  const buffer = Buffer.alloc(8);
  buffer.writeBigUInt64LE(BigInt(value));
  return buffer;
}

function string(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([u64(bytes.length), bytes]);
}

function align(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function padding(length: number): Buffer {
  return Buffer.alloc(align(length) - length);
}

function writeAll(file: number, data: Uint8Array): void {
  for (let at = 0; at < data.length;) at += writeSync(file, data, at);
}
