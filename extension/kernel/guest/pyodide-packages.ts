/**
 * Downloads for Python's package installer: what it asks an index for, and the packages that Pyodide's
 * makers build, which are kept on disk. Those are compared with the checksums that came with Pyodide,
 * because Pyodide itself does not when it fetches them.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { proxyFetch } from '../../model-manager/proxy-fetch.ts';

/** What `_sgl_packages.py` gets; a server that cannot be reached has the status 0 and a reason. */
export type PackageAnswer =
  | { readonly status: 0; readonly reason: string }
  | { readonly status: number; readonly type: string; readonly body: Uint8Array };

/** Where Pyodide looks for packages of its own. `cacheFolder: null` keeps them until the next restart. */
export function packageFolder(cacheFolder: string | null, version: string): string {
  return join(cacheFolder ?? join(tmpdir(), 'sglang-notebooks'), `pyodide-${version}-packages`);
}

export class PackageDownloads {
  readonly #folder: string;
  readonly #baseUrl: string;
  readonly #environment: NodeJS.ProcessEnv;

  /** `baseUrl` is of Pyodide's own packages. `environment` names proxies, as it does for models. */
  constructor(folder: string, baseUrl: string, environment: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#baseUrl = baseUrl;
    this.#environment = environment;
  }

  /** Never rejects. */
  async get(url: string, accept: string, signal: AbortSignal): Promise<PackageAnswer> {
    try {
      const send = proxyFetch(this.#environment) ?? fetch;
      const response = await send(url, { headers: { accept }, signal });
      const body = new Uint8Array(await response.arrayBuffer());
      return { status: response.status, type: response.headers.get('content-type') ?? '', body };
    } catch (error) {
      return { status: 0, reason: reasonOf(error) };
    }
  }

  /** Puts a package of Pyodide's where it is looked for. Answers what is wrong; '' if nothing is. */
  async provide(fileName: string, sha256: string, signal: AbortSignal): Promise<string> {
    const file = join(this.#folder, fileName);
    if (checksumOf(file) === sha256) return '';
    const url = this.#baseUrl + fileName;
    const answer = await this.get(url, '*/*', signal);
    if ('reason' in answer) return `${url} cannot be reached (${answer.reason})`;
    if (answer.status !== 200) return `${url} answered with status ${answer.status}`;
    if (createHash('sha256').update(answer.body).digest('hex') !== sha256)
      return `${url} is not the file that belongs to this version`;
    mkdirSync(this.#folder, { recursive: true });
    const unfinished = `${file}.${process.pid}-${randomBytes(4).toString('hex')}`;
    try {
      writeFileSync(unfinished, answer.body);
      renameSync(unfinished, file);
    } finally {
      rmSync(unfinished, { force: true });
    }
    return '';
  }
}

function checksumOf(file: string): string | null {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  } catch {
    return null;
  }
}

/** `fetch` says "fetch failed" and hides the rest in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  const inner = cause instanceof AggregateError ? cause.errors[0] : cause;
  if (!(inner instanceof Error)) return String(inner);
  return inner.message || ('code' in inner ? String(inner.code) : inner.name);
}
