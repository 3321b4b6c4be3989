import { createServer, request as forward, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { HubClient } from '../../extension/model-manager/hub-client.ts';
import { proxyFetch } from '../../extension/model-manager/proxy-fetch.ts';
import { FakeHub } from '../support/fake-hub.ts';

let hub: FakeHub;
let proxy: Server;
let forwarded: string[];

beforeEach(async () => {
  hub = await FakeHub.start();
  hub.host('org/tiny-GGUF/tiny.gguf', Buffer.from('GGUF'));
  forwarded = [];
  proxy = createServer((request, response) => {
    const target = new URL(request.url ?? '');
    forwarded.push(target.host);
    const { accept = '*/*' } = request.headers;
    forward(target, { headers: { accept } }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    }).end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  proxy.closeAllConnections();
  proxy.close();
  await hub.close();
});

const proxyUrl = () => `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;

async function files(env: Record<string, string>): Promise<number> {
  const send = proxyFetch(env);
  const client = new HubClient({
    base: hub.url,
    token: null,
    answerMilliseconds: 5_000,
    ...(send === null ? {} : { fetch: send }),
  });
  return (await client.files('org/tiny-GGUF')).length;
}

it('goes through the proxy that is set, and only then', async () => {
  expect(await files({})).toBe(1);
  expect(forwarded).toEqual([]);
  expect(await files({ SGLNB_PROXY: proxyUrl() })).toBe(1);
  expect(forwarded).toEqual([new URL(hub.url).host]);
  expect(await files({ http_proxy: proxyUrl(), no_proxy: '127.0.0.1' })).toBe(1);
  expect(forwarded).toHaveLength(1);
});

it('says what is wrong with a proxy', async () => {
  expect(() => proxyFetch({ SGLNB_PROXY: 'proxy:3128' })).toThrow(/SGLNB_PROXY/);
  await expect(files({ SGLNB_PROXY: 'http://127.0.0.1:1' })).rejects.toMatchObject({
    code: 'NETWORK',
  });
});
