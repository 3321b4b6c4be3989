/** Hugging Face's HTTP interface, or a mirror of it: what repositories hold and where files are. */
import { ModelManagerError } from './model-error.ts';

export interface HubOptions {
  /** `https://huggingface.co` or a mirror. */
  readonly base: string;
  /** Access token for gated repositories; sent only to the mirror itself. */
  readonly token: string | null;
  /** The longest wait for an answer to begin. */
  readonly answerMilliseconds: number;
  /** Fetches through a proxy; the platform's own `fetch` if left out. */
  readonly fetch?: typeof fetch;
}

export interface HubFile {
  /** Path within the repository. */
  readonly path: string;
  readonly size: number;
  /** Hexadecimal; `null` when the server does not tell. */
  readonly sha256: string | null;
}

export interface HubModel {
  readonly repository: string;
  readonly downloads: number | null;
}

export const HUB = 'https://huggingface.co';
const MAX_REDIRECTS = 8;
const SHA256 = /^[0-9a-f]{64}$/;

/** An answer after redirects, and what the redirecting server said about the file. */
interface Answer {
  readonly response: Response;
  readonly headers: Headers;
}

export class HubClient {
  readonly base: string;
  readonly #token: string | null;
  readonly #answerMilliseconds: number;
  readonly #send: typeof fetch;

  /** @throws ModelManagerError BAD_NAME when the mirror is no web address */
  constructor({ base, token, answerMilliseconds, fetch: send = fetch }: HubOptions) {
    const url = URL.canParse(base) ? new URL(base) : null;
    if (url === null || !/^https?:$/.test(url.protocol)) {
      throw new ModelManagerError(
        'BAD_NAME',
        `The mirror must be an address such as ${HUB}, not "${base}". Check SGLNB_MIRROR.`,
      );
    }
    this.base = base.replace(/\/+$/, '');
    this.#token = token;
    this.#answerMilliseconds = answerMilliseconds;
    this.#send = send;
  }

  fileUrl(repository: string, path: string): string {
    const encoded = path.split('/').map(encodeURIComponent).join('/');
    return `${this.base}/${repository}/resolve/main/${encoded}`;
  }

  /** All files of the repository. @throws ModelManagerError */
  async files(repository: string, signal?: AbortSignal): Promise<readonly HubFile[]> {
    const url = `${this.base}/api/models/${repository}/tree/main?recursive=true`;
    const list = await this.#json(url, signal);
    if (!Array.isArray(list)) throw badAnswer(url, 'it is no list of files');
    return list.flatMap((entry: unknown) => hubFile(entry));
  }

  /** Repositories with GGUF files that match the words, most downloaded first. */
  async search(words: string, signal?: AbortSignal): Promise<readonly HubModel[]> {
    const query = new URLSearchParams({
      search: words,
      filter: 'gguf',
      sort: 'downloads',
      limit: '20',
    });
    const url = `${this.base}/api/models?${query.toString()}`;
    const list = await this.#json(url, signal);
    if (!Array.isArray(list)) throw badAnswer(url, 'it is no list of models');
    return list.flatMap((entry: unknown) => hubModel(entry));
  }

  /** Size and checksum of one file, without its content. @throws ModelManagerError */
  async describe(repository: string, path: string, signal?: AbortSignal): Promise<HubFile> {
    const url = this.fileUrl(repository, path);
    const { headers } = await this.#request(url, { method: 'HEAD' }, signal, (seen) =>
      seen.has('x-linked-size'),
    );
    const size = Number(
      headers.get('x-linked-size') ?? headers.get('content-length') ?? Number.NaN,
    );
    if (!Number.isSafeInteger(size) || size <= 0) throw badAnswer(url, 'it tells no size');
    const tag = unquoted(headers.get('x-linked-etag') ?? headers.get('etag') ?? '');
    return { path, size, sha256: SHA256.test(tag) ? tag : null };
  }

  /** The file's bytes from `from` on, or all of it: the caller looks at the status. */
  async open(
    url: string,
    from: { readonly offset: number; readonly etag: string } | null,
    signal: AbortSignal,
  ): Promise<Response> {
    const range: Record<string, string> =
      from === null ? {} : { range: `bytes=${from.offset}-`, 'if-range': from.etag };
    const { response } = await this.#request(url, { headers: range }, signal, () => false, [416]);
    return response;
  }

  async #json(url: string, signal: AbortSignal | undefined): Promise<unknown> {
    const deadline = AbortSignal.timeout(this.#answerMilliseconds);
    const both = signal ? AbortSignal.any([signal, deadline]) : deadline;
    try {
      const { response } = await this.#request(url, {}, both, () => false);
      const parsed: unknown = await response.json();
      return parsed;
    } catch (error) {
      if (error instanceof ModelManagerError && error.code !== 'CANCELLED') throw error;
      if (signal?.aborted) throw new ModelManagerError('CANCELLED', 'Cancelled.');
      if (deadline.aborted) throw stalled(url, this.#answerMilliseconds);
      throw badAnswer(url, 'it is no JSON');
    }
  }

  /** Follows redirects, ends at the first good answer or when `enough` has been seen. */
  async #request(
    url: string,
    init: { readonly method?: string; readonly headers?: Record<string, string> },
    signal: AbortSignal | undefined,
    enough: (headers: Headers) => boolean,
    allowed: readonly number[] = [],
  ): Promise<Answer> {
    const headers = new Headers();
    let at = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop += 1) {
      const response = await this.#fetch(at, init, signal);
      for (const [name, value] of response.headers) headers.set(name, value);
      const location = response.headers.get('location');
      const redirects = response.status >= 300 && response.status < 400 && location !== null;
      if (!redirects && !response.ok && !allowed.includes(response.status)) {
        await response.body?.cancel();
        throw refusal(url, response.status, this.#token !== null);
      }
      if (!redirects || enough(response.headers)) return { response, headers };
      await response.body?.cancel();
      at = redirectTarget(at, location);
    }
    throw badAnswer(url, 'it redirects in circles');
  }

  async #fetch(
    url: string,
    init: { readonly method?: string; readonly headers?: Record<string, string> },
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const waiting = new AbortController();
    const timer = setTimeout(() => waiting.abort(), this.#answerMilliseconds);
    const isOurs = new URL(url).origin === new URL(this.base).origin;
    const authorization: Record<string, string> =
      this.#token !== null && isOurs ? { authorization: `Bearer ${this.#token}` } : {};
    try {
      return await this.#send(url, {
        ...init,
        redirect: 'manual',
        headers: { 'accept-encoding': 'identity', ...init.headers, ...authorization },
        signal: signal ? AbortSignal.any([signal, waiting.signal]) : waiting.signal,
      });
    } catch (error) {
      if (waiting.signal.aborted) throw stalled(url, this.#answerMilliseconds);
      if (signal?.aborted) throw new ModelManagerError('CANCELLED', 'Cancelled.');
      throw unreachable(url, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function unquoted(etag: string): string {
  return etag.replace(/^W\//, '').replaceAll('"', '').toLowerCase();
}

function redirectTarget(from: string, location: string): string {
  const target = URL.canParse(location, from) ? new URL(location, from) : null;
  const isWeb = target !== null && /^https?:$/.test(target.protocol);
  if (!isWeb || (from.startsWith('https:') && target.protocol === 'http:')) {
    throw badAnswer(from, `it redirects to ${location}`);
  }
  return target.href;
}

function hubFile(entry: unknown): HubFile[] {
  if (typeof entry !== 'object' || entry === null) return [];
  if (!('path' in entry && typeof entry.path === 'string' && isSafePath(entry.path))) return [];
  if (!('size' in entry && typeof entry.size === 'number')) return [];
  const lfs = 'lfs' in entry ? entry.lfs : null;
  const oid = typeof lfs === 'object' && lfs !== null && 'oid' in lfs ? lfs.oid : null;
  const isHash = typeof oid === 'string' && SHA256.test(oid);
  return [{ path: entry.path, size: entry.size, sha256: isHash ? oid : null }];
}

function hubModel(entry: unknown): HubModel[] {
  if (typeof entry !== 'object' || entry === null || !('id' in entry)) return [];
  if (typeof entry.id !== 'string') return [];
  const downloads =
    'downloads' in entry && typeof entry.downloads === 'number' ? entry.downloads : null;
  return [{ repository: entry.id, downloads }];
}

/** Whether a path named by a server stays within the folder it is put into, on every platform. */
export function isSafePath(path: string): boolean {
  const parts = path.split('/');
  return parts.every(
    (part) => part !== '' && part !== '.' && part !== '..' && !/[\\:*?"<>|\p{Cc}]/u.test(part),
  );
}

function refusal(url: string, status: number, hasToken: boolean): ModelManagerError {
  if (status === 401 || status === 403) {
    const advice = hasToken
      ? 'The access token in HF_TOKEN does not permit it; open the page in a browser and accept its licence.'
      : 'It may be gated or not exist: accept its licence in a browser and put an access token into HF_TOKEN.';
    return new ModelManagerError(
      'UNAUTHORIZED',
      `The server refuses ${url} (${status}). ${advice}`,
    );
  }
  if (status === 404 || status === 410) {
    return new ModelManagerError(
      'NOT_FOUND',
      `There is nothing at ${url} (${status}). Check the name; "sglnb models search WORDS" lists models.`,
    );
  }
  const code = status >= 500 || status === 429 || status === 408 ? 'NETWORK' : 'BAD_ANSWER';
  return new ModelManagerError(code, `The server answered ${url} with status ${status}.`);
}

function badAnswer(url: string, reason: string): ModelManagerError {
  return new ModelManagerError('BAD_ANSWER', `The answer from ${url} cannot be used: ${reason}.`);
}

function stalled(url: string, milliseconds: number): ModelManagerError {
  return new ModelManagerError(
    'STALLED',
    `The server did not answer ${url} within ${milliseconds / 1000} s.`,
  );
}

function unreachable(url: string, error: unknown): ModelManagerError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  const reason = cause instanceof Error ? cause.message || String(cause) : String(cause);
  return new ModelManagerError(
    'NETWORK',
    `${new URL(url).host} cannot be reached (${reason}). Without internet access, set SGLNB_MIRROR to a mirror or put a GGUF file into the models folder.`,
    { cause: error },
  );
}
