/**
 * Builds of llama.cpp that have worked here, so that they are not tried in a process of their own at every
 * start. A build is taken off the list while a runtime starts with it: if that ends in a crash, the next
 * start tries it first again.
 */
import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export class ProbeMemory {
  readonly #file: string;

  /** @param folder where the list is kept, `probed.json` */
  constructor(folder: string) {
    this.#file = join(folder, 'probed.json');
  }

  /** Whether this library worked the last time, unchanged since; asking takes it off the list. */
  take(library: string): boolean {
    const known = this.#read();
    const stamp = known.get(library);
    if (stamp === undefined) return false;
    known.delete(library);
    return this.#write(known) && stamp === stampOf(library);
  }

  /** A runtime has started with it. */
  remember(library: string): void {
    this.#write(this.#read().set(library, stampOf(library)));
  }

  #read(): Map<string, string> {
    try {
      const parsed: unknown = JSON.parse(readFileSync(this.#file, 'utf8'));
      const entries = typeof parsed === 'object' && parsed !== null ? Object.entries(parsed) : [];
      return new Map(entries.map(([library, stamp]) => [library, String(stamp)]));
    } catch {
      // None yet, or damaged: everything is tried again.
      return new Map();
    }
  }

  /** False where nothing can be written; then nothing is known either. */
  #write(known: ReadonlyMap<string, string>): boolean {
    try {
      mkdirSync(dirname(this.#file), { recursive: true });
      const fresh = `${this.#file}.${process.pid}`;
      writeFileSync(fresh, JSON.stringify(Object.fromEntries(known)));
      renameSync(fresh, this.#file);
      return true;
    } catch {
      return false;
    }
  }
}

/** Changes with the file; empty when there is none. */
function stampOf(library: string): string {
  try {
    const { size, mtimeMs } = statSync(library);
    return `${size}-${mtimeMs}`;
  } catch {
    return '';
  }
}
