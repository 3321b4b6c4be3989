/**
 * The frontend tutorial and the project's own example through the real chain: command line, kernel
 * process, Python guest, runtime process, starter model. Nothing is replaced.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import {
  newCell,
  newDocument,
  type NotebookCell,
} from '../../extension/notebook-format/document.ts';
import { viewOutput } from '../../extension/notebook-format/output-text.ts';
import { parseNotebook, serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { isGone, startCli } from '../support/cli-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'sglnb-tutorial-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const root = fileURLToPath(new URL('../../', import.meta.url));
const tutorial = join(root, '..', 'shared', 'tutorial', 'cells.json');
const PORT = 30333;

/** What one executed cell shows, by kind of output. */
interface Shown {
  readonly highlights: readonly string[];
  readonly streams: string;
}

function shownBy(cell: NotebookCell): Shown {
  const views = cell.outputs.map(({ json }) => viewOutput(json));
  return {
    highlights: views.flatMap((view) => (view.kind === 'highlight' ? [view.text] : [])),
    streams: views.flatMap((view) => (view.kind === 'stream' ? [view.text] : [])).join(''),
  };
}

function isPortOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

/** The tutorial's code cells before its multi-modal section. */
function tutorialCells(): string[] {
  const parsed: { cells: { kind: string; text: string }[] } = JSON.parse(
    readFileSync(tutorial, 'utf8'),
  );
  const end = parsed.cells.findIndex(
    ({ kind, text }) => kind === 'markdown' && text.startsWith('## Multi-modal'),
  );
  return parsed.cells.slice(0, end).flatMap(({ kind, text }) => (kind === 'code' ? [text] : []));
}

const DATE = /^\d{1,2}\/\d{1,2}\/\d{2,4}$/;
const SHEET = new RegExp(
  [
    String.raw`^\{\n    "name": "[\w\d\s]{1,16}",`,
    String.raw`    "house": "(Gryffindor|Slytherin|Ravenclaw|Hufflepuff)",`,
    String.raw`    "blood status": "(Pure-blood|Half-blood|Muggle-born)",`,
    String.raw`    "occupation": "(student|teacher|auror|ministry of magic|death eater|order of the phoenix)",`,
    String.raw`    "wand": \{\n        "wood": "[\w\d\s]{1,16}",\n        "core": "[\w\d\s]{1,16}",`,
    String.raw`        "length": [0-9]{1,2}\.[0-9]{0,2}\n    \},`,
    String.raw`    "alive": "(Alive|Deceased)",`,
    String.raw`    "patronus": "[\w\d\s]{1,16}",`,
    String.raw`    "bogart": "[\w\d\s]{1,16}"\n\}$`,
  ].join(String.raw`\n`),
);

/** The text of highlighted answers, without the rulers that the tutorial prints between them. */
const answers = ({ highlights }: Shown) => highlights.filter((text) => !/^[#-]{50}$/.test(text));

describe('the frontend tutorial', () => {
  it('runs in order, and every cell shows what it should', async (context) => {
    if (!existsSync(tutorial)) {
      context.skip(`the tutorial's cells are not at ${tutorial}`);
      return;
    }
    const code = tutorialCells();
    expect(code).toHaveLength(11);
    const terminate = code.pop() ?? '';
    // The two stops let the test look at the machine while the kernel still lives.
    const sources = [
      ...code,
      'print("server pid", server_process.pid)\n_ = input("stop: server up")',
      `${terminate}\n_ = input("stop: server down")`,
    ];
    const file = join(folder, 'tutorial.sglnb');
    const output = join(folder, 'executed.sglnb');
    const cells = sources.map((source, index) => newCell('code', `c${index + 1}`, source));
    writeFileSync(file, serializeNotebook(newDocument(cells)));

    const cli = startCli('bundle', ['run', file, '--output', output], folder);
    const up = await cli.waitFor(/stop: server up/);
    const pid = Number(/server pid (\d+)/.exec(up)?.[1]);
    expect(await isPortOpen(PORT)).toBe(true);
    cli.type('');
    await cli.waitFor(/stop: server down/);
    expect(await isPortOpen(PORT)).toBe(false);
    expect(await isGone(pid)).toBe(true);
    cli.type('');
    const { exitCode, stdout, stderr } = await cli.result;
    expect(stderr).toBe('');
    expect(exitCode, stdout).toBe(0);

    const { document } = parseNotebook(readFileSync(output, 'utf8'));
    const shown = document.cells.map(shownBy);
    const [, , turns, control, forks, date, sheet, batch, stream, roles] = shown;

    expect(turns!.streams).toMatch(/user : What is the capital of Germany\?/);
    const [capital, building] = answers(turns!);
    expect(capital).toContain('Berlin');
    expect(building).toMatch(/Reichstag|Brandenburg|Cathedral|Tower|Museum|Palace|Berlin/);

    const [technical, creative] = answers(control!);
    expect(technical).toMatch(/CPU/);
    expect(technical).toMatch(/GPU/);
    expect(creative!.split(/\s+/).length).toBeGreaterThan(15);
    expect(creative).not.toMatch(/CPU/);

    expect(answers(forks!)).toHaveLength(5);
    for (const answer of answers(forks!)) {
      expect(answer.replace(/from 0 to/g, '')).toMatch(/\b(0|zero)\b/i);
    }

    expect(answers(date!)).toEqual([expect.stringMatching(DATE)]);
    expect(answers(sheet!)).toEqual([expect.stringMatching(SHEET)]);

    const [moon, landau, joke] = answers(batch!);
    expect(answers(batch!)).toHaveLength(3);
    expect(moon).toMatch(/^Answer: .*Armstrong/s);
    expect(landau).toMatch(/^Answer: .*Landau/s);
    expect(joke).toMatch(/^Answer: .*chicken/is);

    expect(stream!.highlights.length).toBeGreaterThan(1);
    expect(stream!.highlights.join('')).toContain('Armstrong');

    expect(roles!.highlights.join('')).toMatch(/arrr|yo-ho-ho|pirate|ship|sea/i);
  });
});

describe('the example notebook', () => {
  it('runs without a failure', async () => {
    const output = join(folder, 'tour.ipynb');
    const tour = join(root, 'extension', 'examples', 'sglang-tour.sglnb');
    const cli = startCli('bundle', ['run', tour, '--output', output, '--no-source'], folder);
    const { exitCode, stdout, stderr } = await cli.result;
    expect(stderr).toBe('');
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toContain('Rome');
    expect(stdout).toContain('day 14, month 3, year 1879');
    expect(stdout).toContain('Hermione Granger is of house Gryffindor');
    expect(stdout).toContain('Armstrong');
    expect(stdout).toContain('A red circle on a white background.');
    expect(stdout).toContain('the tour is over');
    expect(stdout).not.toContain('Traceback');
  });

  it('takes parameters from the command line', async () => {
    const source =
      '# %% id="parameters"\ncountry = "Italy"\n\n# %% id="use"\nprint(country, n + 1)\n';
    const file = join(folder, 'parameters.sglnb');
    writeFileSync(file, source);
    const args = ['run', file, '-p', 'country=Peru', '-p', 'n=2'];
    const { exitCode, stdout } = await startCli('bundle', args, folder).result;
    expect(stdout).toContain('Peru 3');
    expect(exitCode).toBe(0);
  });
});

describe('cells through the real kernel', () => {
  const run = (name: string, source: string, ...options: string[]) => {
    const file = join(folder, `${name}.sglnb`);
    writeFileSync(file, source);
    return startCli('bundle', ['run', file, ...options], folder);
  };

  it('runs shell lines in the folder of the notebook', async () => {
    const cli = run('shell', '!echo made > made-by-shell.txt\n!cat made-by-shell.txt\n');
    expect((await cli.result).stdout).toContain('made\n');
    expect(existsSync(join(folder, 'made-by-shell.txt'))).toBe(true);
  });

  it('exits 1 with a traceback that names the cell and its line', async () => {
    const { exitCode, stdout } = await run('failing', 'x = 1\nprint(x / 0)\n').result;
    expect(stdout).toMatch(/cell 1.*line 2/is);
    expect(stdout).toContain('ZeroDivisionError');
    expect(exitCode).toBe(1);
  });

  it('interrupts a busy cell on Ctrl-C', async () => {
    const cli = run('busy', 'print("begun", flush=True)\nwhile True:\n    pass\n');
    await cli.waitFor(/begun/);
    cli.signal('SIGINT');
    const { exitCode, stdout } = await cli.result;
    expect(stdout).toContain('KeyboardInterrupt');
    expect(exitCode).toBe(130);
  });
});
