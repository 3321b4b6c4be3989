import type { Picture } from './picture.ts';

export type Colour = readonly [number, number, number];

/** What LLaVA 1.5's preprocessing fills the rest of a canvas with. */
export const CLIP_MEAN: Colour = [122, 116, 104];

/** Fractional bits of the weights. */
const PRECISION = 22;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/**
 * The whole picture in the middle of a canvas of `size`, as large as fits. To the byte what llama.cpp
 * v0.4 makes of it (`tools/mtmd/mtmd-image.cpp`), single-precision arithmetic of the sizes included.
 */
export function fitOnCanvas(picture: Picture, size: Size, border: Colour): Picture {
  const { width, height } = picture;
  if (width === size.width && height === size.height) return picture;
  const { fround } = Math;
  const scale = Math.min(fround(size.width / width), fround(size.height / height));
  const small = resize(picture, {
    width: Math.min(Math.ceil(fround(width * scale)), size.width),
    height: Math.min(Math.ceil(fround(height * scale)), size.height),
  });
  const rgb = new Uint8Array(size.width * size.height * 3);
  for (let at = 0; at < rgb.length; at += 1) rgb[at] = border[at % 3] ?? 0;
  const left = (size.width - small.width) >> 1;
  const top = (size.height - small.height) >> 1;
  for (let y = 0; y < small.height; y += 1) {
    const from = y * small.width * 3;
    const row = small.rgb.subarray(from, from + small.width * 3);
    rgb.set(row, ((top + y) * size.width + left) * 3);
  }
  return { ...size, rgb };
}

/** Bicubic, to the byte as Pillow does it: across, then down, rounded to bytes in between. */
export function resize({ width, height, rgb }: Picture, size: Size): Picture {
  const narrow = width === size.width ? rgb : across(rgb, { width, height }, size.width);
  const small = height === size.height ? narrow : down(narrow, size, height);
  return { ...size, rgb: small };
}

/** The part of the picture from `left`, `top`; it has to lie inside. */
export function crop({ width, rgb }: Picture, left: number, top: number, size: Size): Picture {
  const part = new Uint8Array(size.width * size.height * 3);
  for (let y = 0; y < size.height; y += 1) {
    const from = ((top + y) * width + left) * 3;
    part.set(rgb.subarray(from, from + size.width * 3), y * size.width * 3);
  }
  return { ...size, rgb: part };
}

function across(rgb: Uint8Array, { width, height }: Size, target: number): Uint8Array {
  const out = new Uint8Array(target * height * 3);
  const spans = spansOf(width, target);
  for (let y = 0; y < height; y += 1) {
    spans.forEach(({ first, weights }, x) => {
      mix(rgb, (y * width + first) * 3, 3, weights, out, (y * target + x) * 3);
    });
  }
  return out;
}

function down(rgb: Uint8Array, { width, height }: Size, source: number): Uint8Array {
  const out = new Uint8Array(width * height * 3);
  spansOf(source, height).forEach(({ first, weights }, y) => {
    for (let x = 0; x < width; x += 1) {
      mix(rgb, (first * width + x) * 3, width * 3, weights, out, (y * width + x) * 3);
    }
  });
  return out;
}

/** The source pixels that one target pixel is made of. */
interface Span {
  readonly first: number;
  /** Shares of 2^22. */
  readonly weights: Int32Array;
}

const REACH = 2;

function spansOf(source: number, target: number): Span[] {
  const scale = source / target;
  const stretch = Math.max(1, scale);
  const reach = REACH * stretch;
  return Array.from({ length: target }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(source, Math.trunc(centre + reach + 0.5));
    const raw = Array.from({ length: end - first }, (_each, offset) =>
      cubic((offset + first - centre + 0.5) / stretch),
    );
    const sum = raw.reduce((total, weight) => total + weight, 0);
    const whole = 2 ** PRECISION;
    return { first, weights: Int32Array.from(raw, (weight) => rounded((weight / sum) * whole)) };
  });
}

/** Half away from zero, as Pillow rounds. */
function rounded(value: number): number {
  return Math.trunc(value + (value < 0 ? -0.5 : 0.5));
}

/** Keys' kernel with a = −0.5. */
function cubic(offset: number): number {
  const a = -0.5;
  const x = Math.abs(offset);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < REACH ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

/** One pixel from the weighted pixels `step` bytes apart. */
function mix(
  source: Uint8Array,
  from: number,
  step: number,
  weights: Int32Array,
  target: Uint8Array,
  to: number,
): void {
  for (let channel = 0; channel < 3; channel += 1) {
    let sum = 2 ** (PRECISION - 1);
    for (let index = 0; index < weights.length; index += 1) {
      sum += (source[from + index * step + channel] ?? 0) * (weights[index] ?? 0);
    }
    target[to + channel] = Math.min(255, Math.max(0, sum >> PRECISION));
  }
}
