/** Decoded pixels, row by row from the top, three bytes each: red, green, blue. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly rgb: Uint8Array;
}

/** Bytes that are no picture, or none that can be read here; the message says what to do. */
export class PictureError extends Error {
  readonly code: 'FORMAT' | 'CORRUPT' | 'TOO_LARGE' | 'NOT_FOUND';

  constructor(code: PictureError['code'], message: string) {
    super(message);
    this.name = 'PictureError';
    this.code = code;
  }
}

/** Most pixels of a picture: 8,000 × 8,000. */
const MOST_PIXELS = 64_000_000;

/** Throws before memory is spent on a size that a small file can claim. */
export function checkSize(width: number, height: number): void {
  if (width < 1 || height < 1) throw corrupt(`it claims ${width} × ${height} pixels`);
  if (width * height > MOST_PIXELS) {
    throw new PictureError(
      'TOO_LARGE',
      `The image has ${width} × ${height} pixels; at most ${MOST_PIXELS / 1e6} million are read. Make it smaller.`,
    );
  }
}

export function corrupt(what: string): PictureError {
  return new PictureError('CORRUPT', `The image is damaged: ${what}.`);
}

/** Colour over white where a picture is transparent. */
export function overWhite(value: number, alpha: number): number {
  return alpha === 255 ? value : Math.round((value * alpha + 255 * (255 - alpha)) / 255);
}
