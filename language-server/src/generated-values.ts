/** Remembers what kernels generated last, newest first, a few per variable of each notebook. */
import type { LastValue } from './features/hover.ts';

const kept = 3;

export type GeneratedValue = Omit<LastValue, 'stale'>;

interface Entry {
  readonly value: GeneratedValue;
  /** The program's code when it was generated; `null`: not known. */
  readonly source: string | null;
}

export class GeneratedValues {
  readonly #notebooks = new Map<string, Map<string, readonly Entry[]>>();

  add(
    notebook: string,
    program: string | null,
    name: string,
    value: GeneratedValue,
    source: string | null,
  ): void {
    const values = this.#notebooks.get(notebook) ?? new Map<string, readonly Entry[]>();
    this.#notebooks.set(notebook, values);
    const key = keyOf(program, name);
    values.set(key, [{ value, source }, ...(values.get(key) ?? [])].slice(0, kept));
  }

  /** A value is stale when the program's code is no longer `source`. */
  lastValues(
    notebook: string,
    program: string | null,
    name: string,
    source: string | null,
  ): readonly LastValue[] {
    const entries = this.#notebooks.get(notebook)?.get(keyOf(program, name)) ?? [];
    return entries.map((entry) => ({ ...entry.value, stale: entry.source !== source }));
  }

  close(notebook: string): void {
    this.#notebooks.delete(notebook);
  }
}

function keyOf(program: string | null, name: string): string {
  return JSON.stringify([program, name]);
}
