/**
 * The few facts about a GGUF file that the manager shows. Format: ggml `docs/gguf.md`. The runtime
 * has a reader of its own that checks everything; this one only must never hang or read too much.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { ModelManagerError } from './model-error.ts';
import type { AttentionShape } from './memory-fit.ts';

export interface GgufFacts {
  readonly architecture: string | null;
  readonly name: string | null;
  /** Context that the model was trained for, tokens. */
  readonly context: number | null;
  /** `null` when the header lacks one of its numbers. */
  readonly shape: AttentionShape | null;
}

const MAGIC = 0x46554747;
const MAX_ENTRIES = 100_000;
const MAX_ARRAY = 10_000_000;
const MAX_STRING = 10_000_000;
const CHUNK = 1 << 20;
const STRING = 8;
const ARRAY = 9;
/** Bytes of each scalar value type, by its code. */
const SCALAR_BYTES: Readonly<Record<number, number>> = {
  0: 1,
  1: 1,
  2: 2,
  3: 2,
  4: 4,
  5: 4,
  6: 4,
  7: 1,
  10: 8,
  11: 8,
  12: 8,
};

type Value = string | number | { readonly length: number; readonly largest: number };

/** @throws ModelManagerError NOT_A_MODEL */
export function readGgufFacts(path: string): GgufFacts {
  const file = openSync(path, 'r');
  try {
    return facts(readMetadata(new Reader(file)));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ModelManagerError(
      'NOT_A_MODEL',
      `${path} is no complete GGUF file: ${error.message}`,
    );
  } finally {
    closeSync(file);
  }
}

function facts(metadata: ReadonlyMap<string, Value>): GgufFacts {
  const text = (key: string) => {
    const value = metadata.get(key);
    return typeof value === 'string' ? value : null;
  };
  const architecture = text('general.architecture');
  // Some models have one value per layer; the largest gives the upper bound that is wanted.
  const number = (key: string) => {
    const value = metadata.get(`${architecture}.${key}`);
    if (typeof value === 'object') return value.largest;
    return typeof value === 'number' ? value : null;
  };
  const tokens = metadata.get('tokenizer.ggml.tokens');
  return {
    architecture,
    name: text('general.name'),
    context: number('context_length'),
    shape: shape(number, typeof tokens === 'object' ? tokens.length : null),
  };
}

function shape(
  number: (key: string) => number | null,
  vocabulary: number | null,
): AttentionShape | null {
  const layers = number('block_count');
  const heads = number('attention.head_count');
  const width = number('embedding_length');
  if (layers === null || heads === null || heads === 0 || width === null) return null;
  const kvHeads = number('attention.head_count_kv') ?? heads;
  return {
    layers,
    keyLength: kvHeads * (number('attention.key_length') ?? width / heads),
    valueLength: kvHeads * (number('attention.value_length') ?? width / heads),
    vocabulary: vocabulary ?? 0,
  };
}

function readMetadata(reader: Reader): ReadonlyMap<string, Value> {
  if (reader.u32() !== MAGIC) throw new RangeError('it does not begin with "GGUF"');
  const version = reader.u32();
  if (version < 2 || version > 3) throw new RangeError(`version ${version} is unknown`);
  reader.count(MAX_ENTRIES);
  const entries = reader.count(MAX_ENTRIES);
  const metadata = new Map<string, Value>();
  for (let i = 0; i < entries; i += 1) {
    const key = reader.string();
    metadata.set(key, readValue(reader, reader.u32()));
  }
  return metadata;
}

function readValue(reader: Reader, type: number): Value {
  if (type === STRING) return reader.string();
  if (type !== ARRAY) return reader.scalar(type);
  const elementType = reader.u32();
  const length = reader.count(MAX_ARRAY);
  let largest = 0;
  for (let i = 0; i < length; i += 1) {
    if (elementType === STRING) reader.skip(reader.count(MAX_STRING));
    else largest = Math.max(largest, reader.scalar(elementType));
  }
  return { length, largest };
}

/** Little-endian values from a file, read in chunks. Throws `RangeError` at its end. */
class Reader {
  readonly #file: number;
  #chunk = Buffer.alloc(0);
  #at = 0;
  #next = 0;

  constructor(file: number) {
    this.#file = file;
  }

  u32(): number {
    return this.#take(4).readUInt32LE();
  }

  /** A 64-bit count that must not exceed `limit`. */
  count(limit: number): number {
    const value = this.#take(8).readBigUInt64LE();
    if (value > BigInt(limit)) throw new RangeError(`its header counts ${value} of something`);
    return Number(value);
  }

  string(): string {
    return this.#take(this.count(MAX_STRING)).toString('utf8');
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  scalar(type: number): number {
    const length = SCALAR_BYTES[type];
    if (length === undefined) throw new RangeError(`value type ${type} is unknown`);
    const bytes = this.#take(length);
    if (type === 6) return bytes.readFloatLE();
    if (type === 12) return bytes.readDoubleLE();
    return length === 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, length);
  }

  #take(bytes: number): Buffer {
    if (this.#at + bytes > this.#chunk.length) this.#fill(bytes);
    const taken = this.#chunk.subarray(this.#at, this.#at + bytes);
    this.#at += bytes;
    return taken;
  }

  #fill(bytes: number): void {
    const rest = this.#chunk.subarray(this.#at);
    const fresh = Buffer.alloc(Math.max(CHUNK, bytes));
    const read = readSync(this.#file, fresh, 0, fresh.length, this.#next);
    this.#next += read;
    this.#chunk = Buffer.concat([rest, fresh.subarray(0, read)]);
    this.#at = 0;
    if (this.#chunk.length < bytes) throw new RangeError('it ends within its header');
  }
}
