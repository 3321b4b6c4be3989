import { inflateSync } from 'node:zlib';
import { checkSize, corrupt, overWhite, type Picture } from './picture.ts';

/** PNG (ISO/IEC 15948): all colour types, depths and interlacing. Transparency is put on white. */
export function decodePng(bytes: Uint8Array): Picture {
  const file = readChunks(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  const { width, height, bitsPerPixel } = file.header;
  checkSize(width, height);
  const passes = file.header.interlaced ? ADAM7 : [WHOLE];
  const sizes = passes.map((pass) => passSize(pass, width, height));
  const bytesNeeded = sizes.reduce(
    (sum, [columns, rows]) =>
      sum + (columns > 0 ? rows * (rowBytes(columns, bitsPerPixel) + 1) : 0),
    0,
  );
  const data = inflate(file.data, bytesNeeded);
  const rgb = new Uint8Array(width * height * 3);
  let at = 0;
  passes.forEach((pass, index) => {
    const [columns, rows] = sizes[index] ?? [0, 0];
    if (columns === 0 || rows === 0) return;
    const length = rowBytes(columns, bitsPerPixel);
    unfilter(data.subarray(at, at + rows * (length + 1)), length, Math.max(1, bitsPerPixel >> 3));
    for (let row = 0; row < rows; row += 1) {
      const line = data.subarray(at + row * (length + 1) + 1, at + (row + 1) * (length + 1));
      putRow(file, line, { pass, row, columns, rgb });
    }
    at += rows * (length + 1);
  });
  return { width, height, rgb };
}

interface Header {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  /** 0 grey, 2 RGB, 3 palette, 4 grey and alpha, 6 RGB and alpha. */
  readonly colour: number;
  readonly channels: number;
  readonly bitsPerPixel: number;
  readonly interlaced: boolean;
}

interface PngFile {
  readonly header: Header;
  readonly data: Buffer;
  readonly palette: Buffer;
  readonly transparency: Buffer;
}

const CHANNELS: Readonly<Record<number, number>> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };

function readChunks(file: Buffer): PngFile {
  let header: Header | null = null;
  let palette: Buffer = Buffer.alloc(0);
  let transparency: Buffer = Buffer.alloc(0);
  const data: Buffer[] = [];
  for (let at = 8; at + 8 <= file.length;) {
    const length = file.readUInt32BE(at);
    const type = file.toString('latin1', at + 4, at + 8);
    const body = file.subarray(at + 8, at + 8 + length);
    if (body.length < length && type !== 'IDAT') throw corrupt('it ends too early');
    if (type === 'IHDR') header = readHeader(body);
    else if (type === 'PLTE') palette = body;
    else if (type === 'tRNS') transparency = body;
    else if (type === 'IDAT') data.push(body);
    else if (type === 'IEND') break;
    at += 12 + length;
  }
  if (header === null) throw corrupt('it has no header');
  return { header, data: Buffer.concat(data), palette, transparency };
}

function readHeader(body: Buffer): Header {
  if (body.length < 13) throw corrupt('its header is too short');
  const depth = body.readUInt8(8);
  const colour = body.readUInt8(9);
  const channels = CHANNELS[colour];
  const depths = colour === 3 ? [1, 2, 4, 8] : colour === 0 ? [1, 2, 4, 8, 16] : [8, 16];
  if (channels === undefined || !depths.includes(depth)) {
    throw corrupt(`there is no PNG of colour type ${colour} with ${depth} bits`);
  }
  return {
    width: body.readUInt32BE(0),
    height: body.readUInt32BE(4),
    depth,
    colour,
    channels,
    bitsPerPixel: depth * channels,
    interlaced: body.readUInt8(12) === 1,
  };
}

function inflate(data: Buffer, needed: number): Buffer {
  try {
    const all = inflateSync(data, { maxOutputLength: needed + 1024 });
    if (all.length < needed) throw corrupt('it ends too early');
    return all;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'CORRUPT') throw error;
    throw corrupt('its data cannot be unpacked');
  }
}

interface Pass {
  readonly x: number;
  readonly y: number;
  readonly stepX: number;
  readonly stepY: number;
}

const WHOLE: Pass = { x: 0, y: 0, stepX: 1, stepY: 1 };
const ADAM7: readonly Pass[] = [
  { x: 0, y: 0, stepX: 8, stepY: 8 },
  { x: 4, y: 0, stepX: 8, stepY: 8 },
  { x: 0, y: 4, stepX: 4, stepY: 8 },
  { x: 2, y: 0, stepX: 4, stepY: 4 },
  { x: 0, y: 2, stepX: 2, stepY: 4 },
  { x: 1, y: 0, stepX: 2, stepY: 2 },
  { x: 0, y: 1, stepX: 1, stepY: 2 },
];

function passSize(pass: Pass, width: number, height: number): readonly [number, number] {
  const count = (size: number, from: number, step: number): number =>
    Math.max(0, Math.ceil((size - from) / step));
  return [count(width, pass.x, pass.stepX), count(height, pass.y, pass.stepY)];
}

function rowBytes(columns: number, bitsPerPixel: number): number {
  return Math.ceil((columns * bitsPerPixel) / 8);
}

/** Undoes the filters of all rows in place; `distance` is the bytes of a pixel. */
function unfilter(data: Buffer, length: number, distance: number): void {
  for (let start = 0; start < data.length; start += length + 1) {
    const filter = data[start] ?? 0;
    const above = start - length - 1;
    for (let index = 1; index <= length; index += 1) {
      const left = index > distance ? (data[start + index - distance] ?? 0) : 0;
      const up = above >= 0 ? (data[above + index] ?? 0) : 0;
      const corner = above >= 0 && index > distance ? (data[above + index - distance] ?? 0) : 0;
      data[start + index] =
        ((data[start + index] ?? 0) + predicted(filter, left, up, corner)) & 0xff;
    }
  }
}

function predicted(filter: number, left: number, up: number, corner: number): number {
  switch (filter) {
    case 0:
      return 0;
    case 1:
      return left;
    case 2:
      return up;
    case 3:
      return (left + up) >> 1;
    case 4:
      return paeth(left, up, corner);
    default:
      throw corrupt(`a row has the filter ${filter}`);
  }
}

function paeth(left: number, up: number, corner: number): number {
  const guess = left + up - corner;
  const toLeft = Math.abs(guess - left);
  const toUp = Math.abs(guess - up);
  const toCorner = Math.abs(guess - corner);
  if (toLeft <= toUp && toLeft <= toCorner) return left;
  return toUp <= toCorner ? up : corner;
}

interface Target {
  readonly pass: Pass;
  readonly row: number;
  readonly columns: number;
  readonly rgb: Uint8Array;
}

function putRow(file: PngFile, line: Buffer, { pass, row, columns, rgb }: Target): void {
  const { width, depth, channels } = file.header;
  const sample = (index: number): number => {
    if (depth === 8) return line[index] ?? 0;
    if (depth === 16) return ((line[index * 2] ?? 0) << 8) | (line[index * 2 + 1] ?? 0);
    const bit = index * depth;
    return ((line[bit >> 3] ?? 0) >> (8 - depth - (bit & 7))) & ((1 << depth) - 1);
  };
  const y = pass.y + row * pass.stepY;
  for (let column = 0; column < columns; column += 1) {
    const at = (y * width + pass.x + column * pass.stepX) * 3;
    putPixel(file, (channel) => sample(column * channels + channel), rgb, at);
  }
}

function putPixel(
  { header, palette, transparency }: PngFile,
  sample: (channel: number) => number,
  rgb: Uint8Array,
  at: number,
): void {
  const { colour, channels, depth } = header;
  const byte = (value: number): number => Math.round((value * 255) / (2 ** depth - 1));
  if (colour === 3) {
    const index = sample(0);
    const alpha = transparency[index] ?? 255;
    for (let c = 0; c < 3; c += 1) rgb[at + c] = overWhite(palette[index * 3 + c] ?? 0, alpha);
    return;
  }
  const isGrey = channels < 3;
  const hidden = transparency.length >= (isGrey ? 2 : 6);
  const isHidden =
    hidden &&
    Array.from({ length: isGrey ? 1 : 3 }).every(
      (_, c) => transparency.readUInt16BE(c * 2) === sample(c),
    );
  const alpha = colour >= 4 ? byte(sample(channels - 1)) : isHidden ? 0 : 255;
  for (let c = 0; c < 3; c += 1) rgb[at + c] = overWhite(byte(sample(isGrey ? 0 : c)), alpha);
}
