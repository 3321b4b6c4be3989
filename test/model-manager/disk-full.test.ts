/** A disk that fills up while a model comes: a real one, in a mount namespace of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, expect, it } from 'vitest';
import { FakeHub } from '../support/fake-hub.ts';
import { encodeHeader } from '../support/gguf/gguf-writer.ts';

const disk = mkdtempSync(join(tmpdir(), 'small-disk-'));
afterAll(() => rmSync(disk, { recursive: true, force: true }));

const mount = (options: string) => `mount -t tmpfs -o ${options} tmpfs '${disk}'`;
const mayMount =
  process.platform === 'linux' &&
  spawnSync('unshare', ['-rm', 'sh', '-c', mount('size=1m')]).status === 0;

const source = (name: string) =>
  pathToFileURL(join(import.meta.dirname, '../../extension/model-manager', name)).href;

/** Pulls onto the full disk, makes it larger, and pulls again; says how each went. */
const script = (hub: string) => `
import { execFileSync } from 'node:child_process';
import { DOWNLOAD_DEFAULTS } from '${source('download.ts')}';
import { HubClient } from '${source('hub-client.ts')}';
import { ModelManager } from '${source('model-manager.ts')}';
import { ModelStore } from '${source('model-store.ts')}';
const models = new ModelManager({
  store: new ModelStore('${disk}'),
  hub: new HubClient({ base: '${hub}', token: null, answerMilliseconds: 5000 }),
  places: { lmStudio: [], ollama: [], llamaCpp: [], huggingFace: [] },
  freeMemory: () => 8e9,
  gpus: () => Promise.resolve([]),
  // Somebody else takes the space after it was looked at.
  download: { ...DOWNLOAD_DEFAULTS, freeBytes: () => Promise.resolve(1e12) },
});
const plan = await models.plan('org/tiny-GGUF');
await models.pull(plan).catch(({ code, message }) => console.log(code, message));
execFileSync('mount', ['-o', 'remount,size=8m', '${disk}']);
const model = await models.pull(plan);
console.log((await models.store.verify(model)).text);
`;

it('ends a download with what to do; once there is space it goes on', async ({ skip }) => {
  skip(!mayMount, 'mounting a small disk needs Linux and user namespaces');
  const hub = await FakeHub.start();
  try {
    const header = encodeHeader({ 'general.architecture': { type: 'string', value: 'llama' } }, []);
    const bytes = Buffer.concat([header, Buffer.alloc(3_000_000, 'weights')]);
    hub.host('org/tiny-GGUF/tiny-Q4_K_M.gguf', bytes);
    const words = `${mount('size=1m')} && exec '${process.execPath}' --input-type=module -`;
    const child = spawn('unshare', ['-rm', 'sh', '-c', words]);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text: Buffer) => (output += text.toString()));
    }
    child.stdin.end(script(hub.url));
    await new Promise((resolve) => child.once('close', resolve));
    expect(output.trim().split('\n')).toEqual([
      'NO_SPACE The disk is full. Free some space; the download continues where it stopped.',
      'size and SHA-256 are right',
    ]);
    const content = hub.requests.filter((line) => line.startsWith('GET /cdn/'));
    expect(content).toHaveLength(2);
    expect(Number(/bytes=(\d+)-$/.exec(content[1] ?? '')?.[1])).toBeGreaterThan(500_000);
  } finally {
    await hub.close();
  }
});
