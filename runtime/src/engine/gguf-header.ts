import { closeSync, fstatSync, openSync } from 'node:fs';
import { EndOfFile, FileCursor } from './file-cursor.ts';
import { tensorBytes } from './ggml-types.ts';

/** A scalar of the metadata. Of arrays the length is kept, and the elements of short numeric ones. */
export type GgufValue = string | number | boolean | GgufArray;

export interface GgufArray {
  readonly arrayLength: number;
  readonly numbers?: readonly number[];
}

/** A tensor's place in the file. */
export interface GgufTensor {
  /** Fastest first, as ggml counts them. */
  readonly dimensions: readonly number[];
  /** `ggml_type`. */
  readonly type: number;
  /** From the start of the file, bytes. */
  readonly offset: number;
}

export interface GgufHeader {
  readonly version: number;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensorCount: number;
  readonly tensors: ReadonlyMap<string, GgufTensor>;
  readonly architecture: string;
  readonly name: string | null;
  /** Number of weights, summed over all tensors. */
  readonly parameterCount: number;
  readonly fileBytes: number;
  readonly chatTemplate: string | null;
  /** Longest context the model was trained for, tokens. */
  readonly contextLength: number | null;
  /** `tokenizer.ggml.model`: `gpt2` is byte-level BPE, `llama` SentencePiece, … */
  readonly tokenizerModel: string | null;
  readonly vocabularySize: number | null;
}

export class GgufError extends Error {
  readonly code: 'NOT_FOUND' | 'NOT_GGUF' | 'TRUNCATED' | 'CORRUPT' | 'VERSION';

  constructor(code: GgufError['code'], message: string) {
    super(message);
    this.name = 'GgufError';
    this.code = code;
  }
}

const MAX_KEY_BYTES = 65_535;
/** Longer strings are corrupt: chat templates, the largest real ones, have some 20 kB. */
const MAX_STRING_BYTES = 16 << 20;
const MAX_ENTRIES = 1 << 20;
const MAX_ARRAY_DEPTH = 4;
const DEFAULT_ALIGNMENT = 32;
/** Longer arrays are vocabularies and the like, which nobody here reads. */
const SHORT_ARRAY = 64;
/** Codes of `gguf_metadata_value_type`. */
const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;

/**
 * Reads the header of a GGUF file (versions 2 and 3; format: ggml `docs/gguf.md`) and checks that
 * all tensors lie inside the file. Meant to run before llama.cpp sees the file: llama.cpp may end
 * the process on corrupt input. Reads only the header, with bounded memory. Throws `GgufError`.
 */
export function readGgufHeader(path: string): GgufHeader {
  const file = open(path);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw new GgufError('NOT_GGUF', `${path} is not a file.`);
    return new HeaderReader(path, new FileCursor(file, stat.size)).read();
  } catch (error) {
    if (!(error instanceof EndOfFile)) throw error;
    throw new GgufError('TRUNCATED', `${path} ends inside its header: it is truncated. ${AGAIN}`);
  } finally {
    closeSync(file);
  }
}

const AGAIN = 'Download or copy it again.';

function open(path: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new GgufError('NOT_FOUND', `Cannot open the model file ${path}: ${reason}`);
  }
}

class HeaderReader {
  readonly #path: string;
  readonly #cursor: FileCursor;

  constructor(path: string, cursor: FileCursor) {
    this.#path = path;
    this.#cursor = cursor;
  }

  read(): GgufHeader {
    const version = this.#readMagic();
    const tensorCount = this.#count('tensors');
    const metadata = this.#readMetadata(this.#count('metadata entries'));
    const { parameterCount, tensors } = this.#readTensors(tensorCount, alignmentOf(metadata));
    const architecture = text(metadata, 'general.architecture');
    if (architecture === null) throw this.#corrupt('it names no general.architecture');
    return {
      version,
      metadata,
      tensorCount,
      tensors,
      architecture,
      name: text(metadata, 'general.name'),
      parameterCount,
      fileBytes: this.#cursor.size,
      chatTemplate: text(metadata, 'tokenizer.chat_template'),
      contextLength: integer(metadata, `${architecture}.context_length`),
      tokenizerModel: text(metadata, 'tokenizer.ggml.model'),
      vocabularySize: arrayLength(metadata, 'tokenizer.ggml.tokens'),
    };
  }

  #readMagic(): number {
    if (this.#cursor.size < 4 || this.#cursor.bytes(4).toString('latin1') !== 'GGUF') {
      throw new GgufError(
        'NOT_GGUF',
        `${this.#path} is not a GGUF model file. Convert the model with llama.cpp's convert_hf_to_gguf.py, or choose a .gguf file.`,
      );
    }
    const version = this.#cursor.uint32();
    if (version === 2 || version === 3) return version;
    throw new GgufError('VERSION', `${this.#path} has GGUF version ${version}; 2 and 3 are known.`);
  }

  #count(what: string): number {
    const count = this.#cursor.uint64();
    // An entry has at least a key length, a type and a byte; a tensor even more.
    if (count > MAX_ENTRIES) throw this.#corrupt(`it claims ${count} ${what}`);
    if (count * 13 > this.#cursor.remaining) throw new EndOfFile();
    return count;
  }

  #readMetadata(count: number): Map<string, GgufValue> {
    const metadata = new Map<string, GgufValue>();
    for (let index = 0; index < count; index += 1) {
      const key = this.#string(MAX_KEY_BYTES);
      metadata.set(key, this.#value(this.#cursor.uint32(), key, 0));
    }
    return metadata;
  }

  /** Type codes of `gguf_metadata_value_type`. */
  #value(type: number, key: string, depth: number): GgufValue {
    const cursor = this.#cursor;
    switch (type) {
      case 0:
        return cursor.uint8();
      case 1:
        return (cursor.uint8() << 24) >> 24;
      case 2:
        return cursor.bytes(2).readUInt16LE();
      case 3:
        return cursor.bytes(2).readInt16LE();
      case 4:
        return cursor.uint32();
      case 5:
        return cursor.int32();
      case 6:
        return cursor.float32();
      case 7:
        return cursor.uint8() !== 0;
      case 8:
        return this.#string(MAX_STRING_BYTES);
      case 9:
        return this.#array(key, depth);
      case 10:
        return cursor.uint64();
      case 11:
        return Number(cursor.bytes(8).readBigInt64LE());
      case 12:
        return cursor.bytes(8).readDoubleLE();
      default:
        throw this.#corrupt(`${printable(key)} has the unknown type ${type}`);
    }
  }

  #array(key: string, depth: number): GgufArray {
    const type = this.#cursor.uint32();
    const arrayLength = this.#cursor.uint64();
    if (arrayLength <= SHORT_ARRAY && (type === FLOAT32 || type === UINT32 || type === INT32)) {
      const numbers = Array.from({ length: arrayLength }, () => Number(this.#value(type, key, 0)));
      return { arrayLength, numbers };
    }
    const width = ELEMENT_BYTES[type];
    if (width !== undefined) {
      this.#cursor.skip(arrayLength * width);
    } else if (type === 8) {
      if (arrayLength * 8 > this.#cursor.remaining) throw new EndOfFile();
      for (let index = 0; index < arrayLength; index += 1) this.#cursor.skip(this.#cursor.uint64());
    } else if (type === 9 && depth < MAX_ARRAY_DEPTH) {
      if (arrayLength * 12 > this.#cursor.remaining) throw new EndOfFile();
      for (let index = 0; index < arrayLength; index += 1) this.#array(key, depth + 1);
    } else {
      throw this.#corrupt(`${printable(key)} is an array of the unknown type ${type}`);
    }
    return { arrayLength };
  }

  /** Throws if a tensor's data are not in the file. */
  #readTensors(count: number, alignment: number): Pick<GgufHeader, 'parameterCount' | 'tensors'> {
    const tensors = new Map<string, GgufTensor>();
    let parameterCount = 0;
    let end = 0;
    for (let index = 0; index < count; index += 1) {
      const name = this.#string(MAX_KEY_BYTES);
      const { dimensions, elements } = this.#tensorShape(name);
      const type = this.#cursor.uint32();
      const offset = this.#cursor.uint64();
      tensors.set(name, { dimensions, type, offset });
      parameterCount += elements;
      end = Math.max(end, offset + (tensorBytes(type, elements) ?? 0));
    }
    const dataStart = Math.ceil(this.#cursor.position / alignment) * alignment;
    if (dataStart + end > this.#cursor.size && count > 0) {
      throw new GgufError(
        'TRUNCATED',
        `${this.#path} has ${this.#cursor.size} bytes but its tensors need ${dataStart + end}: it is truncated. ${AGAIN}`,
      );
    }
    for (const [name, tensor] of tensors) {
      tensors.set(name, { ...tensor, offset: tensor.offset + dataStart });
    }
    return { parameterCount, tensors };
  }

  #tensorShape(name: string): { dimensions: number[]; elements: number } {
    const count = this.#cursor.uint32();
    if (count > 4) throw this.#corrupt(`tensor ${printable(name)} has ${count} dimensions`);
    const dimensions = Array.from({ length: count }, () => this.#cursor.uint64());
    const elements = dimensions.reduce((product, length) => product * length, 1);
    if (!Number.isSafeInteger(elements)) {
      throw this.#corrupt(`tensor ${printable(name)} has an impossible shape`);
    }
    return { dimensions, elements };
  }

  #string(limit: number): string {
    const length = this.#cursor.uint64();
    if (length > this.#cursor.remaining) throw new EndOfFile();
    if (length > limit) throw this.#corrupt(`it has a string of ${length} bytes`);
    return this.#cursor.bytes(length).toString('utf8');
  }

  #corrupt(what: string): GgufError {
    return new GgufError('CORRUPT', `${this.#path} is not a valid GGUF file: ${what}. ${AGAIN}`);
  }
}

/** Bytes of fixed-size element types by code. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
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

function alignmentOf(metadata: ReadonlyMap<string, GgufValue>): number {
  const alignment = integer(metadata, 'general.alignment');
  return alignment !== null && alignment > 0 ? alignment : DEFAULT_ALIGNMENT;
}

function text(metadata: ReadonlyMap<string, GgufValue>, key: string): string | null {
  const value = metadata.get(key);
  return typeof value === 'string' ? value : null;
}

function integer(metadata: ReadonlyMap<string, GgufValue>, key: string): number | null {
  const value = metadata.get(key);
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : null;
}

function arrayLength(metadata: ReadonlyMap<string, GgufValue>, key: string): number | null {
  const value = metadata.get(key);
  return typeof value === 'object' ? value.arrayLength : null;
}

/** Keys of a corrupt file may hold anything. */
function printable(key: string): string {
  return JSON.stringify(key.slice(0, 80));
}
