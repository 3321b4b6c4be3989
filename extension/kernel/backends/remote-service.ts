/**
 * A model service on the internet, or one that behaves like it: retries with jitter, deadlines, counts
 * of tokens, and a key that never leaves the HTTP headers.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  BackendError,
  BackendTimeoutError,
  ConnectionLostError,
  InvalidAnswerError,
  RequestAbortedError,
  ServerStatusError,
  type SentRequest,
} from './backend.ts';
import { messageIn, type HttpClient } from './http.ts';
import { Spending, type SpendingLimits } from './spending.ts';

export type OnRequest = (request: SentRequest) => void;

export interface RemoteOptions {
  /** Base URL; trailing slashes do not matter. */
  readonly url: string;
  readonly http: HttpClient;
  /** The key that `http` sends, which is removed from every error. */
  readonly key: string | null;
  /** How often a failed request is sent again; 0: never. */
  readonly maxRetries: number;
  /** Seconds for one request with its retries; 0 waits for ever. */
  readonly deadline: number;
  /** Prices and budgets; none by default. */
  readonly limits?: SpendingLimits;
  /** Tells the user something about a request that is sent all the same. */
  readonly notice?: (text: string) => void;
  /** Waits `milliseconds`; rejects when the signal is aborted. Replaced by tests. */
  readonly sleep?: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** Uniform in [0, 1). Replaced by tests. */
  readonly random?: () => number;
}

/** Longest wait between two attempts, in seconds, unless the service asks for a longer one. */
const MAX_WAIT = 8;
/** A service that wants us to wait longer than this, in seconds, has failed. */
const MAX_RETRY_AFTER = 60;
/** Shorter ones stand in for a key ("-", "x") and would be found in any text. */
const SHORTEST_KEY = 4;
const RETRIED = new Set([408, 409, 429, 500, 502, 503, 504, 529]);

export class RemoteService {
  readonly url: string;
  readonly #spending: Spending;
  readonly #options: RemoteOptions;
  readonly #leftOut = new Set<string>();

  constructor(options: RemoteOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#options = options;
    this.#spending = new Spending(
      options.limits ?? { prices: null, budget: null, tokenBudget: null },
    );
  }

  /** `POST` of JSON. @throws BackendError */
  async post(
    path: string,
    body: JsonObject,
    onRequest: OnRequest,
    signal: AbortSignal,
  ): Promise<JsonObject> {
    const url = this.url + path;
    const reservation = this.#spending.reserve(body);
    try {
      onRequest({ url, body: shown(body) });
      const answer = await this.#within(signal, (limit) =>
        this.#retried(limit, () => this.#options.http.json('POST', url, body, limit)),
      );
      return this.checked(answer);
    } finally {
      this.#spending.release(reservation);
    }
  }

  /** Says once of each sampling parameter that the model's service does not take it. */
  leaveOut(model: string, names: readonly string[]): void {
    const news = names.filter((name) => !this.#leftOut.has(name));
    if (news.length === 0) return;
    for (const name of news) this.#leftOut.add(name);
    this.#options.notice?.(`${model} takes no ${news.join(', ')}: left out of its requests.`);
  }

  /** Events of a stream. Only a request that failed before its first event is sent again. */
  async *events(
    path: string,
    body: JsonObject,
    onRequest: OnRequest,
    signal: AbortSignal,
    mark: boolean,
  ): AsyncGenerator<JsonObject, void> {
    const url = this.url + path;
    const reservation = this.#spending.reserve(body);
    const limit = this.#limit(signal);
    let underWay = false;
    try {
      onRequest({ url, body: shown(body) });
      const [stream, first] = await this.#retried(limit, async () => {
        const opened = this.#options.http.events(url, body, limit, mark);
        return [opened, await opened.next()] as const;
      });
      underWay = true;
      try {
        if (first.done !== true) yield this.checked(first.value);
        for await (const event of stream) yield this.checked(event);
        underWay = false;
      } finally {
        await stream.return();
      }
    } catch (error) {
      throw this.#explained(error, signal);
    } finally {
      // The usage of an answer that was left in its middle is never told: what was set aside for it stays.
      if (!underWay) this.#spending.release(reservation);
    }
  }

  /** The answer as an object; an error that came with status 200 is thrown. @throws InvalidAnswerError */
  checked(answer: JsonValue): JsonObject {
    if (typeof answer === 'object' && answer !== null && !Array.isArray(answer)) {
      // SAFETY: an object that is neither null nor an array is a JsonObject.
      const found = answer as JsonObject;
      if (found['error'] === undefined || found['error'] === null) return found;
      throw new InvalidAnswerError(
        this.#hidden(`The service reported: ${messageIn(found) ?? JSON.stringify(found['error'])}`),
      );
    }
    throw this.invalid(answer);
  }

  invalid(answer: JsonValue | undefined): InvalidAnswerError {
    const text = (JSON.stringify(answer) ?? 'nothing').slice(0, 200);
    return new InvalidAnswerError(
      this.#hidden(
        `${this.url} did not answer as this kind of service does: ${text}. Check base_url.`,
      ),
    );
  }

  /** A stream that ended before its last event. */
  broken(): ConnectionLostError {
    return new ConnectionLostError(
      `The stream from ${this.url} ended before it was complete. Run the cell again.`,
    );
  }

  count(prompt: JsonValue | undefined, completion: JsonValue | undefined): JsonObject {
    const asked = isCount(prompt) ? prompt : null;
    const answered = isCount(completion) ? completion : null;
    const { usage } = this.#spending;
    usage.promptTokens += asked ?? 0;
    usage.completionTokens += answered ?? 0;
    return {
      ...(asked === null ? {} : { prompt_tokens: asked }),
      ...(answered === null ? {} : { completion_tokens: answered }),
    };
  }

  info(model: string): JsonObject {
    const { promptTokens, completionTokens } = this.#spending.usage;
    const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
    return { model, token_usage: usage, cost: this.#spending.cost };
  }

  async #within<Value>(
    signal: AbortSignal,
    work: (limit: AbortSignal) => Promise<Value>,
  ): Promise<Value> {
    try {
      return await work(this.#limit(signal));
    } catch (error) {
      throw this.#explained(error, signal);
    }
  }

  #limit(signal: AbortSignal): AbortSignal {
    const { deadline } = this.#options;
    return deadline === 0
      ? signal
      : AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(deadline * 1000))]);
  }

  async #retried<Value>(signal: AbortSignal, work: () => Promise<Value>): Promise<Value> {
    const { maxRetries, sleep = pause, random = Math.random } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        const seconds = waitBefore(error, attempt, random());
        if (attempt >= maxRetries || seconds === null) throw error;
        await sleep(seconds * 1000, signal);
      }
    }
  }

  #explained(error: unknown, signal: AbortSignal): unknown {
    if (error instanceof RequestAbortedError && !signal.aborted) {
      const { deadline } = this.#options;
      return new BackendTimeoutError(
        `${this.url} did not answer within ${deadline} seconds (deadline).`,
      );
    }
    if (error instanceof ServerStatusError) {
      const { status, retryAfter, body, message } = error;
      return new ServerStatusError(this.#hidden(message), status, this.#hidden(body), retryAfter);
    }
    if (error instanceof BackendError) error.message = this.#hidden(error.message);
    return error;
  }

  #hidden(text: string): string {
    const { key } = this.#options;
    return key === null || key.length < SHORTEST_KEY ? text : text.replaceAll(key, '(key)');
  }
}

/**
 * Seconds to wait before the attempt after this one; `null`: the failure is final. Exponential from half a
 * second, with jitter over its upper half, so that many programs do not come back together.
 * @param random uniform in [0, 1).
 */
export function waitBefore(error: unknown, attempt: number, random: number): number | null {
  const backoff = Math.min(MAX_WAIT, 0.5 * 2 ** attempt) * (0.5 + random / 2);
  if (error instanceof ConnectionLostError) return backoff;
  if (!(error instanceof ServerStatusError) || !RETRIED.has(error.status)) return null;
  if (error.retryAfter === null) return backoff;
  return error.retryAfter > MAX_RETRY_AFTER ? null : Math.max(error.retryAfter, backoff / 2);
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = (): void => {
      clearTimeout(timer);
      reject(new RequestAbortedError('The request was cancelled.'));
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** A number of tokens that a service tells; some tell null, or words. */
export function isCount(value: JsonValue | undefined): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

const LONG_DATA = 1000;

/** The request as people read it: without the megabytes of images. */
function shown(body: JsonObject): JsonValue {
  return JSON.parse(JSON.stringify(body), (name, value: JsonValue) => {
    const data = name === 'url' || name === 'data';
    return data && typeof value === 'string' && value.length > LONG_DATA
      ? `(${value.length} characters of data)`
      : value;
  }) satisfies JsonValue;
}
