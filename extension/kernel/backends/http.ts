/**
 * The only user of undici: keep-alive connections, cancellation, deadlines, and errors that say what
 * to do. No deadline by default, because a long generation is not a fault.
 */
import { Agent, request, type Dispatcher } from 'undici';
import { isSshUrl, parseSshUrl } from '../../child-processes/ssh-address.ts';
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  BackendError,
  BackendTimeoutError,
  ConnectionLostError,
  InvalidAnswerError,
  RequestAbortedError,
  ServerStatusError,
  ServerUnreachableError,
} from './backend.ts';
import { sentTo, type LocalServers } from './local-servers.ts';
import { SseParser } from './sse.ts';

/** Bearer tokens and the like. Values never appear in errors or records. */
export type Headers = Readonly<Record<string, string>>;

export interface HttpOptions {
  /** Milliseconds to connect. */
  readonly connectTimeout?: number;
  /** Milliseconds without a byte of an answer; 0 waits for ever. */
  readonly idleTimeout?: number;
  readonly headers?: Headers;
  /** How errors name the service and say what to do; SGLang's by default. */
  readonly hints?: ServiceHints;
  /** `false` accepts any certificate; text is the PEM of the authorities to trust instead. */
  readonly verify?: boolean | string;
  /** Knows the servers of this machine: their keys, and whether one that is away comes back. */
  readonly local?: LocalServers;
}

export interface ServiceHints {
  /** After "No". */
  readonly name: string;
  readonly unreachable: string;
  readonly key: string;
}

const SGLANG_HINTS: ServiceHints = {
  name: 'SGLang server',
  unreachable:
    'Start one with execute_shell_command("python3 -m sglang.launch_server …") and wait_for_server(url), ' +
    'or point set_default_backend(RuntimeEndpoint(url)) at one that runs.',
  key: 'Give the key with RuntimeEndpoint(url, api_key="…").',
};

export interface HttpAnswer {
  readonly status: number;
  readonly body: string;
  /** Seconds of the header `Retry-After`; absent when the server sent none. */
  readonly retryAfter?: number;
}

/** An answer of which only the head has arrived. */
export interface OpenAnswer {
  readonly status: number;
  readonly reason: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: AsyncIterator<Buffer>;
}

const CONNECT_TIMEOUT = 10_000;

/** Requests to one origin or many; `close` ends the idle connections. */
export class HttpClient {
  readonly #agent: Agent;
  readonly #headers: Headers;
  readonly #hints: ServiceHints;
  readonly #local: LocalServers | null;

  constructor(options: HttpOptions = {}) {
    const idle = options.idleTimeout ?? 0;
    this.#headers = options.headers ?? {};
    this.#hints = options.hints ?? SGLANG_HINTS;
    this.#local = options.local ?? null;
    this.#agent = new Agent({
      headersTimeout: idle,
      bodyTimeout: idle,
      connect: {
        timeout: options.connectTimeout ?? CONNECT_TIMEOUT,
        rejectUnauthorized: options.verify !== false,
        ...(typeof options.verify === 'string' ? { ca: options.verify } : {}),
      },
      pipelining: 1,
    });
  }

  /** Any request; answers of every status are returned. `body` is sent as it is. */
  async send(
    method: string,
    url: string,
    body: string | null,
    signal: AbortSignal,
    headers: Headers = {},
  ): Promise<HttpAnswer> {
    try {
      const response = await this.#open(method, url, body, signal, headers);
      const seconds = retryAfter(response.headers['retry-after']);
      const text = await response.body.text();
      const answer = { status: response.statusCode, body: text };
      return seconds === null ? answer : { ...answer, retryAfter: seconds };
    } catch (error) {
      throw await this.#explain(error, url, signal);
    }
  }

  /** `GET` or `POST` of JSON, answered by JSON. @throws BackendError */
  async json(
    method: string,
    url: string,
    body: JsonValue | undefined,
    signal: AbortSignal,
  ): Promise<JsonValue> {
    const text = body === undefined ? null : JSON.stringify(body);
    const answer = await this.send(method, url, text, signal);
    if (answer.status !== 200) throw this.#statusError(url, answer);
    return parseJson(url, answer.body);
  }

  /** `POST` of JSON, answered by any text. @throws BackendError */
  async text(method: string, url: string, signal: AbortSignal): Promise<string> {
    const answer = await this.send(method, url, null, signal);
    if (answer.status !== 200) throw this.#statusError(url, answer);
    return answer.body;
  }

  /**
   * `POST` of JSON, answered by server-sent events: yields each event's JSON until `[DONE]`. Leaving
   * the loop early closes the connection, which tells the server to stop.
   * @param mark whether `[DONE]` ends the stream; otherwise the caller knows what its last event is.
   * @throws BackendError also when the stream ends without `[DONE]`.
   */
  async *events(
    url: string,
    body: JsonValue,
    signal: AbortSignal,
    mark = true,
  ): AsyncGenerator<JsonValue, void> {
    const parser = new SseParser();
    try {
      const response = await this.#open('POST', url, JSON.stringify(body), signal, {});
      if (response.statusCode !== 200) {
        const seconds = retryAfter(response.headers['retry-after']);
        const answer = { status: response.statusCode, body: await response.body.text() };
        throw this.#statusError(
          url,
          seconds === null ? answer : { ...answer, retryAfter: seconds },
        );
      }
      response.body.setEncoding('utf8');
      for await (const piece of response.body) {
        for (const payload of parser.push(String(piece))) {
          if (payload === '[DONE]') return;
          if (payload !== '') yield parseJson(url, payload);
        }
      }
      if (parser.end().includes('[DONE]') || !mark) return;
    } catch (error) {
      throw await this.#explain(error, url, signal);
    }
    throw new ConnectionLostError(
      `The stream from ${url} ended before it was complete. ${(await this.#absence(url, signal)) ?? LOST_HINT}`,
    );
  }

  /**
   * Any request, byte for byte; its body is read by the caller. No redirect is followed.
   * @throws what undici throws
   */
  async open(
    method: string,
    url: string,
    body: Uint8Array | null,
    signal: AbortSignal,
    headers: Headers,
  ): Promise<OpenAnswer> {
    const response = await this.#request(url, { method, body, signal, headers });
    return {
      status: response.statusCode,
      reason: response.statusText,
      headers: Object.entries(response.headers).flatMap(headerLines),
      body: response.body[Symbol.asyncIterator](),
    };
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  #statusError(url: string, answer: HttpAnswer): ServerStatusError {
    return statusError(url, answer, this.#hints);
  }

  #open(
    method: string,
    url: string,
    body: string | null,
    signal: AbortSignal,
    headers: Headers,
  ): Promise<Dispatcher.ResponseData> {
    const type: Headers =
      body === null ? {} : { 'content-type': 'application/json; charset=utf-8' };
    return this.#request(url, {
      method,
      body,
      signal,
      headers: { ...type, ...this.#headers, ...headers },
    });
  }

  /** A server of the kernel's own, or a tunnel, that is being started again is waited for: nothing was sent yet. */
  async #request(url: string, options: RequestOptions): Promise<Dispatcher.ResponseData> {
    const send = async (): Promise<Dispatcher.ResponseData> => {
      const state = (await this.#local?.state(url, 'now', options.signal)) ?? null;
      const headers = state?.key ? withKey(options.headers, state.key) : options.headers;
      return request(sentTo(url, state), { ...options, headers, dispatcher: this.#agent });
    };
    try {
      return await send();
    } catch (error) {
      if (codeOf(error) !== 'ECONNREFUSED' || options.signal.aborted) throw error;
      const state = await this.#local?.state(url, 'served', options.signal);
      if (!state?.serves) throw error;
      return send();
    }
  }

  async #explain(error: unknown, url: string, signal: AbortSignal): Promise<BackendError> {
    if (error instanceof BackendError || signal.aborted)
      return explain(error, url, signal, this.#hints);
    const absence = await this.#absence(url, signal);
    const hints = absence === null ? this.#hints : { ...this.#hints, unreachable: absence };
    return explain(error, url, signal, hints, absence ?? LOST_HINT);
  }

  /** What became of a server of the kernel's own, with what to do. */
  async #absence(url: string, signal: AbortSignal): Promise<string | null> {
    return (await this.#local?.state(url, 'ended', signal))?.absence ?? null;
  }
}

interface RequestOptions {
  readonly method: string;
  readonly body: string | Uint8Array | null;
  readonly signal: AbortSignal;
  readonly headers: Headers;
}

/** A server that belongs to the kernel has one key, whatever the program says ("None", "EMPTY"). */
function withKey(headers: Headers, key: string): Headers {
  const others = Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization');
  return { ...Object.fromEntries(others), authorization: `Bearer ${key}` };
}

function headerLines([name, value]: [string, string | string[] | undefined]): [string, string][] {
  if (value === undefined) return [];
  return [value].flat().map((line) => [name, line]);
}

const LOST_HINT =
  'The server may have stopped or crashed; its log lines tell more. Start it again and rerun the cell.';

function parseJson(url: string, text: string): JsonValue {
  try {
    // SAFETY: JSON.parse yields exactly the JSON values.
    return JSON.parse(text) as JsonValue;
  } catch {
    const start = text.length > 200 ? `${text.slice(0, 200)}…` : text;
    throw new InvalidAnswerError(`${url} did not answer with JSON: ${start}`);
  }
}

/** An answer with an error status, in the server's own words where it gives some. */
export function statusError(
  url: string,
  { status, body, retryAfter: seconds }: HttpAnswer,
  hints: ServiceHints = SGLANG_HINTS,
): ServerStatusError {
  const hint = status === 401 ? ` ${hints.key}` : '';
  const message = `The server at ${url} answered ${status}: ${serverMessage(body)}${hint}`;
  return new ServerStatusError(message, status, body, seconds ?? null);
}

/** Seconds of `Retry-After`, which is a number of seconds or a date; `null` for anything else. */
export function retryAfter(header: string | string[] | undefined): number | null {
  if (typeof header !== 'string') return null;
  const seconds = /^\s*\d+(\.\d+)?\s*$/.test(header)
    ? Number(header)
    : (Date.parse(header) - Date.now()) / 1000;
  return Number.isNaN(seconds) ? null : Math.max(0, seconds);
}

/** SGLang and OpenAI servers put their message in one of these places. */
function serverMessage(body: string): string {
  try {
    const parsed: unknown = JSON.parse(body);
    return messageIn(parsed) ?? body;
  } catch {
    return body === '' ? '(no message)' : body.slice(0, 1000);
  }
}

/** The message of an error object of SGLang's or OpenAI's shape; `null` if it has none. */
export function messageIn(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value !== 'object' || value === null) return null;
  if ('error' in value) return messageIn(value.error);
  if ('message' in value && typeof value.message === 'string') return value.message;
  if ('detail' in value)
    return typeof value.detail === 'string' ? value.detail : JSON.stringify(value.detail);
  return null;
}

const REFUSED = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH']);
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;
const NO_TLS = /^ERR_SSL|^EPROTO$/;
const TIMEOUTS = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT']);

function explain(
  error: unknown,
  url: string,
  signal: AbortSignal,
  hints: ServiceHints,
  lostHint = LOST_HINT,
): BackendError {
  if (error instanceof BackendError) return error;
  if (signal.aborted) return new RequestAbortedError('The request was cancelled.');
  const code = codeOf(error);
  if (REFUSED.has(code) || code === 'UND_ERR_CONNECT_TIMEOUT') {
    return new ServerUnreachableError(
      // Error outputs of notebooks wrap no lines: what to do would be out of sight.
      `No ${hints.name} answers at ${originOf(url)} (${code}).\n${hints.unreachable}`,
    );
  }
  if (CERTIFICATE.test(code)) {
    return new ServerUnreachableError(
      `The certificate of ${originOf(url)} cannot be verified (${code}). Name the PEM file of its authority with ` +
        'verify="FILE", or accept any certificate with verify=False if you know this server; "SGLang: Connect to ' +
        'Server…" offers the latter.',
    );
  }
  if (NO_TLS.test(code)) {
    return new ServerUnreachableError(
      `What answers at ${originOf(url)} speaks no TLS that can be understood (${code}). Is its address http:// instead?`,
    );
  }
  if (TIMEOUTS.has(code)) return new BackendTimeoutError(`${url} did not answer in time.`);
  const reason = error instanceof Error ? error.message : String(error);
  if (code === 'UND_ERR_INVALID_ARG' || code === 'ERR_INVALID_URL') {
    return new ServerUnreachableError(`"${url}" is not the URL of a server: ${reason}`);
  }
  return new ConnectionLostError(
    `The connection to ${originOf(url)} was lost (${code || reason}).\n${lostHint}`,
  );
}

function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (error instanceof Error && 'code' in error && typeof error.code === 'string')
    return error.code;
  return '';
}

function originOf(url: string): string {
  if (isSshUrl(url)) return parseSshUrl(url)?.address.url ?? url;
  return URL.canParse(url) ? new URL(url).origin : url;
}
