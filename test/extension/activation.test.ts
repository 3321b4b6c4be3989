/**
 * What VS Code waits for when it activates the extension (goal: 100 ms, which `npm run bench -- extension`
 * measures): the code that is evaluated, and nothing that blocks.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript, which also runs before the dependencies are installed
import { bundles } from '../../extension/build/bundles.mjs';

const root = join(import.meta.dirname, '..', '..');

interface Seen {
  /** As they were required, in order. */
  readonly modules: readonly string[];
  /** Calls that start processes. */
  readonly children: readonly string[];
  /** Calls of `node:fs` that block. */
  readonly files: readonly string[];
  /** How often the settings were asked for. */
  readonly settings: number;
  readonly subscriptions: number;
}

let folder: string;
let kilobytes: number;
let inputs: readonly string[];
let seen: Seen;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'activation-'));
  const { entry, options } = bundles.find(({ out }: { out: string }) => out === 'extension.cjs');
  const bundle = join(folder, 'extension.cjs');
  const { metafile } = await build({
    ...options,
    entryPoints: [join(root, entry)],
    absWorkingDir: root,
    outfile: bundle,
    bundle: true,
    minify: true,
    metafile: true,
  });
  kilobytes = (Object.values(metafile?.outputs ?? {})[0]?.bytes ?? Number.NaN) / 1024;
  inputs = Object.keys(metafile?.inputs ?? {});
  const probe = join(root, 'test', 'support', 'activation-probe.cjs');
  const { stdout, stderr } = spawnSync(process.execPath, [probe, bundle], { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  seen = JSON.parse(stdout);
});
afterAll(() => rmSync(folder, { recursive: true }));

it('registers everything that a trusted folder gets', () => {
  expect(seen.subscriptions).toBeGreaterThan(40);
});

it('evaluates little, and no library', () => {
  expect(kilobytes).toBeLessThan(200);
  expect(inputs.filter((input) => input.includes('node_modules'))).toEqual([]);
  const [bundle, ...modules] = seen.modules;
  expect(bundle).toContain('extension.cjs');
  expect(modules.filter((name) => name !== 'vscode' && !name.startsWith('node:'))).toEqual([]);
});

it('starts no process, reads no file and looks at few settings', () => {
  expect(seen.children).toEqual([]);
  expect(seen.files.every((call) => call.startsWith('existsSync '))).toBe(true);
  expect(seen.files.length).toBeLessThan(3);
  expect(seen.settings).toBeLessThan(12);
});
