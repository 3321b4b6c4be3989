import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { defaultCacheFolder, SnapshotStore } from '../../../extension/kernel/guest/snapshot.ts';

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'snapshot-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const bytes = new Uint8Array(1000).map((_, index) => index % 251);

test('what was written is read, and nothing else is left in the folder', () => {
  const store = new SnapshotStore(join(folder, 'new'), ['a']);
  expect(store.read()).toBe(null);
  store.write(bytes);
  expect([...(store.read() ?? [])]).toEqual([...bytes]);
  expect(readdirSync(join(folder, 'new'))).toHaveLength(1);
});

test('another version has another file', () => {
  new SnapshotStore(folder, ['a']).write(bytes);
  expect(new SnapshotStore(folder, ['b']).read()).toBe(null);
});

test.each<[string, (file: string) => void]>([
  ['cut off', (file) => truncateSync(file, 500)],
  ['cut inside its header', (file) => truncateSync(file, 10)],
  ['empty', (file) => truncateSync(file, 0)],
  ['longer', (file) => appendFileSync(file, 'x')],
  [
    'changed in one byte',
    (file) => {
      const content = readFileSync(file);
      content[content.length - 7]! ^= 1;
      writeFileSync(file, content);
    },
  ],
])('a snapshot that is %s counts as absent and is removed', (_, damage) => {
  const store = new SnapshotStore(folder, ['a']);
  store.write(bytes);
  damage(store.file);
  expect(store.read()).toBe(null);
  expect(readdirSync(folder)).toEqual([]);
});

test('the oldest of many versions are removed', () => {
  for (const [index, version] of ['a', 'b', 'c', 'd', 'e'].entries()) {
    const store = new SnapshotStore(folder, [version]);
    store.write(bytes);
    utimesSync(store.file, index, index);
  }
  new SnapshotStore(folder, ['f']).write(bytes);
  expect(readdirSync(folder)).toHaveLength(3);
  expect(new SnapshotStore(folder, ['f']).read()).not.toBe(null);
  expect(new SnapshotStore(folder, ['e']).read()).not.toBe(null);
});

test('a folder that cannot be written is an error, not a half file', () => {
  writeFileSync(join(folder, 'file'), '');
  expect(() => new SnapshotStore(join(folder, 'file'), ['a']).write(bytes)).toThrow();
});

test('caches lie where each system keeps them', () => {
  const check = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform, end: string): void =>
    expect(defaultCacheFolder(env, platform).replaceAll('\\', '/').endsWith(end)).toBe(true);
  check({ SGLANG_NOTEBOOKS_CACHE: '/mine' }, 'linux', '/mine');
  check({ XDG_CACHE_HOME: '/x' }, 'linux', '/x/sglang-notebooks');
  check({}, 'linux', '.cache/sglang-notebooks');
  check({}, 'darwin', 'Library/Caches/sglang-notebooks');
  check({ LOCALAPPDATA: '/l' }, 'win32', '/l/sglang-notebooks');
});
