import { clipTiles } from './clip-tiles.ts';
import type { Picture } from './picture.ts';
import type { ProjectorShape } from './projector-file.ts';

/** What a prompt has in the place of an image, one after the other. */
export type ImagePart =
  /** Tokens of the vocabulary, as those around an image or between its tiles. */
  | { readonly kind: 'text'; readonly tokens: readonly number[] }
  /** Rows of the language model's input that the vision tower computes. */
  | {
      readonly kind: 'rows';
      readonly count: number;
      readonly layout: RowLayout | null;
      /** Each of its rows sees all of them: they are computed in one step. */
      readonly isWhole: boolean;
    };

/** Where rows stand if not one after the other: on a plane, as M-RoPE has it. */
export interface RowLayout {
  /** Positions that all rows take together. */
  readonly positions: number;
  /** Rows of the plane are this long. */
  readonly columns: number;
}

/** A picture as the tower gets it. */
export interface TowerPicture extends Picture {
  /** Rows to give, of all that the tower computes; see `clip-tiles.ts`. Without it all of them. */
  readonly order?: Int32Array;
}

export interface PreparedPicture {
  readonly picture: TowerPicture;
  readonly parts: readonly ImagePart[];
}

export type PreparePicture = (picture: Picture) => Promise<PreparedPicture>;

/** For LLaVA's towers: the tiles below each other, and all their rows as one part. */
export function clipParts(picture: Picture, shape: ProjectorShape): PreparedPicture {
  const { imageSize } = shape;
  const { order, tiles } = clipTiles(picture, shape);
  const rgb = new Uint8Array(tiles.length * imageSize * imageSize * 3);
  for (const [index, tile] of tiles.entries()) rgb.set(tile.rgb, index * tile.rgb.length);
  return {
    picture: { width: imageSize, height: imageSize * tiles.length, rgb, order },
    parts: [{ kind: 'rows', count: order.length, layout: null, isWhole: false }],
  };
}
