import { describe, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import { NotebookFormatError } from '../../extension/notebook-format/format-error.ts';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';

const lines = (...text: string[]) => `${text.join('\n')}\n`;

/** What a file says, in the words of the model. */
function read(text: string) {
  const { document, warnings } = parseNotebook(text);
  return {
    cells: document.cells.map(({ kind, source }) => `${kind}: ${source}`),
    outputs: document.cells.map(({ outputs }) => outputs.map(({ json }) => json['text'])),
    warnings: warnings.map(({ code, line }) => `${line} ${code}`),
    document,
  };
}

describe('the written form', () => {
  it('is a script that people can read, diff and merge', () => {
    const code = {
      ...newCell('code', 'a1', 'x = 1\n!ls | wc -l\nx'),
      metadata: { title: 'Count files', tags: ['demo'] },
      executionCount: 2,
      outputs: [
        { json: { output_type: 'stream', name: 'stdout', text: '3\n' } },
        {
          json: {
            output_type: 'execute_result',
            execution_count: 2,
            data: { 'text/plain': '1' },
            metadata: {},
          },
        },
      ],
    };
    const picture = {
      ...newCell('markdown', 'm1', '# Hello\n\n![x](attachment:x.png)'),
      attachments: { 'x.png': { 'image/png': 'AAAA' } },
    };
    const document = {
      ...newDocument([picture, code]),
      metadata: { kernelspec: { name: 'sglang' } },
    };
    expect(serializeNotebook(document)).toBe(
      lines(
        '# ---',
        '# sglnb: 1',
        '# kernelspec: {"name":"sglang"}',
        '# ---',
        '',
        '# %% [markdown] id="m1"',
        '# # Hello',
        '#',
        '# ![x](attachment:x.png)',
        '',
        '# %% Count files id="a1" tags=["demo"]',
        'x = 1',
        '!ls | wc -l',
        'x',
        '',
        '# %% [sglnb:attachments]',
        '# m1 {"x.png":{"image/png":"AAAA"}}',
        '',
        '# %% [sglnb:outputs]',
        '# a1 {"execution_count":2}',
        '# a1 {"output_type":"stream","name":"stdout","text":"3\\n"}',
        '# a1 {"output_type":"execute_result","execution_count":2,"data":{"text/plain":"1"},"metadata":{}}',
      ),
    );
  });

  it('escapes characters that would reorder or break a line in an editor', () => {
    const json = { output_type: 'stream', text: 'a\u2028b\u202ec' };
    const text = serializeNotebook(
      newDocument([{ ...newCell('code', 'a', ''), outputs: [{ json }] }]),
    );
    expect(text).toContain('a\\u2028b\\u202ec');
  });

  it('replaces images above the limit by a note, except those that were in the file', () => {
    const image = (size: number) => ({
      output_type: 'display_data',
      data: { 'image/png': 'A'.repeat(size), 'text/plain': '<Figure>' },
    });
    const cell = {
      ...newCell('code', 'a', ''),
      outputs: [{ json: image(40) }, { json: image(4000) }],
    };
    const text = serializeNotebook(newDocument([cell]), { maximumImageBytes: 100 });
    const [small, large] = parseNotebook(text).document.cells[0]!.outputs;
    expect(small?.json).toEqual(image(40));
    expect(large?.json['data']).toEqual({
      'text/plain':
        '<Figure>\n[image/png of 2.9 KiB was not saved: the limit for images in notebooks is 100 B]',
    });
    const big = serializeNotebook(newDocument([cell]));
    expect(serializeNotebook(parseNotebook(big).document, { maximumImageBytes: 100 })).toBe(big);
  });
});

describe('hand-written files', () => {
  it('may come without head, ids and blank lines', () => {
    const { cells, warnings } = read(
      'import os\n# %% [markdown]\n# Text\n#%% Title\n!ls\n%time x\n',
    );
    expect(cells).toEqual(['code: import os', 'markdown: Text', 'code: !ls\n%time x']);
    expect(warnings).toEqual([]);
  });

  it('an empty file is an empty notebook; any text is at least one cell', () => {
    expect(read('').cells).toEqual([]);
    expect(read('x').cells).toEqual(['code: x']);
    expect(read('# just a comment').cells).toEqual(['code: # just a comment']);
  });

  it('reports what it does not understand, with its line', () => {
    const text = lines(
      '# ---',
      '# sglnb: 1',
      '# what',
      '# ---',
      '# %% id="a" {oops',
      'x',
      '# %% id="a"',
      '# %% [sglnb:future]',
      'data',
      '# %% [sglnb:outputs]',
      '# a nonsense',
      '# ghost {"output_type":"stream"}',
    );
    expect(read(text).warnings).toEqual([
      '3 unknown-header-line',
      '8 unknown-section',
      '11 unknown-line',
      '5 invalid-marker',
      '7 duplicate-id',
      '8 outputs-without-cell',
    ]);
  });

  it('keeps unknown sections and lines when outputs change', () => {
    const text = lines(
      '# %% id="a"',
      'x',
      '',
      '# %% [sglnb:future] level=9',
      '# a {"data":1}',
      '',
      '# %% [sglnb:outputs]',
      '# a {"output_type":"stream","text":"old"}',
      '# a unknown',
    );
    const { document } = parseNotebook(text);
    const outputs = [{ json: { output_type: 'stream', text: 'new' } }];
    const cells = document.cells.map((cell) => ({ ...cell, outputs }));
    expect(serializeNotebook({ ...document, cells })).toBe(text.replace('"old"', '"new"'));
  });
});

describe('broken files', () => {
  const cases: readonly (readonly [string, string, string, number])[] = [
    ['a newer format', '# ---\n# sglnb: 2\n# ---\n', 'unsupported-version', 2],
    ['a version that is none', '# ---\n# sglnb: one\n# ---\n', 'invalid-header', 2],
    ['a head without end', '# ---\n# sglnb: 1\n\n# %%\nx\n', 'unterminated-header', 2],
    ['a Jupyter notebook', '{"cells": [], "nbformat": 4}', 'is-ipynb', 1],
  ];
  for (const [what, text, code, line] of cases) {
    it(`${what} gives the error ${code}`, () => {
      const failure = (() => {
        try {
          return parseNotebook(text);
        } catch (error) {
          return error;
        }
      })();
      expect(failure).toBeInstanceOf(NotebookFormatError);
      expect(failure).toMatchObject({ code, line });
    });
  }
});

describe('merge conflicts', () => {
  const unchanged = (text: string) =>
    expect(serializeNotebook(parseNotebook(text).document)).toBe(text);

  it('in a cell are shown in the cell', () => {
    const text = lines(
      '# %% id="a"',
      '<<<<<<< HEAD',
      'x = 1',
      '=======',
      'x = 2',
      '>>>>>>> other',
      '',
    );
    const { cells, warnings } = read(text);
    expect(cells).toEqual(['code: <<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> other\n']);
    expect(warnings).toEqual(['2 merge-conflict']);
    unchanged(text);
  });

  it('over whole cells show the cells of both sides', () => {
    const text = lines(
      '# %% id="a"',
      'x',
      '',
      '<<<<<<< HEAD',
      '# %% id="b"',
      'ours',
      '=======',
      '# %% id="b"',
      'theirs',
      '>>>>>>> other',
      '# %% id="c"',
      'z',
    );
    const { cells, document } = read(text);
    expect(cells).toEqual([
      'code: x\n\n<<<<<<< HEAD',
      'code: ours\n=======',
      'code: theirs\n>>>>>>> other',
      'code: z',
    ]);
    expect(new Set(document.cells.map(({ id }) => id)).size).toBe(4);
    unchanged(text);
  });

  it('in the head let the first side win', () => {
    const text = lines(
      '# ---',
      '# sglnb: 1',
      '<<<<<<< HEAD',
      '# name: "ours"',
      '=======',
      '# name: "theirs"',
      '>>>>>>> other',
      '# ---',
      '',
      '# %% id="a"',
      'x',
    );
    expect(read(text).document.metadata).toEqual({ name: 'ours' });
    unchanged(text);
  });

  const outputsConflict = lines(
    '# %% id="a"',
    'x',
    '',
    '# %% id="b"',
    'y',
    '',
    '# %% [sglnb:outputs]',
    '<<<<<<< HEAD',
    '# a {"output_type":"stream","text":"ours"}',
    '=======',
    '# a {"output_type":"stream","text":"theirs"}',
    '>>>>>>> other',
    '# b {"output_type":"stream","text":"kept"}',
  );

  it('in the outputs drop only the outputs of the cells concerned', () => {
    const { cells, outputs, warnings } = read(outputsConflict);
    expect(cells).toEqual(['code: x', 'code: y']);
    expect(outputs).toEqual([[], ['kept']]);
    expect(warnings).toEqual(['7 conflicting-outputs', '8 merge-conflict']);
    unchanged(outputsConflict);
  });

  it('in the outputs are gone after the next real change', () => {
    const { document } = parseNotebook(outputsConflict);
    const cells = document.cells.map((cell) => ({ ...cell, source: `${cell.source}!` }));
    expect(serializeNotebook({ ...document, cells })).toBe(
      lines(
        '# %% id="a"',
        'x!',
        '',
        '# %% id="b"',
        'y!',
        '',
        '# %% [sglnb:outputs]',
        '# b {"output_type":"stream","text":"kept"}',
      ),
    );
  });

  it('where both sides added outputs leave the source alone', () => {
    const text = lines(
      '# %% id="a"',
      'x',
      '',
      '<<<<<<< HEAD',
      '# %% [sglnb:outputs]',
      '# a {"output_type":"stream","text":"ours"}',
      '=======',
      '# %% [sglnb:outputs]',
      '# a {"output_type":"stream","text":"theirs"}',
      '>>>>>>> other',
    );
    const { cells, outputs } = read(text);
    expect(cells).toEqual(['code: x']);
    expect(outputs).toEqual([[]]);
    unchanged(text);
  });

  it('over the last cell and the outputs lose no source of either side', () => {
    const text = lines(
      '# %% id="a"',
      '<<<<<<< HEAD',
      'ours = 1',
      '',
      '# %% [sglnb:outputs]',
      '# a {"execution_count":1}',
      '=======',
      'theirs = 2',
      '',
      '# %% [sglnb:outputs]',
      '# a {"execution_count":2}',
      '>>>>>>> other',
    );
    const { cells, document } = read(text);
    expect(cells.join('\n')).toContain('ours = 1');
    expect(cells.join('\n')).toContain('theirs = 2');
    unchanged(text);
    const edited = document.cells.map((cell) => ({ ...cell, source: `${cell.source}\n# mine` }));
    const again = parseNotebook(serializeNotebook({ ...document, cells: edited }));
    expect(again.document.cells.map(({ source }) => source)).toEqual(
      edited.map(({ source }) => source),
    );
  });
});
