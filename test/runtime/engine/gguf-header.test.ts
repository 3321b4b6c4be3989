import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { GgufError, readGgufHeader } from '../../../runtime/src/engine/gguf-header.ts';
import { encodeHeader, type MetadataValue, type Tensor } from '../../support/gguf/gguf-writer.ts';

const folder = mkdtempSync(join(tmpdir(), 'gguf-header-'));
const path = join(folder, 'model.gguf');
afterAll(() => rmSync(folder, { recursive: true }));

const METADATA: Record<string, MetadataValue> = {
  'general.architecture': { type: 'string', value: 'llama' },
  'general.name': { type: 'string', value: 'Tést' },
  'llama.context_length': { type: 'u32', value: 4096 },
  'llama.rope.freq_base': { type: 'f32', value: 10_000 },
  'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
  'tokenizer.ggml.tokens': { type: 'strings', value: ['a', 'b', 'ccc'] },
  'tokenizer.ggml.token_type': { type: 'i32s', value: [1, 1, 3] },
  'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
  'tokenizer.chat_template': { type: 'string', value: '{{ messages }}' },
};
const TENSORS: Tensor[] = [
  { name: 'token_embd.weight', shape: [64, 3], type: 'q8_0', data: () => [] },
  { name: 'output_norm.weight', shape: [64], type: 'f32', data: () => [] },
];
const VALID = Buffer.concat([encodeHeader(METADATA, TENSORS), Buffer.alloc(224 + 256)]);

function read(data: Uint8Array) {
  writeFileSync(path, data);
  return readGgufHeader(path);
}

function codeOf(data: Uint8Array): string {
  try {
    read(data);
  } catch (error) {
    if (error instanceof GgufError) return error.code;
    throw error;
  }
  return 'ok';
}

/** A copy with `value` as a 64-bit number at `offset`. */
function patched(offset: number, value: bigint): Buffer {
  const data = Buffer.from(VALID);
  data.writeBigUInt64LE(value, offset);
  return data;
}

test('reads what the runtime needs', () => {
  expect(read(VALID)).toMatchObject({
    version: 3,
    architecture: 'llama',
    name: 'Tést',
    parameterCount: 64 * 3 + 64,
    tensorCount: 2,
    contextLength: 4096,
    tokenizerModel: 'gpt2',
    vocabularySize: 3,
    chatTemplate: '{{ messages }}',
    fileBytes: VALID.length,
  });
});

test('a file that is not there, is no file, is empty, or is something else', () => {
  expect(() => readGgufHeader(join(folder, 'absent'))).toThrow('Cannot open the model file');
  expect(() => readGgufHeader(folder)).toThrow('is not a file');
  expect(codeOf(Buffer.alloc(0))).toBe('NOT_GGUF');
  expect(codeOf(Buffer.from('<!DOCTYPE html>'))).toBe('NOT_GGUF');
});

test('an unknown version', () => {
  const data = Buffer.from(VALID);
  data.writeUInt32LE(9, 4);
  expect(codeOf(data)).toBe('VERSION');
});

test('every truncation is found', () => {
  for (let length = 4; length < VALID.length - 224; length += 1) {
    expect(codeOf(VALID.subarray(0, length))).toBe('TRUNCATED');
  }
});

test('absurd sizes are refused before anything is allocated', () => {
  const huge = 0x7fff_ffff_ffff_ffffn;
  expect(codeOf(patched(8, huge))).toBe('CORRUPT');
  expect(codeOf(patched(16, huge))).toBe('CORRUPT');
  expect(codeOf(patched(24, huge))).toBe('TRUNCATED');
  expect(codeOf(patched(8, 100_000n))).toBe('TRUNCATED');
});

test('an unknown metadata type and a nameless architecture', () => {
  const data = Buffer.from(VALID);
  data.writeUInt32LE(77, 24 + 8 + 'general.architecture'.length);
  expect(codeOf(data)).toBe('CORRUPT');
  expect(codeOf(encodeHeader({ 'general.name': { type: 'string', value: 'x' } }, []))).toBe(
    'CORRUPT',
  );
});

test('no mutation of a byte does more than give a typed error', () => {
  const end = VALID.length - 480;
  for (let offset = 0; offset < end; offset += 1) {
    for (const value of [0, 0x7f, 0xff]) {
      const data = Buffer.from(VALID);
      data[offset] = value;
      expect(['ok', 'NOT_GGUF', 'VERSION', 'CORRUPT', 'TRUNCATED']).toContain(codeOf(data));
    }
  }
});
