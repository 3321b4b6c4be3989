import { connect } from 'node:net';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { Routes } from '../../../runtime/src/http/answer.ts';
import { json } from '../../../runtime/src/http/answer.ts';
import { createHttpServer, listen } from '../../../runtime/src/http/server.ts';
import type { ServerOptions } from '../../../runtime/src/http/server.ts';

/** Clients that are slow, broken or hostile, against sockets of their own. */
const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

/** Only for those who come too late: a busy machine is slow as well. */
const HASTY = { headers: 100, request: 150, reader: 100, interval: 20 };

async function start(routes: Routes, options: Partial<ServerOptions> = {}): Promise<number> {
  const server = createHttpServer({
    routes,
    apiKey: null,
    bodyLimit: 1000,
    onAccess: () => {},
    onError: () => {},
    ...options,
  });
  servers.push(server);
  return listen(server, 0);
}

const echo: Routes = { '/echo': { POST: ({ body }) => json({ length: body.length }) } };

/** Everything that the server says to `text`, until it hangs up. */
async function say(port: number, ...pieces: string[]): Promise<string> {
  const socket: Socket = connect(port, '127.0.0.1');
  let answer = '';
  socket.on('data', (chunk) => (answer += chunk.toString()));
  socket.on('error', () => {});
  for (const piece of pieces) socket.write(piece);
  await new Promise((resolve) => socket.once('close', resolve));
  return answer;
}

const HEAD = 'POST /echo HTTP/1.1\r\nHost: 127.0.0.1\r\n';

it('logs each request but those that ask to be left out', async () => {
  const lines: string[] = [];
  const port = await start(echo, { onAccess: (line) => lines.push(line) });
  const end = 'Connection: close\r\nContent-Length: 0\r\n\r\n';
  await say(port, `${HEAD}${end}`);
  await say(port, `${HEAD}X-Access-Log: off\r\n${end}`);
  expect(lines).toEqual([expect.stringMatching(/"POST \/echo HTTP\/1\.1" 200 OK$/)]);
});

describe('a client that', () => {
  it('never ends its headers is hung up on', async () => {
    expect(
      await say(await start(echo, { patience: HASTY }), 'POST /echo HTTP/1.1\r\nHost: 127'),
    ).toMatch(/^HTTP\/1.1 408 /);
  });

  it('never ends its body is hung up on', async () => {
    const port = await start(echo, { patience: HASTY });
    expect(await say(port, `${HEAD}Content-Length: 9\r\n\r\n{`)).toMatch(/^(HTTP\/1.1 4\d\d |$)/);
  });

  it('sends headers without end is refused', async () => {
    const port = await start(echo);
    expect(await say(port, `${HEAD}X: ${'x'.repeat(40_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431 /);
  });

  it('speaks something else is refused', async () => {
    expect(await say(await start(echo), '\x16\x03\x01 not HTTP\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 /,
    );
  });

  it('sends a body that is too large gets to read why', async () => {
    const port = await start(echo);
    const answer = await say(port, `${HEAD}Content-Length: 2000\r\n\r\n${'x'.repeat(2000)}`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('"type":"Payload Too Large"');
  });

  it('comes with many connections at once is served on all', async () => {
    const port = await start(echo);
    const answers = await Promise.all(
      Array.from({ length: 200 }, () =>
        say(port, `${HEAD}Connection: close\r\nContent-Length: 2\r\n\r\n{}`),
      ),
    );
    expect(answers.every((answer) => answer.endsWith('{"length":2}'))).toBe(true);
  });

  it('does not read its events is hung up on, and what it asked for ends', async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<string> {
      try {
        for (;;) yield 'x'.repeat(100_000);
      } finally {
        ended = true;
      }
    }
    const routes: Routes = { '/events': { GET: () => ({ kind: 'events', events: endless() }) } };
    const port = await start(routes, { patience: HASTY });
    const socket = connect(port, '127.0.0.1').pause();
    socket.on('error', () => {});
    socket.write('GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    while (!ended) await new Promise((resolve) => setTimeout(resolve, 10));
    socket.destroy();
    expect(ended).toBe(true);
  });
});

describe('who may ask', () => {
  it('asks for the bearer token on every route but /health', async () => {
    const open = { GET: () => json('open'), POST: () => json('open') };
    const paths = ['/generate', '/metrics', '/dump_state', '/v1/models', '/no/such'];
    const routes = Object.fromEntries(
      [...paths.slice(0, 4), '/health'].map((path) => [path, open]),
    );
    const port = await start(routes, { apiKey: 'secret' });
    const status = async (path: string, key?: string): Promise<number> => {
      const headers = key === undefined ? {} : { Authorization: key };
      return (await fetch(`http://127.0.0.1:${port}${path}`, { headers })).status;
    };
    for (const path of paths) {
      expect(await status(path)).toBe(401);
      expect(await status(path, 'Bearer wrong!')).toBe(401);
      expect(await status(path, 'secret')).toBe(401);
    }
    expect(await status('/health')).toBe(200);
    expect(await status('/generate', 'Bearer secret')).toBe(200);
    expect(await status('/no/such', 'Bearer secret')).toBe(404);
  });

  it('refuses names that a page could have given to this machine', async () => {
    const port = await start(echo);
    const answer = await say(
      port,
      'POST /echo HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n',
    );
    expect(answer).toMatch(/^HTTP\/1.1 403 /);
  });
});
