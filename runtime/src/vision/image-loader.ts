import { createHash } from 'node:crypto';
import { decodePicture } from './decode-picture.ts';
import { readImage } from './image-source.ts';
import type { ImagePart, PreparePicture, TowerPicture } from './image-parts.ts';
import { imageToken } from './image-tokens.ts';

/** An image as the engine thread gets it, and what stands for it in a prompt. */
export interface LoadedImage {
  /** For the vision tower. */
  readonly picture: TowerPicture;
  readonly parts: readonly ImagePart[];
  /**
   * Stand for the parts in token ids, at each of their tokens: no tokens of the vocabulary, and the
   * same for the same pixels, so that prefix caches find images by content (SGLang's pad values).
   */
  readonly tokens: readonly number[];
}

/** Images kept so that sending one again costs no decoding. */
const KEPT = 32;

/** Sources of requests to pixels for the tower. */
export class ImageLoader {
  readonly #prepare: PreparePicture;
  /** By the hash of the file; least recently used first. */
  readonly #kept = new Map<string, LoadedImage>();

  constructor(prepare: PreparePicture) {
    this.#prepare = prepare;
  }

  /** Throws `PictureError`. */
  async load(source: string, signal: AbortSignal): Promise<LoadedImage> {
    const bytes = await readImage(source, signal);
    const key = createHash('sha256').update(bytes).digest('hex');
    const image = this.#kept.get(key) ?? (await this.#decode(bytes));
    this.#kept.delete(key);
    this.#kept.set(key, image);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
    return image;
  }

  async #decode(bytes: Uint8Array): Promise<LoadedImage> {
    const { picture, parts } = await this.#prepare(await decodePicture(bytes));
    const shape = `${picture.width} ${picture.height} `;
    const content = createHash('sha256').update(shape).update(picture.rgb).digest();
    const tokens = parts.map((_, part) =>
      imageToken(createHash('sha256').update(content).update(String(part)).digest()),
    );
    return { picture, parts, tokens };
  }
}
