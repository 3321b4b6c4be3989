/** Remembers what kernels generated last, newest first, a few per variable. */
import type { LastValue, LastValues } from './features/hover.ts';

const kept = 3;

export class GeneratedValues implements LastValues {
  readonly #values = new Map<string, LastValue[]>();

  add(program: string | null, name: string, value: LastValue): void {
    const key = keyOf(program, name);
    this.#values.set(key, [value, ...(this.#values.get(key) ?? [])].slice(0, kept));
  }

  lastValues(program: string | null, name: string): readonly LastValue[] {
    return this.#values.get(keyOf(program, name)) ?? [];
  }

  /** The code changed: what was generated before may not be what it generates now. */
  markStale(): void {
    for (const [key, values] of this.#values) {
      this.#values.set(
        key,
        values.map((value) => ({ ...value, stale: true })),
      );
    }
  }
}

function keyOf(program: string | null, name: string): string {
  return JSON.stringify([program, name]);
}
