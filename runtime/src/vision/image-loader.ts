import { createHash } from 'node:crypto';
import { decodePicture } from './decode-picture.ts';
import { readImage } from './image-source.ts';
import { imageToken } from './image-tokens.ts';
import { fitSquare } from './resize.ts';

/** An image as the engine thread gets it. */
export interface LoadedImage {
  /**
   * Stands for the image in token ids, at each of its tokens: no token of the vocabulary, and the
   * same for the same pixels, so that prefix caches find images by content (SGLang's pad value).
   */
  readonly token: number;
  /** imageSize × imageSize × 3 bytes. */
  readonly rgb: Uint8Array;
}

/** Images kept so that sending one again costs no decoding. */
const KEPT = 32;

/** Sources of requests to pixels for the tower. */
export class ImageLoader {
  readonly #imageSize: number;
  /** By the hash of the file; least recently used first. */
  readonly #kept = new Map<string, LoadedImage>();

  constructor(imageSize: number) {
    this.#imageSize = imageSize;
  }

  /** Throws `PictureError`. */
  async load(source: string, signal: AbortSignal): Promise<LoadedImage> {
    const bytes = await readImage(source, signal);
    const key = createHash('sha256').update(bytes).digest('hex');
    const image = this.#kept.get(key) ?? this.#decode(bytes);
    this.#kept.delete(key);
    this.#kept.set(key, image);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT) break;
      this.#kept.delete(oldest);
    }
    return image;
  }

  #decode(bytes: Uint8Array): LoadedImage {
    const rgb = fitSquare(decodePicture(bytes), this.#imageSize);
    const hash = createHash('sha256').update(rgb).digest();
    return { token: imageToken(hash), rgb };
  }
}
