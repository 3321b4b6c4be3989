/** Paints flat pictures of coloured shapes as a user would with a drawing program: CSS's colours, no noise. */
import { type Colour, paintPng } from './png.ts';

const COLOURS: Readonly<Record<string, Colour>> = {
  red: [255, 0, 0],
  green: [0, 128, 0],
  blue: [0, 0, 255],
  yellow: [255, 255, 0],
  orange: [255, 165, 0],
  purple: [128, 0, 128],
  black: [0, 0, 0],
  white: [255, 255, 255],
  brown: [165, 42, 42],
  pink: [255, 192, 203],
  gray: [128, 128, 128],
};

/** Whether a point lies in a shape that fills the square from −1 to 1; y grows downwards. */
const SHAPES: Readonly<Record<string, (x: number, y: number) => boolean>> = {
  circle: (x, y) => Math.hypot(x, y) < 0.95,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.85,
  triangle: (x, y) => y < 0.8 && 2 * Math.abs(x) < y + 1,
  diamond: (x, y) => Math.abs(x) / 0.8 + Math.abs(y) < 1,
  cross: (x, y) =>
    Math.min(Math.abs(x), Math.abs(y)) < 0.3 && Math.max(Math.abs(x), Math.abs(y)) < 0.95,
  star: inStar,
};

/** A star of five points, one of them up: a tip lies beyond one of the five lines along its edges. */
function inStar(x: number, y: number): boolean {
  let inside = 0;
  for (let side = 0; side < 5; side += 1) {
    const angle = (Math.PI * 2 * side) / 5 - Math.PI / 2;
    if (x * Math.cos(angle) + y * Math.sin(angle) < Math.cos((Math.PI * 2) / 5)) inside += 1;
  }
  return inside >= 4;
}

export interface PaintedShape {
  readonly colour: string;
  readonly shape: string;
  /** Centre and radius as fractions of the picture's side; in the middle if nothing is said. */
  readonly at?: readonly [x: number, y: number];
  readonly radius?: number;
}

/** A square PNG of shapes on a background. Throws `RangeError` for a colour or shape without a name. */
export function paintShapes(
  background: string,
  shapes: readonly PaintedShape[],
  size = 192,
): Buffer {
  const ground = named(COLOURS, background);
  const painted = shapes.map(({ colour, shape, at = [0.5, 0.5], radius = 0.3 }) => ({
    colour: named(COLOURS, colour),
    covers: named(SHAPES, shape),
    at,
    radius,
  }));
  return paintPng(size, size, (column, row) => {
    const x = (column + 0.5) / size;
    const y = (row + 0.5) / size;
    const top = painted.findLast(({ covers, at, radius }) =>
      covers((x - at[0]) / radius, (y - at[1]) / radius),
    );
    return top?.colour ?? ground;
  });
}

function named<T>(table: Readonly<Record<string, T>>, name: string): T {
  const value = table[name];
  if (value === undefined) throw new RangeError(`nothing is called ${name}`);
  return value;
}
