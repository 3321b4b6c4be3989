import { checkSize, corrupt } from './picture.ts';

export interface Still {
  /** A WebP file of one image. */
  readonly file: Uint8Array<ArrayBuffer>;
  /** Pixels of the whole picture, and where in it the image lies. */
  readonly canvas: { readonly width: number; readonly height: number };
  readonly left: number;
  readonly top: number;
}

interface Chunk {
  /** Four letters. */
  readonly name: string;
  /** With its name and length. */
  readonly whole: Buffer;
  readonly data: Buffer;
}

const ANIMATED = 0b10;
const ALPHA = 0b1_0000;

/** The only, or first, image of a WebP file (RFC 9649, section 2). Throws `PictureError`. */
export function stillOf(bytes: Uint8Array): Still {
  const file = Uint8Array.from(bytes);
  const chunks = chunksOf(Buffer.from(file.buffer, 12));
  const [first] = chunks;
  if (first === undefined) throw corrupt('it holds no image');
  const alone = { file, left: 0, top: 0 };
  if (first.name !== 'VP8X') return { ...alone, canvas: sizeOf(first) };
  const canvas = { width: 1 + read24(first.data, 4), height: 1 + read24(first.data, 7) };
  if (((first.data[0] ?? 0) & ANIMATED) === 0) return { ...alone, canvas };
  const frame = chunks.find(({ name }) => name === 'ANMF');
  if (frame === undefined) throw corrupt('it holds no image');
  // Places count in steps of two pixels.
  const [left, top] = [2 * read24(frame.data, 0), 2 * read24(frame.data, 3)];
  return { file: fileOf(chunksOf(frame.data.subarray(16))), canvas, left, top };
}

/** A file of one image of an animation: with transparency of its own, that image needs a header. */
function fileOf(chunks: readonly Chunk[]): Uint8Array<ArrayBuffer> {
  const parts = chunks.filter(({ name }) => ['ALPH', 'VP8 ', 'VP8L'].includes(name));
  const image = parts.at(-1);
  if (image === undefined || image.name === 'ALPH') throw corrupt('it holds no image');
  const { width, height } = sizeOf(image);
  checkSize(width, height);
  const header = Buffer.alloc(18);
  header.write('VP8X', 'latin1');
  header.writeUInt32LE(10, 4);
  header[8] = ALPHA;
  header.writeUIntLE(width - 1, 12, 3);
  header.writeUIntLE(height - 1, 15, 3);
  const body = parts.map(({ whole }) => whole);
  if (parts.length > 1) body.unshift(header);
  const riff = Buffer.from('RIFF\0\0\0\0WEBP', 'latin1');
  const file = Buffer.concat([riff, ...body]);
  file.writeUInt32LE(file.length - 8, 4);
  return Uint8Array.from(file);
}

/** Of a lossy or lossless image, from its first bytes (RFC 9649, sections 2.5 and 2.6; RFC 6386, 9.1). */
function sizeOf({ name, data }: Chunk): { readonly width: number; readonly height: number } {
  if (name === 'VP8 ' && data.length >= 10) {
    return { width: data.readUInt16LE(6) & 0x3fff, height: data.readUInt16LE(8) & 0x3fff };
  }
  if (name === 'VP8L' && data.length >= 5) {
    const bits = data.readUInt32LE(1);
    return { width: 1 + (bits & 0x3fff), height: 1 + ((bits >> 14) & 0x3fff) };
  }
  throw corrupt('its first chunk is no image');
}

function read24(data: Buffer, at: number): number {
  if (data.length < at + 3) throw corrupt('it ends too early');
  return data.readUIntLE(at, 3);
}

/** Chunks begin at even places. The last one may be cut: what there is of it counts. */
function chunksOf(data: Buffer): Chunk[] {
  const chunks: Chunk[] = [];
  for (let at = 0; at + 8 <= data.length;) {
    const size = data.readUInt32LE(at + 4);
    const end = at + 8 + size + (size & 1);
    const whole = data.subarray(at, end);
    chunks.push({ name: data.toString('latin1', at, at + 4), whole, data: whole.subarray(8) });
    at = end;
  }
  return chunks;
}
