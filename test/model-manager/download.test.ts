import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DOWNLOAD_DEFAULTS, type DownloadOptions } from '../../extension/model-manager/download.ts';
import { HubClient } from '../../extension/model-manager/hub-client.ts';
import { ModelManager } from '../../extension/model-manager/model-manager.ts';
import { ModelStore, type InstalledModel } from '../../extension/model-manager/model-store.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { encodeHeader } from '../support/gguf/gguf-writer.ts';

const name = 'org/tiny-GGUF';
const header = encodeHeader({ 'general.architecture': { type: 'string', value: 'llama' } }, []);
const body = Buffer.concat([
  header,
  Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251)),
]);

let hub: FakeHub;
let folder: string;
let file: string;

beforeEach(async () => {
  hub = await FakeHub.start();
  hub.host('org/tiny-GGUF/tiny-Q4_K_M.gguf', body);
  folder = mkdtempSync(join(tmpdir(), 'models-'));
  file = join(folder, 'org', 'tiny-GGUF', 'tiny-Q4_K_M.gguf');
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

function manager(
  download: Partial<DownloadOptions> = {},
  client: { token?: string; answerMilliseconds?: number } = {},
): ModelManager {
  return new ModelManager({
    store: new ModelStore(folder),
    hub: new HubClient({ base: hub.url, token: null, answerMilliseconds: 5_000, ...client }),
    places: { lmStudio: [], ollama: [], llamaCpp: [], huggingFace: [] },
    freeMemory: () => 8e9,
    gpus: () => Promise.resolve([]),
    download: {
      ...DOWNLOAD_DEFAULTS,
      retryMilliseconds: 1,
      stallMilliseconds: 5_000,
      ...download,
    },
  });
}

async function pull(models = manager(), signal?: AbortSignal): Promise<InstalledModel> {
  return models.pull(await models.plan(name, signal), { signal });
}

const contentRequests = () => hub.requests.filter((line) => line.startsWith('GET /cdn/'));
const leftovers = () => (existsSync(dirname(file)) ? readdirSync(dirname(file)).toSorted() : []);

describe('downloading', () => {
  it('puts the file under its name, with a record, and leaves nothing else', async () => {
    const model = await pull();
    expect(readFileSync(file).equals(body)).toBe(true);
    expect(model.record?.names).toContain(name);
    expect(leftovers()).toEqual(['tiny-Q4_K_M.gguf', 'tiny-Q4_K_M.gguf.sglnb.json']);
  });

  it('does not download again what is there', async () => {
    await pull();
    const before = contentRequests().length;
    await pull();
    expect(contentRequests()).toHaveLength(before);
  });

  it('goes on where the connection was cut, again and again', async () => {
    for (let i = 0; i < 8; i += 1) hub.misbehaviours.push({ kind: 'cut', after: 20_000 });
    await pull();
    expect(readFileSync(file).equals(body)).toBe(true);
    expect(contentRequests().filter((line) => line.includes('bytes=')).length).toBeGreaterThan(3);
  });

  it('starts over when the server ignores the range', async () => {
    hub.misbehaviours.push({ kind: 'cut', after: 50_000 }, { kind: 'ignore-range' });
    await pull();
    expect(readFileSync(file).equals(body)).toBe(true);
  });

  it('starts over when the file behind the same address has another ETag', async () => {
    const hosted = hub.files.get('org/tiny-GGUF/tiny-Q4_K_M.gguf')!;
    hosted.etag = '"one"';
    hub.misbehaviours.push({ kind: 'cut', after: 50_000 });
    hub.onContent = async () => {
      if (contentRequests().length > 1) hosted.etag = '"two"';
    };
    await pull();
    expect(readFileSync(file).equals(body)).toBe(true);
  });

  it('throws away the part of a file that has been replaced between two runs', async () => {
    hub.misbehaviours.push({ kind: 'cut', after: 50_000 });
    await expect(pull(manager({ attempts: 1 }))).rejects.toMatchObject({ code: 'NETWORK' });
    const other = Buffer.concat([header, Buffer.alloc(body.length - header.length, 7)]);
    hub.host('org/tiny-GGUF/tiny-Q4_K_M.gguf', other);
    await pull();
    expect(readFileSync(file).equals(other)).toBe(true);
  });

  it('tries again after a server error', async () => {
    hub.misbehaviours.push({ kind: 'status', status: 503 }, { kind: 'status', status: 429 });
    await pull();
    expect(existsSync(file)).toBe(true);
  });

  it('gives up after the attempts', async () => {
    for (let i = 0; i < 9; i += 1) hub.misbehaviours.push({ kind: 'status', status: 503 });
    await expect(pull()).rejects.toMatchObject({ code: 'NETWORK' });
    expect(contentRequests()).toHaveLength(5);
  });

  it('reports progress up to the whole', async () => {
    const models = manager();
    const seen: number[] = [];
    await models.pull(await models.plan(name), {
      onProgress: ({ received, total }) => {
        expect(total).toBe(body.length);
        seen.push(received);
      },
    });
    expect(seen.at(-1)).toBe(body.length);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  });
});

describe('refusing', () => {
  it('deletes what does not have the promised checksum', async () => {
    hub.files.get('org/tiny-GGUF/tiny-Q4_K_M.gguf')!.sha256 = 'a'.repeat(64);
    await expect(pull()).rejects.toMatchObject({
      code: 'WRONG_CONTENT',
      message: expect.stringContaining('It was deleted'),
    });
    expect(leftovers()).toEqual([]);
  });

  it('stops when the server sends more than it announced', async () => {
    hub.misbehaviours.push({ kind: 'too-long' });
    await expect(pull()).rejects.toMatchObject({ code: 'WRONG_CONTENT' });
    expect(existsSync(file)).toBe(false);
  });

  it('refuses a file that is no model', async () => {
    hub.host('org/tiny-GGUF/tiny-Q4_K_M.gguf', Buffer.from('<html>Sign in</html>'));
    await expect(pull()).rejects.toMatchObject({ code: 'NOT_A_MODEL' });
    expect(existsSync(file)).toBe(false);
  });

  it('checks the disk before the first byte', async () => {
    const models = manager({ freeBytes: () => Promise.resolve(1_000_000) });
    await expect(pull(models)).rejects.toMatchObject({
      code: 'NO_SPACE',
      message: expect.stringMatching(/needs 67\.\d MB but only 1\.00 MB are free/),
    });
    expect(contentRequests()).toEqual([]);
  });

  it('gives up on a server that cuts every connection after a few bytes', async () => {
    for (let i = 0; i < 20; i += 1) hub.misbehaviours.push({ kind: 'cut', after: 100 });
    await expect(pull(manager({ attempts: 4 }))).rejects.toMatchObject({ code: 'NETWORK' });
    expect(contentRequests()).toHaveLength(4);
  });

  it.each([
    ['in circles', 'https://hub.test/again', 'it redirects in circles'],
    ['to plain HTTP', 'http://cdn.test/file', 'it redirects to http://cdn.test/file'],
    ['into the file system', 'file:///etc/passwd', 'it redirects to file:///etc/passwd'],
  ])('follows nobody %s', async (_where, location, reason) => {
    const asked: string[] = [];
    const client = new HubClient({
      base: 'https://hub.test',
      token: null,
      answerMilliseconds: 5_000,
      fetch: (input) => {
        asked.push(new Request(input).url);
        return Promise.resolve(new Response(null, { status: 302, headers: { location } }));
      },
    });
    const answer = client.describe('org/model', 'file.gguf');
    await expect(answer).rejects.toMatchObject({
      code: 'BAD_ANSWER',
      message: expect.stringContaining(reason),
    });
    expect(asked.every((url) => url.startsWith('https://hub.test/'))).toBe(true);
    expect(asked.length).toBeLessThan(12);
  });

  it('gives up on a server that trickles', async () => {
    hub.misbehaviours.push({ kind: 'trickle' });
    const models = manager({ attempts: 1, stallMilliseconds: 100 });
    await expect(pull(models)).rejects.toMatchObject({ code: 'STALLED' });
  });

  it('gives up on a server that never answers', async () => {
    hub.misbehaviours.push({ kind: 'silent' });
    const models = manager({ attempts: 1 }, { answerMilliseconds: 300 });
    await expect(pull(models)).rejects.toMatchObject({ code: 'STALLED' });
  });

  it('says what is missing for 404, 401 and a server that is gone', async () => {
    const models = manager();
    await expect(models.plan('org/nothing')).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringContaining('sglnb models search'),
    });
    hub.token = 'secret';
    await expect(models.plan(name)).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('HF_TOKEN'),
    });
    const port = new URL(hub.url).port;
    await hub.close();
    await expect(models.plan(name)).rejects.toMatchObject({
      code: 'NETWORK',
      message: expect.stringContaining(`127.0.0.1:${port} cannot be reached`),
    });
    hub = await FakeHub.start();
  });

  it('sends the token to the hub and to nobody else', async () => {
    const cdn = await FakeHub.start();
    cdn.host('org/tiny-GGUF/tiny-Q4_K_M.gguf', body);
    hub.cdn = cdn.url;
    hub.token = 'secret';
    await pull(manager({}, { token: 'secret' }));
    expect(cdn.requests).toEqual(['GET /cdn/org/tiny-GGUF/tiny-Q4_K_M.gguf']);
    expect(cdn.tokens).toEqual([undefined]);
    await cdn.close();
  });
});

describe('two at once, and cancelling', () => {
  it('lets one of two concurrent downloads of a file run', async () => {
    const results = await Promise.allSettled([pull(), pull()]);
    expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    const failed = results.find((result) => result.status === 'rejected');
    expect(failed?.reason).toMatchObject({ code: 'BUSY' });
    expect(readFileSync(file).equals(body)).toBe(true);
  });

  it('takes over the lock of a process that is gone', async () => {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(`${file}.lock`, '999999999');
    await pull();
    expect(leftovers()).toEqual(['tiny-Q4_K_M.gguf', 'tiny-Q4_K_M.gguf.sglnb.json']);
  });

  it('can be cancelled, and continues from there', async () => {
    const cancel = new AbortController();
    const part = `${file}.part`;
    const hasSome = (): boolean => existsSync(part) && statSync(part).size > 0;
    hub.misbehaviours.push({ kind: 'cut', after: 90_000, once: hasSome });
    hub.onContent = async () => {
      if (contentRequests().length === 2) cancel.abort();
    };
    await expect(pull(manager(), cancel.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(leftovers()).toEqual(['tiny-Q4_K_M.gguf.part', 'tiny-Q4_K_M.gguf.part.json']);
    await pull();
    expect(contentRequests().at(-1)).toMatch(/bytes=[1-9]\d*-$/);
    expect(readFileSync(file).equals(body)).toBe(true);
  });
});

describe('the server may not choose where files go', () => {
  it('ignores paths that lead out of the folder', async () => {
    hub.host('org/evil-GGUF/../../../escaped.gguf', body);
    await expect(manager().plan('org/evil-GGUF')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
