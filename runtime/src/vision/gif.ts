import { checkSize, corrupt, type Picture } from './picture.ts';

/**
 * GIF (version 89a of its specification): the first image of an animation, at its place on the screen.
 * What is transparent or outside of it is white.
 */
export function decodeGif(bytes: Uint8Array): Picture {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const reader = new GifReader(file);
  reader.skip(6);
  const [width, height] = [reader.word(), reader.word()];
  checkSize(width, height);
  const flags = reader.byte();
  reader.skip(2);
  const shared = flags & TABLE_FLAG ? reader.table(flags) : null;
  let transparent = -1;
  for (;;) {
    const block = reader.byte();
    if (block === EXTENSION) transparent = reader.extension() ?? transparent;
    else if (block === IMAGE) break;
    else throw corrupt(block === TRAILER ? 'it holds no image' : 'it has an unknown block');
  }
  const frame = readFrame(reader, shared);
  const rgb = new Uint8Array(width * height * 3).fill(255);
  frame.rows.forEach((y, row) => {
    if (frame.top + y >= height) return;
    for (let x = 0; x < Math.min(frame.width, width - frame.left); x += 1) {
      const index = frame.indices[row * frame.width + x] ?? 0;
      if (index === transparent) continue;
      const at = ((frame.top + y) * width + frame.left + x) * 3;
      // A table may be shorter than its indices reach: the rest is black.
      for (let channel = 0; channel < 3; channel += 1) {
        rgb[at + channel] = frame.table[index * 3 + channel] ?? 0;
      }
    }
  });
  return { width, height, rgb };
}

const EXTENSION = 0x21;
const IMAGE = 0x2c;
const TRAILER = 0x3b;
const GRAPHIC_CONTROL = 0xf9;
const TABLE_FLAG = 0x80;
const INTERLACED = 0x40;
/** First row and step of each pass of an interlaced image. */
const PASSES = [
  [0, 8],
  [4, 8],
  [2, 4],
  [1, 2],
] as const;

interface Frame {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  /** Where each stored row belongs. */
  readonly rows: readonly number[];
  readonly table: Uint8Array;
  /** Into the table, row by row as stored. */
  readonly indices: Uint8Array;
}

function readFrame(reader: GifReader, shared: Uint8Array | null): Frame {
  const [left, top, width, height] = [reader.word(), reader.word(), reader.word(), reader.word()];
  checkSize(width, height);
  const flags = reader.byte();
  const table = flags & TABLE_FLAG ? reader.table(flags) : shared;
  if (table === null) throw corrupt('it has no colours');
  const codeSize = reader.byte();
  if (codeSize < 1 || codeSize > 8) throw corrupt('its codes have an impossible length');
  const indices = unpack(reader.blocks(), codeSize, width * height);
  return { left, top, width, rows: rowOrder(height, (flags & INTERLACED) !== 0), table, indices };
}

function rowOrder(height: number, interlaced: boolean): readonly number[] {
  if (!interlaced) return Array.from({ length: height }, (_, row) => row);
  return PASSES.flatMap(([first, step]) =>
    Array.from({ length: Math.ceil((height - first) / step) }, (_, row) => first + row * step),
  );
}

/** Codes have at most that many bits; then the dictionary is full and stays. */
const MOST_BITS = 12;

/** LZW with codes of growing length. `count` indices. */
function unpack(data: Uint8Array, codeSize: number, count: number): Uint8Array {
  const clear = 1 << codeSize;
  /** Of each code: the one before it, its last index, and its length. */
  const before = new Uint16Array(1 << MOST_BITS);
  const last = Uint8Array.from({ length: 1 << MOST_BITS }, (_, code) => code & 255);
  const length = new Uint16Array(1 << MOST_BITS).fill(1);
  const out = new Uint8Array(count);
  let [written, at, held, bits] = [0, 0, 0, 0];
  let [width, next, previous] = [codeSize + 1, clear + 2, -1];
  while (written < count) {
    while (bits < width) {
      const byte = data[at];
      if (byte === undefined) throw corrupt('it ends too early');
      held |= byte << bits;
      bits += 8;
      at += 1;
    }
    const code = held & ((1 << width) - 1);
    held >>>= width;
    bits -= width;
    if (code === clear) {
      [width, next, previous] = [codeSize + 1, clear + 2, -1];
      continue;
    }
    if (code === clear + 1) throw corrupt('it ends too early');
    const isNew = code === next && previous >= 0;
    if (code > next || (code === next && !isNew)) throw corrupt('a code is not in its dictionary');
    // A code that is just being made is the one before, and its first index again.
    const source = isNew ? previous : code;
    const size = length[source] ?? 1;
    const start = written;
    for (let place = size - 1, each = source; place >= 0; place -= 1) {
      if (start + place < count) out[start + place] = last[each] ?? 0;
      each = before[each] ?? 0;
    }
    const first = out[start] ?? 0;
    written += size;
    if (isNew && written < count) out[written] = first;
    if (isNew) written += 1;
    if (previous >= 0 && next < 1 << MOST_BITS) {
      before[next] = previous;
      last[next] = first;
      length[next] = (length[previous] ?? 1) + 1;
      next += 1;
      if (next === 1 << width && width < MOST_BITS) width += 1;
    }
    previous = code;
  }
  return out;
}

class GifReader {
  readonly #file: Buffer;
  #at = 0;

  constructor(file: Buffer) {
    this.#file = file;
  }

  skip(count: number): void {
    this.#at += count;
  }

  byte(): number {
    const value = this.#file[this.#at];
    if (value === undefined) throw corrupt('it ends too early');
    this.#at += 1;
    return value;
  }

  word(): number {
    return this.byte() | (this.byte() << 8);
  }

  #take(count: number): Buffer {
    const part = this.#file.subarray(this.#at, this.#at + count);
    if (part.length < count) throw corrupt('it ends too early');
    this.#at += count;
    return part;
  }

  /** Three bytes for each colour; the lowest bits of the flags tell how many. */
  table(flags: number): Uint8Array {
    return this.#take(3 * 2 ** ((flags & 7) + 1));
  }

  /** Joined blocks up to the empty one. */
  blocks(): Uint8Array {
    const parts: Buffer[] = [];
    for (let size = this.byte(); size > 0; size = this.byte()) parts.push(this.#take(size));
    return Buffer.concat(parts);
  }

  /** The transparent index of the next image, if it tells one: −1 for none. */
  extension(): number | null {
    const label = this.byte();
    const [flags = 0, , , index = 0] = this.blocks();
    if (label !== GRAPHIC_CONTROL) return null;
    return flags & 1 ? index : -1;
  }
}
