import { describe, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import { NotebookFormatError } from '../../extension/notebook-format/format-error.ts';
import { readIpynb, writeIpynb } from '../../extension/notebook-format/ipynb.ts';
import type { JsonObject, JsonValue } from '../../extension/notebook-format/json.ts';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { seededRandom, type Random } from '../support/seeded-random.ts';

/** .ipynb → .sglnb text → .ipynb must be the same JSON. */
function checkIpynb(notebook: JsonObject): string {
  const text = serializeNotebook(readIpynb(JSON.stringify(notebook)));
  expect(JSON.parse(writeIpynb(parseNotebook(text).document))).toEqual(notebook);
  return text;
}

/** .sglnb text → .ipynb → .sglnb text must be the same characters. */
function checkSglnb(text: string): void {
  const ipynb = writeIpynb(parseNotebook(text).document);
  expect(serializeNotebook(readIpynb(ipynb))).toBe(text);
}

const notebook = (cells: JsonValue, rest: JsonObject = {}): JsonObject => ({
  cells,
  metadata: { kernelspec: { name: 'python3', display_name: 'Python 3' } },
  nbformat: 4,
  nbformat_minor: 5,
  ...rest,
});

const code = (rest: JsonObject): JsonObject => ({
  cell_type: 'code',
  execution_count: null,
  id: 'a',
  metadata: {},
  outputs: [],
  source: [],
  ...rest,
});

describe('.ipynb over .sglnb and back', () => {
  const cases: Readonly<Record<string, JsonObject>> = {
    'an empty notebook': notebook([]),
    'no metadata worth mentioning': { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 },
    'unknown members of the file': notebook([], { extra: { deep: [1, 2] }, orig_nbformat: 4 }),
    'an old minor version without ids': notebook(
      [{ cell_type: 'code', execution_count: 3, metadata: {}, outputs: [], source: 'x' }],
      { nbformat_minor: 2 },
    ),
    'source as list of lines': notebook([code({ source: ['a\n', 'b\n', 'c'] })]),
    'source as one string': notebook([code({ source: 'a\nb' })]),
    'source in an unusual split': notebook([code({ source: ['a', 'b\nc', ''] })]),
    'lines that look like markers': notebook([code({ source: ['# %%\n', '%%bash\n', '!ls'] })]),
    'raw and markdown cells with attachments': notebook([
      { cell_type: 'raw', id: 'r', metadata: { format: 'text/latex' }, source: ['\\alpha'] },
      {
        attachments: { 'a b.png': { 'image/png': 'AAAA' }, 'c.png': {} },
        cell_type: 'markdown',
        id: 'm',
        metadata: { id: 'old', title: 'T', source: 1 },
        source: ['# %% hi\n', '\n'],
      },
      { attachments: {}, cell_type: 'markdown', id: 'n', metadata: {}, source: [] },
    ]),
    'outputs of every type, in both string forms': notebook([
      code({
        execution_count: 7,
        outputs: [
          { output_type: 'stream', name: 'stdout', text: ['a\n', 'b'] },
          { output_type: 'stream', name: 'stderr', text: 'x' },
          {
            output_type: 'display_data',
            data: { 'image/png': 'AA\n', 'a/b+json': { c: 1 } },
            metadata: { 'image/png': { width: 1 } },
          },
          {
            output_type: 'execute_result',
            execution_count: 7,
            data: { 'text/plain': ['1'] },
            metadata: {},
          },
          { output_type: 'error', ename: 'E', evalue: 'v', traceback: ['\u001b[31mx'] },
          { output_type: 'from_the_future', payload: [null] },
        ],
      }),
    ]),
    'missing and unusual members': notebook([
      { cell_type: 'code', id: 'a', source: ['x'] },
      {
        cell_type: 'code',
        id: 'a',
        metadata: {},
        outputs: [{ no: 'type' }],
        execution_count: '*',
        source: ['y'],
        added: true,
      },
      { cell_type: 'markdown', metadata: null, source: 'z', outputs: [] },
      code({ id: 'not valid!' }),
      code({ id: 5 }),
      { ...code({ outputs: 'none', execution_count: 4 }), attachments: null },
    ]),
    'keys that are dangerous in JavaScript': notebook([
      JSON.parse(
        '{"cell_type":"code","id":"p","metadata":{"__proto__":{"x":1}},"outputs":[],"execution_count":null,"source":[]}',
      ),
    ]),
  };
  for (const [what, value] of Object.entries(cases)) {
    it(`keeps ${what}`, () => {
      checkIpynb(value);
    });
  }

  it('keeps random cells with odd members', () => {
    const odd: readonly JsonValue[] = [null, 1, 'x', '', [], ['a\n', 'b'], {}, { k: [1] }, true];
    const keys = ['id', 'metadata', 'outputs', 'execution_count', 'attachments', 'other', 'ipynb'];
    const cell = (random: Random): JsonObject => ({
      cell_type: random.pick(['code', 'markdown', 'raw']),
      source: random.pick(['', 'x\ny', ['x\n'], ['# %%'], ['a', 'b'], []]),
      ...Object.fromEntries(
        Array.from({ length: random.below(5) }, () => [random.pick(keys), random.pick(odd)]),
      ),
    });
    for (let seed = 1; seed <= 500; seed += 1) {
      const random = seededRandom(seed);
      const cells = Array.from({ length: random.below(4) }, () => cell(random));
      checkIpynb(notebook(cells, { nbformat_minor: random.below(6) }));
    }
  });

  it('stays a plain notebook: nothing of the format leaks into it', () => {
    const text = serializeNotebook(newDocument([newCell('code', 'a', 'x\ny')]));
    expect(JSON.parse(writeIpynb(parseNotebook(text).document))).toEqual({
      cells: [code({ source: ['x\n', 'y'] })],
      metadata: {},
      nbformat: 4,
      nbformat_minor: 5,
    });
  });

  it('lets an imported cell be edited and run', () => {
    const document = readIpynb(
      JSON.stringify(notebook([{ cell_type: 'code', id: 'a', source: ['x', 'y'] }])),
    );
    const ran = { ...document.cells[0]!, source: 'new\ntext', executionCount: 1 };
    const written = JSON.parse(writeIpynb({ ...document, cells: [ran] }));
    expect(written.cells).toEqual([
      { cell_type: 'code', execution_count: 1, id: 'a', source: ['new\n', 'text'] },
    ]);
  });
});

describe('.sglnb over .ipynb and back', () => {
  it('keeps every cell', () => {
    const outputs = [{ json: { output_type: 'stream', name: 'stdout', text: 'a\nb' } }];
    checkSglnb(
      serializeNotebook({
        ...newDocument([
          { ...newCell('markdown', 'm', '# T\n'), attachments: { a: {} } },
          {
            ...newCell('code', 'c', '# %%\r\n!ls  '),
            metadata: { title: 'x', 'a b': 1 },
            outputs,
            executionCount: 3,
          },
          newCell('raw', 'r', ''),
        ]),
        metadata: { k: { deep: [1, null] } },
      }),
    );
  });
});

describe('files that are no notebook', () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ['truncated JSON', '{\n "cells": [', 'invalid-json'],
    ['a list', '[]', 'invalid-ipynb'],
    ['other JSON', '{"a": 1}', 'invalid-ipynb'],
    ['nbformat 3', '{"nbformat": 3, "worksheets": []}', 'unsupported-nbformat'],
    [
      'a cell without source',
      '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "code"}]}',
      'invalid-ipynb',
    ],
    [
      'a cell of unknown type',
      '{"nbformat": 4, "nbformat_minor": 5, "cells": [{"cell_type": "x", "source": ""}]}',
      'invalid-ipynb',
    ],
  ];
  for (const [what, text, expected] of cases) {
    it(`${what} gives the error ${expected}`, () => {
      expect(() => readIpynb(text)).toThrow(NotebookFormatError);
      expect(() => readIpynb(text)).toThrow(expect.objectContaining({ code: expected }));
    });
  }
});
