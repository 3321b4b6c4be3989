import { describe, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import type { NotebookCell, NotebookDocument } from '../../extension/notebook-format/document.ts';
import type { JsonObject, JsonValue } from '../../extension/notebook-format/json.ts';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { seededRandom, type Random } from '../support/seeded-random.ts';

/** Text → document → text must not change a character. */
function checkUnchanged(text: string): NotebookDocument {
  const { document } = parseNotebook(text);
  expect(serializeNotebook(document)).toBe(text);
  // The document survives what VS Code does to metadata.
  expect(serializeNotebook(structuredClone(document))).toBe(text);
  return document;
}

/** The cell without what only remembers how the file was written. */
function meaning(cell: NotebookCell): unknown {
  const { outputs, ...rest } = cell;
  return { ...rest, verbatim: undefined, outputs: outputs.map(({ json }) => json) };
}

/** Document → text → document must not change a cell, and the text must be stable. */
function checkCells(cells: readonly NotebookCell[], base = newDocument([])): string {
  const text = serializeNotebook({ ...base, cells });
  const { document, warnings } = parseNotebook(text);
  expect(document.cells.map(meaning)).toEqual(cells.map(meaning));
  // Sources may hold conflict markers; that alone is worth a warning.
  expect(warnings.filter(({ code }) => code !== 'merge-conflict')).toEqual([]);
  expect(serializeNotebook(document)).toBe(text);
  return text;
}

const nastyLines = [
  '# %%',
  '#%%',
  '# %% [markdown] id="x"',
  '# \\%%',
  '#\t\\\\%% y',
  '# %% [sglnb:outputs]',
  '# a1 {"output_type":"stream"}',
  '# ---',
  '# sglnb: 99',
  '%%bash',
  '!ls -la | wc -l',
  '%time f()',
  '"""',
  "'''",
  '',
  ' ',
  '\t',
  'x = 1  ',
  'x\r',
  '\r',
  '\f',
  '\0',
  '\ufeff',
  'naïve 日本語 😀 \u202e',
  'a\u2028b\u2029c\u0085d',
  '<<<<<<< HEAD',
  '=======',
  '>>>>>>> other',
  '\\',
  '#',
  '# ',
  '##',
  '\ud800',
];

function nastySource(random: Random): string {
  const lines = Array.from({ length: random.below(6) }, () => random.pick(nastyLines));
  return lines.join('\n') + '\n'.repeat(random.below(4));
}

function nastyJson(random: Random, depth = 0): JsonValue {
  const choice = random.below(depth > 2 ? 4 : 6);
  if (choice === 0) return null;
  if (choice === 1) return random.below(1000) / 8;
  if (choice === 2) return random.below(2) === 1;
  if (choice === 3) return random.pick(nastyLines);
  if (choice === 4) {
    return Array.from({ length: random.below(3) }, () => nastyJson(random, depth + 1));
  }
  return nastyObject(random, depth + 1);
}

const nastyKeys = [
  'id',
  'source',
  'ipynb',
  'title',
  'tags',
  'a b',
  '',
  '"',
  'ö',
  '__proto__',
  'x=y',
];

function nastyObject(random: Random, depth = 0): JsonObject {
  const count = random.below(4);
  return Object.fromEntries(
    Array.from({ length: count }, () => [random.pick(nastyKeys), nastyJson(random, depth)]),
  );
}

function nastyCell(random: Random, index: number): NotebookCell {
  const kind = random.pick(['code', 'code', 'markdown', 'raw'] as const);
  const cell = {
    ...newCell(kind, `c${index}`, nastySource(random)),
    metadata: nastyObject(random),
  };
  const attachments = random.below(4) === 0 ? nastyObject(random) : null;
  if (kind !== 'code') return { ...cell, attachments };
  const outputs = Array.from({ length: random.below(3) }, () => ({
    json: {
      output_type: 'stream',
      name: 'stdout',
      text: nastySource(random),
      extra: nastyJson(random),
    },
  }));
  return { ...cell, outputs, executionCount: random.below(2) === 0 ? null : random.below(99) };
}

describe('a document written and read again', () => {
  it('keeps every nasty line in every kind of cell', () => {
    for (const kind of ['code', 'markdown', 'raw'] as const) {
      for (const line of nastyLines) {
        for (const source of [line, `${line}\n`, `\n${line}`, `a\n${line}\nb`, `${line}\n\n\n`]) {
          checkCells([newCell(kind, 'a', source)]);
          checkCells([newCell(kind, 'a', source), newCell('code', 'b', 'x = 1')]);
        }
      }
    }
  });

  it('keeps random documents, with metadata, outputs and attachments', () => {
    for (let seed = 1; seed <= 400; seed += 1) {
      const random = seededRandom(seed);
      const cells = Array.from({ length: random.below(6) }, (_, index) => nastyCell(random, index));
      const lineEnding = random.below(3) === 0 ? '\r\n' : '\n';
      const base = {
        ...newDocument([]),
        metadata: nastyObject(random),
        layout: { byteOrderMark: random.below(4) === 0, lineEnding },
      } as const;
      const text = checkCells(cells, base);
      expect(parseNotebook(text).document.metadata).toEqual(base.metadata);
    }
  });

  it('gives cells with the same id different ones', () => {
    const text = serializeNotebook(
      newDocument([newCell('code', 'a', '1'), newCell('code', 'a', '2')]),
    );
    const ids = parseNotebook(text).document.cells.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(ids[0]).toBe('a');
  });
});

const handWritten = [
  '',
  '\n',
  'print(1)',
  'print(1)\n',
  '# only a comment\n',
  '#!/usr/bin/env python\n# %%\nx = 1\n',
  'import os\n# %%\nx = 1',
  '# %%\n# %%\n\n# %%\n\n\n# %%',
  '#%% A title   [markdown]\n# text\nuncommented\n#tight\n# \n#\n# %%\ny\n',
  '# %% [markdown]\n"""\nquoted *markdown*\n"""\n\n# %%\n!ls\n%%time\nf()\n',
  '# ---\n# jupyter:\n#   kernelspec:\n#     name: python3\n# ---\n\n# %%\n1\n',
  '# ---\n# sglnb: 1\n# odd line\n# kernelspec:   {"name": "x"}\n# ---\n# comment\n# %%\n1\n',
  '# ---\n# sglnb: 1\n# ---\nimport before_the_first_marker\n# %% id="a"\n1\n',
  '\ufeff# %% id="a"\r\nx = 1\r\n\r\n# %% id="b"\r\ny\r\n',
  '# %% id="a"\nx\r\n\r\n# %% id="b"\ny\n',
  '# %% id="a"\n1\n# %% id="a"\n2\n# %% id="bad id!"\n3\n',
  '# %% broken={"a" id= [markdown] x\n1\n',
  '# %% id="a"\n1\n\n# %% [sglnb:outputs]\n# a {"output_type":"stream","name":"stdout","text":"1"}\n# ghost {"output_type":"error"}\nstray code\n# a not json\n',
  '# %% id="a"\n1\n\n# %% [sglnb:future] version=2\nanything\n\n# %% [sglnb:outputs]\n# a { "execution_count": 7 }\n# a { "output_type": "display_data" }\n',
  '# %% id="a"\n1\n\n# %% [sglnb:outputs]\n# b {"execution_count":1}\n# %% id="b"\n2\n# %% [sglnb:outputs]\n# a {"execution_count":2}',
];

describe('a file read and written again', () => {
  for (const text of handWritten) {
    it(`does not change: ${JSON.stringify(text).slice(0, 70)}`, () => {
      checkUnchanged(text);
    });
  }

  it('does not change, whatever lines it consists of', () => {
    const lines = [...nastyLines, ...handWritten.flatMap((text) => text.split('\n'))];
    for (let seed = 1; seed <= 1500; seed += 1) {
      const random = seededRandom(seed);
      const ending = random.below(4) === 0 ? '\r\n' : '\n';
      const picked = Array.from({ length: random.below(14) }, () => random.pick(lines));
      const text = picked.filter((line) => !/# (sglnb: |---)/.test(line)).join(ending);
      checkUnchanged(text);
    }
  });

  it('changes only the edited cell', () => {
    const text = '# %% First\na\n# %%\nb\n#%%   odd   [md]\ntext\n# %% id="z"\nz';
    const { document } = parseNotebook(text);
    const edited = document.cells.map((cell, index) =>
      index === 1 ? { ...cell, source: 'B' } : cell,
    );
    const id = document.cells[1]?.id;
    expect(serializeNotebook({ ...document, cells: edited })).toBe(
      `# %% First\na\n# %% id="${id}"\nB\n\n#%%   odd   [md]\ntext\n# %% id="z"\nz`,
    );
  });

  it('writes the id of a cell as soon as it has outputs', () => {
    const { document } = parseNotebook('# %%\n1+1\n');
    const [cell] = document.cells;
    const ran = { ...cell!, executionCount: 1, outputs: [{ json: { output_type: 'stream' } }] };
    const text = serializeNotebook({ ...document, cells: [ran] });
    const [again] = parseNotebook(text).document.cells;
    expect(again?.id).toBe(cell?.id);
    expect(again?.outputs[0]?.json).toEqual({ output_type: 'stream' });
  });

  it('survives any edit: sources typed into an odd file come back', () => {
    for (let seed = 1; seed <= 300; seed += 1) {
      const random = seededRandom(seed);
      const { document } = parseNotebook(random.pick(handWritten));
      const cells = document.cells
        .filter(() => random.below(5) > 0)
        .map((cell) => (random.below(2) === 0 ? cell : { ...cell, source: nastySource(random) }));
      if (random.below(2) === 0)
        cells.splice(random.below(cells.length + 1), 0, nastyCell(random, 7));
      const text = serializeNotebook({ ...document, cells });
      expect(parseNotebook(text).document.cells.map(({ source }) => source)).toEqual(
        cells.map(({ source }) => source),
      );
    }
  });
});

describe('large notebooks', () => {
  /** Milliseconds of the fastest of three runs: noise only ever adds. */
  const fastest = (run: () => void) => {
    const times = [1, 2, 3].map(() => {
      const start = performance.now();
      run();
      return performance.now() - start;
    });
    return Math.min(...times);
  };
  const notebook = (count: number) =>
    serializeNotebook(
      newDocument(
        Array.from({ length: count }, (_, index) => ({
          ...newCell('code', `cell-${index}`, `# %% not a cell\nx = ${index}\n`),
          outputs: [{ json: { output_type: 'stream', name: 'stdout', text: 'line\n'.repeat(40) } }],
        })),
      ),
    );

  it('5,000 cells come back, and ten times the cells do not take a hundred times the time', () => {
    const small = notebook(500);
    const large = notebook(5000);
    expect(checkUnchanged(large).cells).toHaveLength(5000);
    const ratio = fastest(() => checkUnchanged(large)) / fastest(() => checkUnchanged(small));
    expect(ratio).toBeLessThan(60);
  });

  it('20 MB in one output come back', () => {
    const json = { output_type: 'display_data', data: { 'image/png': 'A'.repeat(20_000_000) } };
    const text = serializeNotebook(
      newDocument([{ ...newCell('code', 'a', 'x'), outputs: [{ json }] }]),
    );
    expect(text.length).toBeGreaterThan(20_000_000);
    expect(checkUnchanged(text).cells[0]?.outputs[0]?.json).toEqual(json);
  });

  it('5,000 cells without ids and with broken markers are read in one pass too', () => {
    const text = '# %% id="same" {broken\nx\n'.repeat(5000);
    expect(checkUnchanged(text).cells).toHaveLength(5000);
  });
});
