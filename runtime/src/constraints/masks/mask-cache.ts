import type { TokenMask } from '../constraint.ts';

export const DEFAULT_MASK_CACHE_BYTES = 64 * 1024 * 1024;

/** Masks of all grammars of a model, least recently used ones dropped first. */
export class MaskCache {
  readonly #entries = new Map<number, TokenMask>();
  readonly #capacity: number;

  /** `maskBytes`: size of one mask. At least a few masks are kept whatever the limit. */
  constructor(maskBytes: number, maximumBytes: number = DEFAULT_MASK_CACHE_BYTES) {
    this.#capacity = Math.max(8, Math.floor(maximumBytes / Math.max(1, maskBytes)));
  }

  get size(): number {
    return this.#entries.size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  get(key: number): TokenMask | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
    return entry;
  }

  set(key: number, entry: TokenMask): void {
    this.#entries.delete(key);
    if (this.#entries.size >= this.#capacity) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, entry);
  }
}
