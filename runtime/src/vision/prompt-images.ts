import type { ImageRowsInfo } from '../engine/engine.ts';
import type { TowerPicture } from './image-parts.ts';
import type { VisionEncoder } from './vision-encoder.ts';

/** The rows of an image, or of a part of one, in a prompt; plain data for the way between threads. */
export interface PromptImage extends ImageRowsInfo {
  /** At each of its tokens in the prompt, and of no other picture. */
  readonly token: number;
  readonly picture: TowerPicture;
  /** Index among the parts of the picture. */
  readonly part: number;
}

/** Rows kept of images that were computed: 64 MiB. */
const KEPT_FLOATS = 16 << 20;

/** Computes images when their rows are first needed, and keeps the latest. */
export class ImageRows {
  readonly #encoder: VisionEncoder;
  readonly #onEncoded: (milliseconds: number) => void;
  /** By image token; least recently used first. */
  readonly #kept = new Map<number, readonly Float32Array[]>();
  #floats = 0;

  constructor(encoder: VisionEncoder, onEncoded: (milliseconds: number) => void = () => {}) {
    this.#encoder = encoder;
    this.#onEncoded = onEncoded;
  }

  /** The row of the language model's input at index `offset` of the image. */
  row(image: PromptImage, offset: number): Float32Array | undefined {
    return this.#rows(image)[offset];
  }

  #rows({ picture, part, token }: PromptImage): readonly Float32Array[] {
    const known = this.#kept.get(token);
    if (known !== undefined) {
      this.#kept.delete(token);
      this.#kept.set(token, known);
      return known;
    }
    const start = performance.now();
    const rows = this.#encoder.encode(picture, part);
    this.#onEncoded(performance.now() - start);
    this.#kept.set(token, rows);
    this.#floats += floats(rows);
    for (const [oldest, old] of this.#kept) {
      if (this.#floats <= KEPT_FLOATS || oldest === token) break;
      this.#kept.delete(oldest);
      this.#floats -= floats(old);
    }
    return rows;
  }
}

function floats(rows: readonly Float32Array[]): number {
  return rows.reduce((sum, row) => sum + row.length, 0);
}

/** The images of one prompt, by position. */
export class PromptEmbeddings {
  readonly #images: readonly PromptImage[];
  readonly #rows: ImageRows;

  constructor(images: readonly PromptImage[], rows: ImageRows) {
    this.#images = images;
    this.#rows = rows;
  }

  /** Input row at a position of the prompt; undefined where there is text. */
  at(position: number): Float32Array | undefined {
    const image = this.imageAt(position);
    return image === undefined ? undefined : this.#rows.row(image, position - image.start);
  }

  /** The longest beginning of the prompt, up to `length`, that ends beside images and not in one. */
  edgeBefore(length: number): number {
    const cut = this.#images.find(
      (image) => image.start < length && length < image.start + image.length,
    );
    return cut?.start ?? length;
  }

  /** Of `count` tokens from `position` on, those that can be computed without cutting a whole image. */
  uncut(position: number, count: number): number {
    const cut = this.#images.find(
      ({ isWhole, length, start }) =>
        isWhole && start < position + count && position + count < start + length,
    );
    return cut === undefined ? count : Math.max(0, cut.start - position);
  }

  /** The image that a position of the prompt belongs to. */
  imageAt(position: number): PromptImage | undefined {
    return this.#images.find(({ start, length }) => position >= start && position < start + length);
  }
}
