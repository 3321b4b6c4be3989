/**
 * Memory snapshots of the started WebAssembly interpreter, on disk. One is made at the first start and
 * makes each later start several times faster. A file is a header line and the bytes; what does not
 * match its header (cut off, changed) counts as absent and is removed.
 */
import { createHash, randomBytes } from 'node:crypto';
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';

const MAGIC = 'sglang-notebooks guest snapshot 1';
const SUFFIX = '.snapshot';
/** Old files of other versions beyond this number are removed when a new one is written. */
const KEPT_FILES = 3;

/** Where caches of this user lie; `SGLANG_NOTEBOOKS_CACHE` overrides it. */
export function defaultCacheFolder(
  environment: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
): string {
  const own = environment['SGLANG_NOTEBOOKS_CACHE'];
  if (own) return own;
  const name = 'sglang-notebooks';
  if (platform === 'win32') {
    return join(environment['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local'), name);
  }
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches', name);
  return join(environment['XDG_CACHE_HOME'] || join(homedir(), '.cache'), name);
}

export class SnapshotStore {
  readonly #folder: string;
  readonly #file: string;

  /** `parts` are all that a snapshot depends on: versions, platform, what was imported into it. */
  constructor(folder: string, parts: readonly string[]) {
    const key = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 24);
    this.#folder = folder;
    this.#file = join(folder, `guest-${key}${SUFFIX}`);
  }

  get file(): string {
    return this.#file;
  }

  /** The snapshot, or `null` when there is none that is whole. */
  read(): Uint8Array | null {
    let content: Buffer;
    try {
      content = readFileSync(this.#file);
    } catch {
      return null;
    }
    const newline = content.indexOf(10);
    const bytes = content.subarray(newline + 1);
    if (content.toString('latin1', 0, newline) === header(bytes)) return bytes;
    this.discard();
    return null;
  }

  /** Writes atomically: a reader sees the old file or the whole new one. */
  write(bytes: Uint8Array): void {
    mkdirSync(this.#folder, { recursive: true });
    const unfinished = `${this.#file}.${process.pid}-${randomBytes(4).toString('hex')}`;
    try {
      writeFileSync(unfinished, [Buffer.from(`${header(bytes)}\n`), bytes].reduce(concatenated));
      renameSync(unfinished, this.#file);
    } finally {
      rmSync(unfinished, { force: true });
    }
    this.#removeOldFiles();
  }

  discard(): void {
    rmSync(this.#file, { force: true });
  }

  #removeOldFiles(): void {
    const files = readdirSync(this.#folder)
      .filter((name) => name.endsWith(SUFFIX))
      .map((name) => join(this.#folder, name))
      .toSorted((a, b) => modified(b) - modified(a));
    for (const file of files.slice(KEPT_FILES)) rmSync(file, { force: true });
  }
}

function concatenated(left: Uint8Array, right: Uint8Array): Uint8Array {
  return Buffer.concat([left, right]);
}

function header(bytes: Uint8Array): string {
  return `${MAGIC} ${bytes.length} ${crc32(bytes).toString(16)}`;
}

function modified(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
