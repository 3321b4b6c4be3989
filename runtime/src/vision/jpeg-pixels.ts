import { corrupt, type Picture } from './picture.ts';

/** One colour component of a JPEG frame. */
export interface Component {
  readonly id: number;
  /** Blocks per unit, across and down. */
  readonly across: number;
  readonly down: number;
  /** Number of its quantisation table. */
  readonly table: number;
  /** Blocks in memory, whole units. */
  readonly lineBlocks: number;
  readonly columnBlocks: number;
  /** Blocks that hold pixels: what a scan of this component alone codes. */
  readonly ownAcross: number;
  readonly ownDown: number;
  /** Samples per pixel of the picture; 1 or less. */
  readonly scaleX: number;
  readonly scaleY: number;
  readonly coefficients: Int16Array;
  quantisation: Uint16Array | null;
  /** Samples, lineBlocks × 8 in a row. */
  plane: Uint8Array | null;
}

/** COSINES[x * 8 + u] = ½ C(u) cos((2x + 1) u π / 16), T.81, A.3.3. */
const COSINES = Float32Array.from({ length: 64 }, (_, index) => {
  const u = index % 8;
  const x = index >> 3;
  return (u === 0 ? Math.SQRT1_2 : 1) * 0.5 * Math.cos(((2 * x + 1) * u * Math.PI) / 16);
});

/** Coefficients to samples. */
export function addPlane(component: Component): void {
  const { coefficients, columnBlocks, lineBlocks, quantisation } = component;
  if (quantisation === null) throw corrupt('a quantisation table is missing');
  const plane = new Uint8Array(lineBlocks * columnBlocks * 64);
  const block = new Float32Array(64);
  const half = new Float32Array(64);
  for (let row = 0; row < columnBlocks; row += 1) {
    for (let column = 0; column < lineBlocks; column += 1) {
      const from = (row * lineBlocks + column) * 64;
      for (let i = 0; i < 64; i += 1) {
        block[i] = (coefficients[from + i] ?? 0) * (quantisation[i] ?? 0);
      }
      const to = row * 8 * lineBlocks * 8 + column * 8;
      transform(block, half, plane, to, lineBlocks * 8);
    }
  }
  component.plane = plane;
}

/** Inverse cosine transform of one block: rows, then columns. */
function transform(
  block: Float32Array,
  half: Float32Array,
  plane: Uint8Array,
  to: number,
  stride: number,
): void {
  for (let v = 0; v < 8; v += 1) {
    for (let x = 0; x < 8; x += 1) {
      let sum = 0;
      for (let u = 0; u < 8; u += 1) sum += (COSINES[x * 8 + u] ?? 0) * (block[v * 8 + u] ?? 0);
      half[v * 8 + x] = sum;
    }
  }
  for (let y = 0; y < 8; y += 1) {
    for (let x = 0; x < 8; x += 1) {
      let sum = 128;
      for (let v = 0; v < 8; v += 1) sum += (COSINES[y * 8 + v] ?? 0) * (half[v * 8 + x] ?? 0);
      plane[to + y * stride + x] = clamp(sum);
    }
  }
}

/** Samples of all components to RGB. `adobe`: colour transform of the APP14 marker, or null. */
export function toPicture(
  frame: {
    readonly width: number;
    readonly height: number;
    readonly components: readonly Component[];
  },
  adobe: number | null,
): Picture {
  const { components, height, width } = frame;
  const rgb = new Uint8Array(width * height * 3);
  const isRgb = components.length === 3 && (adobe === 0 || (adobe === null && areRgb(components)));
  const isYcc = components.length === 3 ? !isRgb : adobe === 2;
  const values = [0, 0, 0, 0];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      components.forEach((component, index) => {
        values[index] = sample(component, x, y);
      });
      putPixel(rgb, (y * width + x) * 3, values, { count: components.length, isYcc });
    }
  }
  return { width, height, rgb };
}

function areRgb(components: readonly Component[]): boolean {
  return components.map(({ id }) => String.fromCodePoint(id)).join('') === 'RGB';
}

function sample({ lineBlocks, plane, scaleX, scaleY }: Component, x: number, y: number): number {
  return plane?.[Math.floor(y * scaleY) * lineBlocks * 8 + Math.floor(x * scaleX)] ?? 0;
}

function putPixel(
  rgb: Uint8Array,
  at: number,
  [a = 0, b = 0, c = 0, d = 0]: readonly number[],
  { count, isYcc }: { readonly count: number; readonly isYcc: boolean },
): void {
  if (count === 1) {
    rgb.fill(a, at, at + 3);
    return;
  }
  const red = isYcc ? clamp(a + 1.402 * (c - 128)) : a;
  const green = isYcc ? clamp(a - 0.344_136 * (b - 128) - 0.714_136 * (c - 128)) : b;
  const blue = isYcc ? clamp(a + 1.772 * (b - 128)) : c;
  // Files with four inks hold them inverted, as Adobe writes them; YCCK stands for the inks themselves.
  const ink = count === 4 ? d / 255 : 1;
  const turned = count === 4 && isYcc;
  rgb[at] = Math.round((turned ? 255 - red : red) * ink);
  rgb[at + 1] = Math.round((turned ? 255 - green : green) * ink);
  rgb[at + 2] = Math.round((turned ? 255 - blue : blue) * ink);
}

function clamp(value: number): number {
  return value < 0 ? 0 : value > 255 ? 255 : Math.round(value);
}
