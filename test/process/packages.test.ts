/** Packages for the bundled Python, from an index on loopback: `%pip`, `!pip`, micropip itself. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KernelDriver, type RunResult } from '../support/kernel-driver.ts';
import { PythonIndex, wheelBytes, type Wheel } from '../support/python-index.ts';

const ANSWER = { name: 'answer', version: '1.0', module: 'VALUE = 41' };

/** Pyodide's installer itself, from the index that pip of this machine uses. */
function realMicropip(): Wheel {
  const folder = mkdtempSync(join(tmpdir(), 'micropip-'));
  try {
    const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', folder];
    // The bundled Python's version, not that of the pip that downloads.
    const which = ['--python-version', '3.14', '--only-binary=:all:', 'micropip==0.11.1'];
    execFileSync('python3', [...pip, ...which], { stdio: ['ignore', 'ignore', 'inherit'] });
    const bytes = readFileSync(join(folder, 'micropip-0.11.1-py3-none-any.whl'));
    return { name: 'micropip', version: '0.11.1', bytes };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

let index: PythonIndex;
let kernel: KernelDriver;
beforeAll(async () => {
  index = await PythonIndex.start([
    realMicropip(),
    ANSWER,
    { name: 'answer', version: '2.0', module: 'VALUE = 42' },
    { name: 'asking', version: '0.5', requires: ['answer>=1'], module: 'from answer import VALUE' },
    { name: 'asking_more', version: '0.5', module: 'X = 1' },
    { name: 'native', version: '3.1', tags: 'cp314-cp314-manylinux_2_28_x86_64' },
    { name: 'needs_native', version: '1.0', requires: ['native'] },
    { name: 'damaged', version: '1.0', damaged: true },
  ]);
  kernel = new KernelDriver({ env: { PIP_INDEX_URL: `${index.url}/` } });
  await kernel.event((event) => event.type === 'ready');
});
afterAll(async () => {
  await index.close();
  expect(await kernel.close()).toBe(0);
  expect(kernel.garbage).toEqual([]);
});

async function text(code: string): Promise<string> {
  const run = await kernel.run(code);
  expect(run.outcome).toEqual({ status: 'ok' });
  return run.text;
}

function failure(run: RunResult): string {
  if (run.outcome.status !== 'error') throw new Error(`ended ${run.outcome.status}: ${run.text}`);
  expect(run.outcome.error.traceback).not.toMatch(/_sgl_|\.whl\/|\/asyncio\//);
  return `${run.outcome.error.name}: ${run.outcome.error.message}`;
}

describe('%pip', () => {
  test('installs a package with what it needs, and says so', async () => {
    const said = await text('%pip install "asking<1"\nimport asking\nprint(asking.VALUE)');
    expect(said).toBe('Installed answer-2.0, asking-0.5, until the kernel restarts.\n42\n');
    expect(await text('%pip install asking')).toBe('Already installed: asking.\n');
    expect(await text('%pip list')).toBe('answer 2.0\nasking 0.5\n');
  });
  test('another version, the newest again, and none', async () => {
    expect(await text('%pip install -q --force-reinstall answer==1.0\n%pip freeze')).toBe(
      'answer==1.0\nasking==0.5\n',
    );
    expect(await text('%pip install answer')).toBe('Already installed: answer.\n');
    expect(await text('%pip install -U answer')).toContain('answer-2.0');
    expect(await text('%pip uninstall -y asking')).toBe('Removed asking-0.5.\n');
    expect(await text('%pip list')).toBe('answer 2.0\n');
  });
  test('a shell line means the same Python', async () => {
    expect(await text('!pip install --quiet asking-more 2>&1 | tail -1')).toBe('');
    expect(await text('import asking_more\nprint(asking_more.X)')).toBe('1\n');
    expect(await text('!python3 -m pip show asking_more')).toContain('Version: 0.5');
  });
  test('a file of requirements, a wheel beside the notebook', async () => {
    writeFileSync(join(kernel.cwd, 'needs.txt'), '# what it needs\nasking == 0.5  # ours\n');
    expect(await text('%pip install -r needs.txt')).toContain('asking-0.5');
    const own = { name: 'local_one', version: '7', module: 'Y = 7' };
    writeFileSync(join(kernel.cwd, 'local_one-7-py3-none-any.whl'), wheelBytes(own));
    expect(await text('%pip install ./local_one-7-py3-none-any.whl\nimport local_one')).toBe(
      'Installed local-one-7, until the kernel restarts.\n',
    );
  });
});

describe('micropip', () => {
  test('in a cell, with an index of its own', async () => {
    const code = [
      'import micropip',
      `micropip.set_index_urls(["${index.url}"])`,
      'await micropip.install("answer==1.0", reinstall=True)',
      'print(micropip.list()["answer"].version)',
    ];
    expect(await text(code.join('\n'))).toBe('1.0\n');
  });
});

describe('what cannot be installed', () => {
  test('a package with native code: needs your own Python', async () => {
    for (const name of ['native', 'needs_native']) {
      const message = failure(await kernel.run(`%pip install ${name}`));
      expect(message).toMatch(/^PackageError: native cannot be installed in the bundled Python/);
      expect(message).toContain('SGLang: Select Python…');
    }
  });
  test('a name that the index does not have', async () => {
    const message = failure(
      await kernel.run('import micropip\nawait micropip.install("nonesuch")'),
    );
    expect(message).toMatch(/^PackageError: There is no package nonesuch .*status 404/);
  });
  test('offline: names the index and the reason', async () => {
    const gone = await PythonIndex.start([]);
    const { url } = gone;
    await gone.close();
    const message = failure(await kernel.run(`%pip install --index-url ${url} answer2`));
    expect(message).toContain(
      `PackageError: answer2 was not installed: the package index at ${url}/answer2/ cannot be reached`,
    );
    expect(message).toContain('ECONNREFUSED');
    expect(message).toContain('PIP_INDEX_URL');
  });
  test('without micropip: says what it is needed for', async () => {
    const other = await PythonIndex.start([
      { name: 'micropip', version: '0.11.1', module: 'not the real one' },
    ]);
    const changed = new KernelDriver({ env: { PIP_INDEX_URL: other.url } });
    const substituted = failure(await changed.run('%pip install answer'));
    expect(substituted).toMatch(/^ImportError: Installing packages needs a package index/);
    expect(substituted).toContain('is not the file that this version needs');
    await other.close();
    const offline = failure(await changed.run('import micropip'));
    expect(offline).toContain('ECONNREFUSED');
    expect(offline).toContain('PIP_INDEX_URL');
    expect(await changed.close()).toBe(0);
  });
  test('a file that is not the one that the index announced', async () => {
    expect(failure(await kernel.run('%pip install damaged'))).toContain('Invalid checksum');
    expect(failure(await kernel.run('import damaged'))).toContain('ModuleNotFoundError');
  });
  test('what only pip can do', async () => {
    for (const line of ['%pip download answer', '%pip install -e .', '%pip install --target x y'])
      expect(failure(await kernel.run(line))).toMatch(/^MagicError/);
  });
  test('a missing module leads to %pip', async () => {
    const run = await kernel.run('import pandas');
    expect(failure(run)).toContain("No module named 'pandas'");
    expect(run.outcome.status === 'error' && run.outcome.error.traceback).toContain('%pip install');
  });
});

test('an installation that stalls can be interrupted', async () => {
  const run = kernel.execute('%pip install stalls');
  await expect.poll(() => index.requests.at(-1)).toBe('/simple/stalls/');
  kernel.interrupt();
  expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
  expect(await text('print("goes on")')).toBe('goes on\n');
});
