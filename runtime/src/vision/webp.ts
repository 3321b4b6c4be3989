import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import decode, { init } from '@jsquash/webp/decode.js';
import { checkSize, corrupt, overWhite, type Picture } from './picture.ts';
import { stillOf } from './webp-container.ts';

/** RGBA, four bytes a pixel, alpha not multiplied in. */
interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8ClampedArray;
}

/** libwebp, compiled when the first such image comes; its file lies beside this program, as in its package. */
const wasmFile = (): string =>
  fileURLToPath(
    import.meta.url.endsWith('.ts')
      ? import.meta.resolve('@jsquash/webp/codec/dec/webp_dec.wasm')
      : new URL('./webp_dec.wasm', import.meta.url),
  );

let ready: Promise<unknown> | null = null;

async function load(): Promise<void> {
  await init({ wasmBinary: await readFile(wasmFile()) });
}

/**
 * WebP (RFC 9649): lossy and lossless, the first image of an animation at its place on the canvas. What is
 * transparent or outside of it is white. Throws `PictureError`.
 */
export async function decodeWebp(bytes: Uint8Array): Promise<Picture> {
  const still = stillOf(bytes);
  checkSize(still.canvas.width, still.canvas.height);
  await (ready ??= load());
  const pixels = await pixelsOf(still.file);
  return onCanvas(pixels, still);
}

async function pixelsOf(file: Uint8Array<ArrayBuffer>): Promise<Pixels> {
  try {
    return await decode(file.buffer);
  } catch {
    throw corrupt('libwebp cannot decode it');
  }
}

function onCanvas(
  { width, height, data }: Pixels,
  { canvas, left, top }: ReturnType<typeof stillOf>,
): Picture {
  const rgb = new Uint8Array(canvas.width * canvas.height * 3).fill(255);
  for (let y = 0; y < Math.min(height, canvas.height - top); y += 1) {
    for (let x = 0; x < Math.min(width, canvas.width - left); x += 1) {
      const from = (y * width + x) * 4;
      const to = ((top + y) * canvas.width + left + x) * 3;
      const alpha = data[from + 3] ?? 0;
      for (let channel = 0; channel < 3; channel += 1) {
        rgb[to + channel] = overWhite(data[from + channel] ?? 0, alpha);
      }
    }
  }
  return { ...canvas, rgb };
}
