/**
 * Which beginnings of prompts a server has computed lately, so that its cache probably still has them.
 * Texts are compared in blocks, each by a hash of everything up to its end.
 */

/** Characters: a few dozen tokens, below which recomputing costs nothing. */
const BLOCK = 128;
/** Blocks that are remembered; the oldest are forgotten. About a million characters. */
const CAPACITY = 8192;

export class PrefixMemory {
  /** In order of last use. */
  readonly #blocks = new Set<number>();

  add(text: string): void {
    for (const hash of prefixHashes(text)) {
      this.#blocks.delete(hash);
      this.#blocks.add(hash);
    }
    for (const hash of this.#blocks) {
      if (this.#blocks.size <= CAPACITY) break;
      this.#blocks.delete(hash);
    }
  }

  /** Characters at the text's beginning that are known; a multiple of the block's length. */
  match(text: string): number {
    let known = 0;
    for (const hash of prefixHashes(text)) {
      if (!this.#blocks.has(hash)) break;
      known += BLOCK;
    }
    return known;
  }

  clear(): void {
    this.#blocks.clear();
  }
}

/** FNV-1a (offset basis and prime of its authors' page) over UTF-16 units, at each block's end. */
function* prefixHashes(text: string): Generator<number, void> {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0;
    // With the position in the upper bits, equal hashes of different lengths do not meet.
    if ((index + 1) % BLOCK === 0) yield hash * 2 ** 20 + (((index + 1) / BLOCK) % 2 ** 20);
  }
}
