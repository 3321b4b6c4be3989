import { expect, test } from 'vitest';
import {
  BYTE_CHARACTERS,
  byteOfToken,
  decodeByteLevel,
  decodeSentencePiece,
} from '../../../runtime/src/engine/token-bytes.ts';

test('byte-level characters are a bijection of all bytes', () => {
  expect(new Set(BYTE_CHARACTERS).size).toBe(256);
  const all = decodeByteLevel(BYTE_CHARACTERS.join(''));
  expect([...all]).toEqual(Array.from({ length: 256 }, (_, byte) => byte));
});

test('known tokens of GPT-2', () => {
  expect(Buffer.from(decodeByteLevel('Ġthe')).toString()).toBe(' the');
  expect(Buffer.from(decodeByteLevel('Ċ')).toString()).toBe('\n');
  expect(Buffer.from(decodeByteLevel('Ã©')).toString()).toBe('é');
  expect(Buffer.from(decodeByteLevel('世')).toString()).toBe('世');
});

test('SentencePiece spaces and byte tokens', () => {
  expect(Buffer.from(decodeSentencePiece('▁a▁')).toString()).toBe(' a ');
  expect(byteOfToken('<0x0A>')).toBe(10);
  expect(byteOfToken('<0xZZ>')).toBeNull();
});
