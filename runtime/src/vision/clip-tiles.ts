import type { Picture } from './picture.ts';
import type { ProjectorShape } from './projector-file.ts';
import { CLIP_MEAN, crop, fitOnCanvas, resize, type Size } from './resize.ts';

/** In `order`: the learned row that ends a line of patches. */
export const NEWLINE = -1;

export interface ClipTiles {
  /** Squares of `imageSize`; each gives `tokensPerTile` rows. */
  readonly tiles: readonly Picture[];
  /** Which rows the language model gets, one after the other: indices into all tiles' rows, or `NEWLINE`. */
  readonly order: Int32Array;
}

type Shape = Pick<ProjectorShape, 'imageSize' | 'patchSize' | 'grids' | 'hasNewline'>;

/**
 * What the tower sees of a picture. LLaVA 1.5: the whole picture, padded to a square. LLaVA 1.6 (with
 * `grids`): the whole picture, stretched, and then in detail, line by line across all tiles, without
 * what is padding. That is how those models were trained, and how SGLang serves them; llama.cpp v0.4 sends
 * tile after tile, and the whole picture last.
 */
export function clipTiles(picture: Picture, shape: Shape): ClipTiles {
  const { grids, imageSize } = shape;
  const square = { width: imageSize, height: imageSize };
  const [side, perTile] = sizesOf(shape);
  if (grids.length === 0) {
    return { tiles: [fitOnCanvas(picture, square, CLIP_MEAN)], order: upTo(perTile) };
  }
  const canvas = bestGrid(picture, grids);
  const detailed = fitOnCanvas(picture, canvas, [0, 0, 0]);
  const tiles = [resize(picture, square)];
  for (let top = 0; top < canvas.height; top += imageSize) {
    for (let left = 0; left < canvas.width; left += imageSize) {
      tiles.push(crop(detailed, left, top, square));
    }
  }
  const grid = { width: canvas.width / imageSize, height: canvas.height / imageSize };
  const order = [...upTo(perTile), ...lines(picture, grid, side, shape.hasNewline)];
  return { tiles, order: Int32Array.from(order) };
}

function sizesOf({ imageSize, patchSize }: Shape): readonly [side: number, perTile: number] {
  const side = imageSize / patchSize;
  return [side, side * side];
}

function upTo(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, index) => index);
}

/** The patches of a grid of tiles, behind those of the overview, without lines and columns of padding. */
function lines(picture: Size, grid: Size, side: number, hasNewline: boolean): number[] {
  const all = { width: grid.width * side, height: grid.height * side };
  const isWide = picture.width / picture.height > all.width / all.height;
  const used = isWide
    ? Math.trunc(rounded((picture.height * all.width) / picture.width))
    : Math.trunc(rounded((picture.width * all.height) / picture.height));
  const skip = Math.floor(((isWide ? all.height : all.width) - used) / 2);
  const [top, left] = isWide ? [skip, 0] : [0, skip];
  const rows: number[] = [];
  for (let y = top; y < all.height - top; y += 1) {
    for (let x = left; x < all.width - left; x += 1) {
      const tile = 1 + Math.floor(y / side) * grid.width + Math.floor(x / side);
      rows.push(tile * side * side + (y % side) * side + (x % side));
    }
    if (hasNewline) rows.push(NEWLINE);
  }
  return rows;
}

/** To seven digits, so that 11.9999999 patches are 12. */
function rounded(value: number): number {
  return Number(value.toFixed(7));
}

/** The canvas that keeps most pixels of the picture, and of several the one that wastes least. */
function bestGrid({ width, height }: Size, grids: readonly Size[]): Size {
  const [first] = grids;
  if (first === undefined) throw new RangeError('there is no canvas');
  let best = first;
  let bestKept = 0;
  let leastWaste = Number.POSITIVE_INFINITY;
  const { fround } = Math;
  for (const grid of grids) {
    const scale = Math.min(fround(grid.width / width), fround(grid.height / height));
    const scaled = Math.trunc(fround(width * scale)) * Math.trunc(fround(height * scale));
    const kept = Math.min(scaled, width * height);
    const waste = grid.width * grid.height - kept;
    if (kept > bestKept || (kept === bestKept && waste < leastWaste)) {
      best = grid;
      bestKept = kept;
      leastWaste = waste;
    }
  }
  return best;
}
