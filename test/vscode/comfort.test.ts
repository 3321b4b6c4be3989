/**
 * What users know from other notebooks: snippets, the interrupt key, importing from the explorer, the Python in the
 * status bar, saving without formatting, reporting an issue.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { mountDenied, SmallDisk } from './small-disk.ts';
import { eventually, Workbench } from './workbench.ts';

let workbench: Workbench;

const ENDLESS = `# %%
import time
print("has", "started")
while True:
    time.sleep(0.1)
`;
const WHERE = `# %%
import sys
count = globals().get("count", 0) + 1
print("run", count, "on", sys.platform, sys.prefix)
`;
const hasPython = spawnSync('python3', ['-m', 'venv', '--help']).status === 0;
const SCRIPT = `# %%
greeting = "from a script"

# %% [markdown]
# A title
`;

/** Its output grows from run to run. */
const WHOLE = `# %%
size = globals().get("size", 200_000) + 100_000
print("o" * size)
print("run " + "is whole", size)
`;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      '.vscode/settings.json': '{}',
      'empty.sglnb': '# %%\n\n',
      'endless.sglnb': ENDLESS,
      'script.py': SCRIPT,
      'where.sglnb': WHERE,
      'words.txt': 'words',
    },
    settings: { 'issueReporter.experimental.webReporter': true },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async () => {
  await workbench.page.keyboard.press('Escape');
  await workbench.closeAll();
});
pictureFailures(() => workbench);

it('completes a snippet in a cell', async () => {
  const { page } = workbench;
  await workbench.open('empty.sglnb');
  await page.locator('.code-cell-row .view-lines').first().click();
  await page.keyboard.type('sgl-sel');
  await page.keyboard.press('Control+Space');
  await workbench.waitForText('.suggest-widget .monaco-list-row.focused', 'sgl-select');
  await page.keyboard.press('Tab');
  await workbench.waitForText(
    '.code-cell-row',
    /s.\+=.select\("tool",.choices=\["calculator",.*"search.engine"\]\)/s,
  );
});

it('interrupts with I I, as Jupyter does', async () => {
  const { page } = workbench;
  await workbench.open('endless.sglnb');
  await workbench.runAll();
  await workbench.waitForOutput('has started');
  // From the text of a cell to the cell.
  await page.locator('.code-cell-row .view-lines').first().click();
  await page.keyboard.press('Escape');
  await page.keyboard.press('i');
  await page.keyboard.press('i');
  await workbench.waitForOutput('KeyboardInterrupt');
  await workbench.waitForNoRunningCell();
  await workbench.waitForKernel('idle');
});

it('imports a file from the menu of the explorer, and offers that for notebooks and Python only', async () => {
  const { page } = workbench;
  const menu = async (name: string) => {
    await page
      .locator('.explorer-folders-view .monaco-list-row', { hasText: name })
      .first()
      .click({ button: 'right' });
    const entry = page.getByRole('menuitem', { name: 'Open to the Side' });
    await entry.waitFor();
    return page.getByRole('menuitem', { name: 'Import as SGLang Notebook' });
  };
  expect(await (await menu('words.txt')).count()).toBe(0);
  await page.keyboard.press('Escape');
  await (await menu('script.py')).hover();
  await page.keyboard.press('Enter');
  await eventually(
    15_000,
    async () => existsSync(workbench.path('script.sglnb')) || undefined,
    () => 'script.sglnb was not written',
  );
  await workbench.waitForText('.code-cell-row', /greeting.=."from.a.script"/);
  expect(workbench.read('script.sglnb')).toContain('# A title');
  expect(workbench.read('script.py')).toBe(SCRIPT);
});

it('keeps what "Save without Formatting" tears on a full disk, and saves it whole once there is space', async ({
  skip,
}) => {
  const denied = mountDenied(workbench.path('may-mount'));
  skip(denied !== null, `a small disk could not be mounted: ${denied}`);
  using disk = new SmallDisk(workbench.path('full'));
  writeFileSync(`${disk.path}/torn.sglnb`, WHOLE);
  await workbench.quickOpen('torn.sglnb');
  await workbench.page.locator('.code-cell-row').first().waitFor();
  await workbench.runAll();
  await workbench.waitForOutput('run is whole');
  await workbench.waitForNoRunningCell();
  disk.fill();
  await workbench.command('File: Save without Formatting');
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText(
    '.notifications-center',
    /torn\.sglnb was cut off when it was saved: the disk is full/,
  );
  await workbench.screenshot('save-without-formatting');
  // VS Code tore it and called it saved.
  expect(workbench.read('full/torn.sglnb').length).toBeLessThan(300_000);
  await workbench.waitForText('.tab.dirty', 'torn');
  const copies = () => workbench.filesWith('run is whole').filter((path) => /unsaved/.test(path));
  const [copy = ''] = copies();
  const whole = readFileSync(copy, 'utf8');
  expect(whole).toContain('o'.repeat(300_000));
  const saveAgain = workbench.page
    .locator('.notifications-center')
    .getByRole('button', { name: 'Save Again' });
  // Still full: the file is not touched again.
  const torn = workbench.read('full/torn.sglnb');
  await saveAgain.click();
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText('.notifications-center', /no space left on the disk/);
  expect(workbench.read('full/torn.sglnb')).toBe(torn);
  expect(existsSync(copy)).toBe(true);
  disk.free();
  await workbench.save();
  const saved = await workbench.waitForFile('full/torn.sglnb', (text) => text !== torn);
  expect(saved).toBe(whole);
  await eventually(
    10_000,
    async () => !existsSync(copy) || undefined,
    () => 'the copy stayed',
  );
  expect(await workbench.page.locator('.tab.dirty').count()).toBe(0);
  // Torn again; what is typed before "Save Elsewhere…" is chosen is saved, too.
  disk.fill();
  await workbench.runAll();
  await workbench.waitForOutput('run is whole 400000');
  await workbench.command('File: Save without Formatting');
  await eventually(
    30_000,
    async () => copies().length > 0 || undefined,
    () => 'it was not torn again',
  );
  await workbench.page.locator('.code-cell-row .view-lines').first().click();
  await workbench.page.keyboard.press('Control+Home');
  await workbench.page.keyboard.type('later = 1\n');
  await workbench.command('Notifications: Show Notifications');
  await workbench.page
    .locator('.notifications-center')
    .getByRole('button', { name: 'Save Elsewhere…' })
    .first()
    .click();
  await workbench.acceptPath(workbench.path('rescued.sglnb'));
  await workbench.waitForText('.tab.active', 'rescued.sglnb');
  const rescued = await workbench.waitForFile('rescued.sglnb', (text) => text !== '');
  expect(rescued).toContain('later = 1');
  expect(rescued).toContain('o'.repeat(400_000));
  expect(await workbench.page.locator('.tab.dirty').count()).toBe(0);
  await eventually(
    10_000,
    async () => copies().length === 0 || undefined,
    () => 'the second copy stayed',
  );
});

it('reports an issue with what runs here, and without names of files', async () => {
  const { page } = workbench;
  await workbench.open('empty.sglnb');
  await workbench.runAll();
  await workbench.waitForKernel('idle');
  const opened = page.context().waitForEvent('page');
  await workbench.command('SGLang: Report Issue…');
  const reporter = await opened;
  await reporter.locator('textarea').first().waitFor();
  await eventually(
    10_000,
    async () =>
      (await reporter.locator('textarea').first().inputValue()).startsWith('What I did') ||
      undefined,
    () => 'the reporter was not filled in',
  );
  expect(await reporter.locator('select').nth(1).inputValue()).toBe('extension');
  await reporter.close();
  const without = { 'issueReporter.experimental.webReporter': false };
  writeFileSync(workbench.path('.vscode/settings.json'), JSON.stringify(without));
  await page.waitForTimeout(2000);
  // A workbench without a reporter of its own.
  await workbench.command('SGLang: Report Issue…');
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText('.notifications-center', /Copy the report from here/);
  await workbench.waitForText('.view-lines', /SGLang.Notebooks.\d/);
  const text = (await page.locator('.editor-instance .view-lines').allInnerTexts()).join('\n');
  for (const words of [/What.I.did/, /idle,.Python/, /sglang\.kernel\.endpoint:.not.set/])
    expect(text).toMatch(words);
  for (const name of [workbench.folder, homedir(), 'empty']) expect(text).not.toContain(name);
});

describe.skipIf(!hasPython)('the status bar', () => {
  const python = () => workbench.page.locator('.statusbar-item', { hasText: /Python/ }).first();
  const choose = async (label: RegExp): Promise<void> => {
    await workbench.waitForText('.quick-input-widget', 'Select Python');
    await workbench.page
      .locator('.quick-input-list .monaco-list-row', { hasText: label })
      .first()
      .click();
  };

  it('names the Python of the notebook, and a click on it switches, the first time too', async () => {
    const { page } = workbench;
    spawnSync('python3', ['-m', 'venv', '--without-pip', workbench.path('.venv')]);
    await workbench.open('where.sglnb');
    await workbench.waitForText('.statusbar-item', 'Python: bundled');
    await workbench.runAll();
    await workbench.waitForOutput('run 1 on emscripten');
    await python().click();
    await choose(/^\s*\.venv/);
    await workbench.waitForText('.statusbar-item', /Python 3\.\d+\.\d+ \(\.venv\)/);
    await workbench.runAll();
    await workbench.waitForOutput(`run 1 on ${process.platform} ${workbench.path('.venv')}`);
    await workbench.waitForText('a.kernel-label', 'SGLang on your own Python');
    await workbench.screenshot('python-in-the-status-bar');
    // By keyboard, as screen readers know it.
    const button = python().locator('a');
    expect(await button.getAttribute('role')).toBe('button');
    expect(await button.getAttribute('aria-label')).toMatch(
      /^Python 3\.\d+\.\d+ \(\.venv\)\. Choose which Python runs the cells/,
    );
    await button.focus();
    await page.keyboard.press('Enter');
    await workbench.waitForText('.quick-input-list .monaco-list-row', /\.venv/);
    await workbench.screenshot('python-choices');
    await choose(/Bundled Python/);
    await workbench.waitForText('.statusbar-item', 'Python: bundled');
    await workbench.runAll();
    await workbench.waitForOutput('run 1 on emscripten');
    expect(workbench.processes('kernel.mjs')).toHaveLength(1);
  });

  it('names no Python beside other files, nor in a folder that is not trusted', async () => {
    await workbench.open('where.sglnb');
    await workbench.waitForText('.statusbar-item', 'Python: bundled');
    await workbench.quickOpen('words.txt');
    await python().waitFor({ state: 'hidden' });
    await using restricted = await Workbench.start({
      files: { 'where.sglnb': WHERE },
      workspaceTrust: true,
    });
    await restricted.open('where.sglnb');
    await restricted.waitForText('.statusbar-item', 'Restricted Mode');
    await restricted.page.waitForTimeout(1500);
    expect(await restricted.page.locator('.statusbar-item', { hasText: /Python:/ }).count()).toBe(
      0,
    );
  });
});
