import type { Picture } from './picture.ts';

/** What llava-style preprocessing fills the rest of a square with: CLIP's mean colour. */
const BORDER = [122, 116, 104] as const;

/**
 * The picture in the middle of a square of `size` pixels, as bytes (size × size × 3). Bilinear; a
 * pixel of a smaller result is the mean of all that it covers, so that thin lines survive.
 */
export function fitSquare({ width, height, rgb }: Picture, size: number): Uint8Array {
  const scale = size / Math.max(width, height);
  const columns = Math.max(1, Math.round(width * scale));
  const rows = Math.max(1, Math.round(height * scale));
  const across = weights(width, columns);
  const down = weights(height, rows);
  const narrow = new Float32Array(columns * height * 3);
  for (let y = 0; y < height; y += 1) {
    across.forEach(({ first, shares }, x) => {
      mix(rgb, narrow, {
        from: (y * width + first) * 3,
        step: 3,
        to: (y * columns + x) * 3,
        shares,
      });
    });
  }
  const small = new Float32Array(columns * rows * 3);
  down.forEach(({ first, shares }, y) => {
    for (let x = 0; x < columns; x += 1) {
      const from = (first * columns + x) * 3;
      mix(narrow, small, { from, step: columns * 3, to: (y * columns + x) * 3, shares });
    }
  });
  return onSquare(small, columns, rows, size);
}

interface Span {
  readonly first: number;
  readonly shares: readonly number[];
}

/** For every target pixel the source pixels below a triangle around it; shares add up to one. */
function weights(source: number, target: number): Span[] {
  const scale = source / target;
  const reach = Math.max(1, scale);
  return Array.from({ length: target }, (_, index) => {
    const centre = (index + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - reach + 0.5));
    const last = Math.min(source, Math.floor(centre + reach + 0.5));
    const raw = Array.from({ length: Math.max(1, last - first) }, (_each, offset) =>
      Math.max(0, 1 - Math.abs(first + offset + 0.5 - centre) / reach),
    );
    const sum = raw.reduce((total, share) => total + share, 0) || 1;
    return { first: Math.min(first, source - 1), shares: raw.map((share) => share / sum) };
  });
}

interface Mix {
  readonly from: number;
  readonly step: number;
  readonly to: number;
  readonly shares: readonly number[];
}

function mix(
  source: Uint8Array | Float32Array,
  target: Float32Array,
  { from, step, to, shares }: Mix,
): void {
  let red = 0;
  let green = 0;
  let blue = 0;
  for (let index = 0; index < shares.length; index += 1) {
    const share = shares[index] ?? 0;
    const at = from + index * step;
    red += (source[at] ?? 0) * share;
    green += (source[at + 1] ?? 0) * share;
    blue += (source[at + 2] ?? 0) * share;
  }
  target[to] = red;
  target[to + 1] = green;
  target[to + 2] = blue;
}

function onSquare(pixels: Float32Array, columns: number, rows: number, size: number): Uint8Array {
  const out = new Uint8Array(size * size * 3);
  for (let at = 0; at < out.length; at += 1) out[at] = BORDER[at % 3] ?? 0;
  const left = (size - columns) >> 1;
  const top = (size - rows) >> 1;
  for (let y = 0; y < rows; y += 1) {
    for (let index = 0; index < columns * 3; index += 1) {
      out[((top + y) * size + left) * 3 + index] = Math.round(pixels[y * columns * 3 + index] ?? 0);
    }
  }
  return out;
}
