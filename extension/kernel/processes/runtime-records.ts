/**
 * Keys of the runtimes that run on this machine, for this user's other kernels: a notebook may use the
 * server that another one has started. One file per port, readable by its user only, gone with the runtime.
 */
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { isAlive } from './process-tree.ts';

export interface RuntimeRecord {
  readonly port: number;
  readonly pid: number;
  readonly key: string;
}

export class RuntimeRecords {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Without a place to write, other kernels do without; this one knows its own keys. */
  write(record: RuntimeRecord): void {
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      chmodSync(this.#folder, 0o700);
      this.#removeStale();
      const file = this.#file(record.port);
      writeFileSync(`${file}.${process.pid}.new`, JSON.stringify(record), { mode: 0o600 });
      renameSync(`${file}.${process.pid}.new`, file);
    } catch {
      // As said above.
    }
  }

  /** The record of this process, if the port has not gone to another one. */
  remove(port: number, pid: number): void {
    try {
      if (this.#read(this.#file(port))?.pid === pid) rmSync(this.#file(port), { force: true });
    } catch {
      // The next one that writes removes it.
    }
  }

  find(port: number): RuntimeRecord | null {
    const record = this.#read(this.#file(port));
    return record !== null && record.port === port && isAlive(record.pid) ? record : null;
  }

  /** Those of kernels that were killed. */
  #removeStale(): void {
    for (const name of readdirSync(this.#folder)) {
      const file = join(this.#folder, name);
      const record = name.endsWith('.json') ? this.#read(file) : null;
      if (record !== null && !isAlive(record.pid)) rmSync(file, { force: true });
    }
  }

  #read(file: string): RuntimeRecord | null {
    try {
      const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
      return isRecord(value) ? value : null;
    } catch {
      return null;
    }
  }

  #file(port: number): string {
    return join(this.#folder, `${port}.json`);
  }
}

function isRecord(value: unknown): value is RuntimeRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'port' in value &&
    typeof value.port === 'number' &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'key' in value &&
    typeof value.key === 'string'
  );
}
