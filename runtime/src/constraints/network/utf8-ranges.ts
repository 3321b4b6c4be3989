/**
 * Splits ranges of code points into sequences of byte ranges whose products are exactly the UTF-8
 * encodings of the range (the method of Ken Thompson's grep, also used by RE2). Well-formed by
 * construction: no overlong forms, no surrogates, nothing above U+10FFFF (RFC 3629).
 */

export interface ByteRange {
  readonly low: number;
  readonly high: number;
}

/** One to four byte ranges, first byte first. */
export type ByteSequence = readonly ByteRange[];

/** Last code points of encodings with one, two, three bytes. */
const LAST_OF_LENGTH = [0x7f, 0x7ff, 0xffff];
const FIRST_SURROGATE = 0xd800;
const LAST_SURROGATE = 0xdfff;

export function utf8Sequences(low: number, high: number): ByteSequence[] {
  const result: ByteSequence[] = [];
  const pending: [number, number][] = [[low, high]];
  for (let range = pending.pop(); range !== undefined; range = pending.pop()) {
    if (range[0] > range[1]) continue;
    const cut = splitPoint(range[0], range[1]);
    if (cut === null) result.push(zip(encodeUtf8(range[0]), encodeUtf8(range[1])));
    else pending.push([cut.resume, range[1]], [range[0], cut.last]);
  }
  return result;
}

/** Where [low, high] must be cut so that the first part is closer to a product of byte ranges. */
function splitPoint(low: number, high: number): { last: number; resume: number } | null {
  if (low <= LAST_SURROGATE && high >= FIRST_SURROGATE) {
    return { last: FIRST_SURROGATE - 1, resume: Math.max(low, LAST_SURROGATE + 1) };
  }
  for (const last of LAST_OF_LENGTH) {
    if (low <= last && last < high) return { last, resume: last + 1 };
  }
  if (high <= 0x7f) return null;
  // Each continuation byte carries six bits: a range may only vary a byte freely if all lower
  // bytes run over their full range.
  for (let bits = 6; bits <= 18; bits += 6) {
    const mask = (1 << bits) - 1;
    if ((low & ~mask) === (high & ~mask)) continue;
    if ((low & mask) !== 0) return { last: low | mask, resume: (low | mask) + 1 };
    if ((high & mask) !== mask) return { last: (high & ~mask) - 1, resume: high & ~mask };
  }
  return null;
}

function zip(low: readonly number[], high: readonly number[]): ByteSequence {
  return low.map((byte, index) => ({ low: byte, high: high[index] ?? byte }));
}

function encodeUtf8(point: number): number[] {
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | (point >> 6), continuation(point)];
  if (point < 0x10000) {
    return [0xe0 | (point >> 12), continuation(point >> 6), continuation(point)];
  }
  return [
    0xf0 | (point >> 18),
    continuation(point >> 12),
    continuation(point >> 6),
    continuation(point),
  ];
}

function continuation(bits: number): number {
  return 0x80 | (bits & 0x3f);
}
