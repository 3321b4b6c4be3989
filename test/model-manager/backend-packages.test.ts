import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  BACKEND_PACKAGES,
  BACKEND_VERSION,
  BackendStore,
  type BackendPackage,
  type BackendStoreOptions,
} from '../../extension/model-manager/backend-packages.ts';
import { tarFiles } from '../../extension/model-manager/tar-files.ts';

/** One entry as npm's tar writes it. */
function entry(path: string, content: string, type = '0'): Buffer {
  const header = Buffer.alloc(512);
  header.write(path.slice(0, 100), 0);
  header.write('0000644\0', 100);
  header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write(type, 156);
  header.write('ustar\x0000', 257);
  const body = Buffer.alloc(Math.ceil(content.length / 512) * 512);
  body.write(content);
  return Buffer.concat([header, body]);
}

const end = Buffer.alloc(1024);
const good = Buffer.concat([
  entry('package/package.json', '{}'),
  entry('package/', '', '5'),
  entry('package/bins/linux-x64-cuda/libllama.so', 'x'.repeat(700)),
  end,
]);

let server: Server;
let folder: string;
let archive: Buffer;
let status: number;
let asked: string[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'backends-'));
  archive = gzipSync(good);
  status = 200;
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    response.writeHead(status, { 'content-length': archive.length }).end(archive);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

const integrityOf = (bytes: Buffer): string =>
  `sha512-${createHash('sha512').update(bytes).digest('base64')}`;

function store(
  integrity = integrityOf(archive),
  more: Partial<BackendStoreOptions> = {},
): BackendStore {
  const known: BackendPackage = {
    name: 'cuda',
    npm: 'linux-x64-cuda',
    platform: 'linux-x64',
    needs: '',
    integrity,
  };
  const { port } = server.address() as AddressInfo;
  return new BackendStore({
    models: join(folder, 'models'),
    registry: `http://127.0.0.1:${port}/`,
    platform: 'linux-x64',
    packages: [known],
    ...more,
  });
}

const place = () => join(folder, 'backends', `linux-x64-cuda@${BACKEND_VERSION}`);

describe('a build of llama.cpp', () => {
  it('is fetched, compared and unpacked where the runtime looks', async () => {
    const progress: number[] = [];
    expect(await store().pull('cuda', undefined, ({ received }) => progress.push(received))).toBe(
      place(),
    );
    expect(asked).toEqual([
      `/@node-llama-cpp/linux-x64-cuda/-/linux-x64-cuda-${BACKEND_VERSION}.tgz`,
    ]);
    expect(progress.at(-1)).toBe(archive.length);
    const library = join(place(), 'bins', 'linux-x64-cuda', 'libllama.so');
    expect(readFileSync(library, 'utf8')).toBe('x'.repeat(700));
    expect(await store().installed()).toEqual([`linux-x64-cuda@${BACKEND_VERSION}`]);
    await store().pull('cuda'); // again: replaces
    await store().remove('cuda');
    expect(existsSync(place())).toBe(false);
    await expect(store().remove('cuda')).rejects.toThrow('is not installed');
  });

  it('is not installed when a single bit differs', async () => {
    const integrity = integrityOf(archive);
    archive = gzipSync(Buffer.concat([entry('package/a', 'evil'), good]));
    await expect(store(integrity).pull('cuda')).rejects.toMatchObject({ code: 'WRONG_CONTENT' });
    expect(existsSync(join(folder, 'backends'))).toBe(false);
  });

  it('is not fetched where it would not fit, and goes the way that it is told', async () => {
    const full = store(undefined, { freeBytes: async () => 100 });
    await expect(full.pull('cuda')).rejects.toMatchObject({ code: 'NO_SPACE' });
    expect(existsSync(join(folder, 'backends'))).toBe(false);
    const sent: unknown[] = [];
    const proxied: typeof fetch = async (input, init) => {
      sent.push(input);
      return fetch(input, init);
    };
    await store(undefined, { fetch: proxied }).pull('cuda');
    expect(sent).toHaveLength(1);
  });

  it('never leaves its folder', async () => {
    archive = gzipSync(Buffer.concat([entry('package/../../../evil', 'x'), end]));
    await expect(store().pull('cuda')).rejects.toThrow(/holds the path/);
    expect(existsSync(join(folder, 'evil'))).toBe(false);
  });

  it('says what went wrong: no such build, no such server, a refusal, an interrupt', async () => {
    await expect(store().pull('metal')).rejects.toThrow('there are cuda');
    status = 503;
    await expect(store().pull('cuda')).rejects.toMatchObject({ code: 'BAD_ANSWER' });
    const gone = new AbortController();
    gone.abort();
    await expect(store().pull('cuda', gone.signal)).rejects.toMatchObject({ code: 'CANCELLED' });
    const offline = store();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await expect(offline.pull('cuda')).rejects.toThrow(/SGLNB_REGISTRY/);
  });

  it('has a SHA-512 for each package', () => {
    for (const { npm, integrity } of BACKEND_PACKAGES) {
      expect(Buffer.from(integrity.replace('sha512-', ''), 'base64'), npm).toHaveLength(64);
    }
  });
});

it('reads long names, and refuses what is no archive', () => {
  const long = `package/${'d/'.repeat(80)}file`;
  const pax = `${long.length + 10} path=${long}\n`;
  const files = [...tarFiles(Buffer.concat([entry('x', pax, 'x'), entry('cut', 'body'), end]))];
  expect(files.map(({ path, bytes }) => [path, bytes.toString()])).toEqual([[long, 'body']]);
  expect(() => [...tarFiles(Buffer.alloc(600, 1))]).toThrow('no tar archive');
  expect(() => [...tarFiles(entry('a', 'x'.repeat(600)).subarray(0, 700))]).toThrow();
});
