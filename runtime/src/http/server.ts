import { timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, STATUS_CODES } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, Route, Routes } from './answer.ts';
import {
  HttpError,
  malformed,
  methodNotAllowed,
  notFound,
  objectError,
  unauthorized,
} from './errors.ts';

export interface ServerOptions {
  readonly routes: Routes;
  readonly apiKey: string | null;
  /** Whether a connection needs no key, by the port of its other end; absent: all need it. */
  readonly admitsPeer?: (port: number) => Promise<boolean>;
  /** Largest request body, bytes. */
  readonly bodyLimit: number;
  readonly onAccess: (line: string) => void;
  /** An error that no route expected. */
  readonly onError: (error: unknown) => void;
  readonly patience?: Patience;
}

/** How long clients may leave the server waiting, milliseconds. */
export interface Patience {
  /** For the whole of a request's headers. */
  readonly headers: number;
  /** For the whole of a request. */
  readonly request: number;
  /** For room in the buffers of a client that does not read its events. */
  readonly reader: number;
  /** How often the first two are checked. */
  readonly interval: number;
}

const PATIENT: Patience = { headers: 30_000, request: 120_000, reader: 120_000, interval: 5_000 };
/** Clients that reuse a connection after a pause should not find it closed in that instant. */
const KEEP_ALIVE_TIMEOUT = 75_000;
/** Open connections beyond these are closed at once. */
const MOST_CONNECTIONS = 4096;
/** A client whose machine is gone is noticed by the lack of answers to probes, milliseconds. */
const PROBE_AFTER = 60_000;
/** Bodies beyond so many times the limit are not read to their end. */
const PATIENCE = 4;

/** HTTP/1.1 on top of node:http: routes, bearer token, body limit, events, abort on disconnect. */
export function createHttpServer(options: ServerOptions): Server {
  const patience = options.patience ?? PATIENT;
  const server = createServer({
    headersTimeout: patience.headers,
    requestTimeout: patience.request,
    connectionsCheckingInterval: patience.interval,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
    keepAlive: true,
    keepAliveInitialDelay: PROBE_AFTER,
  });
  server.maxConnections = MOST_CONNECTIONS;
  server.on('request', (request, response) => {
    void handle(options, request, response).catch((error: unknown) => {
      options.onError(error);
      response.destroy();
    });
  });
  return server;
}

/** Listens on 127.0.0.1; resolves with the port. Rejects as node does, e.g. with EADDRINUSE. */
export async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}

/** Rejects as `listen` would. */
export async function checkPortFree(port: number): Promise<void> {
  const probe = createServer();
  await listen(probe, port);
  await new Promise((resolve) => probe.close(resolve));
}

async function handle(
  options: ServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const aborter = new AbortController();
  response.on('close', () => {
    if (!response.writableFinished) aborter.abort();
  });
  const answer = await answerOf(options, request, aborter.signal);
  // Events are always read: their generator ends what it has started.
  if (aborter.signal.aborted && answer.kind !== 'events') return;
  const status = answer.kind === 'events' ? 200 : answer.status;
  // Who watches the server every few seconds may ask to be left out.
  if (request.headers['x-access-log'] !== 'off') options.onAccess(accessLine(request, status));
  await write(response, answer, {
    signal: aborter.signal,
    patience: (options.patience ?? PATIENT).reader,
  });
}

async function answerOf(
  options: ServerOptions,
  request: IncomingMessage,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    checkHost(request);
    checkOrigin(request);
    await checkKey(options, request, url.pathname);
    const route = findRoute(options.routes, request.method ?? 'GET', url.pathname);
    const body = await readBody(request, options.bodyLimit);
    return await route({
      method: request.method ?? 'GET',
      path: url.pathname,
      query: url.searchParams,
      body,
      signal,
    });
  } catch (error) {
    if (error instanceof HttpError) return { kind: 'json', status: error.status, body: error.body };
    if (!signal.aborted) options.onError(error);
    const message = error instanceof Error ? error.message : String(error);
    return {
      kind: 'json',
      status: 500,
      body: { error: { message: `Internal error: ${message}` } },
    };
  }
}

function findRoute(routes: Routes, method: string, path: string): Route {
  const methods = Object.hasOwn(routes, path) ? routes[path] : undefined;
  if (methods === undefined) throw notFound();
  const route = methods[method];
  if (route === undefined) throw methodNotAllowed();
  return route;
}

/** A page that a browser shows must not reach the runtime through a name that it controls. */
function checkHost(request: IncomingMessage): void {
  const host = (request.headers.host ?? '127.0.0.1').replace(/:\d+$/, '');
  if (!/^(127\.\d+\.\d+\.\d+|localhost|\[::1\]|0\.0\.0\.0)$/i.test(host)) {
    throw objectError(403, `Requests for host ${host} are refused; use 127.0.0.1`, 'Forbidden');
  }
}

/**
 * Browsers say which page a request comes from. This server has no pages, so that each of them is a
 * stranger's, whether or not it may read the answer.
 */
function checkOrigin({ headers }: IncomingMessage): void {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  const isForeignPage = origin !== undefined && origin !== `http://${host}`;
  // "none": a person typed the address.
  const isForeignSite = site !== undefined && site !== 'same-origin' && site !== 'none';
  if (!isForeignPage && !isForeignSite) return;
  throw objectError(
    403,
    `Requests from web pages (${origin ?? 'another site'}) are refused.`,
    'Forbidden',
  );
}

/** Of connections that came without the key. */
const admitted = new WeakMap<Socket, Promise<boolean>>();

async function checkKey(
  { apiKey, admitsPeer }: ServerOptions,
  request: IncomingMessage,
  path: string,
): Promise<void> {
  const isOpen = admitsPeer === undefined ? path.startsWith('/health') : path === '/health';
  if (apiKey === null || request.method === 'OPTIONS' || isOpen) return;
  const given = Buffer.from(request.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${apiKey}`);
  if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
  if (admitsPeer === undefined) throw unauthorized();
  const { socket } = request;
  const answer = admitted.get(socket) ?? admitsPeer(socket.remotePort ?? 0);
  admitted.set(socket, answer);
  if (!(await answer)) throw unauthorized(STRANGER);
}

const STRANGER =
  'Unauthorized: this server belongs to a notebook, whose cells need no key (!curl works there). For other ' +
  'programs, add --api-key KEY to its launch_server and send "Authorization: Bearer KEY".';

/** What is too large is read to its end, so that the client gets to read the answer, and dropped. */
async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  let chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request) {
      // SAFETY: a request without an encoding yields buffers.
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size <= limit) chunks.push(bytes);
      else chunks = [];
      if (size > limit * PATIENCE) break;
    }
  } catch {
    throw malformed('the request ended before its body was complete');
  }
  if (size > limit) throw tooLarge(limit);
  return Buffer.concat(chunks);
}

function tooLarge(limit: number): HttpError {
  const megabytes = Math.round(limit / (1 << 20));
  return objectError(413, `The body is larger than ${megabytes} MiB.`, 'Payload Too Large');
}

function accessLine(request: IncomingMessage, status: number): string {
  const { remoteAddress, remotePort } = request.socket;
  const call = `${request.method} ${request.url} HTTP/${request.httpVersion}`;
  return `INFO:     ${remoteAddress}:${remotePort} - "${call}" ${status} ${STATUS_CODES[status] ?? ''}`;
}

interface Reader {
  readonly signal: AbortSignal;
  /** Milliseconds. */
  readonly patience: number;
}

async function write(response: ServerResponse, answer: Answer, reader: Reader): Promise<void> {
  switch (answer.kind) {
    case 'json':
      return send(response, answer.status, 'application/json', JSON.stringify(answer.body));
    case 'text':
      return send(response, answer.status, answer.type ?? 'text/plain; charset=utf-8', answer.text);
    case 'events':
      return writeEvents(response, answer.events, reader);
  }
}

function send(response: ServerResponse, status: number, type: string, content: string): void {
  const bytes = Buffer.from(content);
  const headers: Record<string, string | number> = {
    'Content-Type': type,
    'Content-Length': bytes.length,
  };
  // What is left of a refused body would be taken for the next request.
  if (status === 413 || status === 401) headers['Connection'] = 'close';
  response.writeHead(status, headers).end(bytes);
}

async function writeEvents(
  response: ServerResponse,
  events: AsyncIterable<string>,
  reader: Reader,
): Promise<void> {
  response.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-cache',
  });
  for await (const data of events) {
    if (reader.signal.aborted) return;
    if (!response.write(`data: ${data}\n\n`)) await drained(response, reader);
  }
  response.end('data: [DONE]\n\n');
}

/** Waits until the client has read enough; gives up on one that reads nothing. */
async function drained(response: ServerResponse, reader: Reader): Promise<void> {
  const late = AbortSignal.timeout(reader.patience);
  const signal = AbortSignal.any([reader.signal, late]);
  await once(response, 'drain', { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
    response.destroy();
  });
}
