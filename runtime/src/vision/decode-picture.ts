import { decodeGif } from './gif.ts';
import { decodeJpeg } from './jpeg.ts';
import { type Picture, PictureError } from './picture.ts';
import { decodePng } from './png.ts';
import { decodeWebp } from './webp.ts';

/** Formats that are told by their first bytes and cannot be read here. */
const OTHERS: readonly (readonly [start: string, name: string])[] = [
  ['BM', 'BMP'],
  ['II*\0', 'TIFF'],
  ['MM\0*', 'TIFF'],
  ['<svg', 'SVG'],
  ['%PDF', 'PDF'],
];

/** Decodes PNG, JPEG, GIF and WebP by their first bytes, whatever the file is called. Throws `PictureError`. */
export async function decodePicture(bytes: Uint8Array): Promise<Picture> {
  if (bytes.length === 0) throw new PictureError('FORMAT', 'The image is empty.');
  const start = Buffer.from(bytes.subarray(0, 12)).toString('latin1');
  if (/^RIFF[^]{4}WEBP/.test(start)) return decodeWebp(bytes);
  try {
    if (start.startsWith('\x89PNG\r\n\x1a\n')) return decodePng(bytes);
    if (start.startsWith('\xff\xd8')) return decodeJpeg(bytes);
    if (start.startsWith('GIF8')) return decodeGif(bytes);
  } catch (error) {
    if (error instanceof PictureError) throw error;
    // A decoder that ran off its input: bytes from outside never end a process.
    throw new PictureError('CORRUPT', 'The image is damaged: it cannot be decoded.');
  }
  const name =
    start.slice(4, 8) === 'ftyp' ? 'AVIF or HEIC' : OTHERS.find(([s]) => start.startsWith(s))?.[1];
  throw new PictureError(
    'FORMAT',
    name === undefined
      ? 'The image is neither PNG, JPEG, GIF nor WebP. Check that it is base64 of an image file, a data: URL, or the path of a file.'
      : `The image is ${name}; this runtime reads PNG, JPEG, GIF and WebP. Save it as one of them.`,
  );
}
