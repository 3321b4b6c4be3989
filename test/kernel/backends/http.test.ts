import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { BackendError } from '../../../extension/kernel/backends/backend.ts';
import { HttpClient } from '../../../extension/kernel/backends/http.ts';
import type { LocalServerState } from '../../../extension/kernel/backends/local-servers.ts';

const servers: Server[] = [];
const clients: HttpClient[] = [];
const never = new AbortController().signal;

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function connect(options: ConstructorParameters<typeof HttpClient>[0] = {}): HttpClient {
  const client = new HttpClient(options);
  clients.push(client);
  return client;
}

async function failure(work: Promise<unknown>): Promise<BackendError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BackendError);
  return error as BackendError;
}

async function collect(client: HttpClient, url: string, signal = never): Promise<unknown[]> {
  const events: unknown[] = [];
  for await (const event of client.events(url, {}, signal)) events.push(event);
  return events;
}

describe('a server of the kernel’s own', () => {
  const known = (state: Partial<LocalServerState>, ask: (moment: string) => unknown = () => {}) =>
    connect({
      headers: { authorization: 'Bearer None' },
      local: {
        state: async (_url, moment) => {
          await ask(moment);
          return { key: null, serves: true, absence: null, ...state };
        },
      },
    });

  test('gets its key in place of what the program says', async () => {
    const seen: unknown[] = [];
    const url = await serve((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{}');
    });
    await known({ key: 'secret' }).json('POST', url, {}, never);
    await known({ key: null }).json('POST', url, {}, never);
    const open = await known({ key: 'secret' }).open('GET', url, null, never, {
      Authorization: 'x',
    });
    await open.body.next();
    expect(seen).toEqual(['Bearer secret', 'Bearer None', 'Bearer secret']);
  });

  test('is waited for while it is started again; nothing else is sent twice', async () => {
    let requests = 0;
    const url = await serve((_request, response) => {
      requests += 1;
      response.end('{"ok":1}');
    });
    const { port } = new URL(url);
    const server = servers.pop()!;
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    const moments: string[] = [];
    const client = known({}, async (moment) => {
      moments.push(moment);
      if (moment !== 'served') return;
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
    });
    expect(await client.json('POST', url, {}, never)).toEqual({ ok: 1 });
    expect([moments, requests]).toEqual([['now', 'served', 'now'], 1]);
  });

  test('says why it is away, whether it was lost or is not there', async () => {
    const url = await serve((request) => request.socket.destroy());
    const absence = 'It ended by SIGKILL. Do this.';
    const lost = await failure(known({ absence }).json('POST', url, {}, never));
    expect(lost.code).toBe('CONNECTION_LOST');
    expect(lost.message).toMatch(
      /^The connection to \S+ was lost \(.*\)\.\nIt ended by SIGKILL\. Do this\.$/,
    );
    const streamed = await failure(collect(known({ absence }), url));
    expect(streamed.message).toContain(absence);
    await new Promise((resolve) => servers.pop()!.close(resolve));
    const gone = await failure(known({ absence, serves: false }).json('POST', url, {}, never));
    expect(gone.message).toBe(`No SGLang server answers at ${url} (ECONNREFUSED).\n${absence}`);
  });
});

describe('errors say what to do', () => {
  test('nothing listens', async () => {
    const url = await serve(() => undefined);
    await new Promise((resolve) => servers.pop()!.close(resolve));
    const error = await failure(connect().json('GET', `${url}/x`, undefined, never));
    expect(error.code).toBe('SERVER_UNREACHABLE');
    expect(error.pythonType).toBe('ConnectionError');
    expect(error.message).toContain(`No SGLang server answers at ${url} (ECONNREFUSED)`);
    expect(error.message).toContain('launch_server');
    expect(error.message).toContain('set_default_backend');
  });

  test('not a URL', async () => {
    const error = await failure(connect().json('GET', 'localhost 30000/x', undefined, never));
    expect(error.message).toContain('is not the URL of a server');
  });

  test.each([
    [400, '{"error":{"message":"too long"}}', 'answered 400: too long'],
    [
      401,
      '{"error":"Unauthorized"}',
      'answered 401: Unauthorized Give the key with RuntimeEndpoint',
    ],
    [422, '{"detail":[{"loc":["x"]}]}', 'answered 422: [{"loc":["x"]}]'],
    [503, '{"object":"error","message":"busy","code":503}', 'answered 503: busy'],
    [500, 'Internal Server Error', 'answered 500: Internal Server Error'],
    [500, '', 'answered 500: (no message)'],
  ])('status %i', async (status, body, expected) => {
    const url = await serve((_request, response) => void response.writeHead(status).end(body));
    const error = await failure(connect().json('POST', `${url}/generate`, {}, never));
    expect(error.code).toBe('SERVER_STATUS');
    expect(error.message).toContain(expected);
  });

  test('an answer that is not JSON', async () => {
    const url = await serve((_request, response) => void response.end('<html>'));
    const error = await failure(connect().json('GET', url, undefined, never));
    expect(error.code).toBe('INVALID_ANSWER');
    expect(error.message).toContain('<html>');
  });

  test('the server dies before it answers, and while it answers', async () => {
    const before = await serve((request) => void request.socket.destroy());
    expect((await failure(connect().json('POST', before, {}, never))).code).toBe('CONNECTION_LOST');
    const during = await serve((request, response) => {
      response.writeHead(200, { 'content-length': 100 });
      response.write('{"text":', () => request.socket.destroy());
    });
    expect((await failure(connect().json('POST', during, {}, never))).code).toBe('CONNECTION_LOST');
  });

  test('silence longer than the configured limit', async () => {
    const url = await serve(() => undefined);
    const error = await failure(connect({ idleTimeout: 50 }).json('GET', url, undefined, never));
    expect(error.code).toBe('BACKEND_TIMEOUT');
    expect(error.pythonType).toBe('TimeoutError');
  });
});

describe('cancellation', () => {
  test('reaches the server while it computes', async () => {
    const controller = new AbortController();
    let closed!: Promise<void>;
    const url = await serve((request) => {
      closed = new Promise((resolve) => void request.socket.once('close', () => resolve()));
      controller.abort();
    });
    const error = await failure(connect().json('POST', url, {}, controller.signal));
    expect(error.code).toBe('REQUEST_ABORTED');
    await closed;
  });

  test('leaving a stream early closes its connection', async () => {
    let closed!: Promise<void>;
    const url = await serve((request, response) => {
      closed = new Promise((resolve) => void request.socket.once('close', () => resolve()));
      response.writeHead(200).write('data: 1\n\n');
    });
    for await (const event of connect().events(url, {}, never)) {
      expect(event).toBe(1);
      break;
    }
    await closed;
  });
});

describe('streams', () => {
  const stream = (text: string) =>
    serve((_request, response) => void response.writeHead(200).end(text));

  test('events up to [DONE]', async () => {
    const url = await stream('data: {"a":1}\n\ndata: {"a":2}\n\ndata: [DONE]\n\n');
    expect(await collect(connect(), url)).toEqual([{ a: 1 }, { a: 2 }]);
  });

  test('a character cut between two packets', async () => {
    const bytes = Buffer.from('data: "é"\n\ndata: [DONE]\n\n');
    const url = await serve((_request, response) => {
      response.write(bytes.subarray(0, 8));
      setTimeout(() => response.end(bytes.subarray(8)), 5);
    });
    expect(await collect(connect(), url)).toEqual(['é']);
  });

  test('an end without [DONE] is an error, not a short answer', async () => {
    const url = await stream('data: 1\n\n');
    expect((await failure(collect(connect(), url))).code).toBe('CONNECTION_LOST');
  });

  test('garbage inside an event', async () => {
    const url = await stream('data: {"a":\n\ndata: [DONE]\n\n');
    expect((await failure(collect(connect(), url))).code).toBe('INVALID_ANSWER');
  });

  test('an error status', async () => {
    const url = await serve(
      (_request, response) => void response.writeHead(400).end('{"error":{"message":"no"}}'),
    );
    expect((await failure(collect(connect(), url))).message).toContain('answered 400: no');
  });
});

test('connections are kept and used again', async () => {
  const ports = new Set<number | undefined>();
  const url = await serve((request, response) => {
    ports.add(request.socket.remotePort);
    response.end('{}');
  });
  const client = connect();
  for (let index = 0; index < 10; index++) await client.json('POST', url, { index }, never);
  // undici may open a second connection while the first one is still being released.
  expect(ports.size).toBeLessThanOrEqual(2);
});

test('a key is sent as a bearer token', async () => {
  const url = await serve(
    (request, response) => void response.end(JSON.stringify(request.headers.authorization)),
  );
  expect(
    await connect({ headers: { authorization: 'Bearer sk' } }).json('GET', url, undefined, never),
  ).toBe('Bearer sk');
});
