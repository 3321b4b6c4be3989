/**
 * A recording server that speaks SGLang's API and answers like the one behind the recorded traffic:
 * words as tokens, every completion " Paris is nice", log probabilities from a hash of neighbours.
 */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

interface GenerateRequest {
  readonly text?: string | string[];
  readonly input_ids?: number[][] | number[];
  readonly sampling_params?: { readonly max_new_tokens?: number; readonly n?: number };
  readonly stream?: boolean;
  readonly return_logprob?: boolean;
  readonly logprob_start_len?: number;
  readonly return_text_in_logprobs?: boolean;
}

export interface MockOptions {
  readonly model?: string;
  readonly answer?: string;
  /** `2025`: prompt log probabilities begin with a null at the start position. */
  readonly logprobLayout?: '2024' | '2025';
  /** As SGLang's router: only one prompt per request. */
  readonly refusesLists?: boolean;
}

export class MockSglangServer {
  readonly requests: RecordedRequest[] = [];
  /** When set, every `/generate` is answered with this. */
  failure: { readonly status: number; readonly body: unknown } | null = null;
  readonly #options: MockOptions;
  readonly #vocabulary = new Map<string, number>();
  readonly #server = createServer((request, response) => void this.#handle(request, response));

  constructor(options: MockOptions = {}) {
    this.#options = options;
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${this.port}`;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === '' ? null : JSON.parse(text);
    const { method = '', url: path = '', headers } = request;
    const recorded = {
      'content-type': headers['content-type'],
      authorization: headers.authorization,
    };
    this.requests.push({ method, path, body, headers: recorded });
    this.#route(method, path, body as GenerateRequest, response);
  }

  #route(method: string, path: string, body: GenerateRequest, response: ServerResponse): void {
    const model = this.#options.model ?? 'Qwen/Qwen2.5-1.5B-Instruct';
    const json = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    if (method === 'GET' && path === '/get_model_info') {
      return json(200, { model_path: model, tokenizer_path: model, is_generation: true });
    }
    if (method === 'GET' && path === '/get_server_info') {
      return json(200, { model_path: model, version: '0.4.3' });
    }
    if (path === '/test-fail') {
      // Programs choose with it how their next requests fail; an empty object: not at all.
      const given = body as { status?: number; body?: unknown };
      this.failure = given.status === undefined ? null : { status: given.status, body: given.body };
      return json(200, {});
    }
    if (path.startsWith('/test/')) return json(200, {});
    if (path === '/flush_cache') return void response.end('Cache flushed.\n');
    if (path !== '/generate') return json(404, { detail: 'Not Found' });
    if (this.failure !== null) return json(this.failure.status, this.failure.body);
    if (body.stream === true) return this.#stream(body, response);
    const isList = Array.isArray(body.text) || isBatch(body.input_ids ?? []);
    if (isList && this.#options.refusesLists === true) {
      return json(422, { detail: 'text: invalid type: sequence, expected a string' });
    }
    const n = body.sampling_params?.n ?? 1;
    if (Array.isArray(body.text))
      return json(
        200,
        body.text.map((text) => this.#one(text, null, body)),
      );
    if (body.text === undefined) {
      const ids = body.input_ids ?? [];
      if (!isBatch(ids)) return json(200, this.#one(null, ids, body));
      return json(
        200,
        ids.map((each) => this.#one(null, each, body)),
      );
    }
    const { text } = body;
    if (n > 1)
      return json(
        200,
        Array.from({ length: n }, () => this.#one(text, null, body)),
      );
    json(200, this.#one(text, null, body));
  }

  #stream(body: GenerateRequest, response: ServerResponse): void {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    let text = '';
    for (const token of tokens(this.#answer())) {
      text += token;
      const event = this.#one(body.text as string, null, body, text);
      response.write(`data: ${JSON.stringify(event)}\n\n`);
    }
    response.end('data: [DONE]\n\n');
  }

  #answer(): string {
    return this.#options.answer ?? ' Paris is nice';
  }

  #one(
    text: string | null,
    ids: readonly number[] | null,
    body: GenerateRequest,
    given?: string,
  ): object {
    const pieces = text === null ? (ids ?? []).map((id) => this.#token(id)) : tokens(text);
    const prefillOnly = body.sampling_params?.max_new_tokens === 0;
    const full = given ?? this.#answer();
    const output = prefillOnly ? (tokens(full)[0] ?? '') : full;
    const finish = prefillOnly ? { type: 'length', length: 0 } : { type: 'stop', matched: 151645 };
    return {
      text: output,
      meta_info: {
        id: 'x',
        finish_reason: finish,
        prompt_tokens: pieces.length,
        completion_tokens: tokens(output).length,
        cached_tokens: 0,
        ...(body.return_logprob === true ? this.#logprobs(pieces, body) : {}),
      },
    };
  }

  #logprobs(pieces: readonly string[], body: GenerateRequest): object {
    const start = body.logprob_start_len ?? -1;
    const from = start === -1 ? pieces.length - 1 : start;
    const label = (text: string): string | null =>
      body.return_text_in_logprobs === true ? text : null;
    const entries: unknown[] = [];
    for (let index = from + 1; index < pieces.length; index++) {
      const text = pieces[index]!;
      entries.push([logprob(pieces[index - 1]!, text), this.#id(text), label(text)]);
    }
    const leadingNull = from === 0 || (this.#options.logprobLayout === '2025' && start !== -1);
    const first = pieces[from];
    if (leadingNull && first !== undefined) entries.unshift([null, this.#id(first), label(first)]);
    return {
      input_token_logprobs: entries,
      output_token_logprobs: [[-0.1, this.#id('x'), label('x')]],
    };
  }

  #id(token: string): number {
    const known = this.#vocabulary.get(token) ?? this.#vocabulary.size + 100;
    this.#vocabulary.set(token, known);
    return known;
  }

  #token(id: number): string {
    return [...this.#vocabulary].find(([, known]) => known === id)?.[0] ?? '?';
  }
}

function tokens(text: string): string[] {
  return text.match(/<\|[^|]*\|>| ?\w+|[^\w\s]|\s/gu) ?? [];
}

function logprob(previous: string, token: string): number {
  const hash = createHash('md5').update(`${previous}\0${token}`).digest('hex');
  return -(Number.parseInt(hash.slice(0, 6), 16) % 3000) / 1000 - 0.001;
}

function isBatch(ids: readonly number[] | readonly (readonly number[])[]): ids is number[][] {
  return Array.isArray(ids[0]);
}
