import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseNotebook } from '../../extension/notebook-format/sglnb.ts';
import { isGone, startCli, type RunningCli } from '../support/cli-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

/** Writes the cells as a notebook and runs it over the fake kernel. */
function start(cells: readonly string[], ...options: string[]): RunningCli {
  files += 1;
  const file = join(folder, `notebook-${files}.sglnb`);
  writeFileSync(file, cells.map((cell, index) => `# %% id="c${index + 1}"\n${cell}\n`).join('\n'));
  return startCli('fake', ['run', file, ...options], folder);
}

const run = (cells: readonly string[], ...options: string[]) => start(cells, ...options).result;

describe('sglnb run', () => {
  it('prints every kind of output without colours into a pipe, and exits 0', async () => {
    const { exitCode, stdout, stderr } = await run([
      'print hello\nwarn careful\nhighlight Berlin\nnotice replaced',
      'state\nbatch\nresult 42',
    ]);
    expect(stderr).toBe('');
    expect(stdout.replace(/\d+ ms/g, 'N ms')).toMatchInlineSnapshot(`
      "
      ── [1/2] ───────────────────────────────────────────────────────────────────────
      hello
      careful
      Berlin
      ⚠ replaced
      ✓ N ms

      ── [2/2] ───────────────────────────────────────────────────────────────────────
      user: Question?
      assistant: An answer
      qa: 2/2
      42
      ✓ N ms

      2 cells in N ms
      "
    `);
    expect(exitCode).toBe(0);
  });

  it('shows what the model may not do to a terminal as text', async () => {
    const { stdout } = await run(['highlight \x1b]0;title\x07a\x1b[2Jb\x1b[31mc\nprint \x1b[1md']);
    expect(stdout).toContain('abc\n');
    expect(stdout).not.toContain('\x1b');
  });

  it('stops at a failing cell with its traceback and exit code 1', async () => {
    const { exitCode, stdout } = await run(['print one', 'fail broken', 'print three']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('cell 2, line 1\nValueError: broken');
    expect(stdout).not.toContain('three');
  });

  it('goes on with --allow-errors, and still says that a cell failed', async () => {
    const { exitCode, stdout } = await run(['fail broken', 'print after'], '--allow-errors');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('after');
    expect(stdout).toContain('1 failed');
  });

  it('ends with the reason when the kernel dies, leaving nothing behind', async () => {
    const { exitCode, stdout } = await run(['child', 'die', 'print never']);
    expect(exitCode).toBe(1);
    expect(stdout).toContain('The kernel is gone: it exited with code 3\nlast words');
    expect(stdout).not.toContain('never');
    expect(await isGone(Number(/child (\d+)/.exec(stdout)?.[1]))).toBe(true);
  });

  it('ends processes that the kernel forgot', async () => {
    const { exitCode, stdout } = await run(['child']);
    expect(exitCode).toBe(0);
    expect(await isGone(Number(/child (\d+)/.exec(stdout)?.[1]))).toBe(true);
  });

  it('interrupts the cell on Ctrl-C and exits 130', async () => {
    const cli = start(['print begun\nwait', 'print never']);
    await cli.waitFor(/begun/);
    cli.signal('SIGINT');
    const { exitCode, stdout } = await cli.result;
    expect(exitCode).toBe(130);
    expect(stdout).toContain('press Ctrl-C again');
    expect(stdout).toContain('interrupted after');
    expect(stdout).not.toContain('never');
  });

  it('kills a deaf kernel on the second Ctrl-C', async () => {
    const cli = start(['child\nignore-interrupts\nwait']);
    const child = Number(/child (\d+)/.exec(await cli.waitFor(/child \d+/))?.[1]);
    cli.signal('SIGINT');
    await cli.waitFor(/press Ctrl-C again/);
    cli.signal('SIGINT');
    expect((await cli.result).exitCode).toBe(130);
    expect(await isGone(child)).toBe(true);
  });

  it('ends everything on SIGTERM', async () => {
    const cli = start(['child\nignore-interrupts\nwait']);
    const child = Number(/child (\d+)/.exec(await cli.waitFor(/child \d+/))?.[1]);
    cli.signal('SIGTERM');
    expect((await cli.result).exitCode).toBe(143);
    expect(await isGone(child)).toBe(true);
  });

  it('interrupts a cell that exceeds --timeout', async () => {
    const { exitCode, stdout } = await run(['wait'], '--timeout', '0.2');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('cell 1 ran longer than 0.2 s');
  });

  it('answers input() from stdin, and records question and answer', async () => {
    const output = join(folder, 'asked.sglnb');
    const cli = start(['ask Name? ', 'ask More? '], '--output', output);
    cli.type('Ada');
    await cli.waitFor(/got Ada/);
    cli.type('Grace');
    expect((await cli.result).stdout).toContain('More? got Grace');
    expect(readFileSync(output, 'utf8')).toContain(String.raw`"text":"Name? Ada\ngot Ada`);
  });

  it('writes the executed notebook with --output, and parameters into a cell', async () => {
    const output = join(folder, 'out.sglnb');
    const { exitCode } = await run(
      ['# defaults', 'print hi\nhighlight Berlin\nstate\nfail late'],
      '-p',
      'n=3',
      '-p',
      'name=Ada',
      '--output',
      output,
    );
    expect(exitCode).toBe(1);
    const { document, warnings } = parseNotebook(readFileSync(output, 'utf8'));
    expect(warnings).toEqual([]);
    expect(document.cells.map(({ source }) => source)).toEqual([
      '# Parameters\nn = 3\nname = "Ada"',
      '# defaults',
      'print hi\nhighlight Berlin\nstate\nfail late',
    ]);
    const types = document.cells[2]?.outputs.map(({ json }) => json['output_type']);
    expect(types).toEqual(['stream', 'display_data', 'display_data', 'error']);
    expect(document.cells[2]?.executionCount).toBe(3);
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  const misuses: readonly (readonly [string, readonly string[], string])[] = [
    ['no command', [], 'Name a command'],
    ['an unknown command', ['walk'], 'Unknown command "walk"'],
    ['an unknown option', ['run', 'x.sglnb', '--fast'], '--fast'],
    [
      'a missing file',
      ['run', 'missing.sglnb'],
      'Cannot read missing.sglnb: there is no such file',
    ],
    ['an unknown file type', ['run', 'x.txt'], 'its name must end in .sglnb, .ipynb, .py'],
    ['an output of unknown type', ['run', 'x.sglnb', '-o', 'y.pdf'], 'y.pdf cannot be written'],
    ['a bad parameter', ['run', 'x.sglnb', '-p', '1x=2'], 'Python variable'],
    ['a bad timeout', ['run', 'x.sglnb', '--timeout', 'soon'], '--timeout needs a number'],
    ['a bad endpoint', ['run', 'x.sglnb', '--endpoint', 'localhost'], '--endpoint needs a URL'],
  ];
  for (const [what, args, message] of misuses) {
    it(`exits 2 for ${what}`, async () => {
      const { exitCode, stderr, stdout } = await startCli('fake', args, folder).result;
      expect(stderr).toContain(message);
      expect(stdout).toBe('');
      expect(exitCode).toBe(2);
    });
  }

  it('says where a broken notebook is broken', async () => {
    writeFileSync(join(folder, 'future.sglnb'), '# ---\n# sglnb: 9\n# ---\n');
    const { exitCode, stderr } = await startCli('fake', ['run', 'future.sglnb'], folder).result;
    expect(stderr).toContain('future.sglnb:2: This notebook has format version 9');
    expect(exitCode).toBe(2);
  });

  it('shows help and version', async () => {
    expect((await startCli('fake', ['--help'], folder).result).stdout).toContain('sglnb run FILE');
    expect((await startCli('fake', ['--version'], folder).result).stdout).toBe('0.0.0-test\n');
  });
});

describe('sglnb convert', () => {
  it('goes from .sglnb over .ipynb and back without a change', async () => {
    const text = '# ---\n# sglnb: 1\n# ---\n\n# %% [markdown] id="m"\n# Hi\n\n# %% id="a"\n!ls\n';
    writeFileSync(join(folder, 'a.sglnb'), text);
    const convert = (from: string, to: string) =>
      startCli('fake', ['convert', from, to], folder).result;
    expect((await convert('a.sglnb', 'a.ipynb')).exitCode).toBe(0);
    expect((await convert('a.ipynb', 'b.sglnb')).exitCode).toBe(0);
    expect(readFileSync(join(folder, 'b.sglnb'), 'utf8')).toBe(text);
    for (const ending of ['py', 'md', 'html']) {
      expect((await convert('a.sglnb', `a.${ending}`)).exitCode).toBe(0);
    }
  });
});
