/**
 * One file from the hub onto the disk: continued where it stopped, checked by size and SHA-256, and
 * under its final name only when it is complete and right.
 */
import { createHash, type Hash } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { byteText } from './byte-text.ts';
import { hashFile } from './file-hash.ts';
import { lockFile } from './file-lock.ts';
import type { HubClient, HubFile } from './hub-client.ts';
import { ModelManagerError, throwIfCancelled } from './model-error.ts';
import { TransferSpeed } from './transfer-speed.ts';

export interface DownloadProgress {
  readonly received: number;
  readonly total: number;
  readonly bytesPerSecond: number;
  /** What is being done; `checking` reads a file that is here, such as what an earlier attempt left. */
  readonly phase: 'checking' | 'downloading';
}

export interface DownloadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
  /** Attempts in a row that bring nothing before the download fails. */
  readonly attempts: number;
  readonly retryMilliseconds: number;
  /** A connection that brings less than `stallBytes` in this time is given up, and brought nothing. */
  readonly stallMilliseconds: number;
  readonly stallBytes: number;
  /** Free bytes of the disk that holds the folder. */
  readonly freeBytes: (folder: string) => Promise<number>;
}

export const DOWNLOAD_DEFAULTS: Omit<DownloadOptions, 'signal' | 'onProgress'> = {
  attempts: 5,
  retryMilliseconds: 1000,
  stallMilliseconds: 30_000,
  stallBytes: 16_384,
  freeBytes: async (folder) => {
    const { bavail, bsize } = await statfs(folder);
    return bavail * bsize;
  },
};

/** Left free for everybody else. */
const SPARE_BYTES = 64 * 1024 * 1024;
/** Failures after which the same request may succeed. */
const TRANSIENT: ReadonlySet<string> = new Set(['NETWORK', 'STALLED']);

/**
 * Downloads `file` from `url` to `path` and returns its SHA-256. A cancelled or failed download
 * leaves `path.part`, which the next one continues.
 * @throws ModelManagerError
 */
export async function downloadFile(
  hub: HubClient,
  url: string,
  file: HubFile,
  path: string,
  options: DownloadOptions,
): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const lock = await lockFile(`${path}.lock`);
  try {
    const part = await PartFile.open(path, file, options);
    try {
      await checkSpace(path, file.size - part.received, options);
      await receiveAll(hub, url, part, options);
      return await part.complete(path);
    } finally {
      await part.close();
    }
  } finally {
    await lock.release();
  }
}

async function checkSpace(path: string, missing: number, options: DownloadOptions): Promise<void> {
  const free = await options.freeBytes(dirname(path));
  if (missing + SPARE_BYTES <= free) return;
  throw new ModelManagerError(
    'NO_SPACE',
    `The download needs ${byteText(missing + SPARE_BYTES)} but only ${byteText(free)} are free on the disk of ${dirname(path)}. Free some space, or set SGLNB_MODELS to a folder on another disk.`,
  );
}

async function receiveAll(
  hub: HubClient,
  url: string,
  part: PartFile,
  options: DownloadOptions,
): Promise<void> {
  let failures = 0;
  while (part.received < part.file.size) {
    const before = part.received;
    try {
      await receive(hub, url, part, options);
    } catch (error) {
      throwIfCancelled(options.signal);
      const failure = asModelError(error, url);
      if (!TRANSIENT.has(failure.code)) throw failure;
      // A few bytes are no progress: a server may cut every connection after one.
      failures = part.received - before >= options.stallBytes ? 1 : failures + 1;
      if (failures >= options.attempts) throw failure;
      await pause(options.retryMilliseconds * 2 ** (failures - 1), options.signal);
    }
  }
}

async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await delay(milliseconds, undefined, signal ? { signal } : {}).catch(() => {});
  throwIfCancelled(signal);
}

/** One connection, until the file is complete or the connection ends. */
async function receive(
  hub: HubClient,
  url: string,
  part: PartFile,
  options: DownloadOptions,
): Promise<void> {
  const stall = new StallWatch(options);
  const signal = options.signal ? AbortSignal.any([options.signal, stall.signal]) : stall.signal;
  try {
    const response = await hub.open(url, part.resumePoint(), signal);
    await part.accept(response);
    if (!response.body) throw new ModelManagerError('NETWORK', `${url} came without content.`);
    stall.start();
    for await (const chunk of response.body) {
      await part.append(chunk);
      stall.received(chunk.length);
    }
  } catch (error) {
    if (stall.signal.aborted) throw stall.error(url);
    throw error;
  } finally {
    stall.stop();
  }
  if (part.received < part.file.size) {
    throw new ModelManagerError('NETWORK', `The connection to ${url} ended too early.`);
  }
}

/** Gives up on servers that hold a connection open and send (almost) nothing. */
class StallWatch {
  readonly #options: DownloadOptions;
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #bytes = 0;

  constructor(options: DownloadOptions) {
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  start(): void {
    this.#timer = setInterval(() => {
      if (this.#bytes < this.#options.stallBytes) this.#controller.abort();
      this.#bytes = 0;
    }, this.#options.stallMilliseconds);
  }

  received(bytes: number): void {
    this.#bytes += bytes;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  error(url: string): ModelManagerError {
    const seconds = this.#options.stallMilliseconds / 1000;
    return new ModelManagerError('STALLED', `${url} sent almost nothing for ${seconds} s.`);
  }
}

interface PartState {
  readonly size: number;
  readonly sha256: string | null;
  /** Of the server that sent the bytes. */
  readonly etag: string | null;
}

/** The unfinished file, the checksum of its bytes, and whose bytes they are. */
class PartFile {
  readonly file: HubFile;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #options: DownloadOptions;
  readonly #speed = new TransferSpeed();
  #hash: Hash;
  #etag: string | null;
  #received: number;

  private constructor(
    file: HubFile,
    path: string,
    handle: FileHandle,
    options: DownloadOptions,
    start: { readonly hash: Hash; readonly etag: string | null; readonly received: number },
  ) {
    this.file = file;
    this.#path = path;
    this.#handle = handle;
    this.#options = options;
    this.#hash = start.hash;
    this.#etag = start.etag;
    this.#received = start.received;
  }

  /** What an earlier attempt left is kept only if it belongs to the same file on the server. */
  static async open(target: string, file: HubFile, options: DownloadOptions): Promise<PartFile> {
    const path = `${target}.part`;
    const etag = await resumableEtag(path, file);
    const handle = await open(path, etag === null ? 'w+' : 'r+');
    const start = { hash: createHash('sha256'), etag, received: 0 };
    if (etag === null) return new PartFile(file, path, handle, options, start);
    try {
      const total = file.size;
      const onBytes = (received: number) =>
        options.onProgress?.({ received, total, bytesPerSecond: 0, phase: 'checking' });
      const hash = await hashFile(path, { signal: options.signal, onBytes });
      const { size } = await handle.stat();
      return new PartFile(file, path, handle, options, { hash, etag, received: size });
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  get received(): number {
    return this.#received;
  }

  resumePoint(): { readonly offset: number; readonly etag: string } | null {
    if (this.#received === 0 || this.#etag === null) return null;
    return { offset: this.#received, etag: this.#etag };
  }

  /** Prepares for the bytes that this answer brings. @throws ModelManagerError */
  async accept(response: Response): Promise<void> {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(response.headers.get('content-range') ?? '');
    const continues = response.status === 206 && Number(range?.[1]) === this.#received;
    if (!continues) await this.#restart();
    if (response.status === 206 && !continues) {
      await response.body?.cancel();
      throw new ModelManagerError('NETWORK', 'The server sent another part than was asked for.');
    }
    if (response.status === 416) {
      await response.body?.cancel();
      throw new ModelManagerError('NETWORK', 'The file on the server has changed.');
    }
    this.#checkTotal(response, range?.[2]);
    const etag = response.headers.get('etag');
    // Weak tags do not promise equal bytes (RFC 9110, section 13.1.5).
    this.#etag = etag === null || etag.startsWith('W/') ? null : etag;
    const state: PartState = { ...this.file, etag: this.#etag };
    await writeFile(`${this.#path}.json`, JSON.stringify(state));
  }

  async append(chunk: Uint8Array): Promise<void> {
    if (this.#received + chunk.length > this.file.size) {
      await this.#discard();
      throw new ModelManagerError(
        'WRONG_CONTENT',
        'The server sends more bytes than it announced.',
      );
    }
    await writeFully(this.#handle, chunk, this.#received);
    this.#hash.update(chunk);
    this.#received += chunk.length;
    this.#speed.add(chunk.length, performance.now());
    this.#options.onProgress?.({
      received: this.#received,
      total: this.file.size,
      bytesPerSecond: this.#speed.bytesPerSecond,
      phase: 'downloading',
    });
  }

  /** @throws ModelManagerError WRONG_CONTENT */
  async complete(target: string): Promise<string> {
    const sha256 = this.#hash.digest('hex');
    if (this.file.sha256 !== null && sha256 !== this.file.sha256) {
      await this.#discard();
      throw new ModelManagerError(
        'WRONG_CONTENT',
        `What was downloaded is not what the server promised (SHA-256 ${sha256}, not ${this.file.sha256}). It was deleted; try again, or use another mirror.`,
      );
    }
    await this.#handle.sync();
    await this.close();
    await rename(this.#path, target);
    await rm(`${this.#path}.json`, { force: true });
    return sha256;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  #checkTotal(response: Response, rangeTotal: string | undefined): void {
    const announced = response.status === 206 ? rangeTotal : response.headers.get('content-length');
    if (announced === null || announced === undefined || announced === '*') return;
    if (Number(announced) === this.file.size) return;
    throw new ModelManagerError(
      'WRONG_CONTENT',
      `The server sends a file of ${announced} bytes, but promised ${this.file.size}. Try again, or use another mirror.`,
    );
  }

  async #restart(): Promise<void> {
    await this.#handle.truncate(0);
    this.#hash = createHash('sha256');
    this.#received = 0;
    this.#etag = null;
  }

  async #discard(): Promise<void> {
    await this.#restart();
    await rm(this.#path, { force: true });
    await rm(`${this.#path}.json`, { force: true });
  }
}

async function writeFully(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let written = 0;
  while (written < chunk.length) {
    const rest = chunk.length - written;
    written += (await handle.write(chunk, written, rest, position + written)).bytesWritten;
  }
}

/** The tag to continue with; `null` when there is nothing, or nothing of this file. */
async function resumableEtag(path: string, file: HubFile): Promise<string | null> {
  try {
    const state: unknown = JSON.parse(await readFile(`${path}.json`, 'utf8'));
    const { size } = await stat(path);
    if (typeof state !== 'object' || state === null || !('etag' in state)) return null;
    if (!('size' in state && 'sha256' in state)) return null;
    const isSame = state.size === file.size && state.sha256 === file.sha256 && size <= file.size;
    return isSame && typeof state.etag === 'string' ? state.etag : null;
  } catch {
    return null;
  }
}

function asModelError(error: unknown, url: string): ModelManagerError {
  if (error instanceof ModelManagerError) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const message = error instanceof Error ? error.message : String(error);
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new ModelManagerError(
      'NO_SPACE',
      'The disk is full. Free some space; the download continues where it stopped.',
    );
  }
  if (/^E(ACCES|PERM|IO|ROFS|FBIG|MFILE)$/.test(code)) {
    return new ModelManagerError('FILE_SYSTEM', `The download cannot be written: ${message}`);
  }
  return new ModelManagerError('NETWORK', `The connection to ${url} was lost: ${message}`);
}
