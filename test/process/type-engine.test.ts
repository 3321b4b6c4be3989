import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createTypeEngine,
  type EngineNotebook,
  type TypeEngine,
} from '../../language-server/src/lsp-type-engine.ts';

const basedpyright = join(
  dirname(createRequire(import.meta.url).resolve('basedpyright/package.json')),
  'langserver.index.js',
);
const CELL = 'vscode-notebook-cell:/n.sglnb#c0';
const notebook = (text: string): EngineNotebook => ({
  types: '',
  cells: [{ uri: CELL, text, insertions: [], hidden: '' }],
});

let folder = '';
let logged: string[] = [];
let reports: { uri: string; count: number }[] = [];
let engine: TypeEngine;

/** The engine's own files must end up in a folder that the test can look into. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'engine-'));
  vi.stubEnv('TMPDIR', folder);
  [logged, reports] = [[], []];
});
afterEach(() => {
  engine.stop();
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const start = (entry: string) =>
  (engine = createTypeEngine({
    entry,
    restartDelay: 20,
    onDiagnostics: (uri, diagnostics) => reports.push({ uri, count: diagnostics.length }),
    log: (message) => logged.push(message),
    onGivenUp: () => logged.push('given up'),
  }));
const until = (what: () => boolean) =>
  vi.waitFor(() => expect(what()).toBe(true), { timeout: 45_000, interval: 20 });

describe('an engine that dies', { timeout: 60_000 }, () => {
  it('at every start is given up after a few, later each time; answers are null', async () => {
    const entry = join(folder, 'engine.mjs');
    writeFileSync(entry, 'process.exit(3);\n');
    start(entry).setNotebook('file:///n.sglnb', notebook('x = 1'));
    await until(() => logged.includes('given up'));
    expect(logged.filter((message) => message === 'given up')).toHaveLength(1);
    expect(logged.some((message) => message.includes('ended 5 times'))).toBe(true);
    expect(
      logged.flatMap((message) => /again in (\d+) ms/.exec(message)?.[1] ?? []).map(Number),
    ).toEqual([20, 40, 80, 160]);
    expect(engine.pid).toBeNull();
    expect(await engine.request('textDocument/hover', { textDocument: { uri: CELL } })).toBeNull();
    expect(reports).toContainEqual({ uri: CELL, count: 0 });
  });

  it('while it serves is back with the same notebook, and leaves nothing behind', async () => {
    start(basedpyright).setNotebook('file:///n.sglnb', notebook('undefined_name\n'));
    const reported = () => reports.some(({ uri, count }) => uri === CELL && count > 0);
    await until(reported);
    const first = engine.pid ?? 0;
    reports = [];
    process.kill(first, 'SIGKILL');
    await until(() => reports.length > 0);
    expect(reports).toEqual([{ uri: CELL, count: 0 }]);
    expect(
      await engine.request('textDocument/hover', {
        textDocument: { uri: CELL },
        position: { line: 0, character: 2 },
      }),
    ).toBeNull();
    await until(reported);
    expect(engine.pid).not.toBe(first);
    expect(logged.filter((message) => message.includes('ended'))).toHaveLength(1);
    const [made = ''] = readdirSync(folder);
    expect(existsSync(join(folder, made, 'stubs', 'sglang', '__init__.pyi'))).toBe(true);
    engine.stop();
    await until(() => readdirSync(folder).length === 0);
  });
});
