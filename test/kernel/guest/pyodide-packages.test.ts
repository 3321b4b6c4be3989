/** What the package installer downloads: Pyodide's own packages are compared and kept. */
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { PackageDownloads } from '../../../extension/kernel/guest/pyodide-packages.ts';

const WHEEL = 'numpy-1-wasm32.whl';
const CONTENT = 'the wheel';
const SHA256 = createHash('sha256').update(CONTENT).digest('hex');
const { signal } = new AbortController();

let folder: string;
let server: Server;
let base: string;
let asked: string[];
beforeEach(async () => {
  folder = join(mkdtempSync(join(tmpdir(), 'packages-')), 'cache');
  asked = [];
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    if (request.url !== `/full/${WHEEL}`) response.writeHead(404);
    response.end(CONTENT);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // SAFETY: it listens on a port.
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/full/`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

test('a package is fetched once, and again when the file on disk is damaged', async () => {
  const downloads = new PackageDownloads(folder, base, {});
  expect(await downloads.provide(WHEEL, SHA256, signal)).toBe('');
  expect(await downloads.provide(WHEEL, SHA256, signal)).toBe('');
  expect([readdirSync(folder), asked]).toEqual([[WHEEL], [`/full/${WHEEL}`]]);
  writeFileSync(join(folder, WHEEL), 'cut off');
  expect(await downloads.provide(WHEEL, SHA256, signal)).toBe('');
  expect(readFileSync(join(folder, WHEEL), 'utf8')).toBe(CONTENT);
});

test('another file than the expected one is never kept', async () => {
  const downloads = new PackageDownloads(folder, base, {});
  const problem = await downloads.provide(WHEEL, SHA256.replace(/./, 'f'), signal);
  expect(problem).toBe(`${base}${WHEEL} is not the file that belongs to this version`);
  expect(() => readdirSync(folder)).toThrow('ENOENT');
});

test('says what failed', async () => {
  const downloads = new PackageDownloads(folder, base, {});
  expect(await downloads.provide('other.whl', SHA256, signal)).toContain('status 404');
  const cancelled = await downloads.provide(WHEEL, SHA256, AbortSignal.abort());
  expect(cancelled).toContain('aborted');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  expect(await downloads.provide(WHEEL, SHA256, signal)).toMatch(
    /cannot be reached .*ECONNREFUSED/,
  );
});

test('goes through the proxy that the environment names', async () => {
  const downloads = new PackageDownloads(folder, 'http://packages.invalid/full/', {
    HTTP_PROXY: new URL(base).origin,
  });
  await downloads.provide(WHEEL, SHA256, signal);
  expect(asked[0]).toContain('packages.invalid');
});
