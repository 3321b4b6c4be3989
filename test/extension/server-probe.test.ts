import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  isLoopbackUrl,
  parseServerUrls,
  probeServer,
} from '../../extension/src/models/server-probe.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // SAFETY: a TCP server has an address with a port.
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Answers the paths with their texts, everything else with 404; wants the key if there is one. */
function pages(texts: Readonly<Record<string, string>>, key?: string): RequestListener {
  return (request, response) => {
    const text = texts[request.url ?? ''];
    const refused = key !== undefined && request.headers.authorization !== `Bearer ${key}`;
    response.writeHead(refused ? 401 : text === undefined ? 404 : 200).end(refused ? '' : text);
  };
}

const MODEL = JSON.stringify({ model_path: 'Qwen/Qwen2.5-7B-Instruct' });
const probe = (url: string, apiKey: string | null = null) =>
  probeServer({ url, apiKey, verify: true });

describe('a server', () => {
  it('says its model, also under the newer path', async () => {
    const works = { kind: 'works', model: 'Qwen/Qwen2.5-7B-Instruct' };
    expect(await probe(await serve(pages({ '/get_model_info': MODEL })))).toMatchObject(works);
    expect(await probe(`${await serve(pages({ '/model_info': MODEL }))}/`)).toMatchObject(works);
  });

  it('refuses a missing and a wrong key, takes the right one', async () => {
    const url = await serve(pages({ '/get_model_info': MODEL }, 'secret'));
    expect(await probe(url)).toEqual({ kind: 'unauthorized', hadKey: false });
    expect(await probe(url, 'guess')).toEqual({ kind: 'unauthorized', hadKey: true });
    expect((await probe(url, 'secret')).kind).toBe('works');
  });

  it('may be another one', async () => {
    const other = { kind: 'other', status: 404 };
    expect(await probe(await serve(pages({})))).toEqual({ ...other, openAi: false });
    const openAi = await serve(pages({ '/v1/models': '{}' }));
    expect(await probe(openAi)).toEqual({ ...other, openAi: true });
    const odd = await serve(pages({ '/get_model_info': '<html>' }));
    expect((await probe(odd)).kind).toBe('other');
  });

  it('may be gone, or speak no TLS', async () => {
    const url = await serve(pages({}));
    const secure = await probe(url.replace('http:', 'https:'));
    expect(secure.kind).toBe('unreachable');
    servers.pop()?.close();
    expect(await probe(url)).toEqual({ kind: 'unreachable', reason: 'ECONNREFUSED' });
  });
});

describe('addresses', () => {
  it('may be several, and must be of the web', () => {
    expect(parseServerUrls(' http://a:1/ ,https://b')).toEqual(['http://a:1', 'https://b']);
    const behindSsh = 'ssh://me@box/127.0.0.1:30000';
    expect(parseServerUrls(`${behindSsh}, http://a`)).toEqual([behindSsh, 'http://a']);
    for (const wrong of ['', 'a:1', 'ftp://a', 'http://a, b', 'ssh://box', 'ssh://-x/a:1']) {
      expect(parseServerUrls(wrong), wrong).toBe(null);
    }
  });

  it('may mean the machine itself', () => {
    expect(isLoopbackUrl('http://localhost:30000')).toBe(true);
    expect(isLoopbackUrl('http://[::1]:30000')).toBe(true);
    expect(isLoopbackUrl('http://gpu.example.org')).toBe(false);
    expect(isLoopbackUrl('ssh://localhost/127.0.0.1:30000')).toBe(false);
  });
});
