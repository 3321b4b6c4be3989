import { EngineError } from '../engine/engine.ts';
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

  /**
   * Copies the cells [from, path.length) of `sequence`, which stays as it is. Null if they take more
   * than `most` bytes, or more than this machine gives.
   */
  save(sequence: number, path: readonly number[], from: number, most: number): SavedEdge | null {
    this.#store.copySequence(sequence, this.#spare, from, path.length);
    try {
      if (this.#store.savedBytes(this.#spare) > most) return null;
      return { path, from, state: this.#store.saveSequence(this.#spare) };
    } catch (error) {
      // RangeError: no memory for the buffer. What is evicted can be computed again.
      if (error instanceof EngineError || error instanceof RangeError) return null;
      throw error;
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
