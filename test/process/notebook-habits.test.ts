/** What people who know Jupyter expect of cells: magics, figures, tables, on the guests that have them. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { KernelDriver, type RunResult } from '../support/kernel-driver.ts';
import { pythonWith } from '../support/python-packages.ts';

const plain = ['python3', 'python'].find(
  (name) => spawnSync(name, ['--version'], { encoding: 'utf8' }).status === 0,
);
const drawing = await pythonWith('matplotlib-pandas', ['matplotlib', 'pandas']);

function shown(run: RunResult): readonly Readonly<Record<string, unknown>>[] {
  return run.outputs.flatMap((each) =>
    each.kind === 'result' || each.kind === 'display' ? [each.data] : [],
  );
}

const GUESTS: readonly (readonly [name: string, guest: GuestChoice | null])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', plain === undefined ? null : { kind: 'cpython', executable: plain }],
];

describe.each(GUESTS)('magics in %s', (_name, guest) => {
  let kernel: KernelDriver;
  beforeAll(async () => {
    if (guest === null) return;
    kernel = new KernelDriver({ guest });
    await kernel.event((event) => event.type === 'ready');
  });
  afterAll(() => kernel?.close());

  async function text(code: string): Promise<string> {
    const run = await kernel.run(code);
    expect(run.outcome).toEqual({ status: 'ok' });
    return run.text;
  }
  const it = (name: string, body: () => Promise<void>): void => {
    test(name, async ({ skip }) => {
      skip(guest === null, 'not run: this machine has no python3');
      await body();
    });
  };

  it('%timeit compiles once, sees the variables of cells, and changes none', async () => {
    const said = await text('x = 5\n%timeit -n 1000 -r 3 y = x + 1\nprint("y" in globals())');
    expect(said).toMatch(/^[\d.]+ (ns|µs) ± .* per loop .* of 3 runs, 1,000 loops each/);
    expect(said).toMatch(/False\n$/);
    expect(await text('%%timeit -r 2 z = 1\nz\nz + 1')).toMatch(/ of 2 runs, [\d,]+ loops each/);
    const failed = await kernel.run('%%timeit\n\nmissing_name');
    expect(failed.outcome).toMatchObject({ error: { name: 'NameError', line: 3 } });
  });
  it('%run runs a file as the main program, with its arguments', async () => {
    const program = 'import sys\nfrom_file = __name__ + sys.argv[1]\nprint(from_file)\n';
    writeFileSync(join(kernel.cwd, 'program.py'), program);
    expect(await text('%run program.py -x\nimport sys\nprint(from_file, __name__)')).toBe(
      '__main__-x\n__main__-x __main__\n',
    );
    writeFileSync(join(kernel.cwd, 'fails.py'), 'def f():\n    1 / 0\nf()\n');
    const { outcome } = await kernel.run('%run fails.py');
    expect(outcome).toMatchObject({ status: 'error', error: { name: 'ZeroDivisionError' } });
    expect(outcome.status === 'error' && outcome.error.traceback).toMatch(/fails\.py", line 2/);
  });
  it('%cat, %whos, %lsmagic, %history, %reset', async () => {
    await text('from_here = "seen"');
    expect(await text('%mkdir made\n%ls')).toContain('made');
    expect(await text('%whos')).toMatch(/from_here +str +'seen'/);
    expect(await text('%lsmagic')).toMatch(/%timeit[^]*%%html/);
    expect(await text('%history')).toContain('from_here = "seen"');
    await text('%reset -f');
    expect(await text('%who')).toBe('Interactive namespace is empty.\n');
  });
  it('cells that are markup are shown', async () => {
    const [html] = shown(await kernel.run('%%html\n<b>x</b>'));
    expect(html).toEqual({ 'text/html': '<b>x</b>', 'text/plain': '<b>x</b>' });
    expect(shown(await kernel.run('%%markdown\n# T'))[0]).toMatchObject({ 'text/markdown': '# T' });
  });
  it('%matplotlib inline is what always holds; other ways say so', async () => {
    expect(await text('%matplotlib inline')).toBe('');
    expect(await text('%matplotlib qt')).toContain('figures are shown as images');
  });
  it('%prun says where the time went', async () => {
    expect(await text('def work():\n    return sum(range(9))\n%prun work();')).toMatch(/work/);
  });
  it('%debug asks for the commands of pdb', async () => {
    await kernel.run('def broken(value):\n    return value / 0\nbroken(41)');
    const run = kernel.execute('%debug');
    const asked = (): readonly number[] =>
      kernel.events.flatMap((event) =>
        event.type === 'input_request' && event.run === run ? [event.request] : [],
      );
    for (const [index, value] of ['p value + 1', 'q'].entries()) {
      await kernel.until(() => asked().length > index);
      kernel.send({ type: 'input_reply', request: asked()[index] ?? 0, value });
    }
    const ended = await kernel.finished(run);
    expect(ended.outcome).toEqual({ status: 'ok' });
    expect(ended.text).toMatch(/^42$/m);
  });
});

describe('figures and tables', () => {
  let kernel: KernelDriver;
  beforeAll(async () => {
    if (drawing.python === null) return;
    kernel = new KernelDriver({ guest: { kind: 'cpython', executable: drawing.python } });
    const code = 'import matplotlib.pyplot as plt, pandas as pd';
    expect((await kernel.run(code)).outcome).toEqual({ status: 'ok' });
  });
  afterAll(() => kernel?.close());

  const PNG = expect.stringMatching(/^iVBORw0KGgo/);
  test.for([
    ['what is open at the end of the cell', 'plt.plot([1, 2]);', ['png']],
    ['plt.show()', 'plt.plot([1, 2]); plt.show()', ['png']],
    ['two figures, in order', 'plt.figure(); plt.plot([1]); plt.figure();', ['png', 'png']],
    ['a figure as the value, once', 'fig, axes = plt.subplots()\nfig', ['png']],
    ['a figure of an earlier cell', 'fig', ['png']],
    ['display(figure)', 'display(plt.figure())', ['png']],
    ['a plot of pandas', 'pd.Series([1, 2]).plot();', ['png']],
    ['a table', 'pd.DataFrame({"a": ["<i>"]})', ['table']],
    ['nothing twice', '1 + 1', ['text']],
  ] as const)('%s', async ([_name, code, kinds], { skip }) => {
    skip(drawing.python === null, drawing.missing ?? '');
    const run = await kernel.run(code);
    expect(run.outcome).toEqual({ status: 'ok' });
    const bundles = shown(run);
    expect(bundles).toHaveLength(kinds.length);
    for (const [index, kind] of kinds.entries()) {
      const bundle = bundles[index];
      if (kind === 'png') expect(bundle).toMatchObject({ 'image/png': PNG });
      if (kind === 'table') expect(bundle?.['text/html']).toContain('<td>&lt;i&gt;</td>');
      if (kind === 'text') expect(bundle).toEqual({ 'text/plain': '2' });
    }
  });
  test('!pip and !python are those of the environment', async ({ skip }) => {
    skip(drawing.python === null, drawing.missing ?? '');
    const run = await kernel.run('!python -c "import matplotlib; print(1)"\n!command -v pip');
    expect(run.text).toBe(`1\n${drawing.python?.replace(/python$/, 'pip')}\n`);
  });
});
