/**
 * VS Code's own kernel picker in a real workbench: it offers the bundled Python and the user's own, and
 * never disagrees with the setting, the command, and what the cells run on.
 */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { commandExtension, eventually, Workbench } from './workbench.ts';

const BUNDLED = /^SGLang$/;
const OWN = /^SGLang on your own Python$/;
const WHERE = 'import sys\nprint("runs on", sys.platform, sys.executable)';
const COUNTER =
  'counter = globals().get("counter", 0) + 1\nimport sys\nprint("counter", counter, sys.platform)';

const hasPython = spawnSync('python3', ['--version']).status === 0;
let workbench: Workbench;

beforeAll(async () => {
  const cells = (...sources: string[]): string =>
    sources.map((source) => `# %%\n${source}\n`).join('\n');
  workbench = await Workbench.start({
    files: {
      '.vscode/settings.json': '{}',
      'picked.sglnb': cells(WHERE),
      'reloaded.sglnb': cells(COUNTER),
      'fresh.sglnb': cells(WHERE),
      'many.sglnb': cells(...Array.from({ length: 2000 }, (_, index) => `print("cell", ${index})`)),
      'slow.sglnb': cells(
        'import sys, time\nprint("begins on", sys.platform, flush=True)\nif sys.platform == "emscripten": time.sleep(600)',
      ),
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async () => {
  await workbench.page.keyboard.press('Escape');
  await workbench.closeAll();
});

/** Stands for Microsoft's Python extension where a folder's Python was chosen in it. */
const PYTHON_EXTENSION = {
  'package.json': JSON.stringify({
    name: 'python',
    publisher: 'ms-python',
    version: '0.0.1',
    engines: { vscode: '^1.104.0' },
    activationEvents: ['onStartupFinished'],
    main: './main.js',
  }),
  'main.js':
    'exports.activate = () => ({ environments: { getActiveEnvironmentPath: () => ({ path: PATH }) } });',
};

/** What the toolbar of the notebook names as its kernel. */
async function waitForSelected(label: RegExp, window = workbench): Promise<void> {
  const shown = window.page.locator('a.kernel-label').first();
  await eventually(
    15_000,
    async () => (label.test((await shown.innerText()).trim()) ? true : undefined),
    () => `the toolbar never names ${String(label)}`,
  );
}

const rows = (window = workbench) => window.page.locator('.quick-input-list .monaco-list-row');

/** Chooses a row by its label in the kernel picker; `isFirst`: the entry was never selected before. */
async function pick(label: RegExp, isFirst = false, window = workbench): Promise<void> {
  await window.command('Notebook: Select Notebook Kernel');
  if (isFirst) {
    await rows(window).filter({ hasText: 'Select Another Kernel' }).first().click();
    await rows(window).filter({ hasText: 'SGLang Notebooks' }).first().click();
  }
  await rows(window)
    .filter({ has: window.page.locator('.label-name', { hasText: label }) })
    .first()
    .click();
}

function setting(): unknown {
  const settings: unknown = JSON.parse(workbench.read('.vscode/settings.json'));
  return typeof settings === 'object' && settings !== null
    ? Reflect.get(settings, 'sglang.kernel.python')
    : null;
}

describe('a cell that is run before the extension has seen its notebook', () => {
  pictureFailures(() => workbench);

  it('asks for no kernel', async () => {
    await workbench.open('picked.sglnb');
    await waitForSelected(BUNDLED);
    await workbench.quickOpen('many.sglnb');
    const row = workbench.page
      .locator('.code-cell-row', { hasText: /print\("cell",\s0\)/ })
      .first();
    await row.hover();
    await row.locator('.codicon-notebook-execute').first().click();
    await workbench.waitForOutput('cell 0', 120_000);
    expect(await workbench.page.locator('.quick-input-widget').isVisible()).toBe(false);
  });
});

/** Opens the notebooks of the workspace that begin with `together` at once, as the explorer does. */
const OPENER = `const { commands, workspace } = require('vscode');
exports.activate = (context) => {
  const open = async () => {
    const uris = await workspace.findFiles('together-*.sglnb');
    uris.forEach((uri, index) => {
      void commands.executeCommand('vscode.open', uri, { viewColumn: index + 1, preview: false });
    });
  };
  context.subscriptions.push(commands.registerCommand('opener.beside', open));
};
`;

describe.skipIf(!hasPython)('the kernel picker', () => {
  pictureFailures(() => workbench);

  it('asks for a Python when none is chosen yet, and takes no answer for no choice', async () => {
    await workbench.open('picked.sglnb');
    await waitForSelected(BUNDLED);
    await workbench.command('Notebook: Select Notebook Kernel');
    await rows().filter({ hasText: 'Select Another Kernel' }).first().click();
    await workbench.screenshot('kernel-sources');
    await workbench.page.keyboard.press('Escape');
    await pick(OWN, true);
    await workbench.waitForText('.quick-input-widget', 'Select Python');
    await workbench.waitForText('.quick-input-list .monaco-list-row', /python3/);
    await workbench.page.keyboard.press('Escape');
    await waitForSelected(BUNDLED);
    expect(setting()).toBeUndefined();
    await workbench.runAll();
    await workbench.waitForOutput('runs on emscripten');
  });

  it('switches between the two with one click, and a cell run at once goes to the new one', async () => {
    await workbench.open('picked.sglnb');
    await pick(OWN);
    await rows()
      .filter({ hasText: /python3/ })
      .first()
      .click();
    await workbench.runAll();
    const output = await workbench.waitForOutput(new RegExp(`runs on ${process.platform} /`));
    await waitForSelected(OWN);
    const python = setting();
    expect(python).toMatch(/^\//);
    expect(output).toContain('python');

    await pick(BUNDLED);
    await workbench.runAll();
    await workbench.waitForOutput('runs on emscripten');
    await waitForSelected(BUNDLED);
    expect(setting()).toBe('');

    // It is remembered, and named where it can be picked.
    await workbench.command('Notebook: Select Notebook Kernel');
    await workbench.waitForText('.quick-input-list .monaco-list-row', String(python));
    await workbench.screenshot('kernel-picker');
    await workbench.page.keyboard.press('Escape');
    await pick(OWN);
    await workbench.runAll();
    await workbench.waitForOutput(new RegExp(`runs on ${process.platform} /`));
    expect(setting()).toBe(python);
    expect(workbench.processes('kernel.mjs')).toHaveLength(1);
  });

  it('shows the kernel that a reloaded window gets back', async () => {
    await workbench.open('reloaded.sglnb');
    await waitForSelected(OWN);
    await workbench.runAll();
    await workbench.waitForOutput(`counter 1 ${process.platform}`);
    const pids = workbench.processes('kernel.mjs');
    expect(pids).toHaveLength(1);
    // VS Code has backed up what the cell shows.
    await workbench.page.waitForTimeout(5000);
    await workbench.reload();
    await workbench.waitForKernel('idle');
    await waitForSelected(OWN);
    await workbench.runAll();
    await workbench.waitForOutput(`counter 2 ${process.platform}`);
    expect(workbench.processes('kernel.mjs')).toEqual(pids);
    await pick(BUNDLED);
    await workbench.runAll();
    await workbench.waitForOutput('counter 1 emscripten');
    expect(setting()).toBe('');
  });

  it('follows the command and the setting', async () => {
    await workbench.open('fresh.sglnb');
    await waitForSelected(BUNDLED);
    await workbench.command('SGLang: Select Python…');
    await rows()
      .filter({ hasText: /python3/ })
      .first()
      .click();
    await waitForSelected(OWN);
    await workbench.runAll();
    await workbench.waitForOutput(new RegExp(`runs on ${process.platform} /`));
    // A running kernel stays what it is until it ends.
    writeFileSync(workbench.path('.vscode/settings.json'), '{}');
    await workbench.page.waitForTimeout(1500);
    await waitForSelected(OWN);
    await workbench.command('SGLang: Restart Kernel');
    await waitForSelected(BUNDLED);
    await workbench.runAll();
    await workbench.waitForOutput('runs on emscripten');
  });

  it('ends the cell that runs on the other Python', async () => {
    await workbench.open('slow.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('begins on emscripten');
    await pick(OWN);
    await workbench.waitForNoRunningCell();
    await workbench.runAll();
    await workbench.waitForOutput(`begins on ${process.platform}`);
    await workbench.waitForNoRunningCell();
    await pick(BUNDLED);
    await waitForSelected(BUNDLED);
    await workbench.runAll();
    await workbench.waitForOutput('begins on emscripten');
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForOutput('KeyboardInterrupt');
  });
});

describe('a window whose extension has seen no notebook, beside the Python extension', () => {
  const python = spawnSync('python3', ['-c', 'import sys; print(sys.executable)'], {
    encoding: 'utf8',
  }).stdout?.trim();
  let other: Workbench;

  beforeAll(async () => {
    const cells = (name: string, count: number): string =>
      Array.from({ length: count }, (_, index) => `# %%\nprint("${name}", ${index})\n`).join('\n');
    const main = PYTHON_EXTENSION['main.js'].replace('PATH', JSON.stringify(python ?? ''));
    other = await Workbench.start({
      files: {
        '.vscode/settings.json': '{}',
        'together-a.sglnb': cells('ran a', 5),
        'together-b.sglnb': cells('ran b', 800),
        'chosen.sglnb': `# %%\n${WHERE}\n`,
      },
      others: {
        'test.opener-0.0.1': commandExtension(
          { name: 'opener', verb: 'beside', title: 'open beside' },
          OPENER,
        ),
        'ms-python.python-0.0.1': { ...PYTHON_EXTENSION, 'main.js': main },
      },
    });
  });
  afterAll(() => other[Symbol.asyncDispose]());
  afterEach(async () => {
    await other.page.keyboard.press('Escape');
    await other.closeAll();
  });
  pictureFailures(() => other);

  it('asks for no kernel when several notebooks open and run at the same moment', async () => {
    const names = ['a', 'b'];
    const buttons = names.map((name) =>
      other.page
        .locator('.code-cell-row', { hasText: new RegExp(`print\\("ran\\s${name}",\\s0\\)`) })
        .first()
        .locator('.codicon-notebook-execute')
        .first(),
    );
    // Of editors that open at the same moment, the workbench sometimes leaves one closed.
    await eventually(
      120_000,
      async () => {
        await other.closeAll();
        await other.command('Opener: open beside');
        const shown = buttons.map((button) =>
          button.waitFor({ state: 'attached', timeout: 20_000 }).then(
            () => true,
            () => false,
          ),
        );
        return (await Promise.all(shown)).every(Boolean) || undefined;
      },
      () => 'the two notebooks were never open together',
    );
    await Promise.all(buttons.map((button) => button.dispatchEvent('click')));
    for (const name of names) await other.waitForOutput(`ran ${name} 0`, 60_000);
    expect(await other.page.locator('.quick-input-widget').isVisible()).toBe(false);
    // Both entries are offered afterwards.
    await other.command('Notebook: Select Notebook Kernel');
    await rows(other).filter({ hasText: 'Select Another Kernel' }).first().click();
    await rows(other).filter({ hasText: 'SGLang Notebooks' }).first().click();
    await other.waitForText('.quick-input-list', 'SGLang on your own Python');
  });

  it.skipIf(!hasPython)(
    'the picker names the Python that was chosen there, and runs cells on it',
    async () => {
      await other.open('chosen.sglnb');
      await waitForSelected(BUNDLED, other);
      await other.runAll();
      await other.waitForOutput('runs on emscripten');
      await pick(OWN, true, other);
      await other.runAll();
      await other.waitForOutput(`runs on ${process.platform} ${python}`);
      await waitForSelected(OWN, other);
      expect(other.read('.vscode/settings.json')).toContain(`"sglang.kernel.python": "${python}"`);
    },
  );
});
