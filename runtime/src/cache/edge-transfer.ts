import type { SavedEdge } from './host-tier.ts';
import type { SequenceStore } from './prefix-cache.ts';

/**
 * Moves the cells of one edge between the engine and host memory, through a sequence id kept for
 * that: a saved state always holds, and fills, a whole sequence.
 */
export class EdgeTransfer {
  readonly #store: SequenceStore;
  readonly #spare: number;

  constructor(store: SequenceStore, spare: number) {
    this.#store = store;
    this.#spare = spare;
  }

  /** Copies the cells [from, path.length) of `sequence`, which stays as it is. */
  save(sequence: number, path: readonly number[], from: number): SavedEdge {
    this.#store.copySequence(sequence, this.#spare, from, path.length);
    try {
      return { path, from, state: this.#store.saveSequence(this.#spare) };
    } finally {
      this.#store.removeSequence(this.#spare, 0, -1);
    }
  }

  /** Adds the saved cells [from, to) to `sequence`. False if the engine has no room for the edge. */
  restore(edge: SavedEdge, sequence: number, from: number, to: number): boolean {
    if (!this.#store.restoreSequence(this.#spare, edge.state)) return false;
    this.#store.copySequence(this.#spare, sequence, from, to);
    this.#store.removeSequence(this.#spare, 0, -1);
    return true;
  }
}
