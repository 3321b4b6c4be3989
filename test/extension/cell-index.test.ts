import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { expect, it, vi } from 'vitest';
import type { NotebookCell } from 'vscode';
import { CellIndex, LOOKUP } from '../../extension/src/cell-index.ts';

vi.mock('vscode', () => ({}));

function notebook(...names: readonly string[]) {
  const cells = names.map((name) => ({ document: { uri: { toString: () => name } } }));
  return {
    version: 1,
    cellCount: cells.length,
    // SAFETY: the index asks for nothing else of a cell.
    getCells: vi.fn(() => cells as unknown as NotebookCell[]),
  };
}
const at = (name: string) => ({ uri: { toString: () => name } }) as never;

it('finds a cell among several notebooks, and none that is not there', () => {
  const [first, second] = [notebook('a#1', 'a#2'), notebook('b#1')];
  const index = new CellIndex<typeof first>();
  expect(index.find([first, second], at('b#1'))).toEqual([second, second.getCells()[0]]);
  expect(index.find([first, second], at('c#1'))).toEqual([undefined, undefined]);
});

it('reads the cells once for each version of a notebook', () => {
  const names = Array.from({ length: 5000 }, (_, number) => `a#${number}`);
  const one = notebook(...names);
  const index = new CellIndex<typeof one>();
  for (const name of names) expect(index.find([one], at(name))[0]).toBe(one);
  expect(one.getCells).toHaveBeenCalledTimes(1);
  const changed = notebook('a#1', 'a#new');
  Object.assign(one, { version: 2, cellCount: 2, getCells: changed.getCells });
  expect(index.find([one], at('a#new'))[0]).toBe(one);
  expect(index.find([one], at('a#4999'))).toEqual([undefined, undefined]);
});

it('replaces a method that the library still has, and calls on itself', () => {
  const main = createRequire(import.meta.url).resolve('vscode-languageclient/node');
  const text = readFileSync(join(dirname(main), '../common/notebook.js'), 'utf8');
  expect(text.split(`this.${LOOKUP}(`).length - 1).toBeGreaterThan(2);
});
