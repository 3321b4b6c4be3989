/**
 * HTTP for the guest's `requests` module: an exchange is opened, its body read piece by piece, closed.
 * (Not by `fetch`: a browser's rules about ports and about bodies of GET are not a Python program's.)
 */
import { HttpClient } from '../backends/http.ts';
import { NO_SERVERS, type LocalServers } from '../backends/local-servers.ts';
import { ProgramError } from '../sglang/program-error.ts';
import {
  nullableNumber,
  nullableString,
  numberField,
  stringField,
  stringMap,
} from './bridge-fields.ts';
import type { BridgeCalls } from './bridge-protocol.ts';
import type { BridgeMessage } from './guest.ts';

type Answer<Name extends 'http_open' | 'http_read' | 'http_close'> = Promise<
  BridgeCalls[Name]['answer']
>;

interface Exchange {
  readonly url: string;
  readonly body: AsyncIterator<Buffer>;
  readonly cancel: AbortController;
  /** Milliseconds that each read may take; `null`: any. */
  readonly patience: number | null;
}

/** Exchanges that a program forgot to close; the oldest are closed beyond this number. */
const MOST_OPEN = 256;

export class HttpExchanges {
  readonly #open = new Map<number, Exchange>();
  readonly #clients = new Map<boolean, HttpClient>();
  readonly #local: LocalServers;
  #count = 0;

  constructor(local: LocalServers = NO_SERVERS) {
    this.#local = local;
  }

  readonly calls = {
    http_open: (message: BridgeMessage, signal: AbortSignal): Answer<'http_open'> =>
      this.#start(message, signal),
    http_read: (message: BridgeMessage, signal: AbortSignal): Answer<'http_read'> =>
      this.#read(numberField(message, 'id'), signal),
    http_close: async (message: BridgeMessage): Answer<'http_close'> => {
      this.#close(numberField(message, 'id'));
      return null;
    },
  };

  async close(): Promise<void> {
    for (const id of this.#open.keys()) this.#close(id);
    await Promise.all([...this.#clients.values()].map((client) => client.close()));
  }

  async #start(message: BridgeMessage, signal: AbortSignal): Answer<'http_open'> {
    const [url, body] = [stringField(message, 'url'), nullableString(message, 'body')];
    const seconds = nullableNumber(message, 'timeout');
    const patience = seconds === null ? null : seconds * 1000;
    const cancel = new AbortController();
    const content = body === null ? null : Buffer.from(body, 'base64');
    const client = this.#client(message['verify'] !== false);
    const [method, headers] = [stringField(message, 'method'), stringMap(message, 'headers')];
    const { body: pieces, ...head } = await guarded(url, patience, cancel, signal, () =>
      client.open(method, url, content, cancel.signal, headers),
    );
    this.#count += 1;
    const id = this.#count;
    this.#open.set(id, { url, body: pieces, cancel, patience });
    const [oldest] = this.#open.keys();
    if (this.#open.size > MOST_OPEN && oldest !== undefined) this.#close(oldest);
    return { id, ...head };
  }

  async #read(id: number, signal: AbortSignal): Answer<'http_read'> {
    const exchange = this.#open.get(id);
    if (exchange === undefined) return null;
    const { url, body, cancel, patience } = exchange;
    const { done, value } = await guarded(url, patience, cancel, signal, () => body.next());
    if (done !== true) return value.toString('base64');
    this.#open.delete(id);
    return null;
  }

  #close(id: number): void {
    const exchange = this.#open.get(id);
    this.#open.delete(id);
    exchange?.cancel.abort();
  }

  #client(verify: boolean): HttpClient {
    const client = this.#clients.get(verify) ?? new HttpClient({ verify, local: this.#local });
    this.#clients.set(verify, client);
    return client;
  }
}

/** Ends the exchange when the cell is interrupted or its time is over, and names the failure. */
async function guarded<T>(
  url: string,
  patience: number | null,
  cancel: AbortController,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const abort = (): void => cancel.abort();
  let late = false;
  const timer =
    patience === null
      ? null
      : setTimeout(() => {
          late = true;
          abort();
        }, patience);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await work();
  } catch (error) {
    if (late) throw new ProgramError('TimeoutError', `${url} did not answer in time.`);
    throw new ProgramError('ConnectionError', failure(url, error));
  } finally {
    if (timer !== null) clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

function failure(url: string, error: unknown): string {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  const code = inner instanceof Error && 'code' in inner ? ` (${String(inner.code)})` : '';
  const reason = inner instanceof Error ? inner.message : String(inner);
  return `The request to ${url} failed${code}: ${reason || 'no server answers there'}`;
}
