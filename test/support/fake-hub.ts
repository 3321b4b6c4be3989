/** A local server that behaves like Hugging Face, and misbehaves as a test tells it to. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

export interface HostedFile {
  bytes: Uint8Array;
  /** Sent instead of the right checksum. */
  sha256?: string;
  etag?: string;
}

export type Misbehaviour =
  /** `once`: not before that holds; a busy client may lose what it has not taken yet. */
  | { readonly kind: 'cut'; readonly after: number; readonly once?: () => boolean }
  | { readonly kind: 'trickle' }
  | { readonly kind: 'silent' }
  | { readonly kind: 'status'; readonly status: number }
  | { readonly kind: 'ignore-range' }
  | { readonly kind: 'too-long' };

export class FakeHub {
  readonly files = new Map<string, HostedFile>();
  /** Applied to the next downloads of content, one each. */
  readonly misbehaviours: Misbehaviour[] = [];
  /** `GET /path range`, in order. */
  readonly requests: string[] = [];
  readonly tokens: (string | undefined)[] = [];
  /** Where content comes from; another origin than the hub's when set. */
  cdn: string | null = null;
  /** Set: repositories that need this token. */
  token: string | null = null;
  /** Called before content is sent. */
  onContent: () => Promise<void> = () => Promise.resolve();
  readonly #server: Server;
  readonly #timers = new Set<NodeJS.Timeout>();

  private constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  static async start(): Promise<FakeHub> {
    const hub = new FakeHub();
    await new Promise<void>((resolve) => hub.#server.listen(0, '127.0.0.1', resolve));
    return hub;
  }

  get url(): string {
    const address = this.#server.address();
    if (typeof address !== 'object' || address === null) throw new Error('closed');
    return `http://127.0.0.1:${address.port}`;
  }

  /** @param path `org/repo/file.gguf` */
  host(path: string, bytes: Uint8Array): HostedFile {
    const file: HostedFile = { bytes };
    this.files.set(path, file);
    return file;
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url);
    this.requests.push(`${request.method} ${url.pathname} ${request.headers.range ?? ''}`.trim());
    this.tokens.push(request.headers.authorization);
    if (this.token !== null && !url.pathname.startsWith('/cdn/')) {
      if (request.headers.authorization !== `Bearer ${this.token}`) return end(response, 401);
    }
    const tree = /^\/api\/models\/([^/]+\/[^/]+)\/tree\/main$/.exec(url.pathname)?.[1];
    if (tree !== undefined) return this.#tree(tree, response);
    if (url.pathname === '/api/models') return this.#search(url, response);
    const resolve = /^\/([^/]+\/[^/]+)\/resolve\/main\/(.+)$/.exec(url.pathname);
    if (resolve) return this.#resolve(`${resolve[1]}/${resolve[2]}`, response);
    const content = /^\/cdn\/(.+)$/.exec(url.pathname)?.[1];
    const file = content === undefined ? undefined : this.files.get(content);
    if (!file) return end(response, 404);
    await this.onContent();
    this.#content(file, request, response);
  }

  #tree(repository: string, response: ServerResponse): void {
    const entries = [...this.files]
      .filter(([path]) => path.startsWith(`${repository}/`))
      .map(([path, file]) => ({
        type: 'file',
        path: path.slice(repository.length + 1),
        size: file.bytes.length,
        lfs: { oid: hashOf(file), size: file.bytes.length },
      }));
    if (entries.length === 0) return end(response, 404);
    end(response, 200, JSON.stringify(entries));
  }

  #search(url: URL, response: ServerResponse): void {
    const words = url.searchParams.get('search') ?? '';
    const names = new Set([...this.files.keys()].map((path) => path.split('/', 2).join('/')));
    const found = [...names].filter((name) => name.includes(words));
    end(response, 200, JSON.stringify(found.map((id) => ({ id, downloads: 7 }))));
  }

  #resolve(path: string, response: ServerResponse): void {
    const file = this.files.get(path);
    if (!file) return end(response, 404);
    response.writeHead(302, {
      location: `${this.cdn ?? ''}/cdn/${path}`,
      'x-linked-size': file.bytes.length,
      'x-linked-etag': `"${hashOf(file)}"`,
    });
    response.end();
  }

  #content(file: HostedFile, request: IncomingMessage, response: ServerResponse): void {
    const odd = this.misbehaviours.shift();
    if (odd?.kind === 'status') return end(response, odd.status);
    if (odd?.kind === 'silent') return;
    const etag = file.etag ?? `"${sha256(file.bytes).slice(0, 16)}"`;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const isSame =
      request.headers['if-range'] === undefined || request.headers['if-range'] === etag;
    const partial = from > 0 && isSame && odd?.kind !== 'ignore-range';
    const bytes = partial ? file.bytes.subarray(from) : file.bytes;
    const total = file.bytes.length;
    if (odd?.kind === 'too-long') return void response.end(Buffer.concat([bytes, Buffer.alloc(9)]));
    response.writeHead(partial ? 206 : 200, {
      etag,
      'content-length': bytes.length,
      ...(partial ? { 'content-range': `bytes ${from}-${total - 1}/${total}` } : {}),
    });
    if (odd?.kind === 'cut') {
      const cut = (): void => {
        if (odd.once?.() === false) setTimeout(cut, 10);
        else response.destroy();
      };
      response.write(bytes.subarray(0, odd.after), () => setTimeout(cut, 40));
    } else if (odd?.kind === 'trickle') {
      let at = 0;
      const timer = setInterval(() => response.write(bytes.subarray(at, (at += 1))), 10);
      this.#timers.add(timer);
      response.on('close', () => clearInterval(timer));
    } else response.end(bytes);
  }
}

function end(response: ServerResponse, status: number, body = ''): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(body);
}

function hashOf(file: HostedFile): string {
  return file.sha256 ?? sha256(file.bytes);
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
