import { afterEach, describe, expect, it, vi } from 'vitest';
import { fromBase64, toBase64 } from '../../extension/src/notebook/base64.ts';

/** More than fits one call's arguments, every byte value in it. */
const BYTES = Uint8Array.from({ length: 300_001 }, (_, index) => (index * 7 + (index >> 8)) & 255);
const TEXTS = ['', 'aGk=', 'aGk', 'aG k=\n', 'a', 'aGk*', '/+8='];

afterEach(() => vi.unstubAllGlobals());

describe('base64 without Node', () => {
  it('is what Node writes', () => {
    const expected = toBase64(BYTES);
    vi.stubGlobal('Buffer', undefined);
    expect(toBase64(BYTES)).toBe(expected);
    expect(toBase64(BYTES.subarray(1, 5))).toBe(toBase64(BYTES.slice(1, 5)));
  });

  it('reads what Node reads, and never fails', () => {
    const expected = TEXTS.map((text) => [...fromBase64(text)]);
    const encoded = toBase64(BYTES);
    vi.stubGlobal('Buffer', undefined);
    expect(TEXTS.map((text) => [...fromBase64(text)])).toEqual(expected);
    expect(fromBase64(encoded)).toEqual(BYTES);
  });
});
