import { CacheIntegrityError } from './prefix-cache.ts';

/** The engine's sequence ids 0 … size − 1, handed out lowest first. */
export class SequencePool {
  readonly size: number;
  readonly #free: number[];
  readonly #taken = new Set<number>();

  constructor(size: number) {
    this.size = size;
    this.#free = Array.from({ length: size }, (_, i) => size - 1 - i);
  }

  get freeCount(): number {
    return this.#free.length;
  }

  get taken(): ReadonlySet<number> {
    return this.#taken;
  }

  take(): number | null {
    const id = this.#free.pop();
    if (id === undefined) return null;
    this.#taken.add(id);
    return id;
  }

  give(id: number): void {
    if (!this.#taken.delete(id)) {
      throw new CacheIntegrityError(`sequence ${id} was given back twice`);
    }
    this.#free.push(id);
  }
}
