/** Notebooks whose files change, cannot be saved or are open in two windows, and wrong settings; in a real workbench. */
import { readdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { mountDenied, SmallDisk } from './small-disk.ts';
import { eventually, Workbench } from './workbench.ts';

let workbench: Workbench;

const COUNTER = 'counter = globals().get("counter", 0) + 1\nprint("counter is", counter)';
const notebook = (...cells: readonly string[]): string =>
  cells.map((source) => `# %%\n${source}\n`).join('\n');

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      '.vscode/settings.json': '{}',
      'twice.sglnb': notebook(COUNTER),
      'conflict.sglnb': notebook('edited = 0'),
      'changed.sglnb': notebook(COUNTER),
      'exported.sglnb': notebook('print("exported")', `text = "${'x'.repeat(9000)}"`),
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async () => {
  await workbench.command('Notifications: Clear All Notifications');
  await workbench.closeAll();
});
pictureFailures(() => workbench);

/** Waits for a notification: a workbench under test shows none by itself. */
async function notified(text: RegExp): Promise<void> {
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText('.notifications-center', text);
}

/** Types at the end of the first code cell. */
async function type(text: string): Promise<void> {
  await workbench.page.locator('.code-cell-row .view-lines').first().click();
  await workbench.page.keyboard.press('Control+End');
  await workbench.page.keyboard.type(text);
}

describe('a file that another program writes', () => {
  it('is kept when the editor has changes of its own, and the conflict is told', async () => {
    await workbench.open('conflict.sglnb');
    await type('\nedited = 1');
    const outside = notebook('from_outside = 1');
    writeFileSync(workbench.path('conflict.sglnb'), outside);
    // The editor keeps what was typed.
    await workbench.page.waitForTimeout(1500);
    await workbench.waitForText('.code-cell-row', /edited.=.1/);
    await workbench.save();
    await notified(/Failed to save 'conflict\.sglnb'.*newer/s);
    expect(workbench.read('conflict.sglnb')).toBe(outside);
    await workbench.waitForText('.code-cell-row', /edited.=.1/);
    await workbench.screenshot('save-conflict');
  });
});

describe('a setting of a wrong type', () => {
  it('is named once, with what is used instead, and again only when it is wrong anew', async () => {
    const settings = workbench.path('.vscode/settings.json');
    const write = (values: object): void => writeFileSync(settings, JSON.stringify(values));
    write({ 'sglang.kernel.keepAlive': 'soon' });
    await workbench.open('changed.sglnb');
    await workbench.page.locator('.code-cell-row').first().waitFor();
    await notified(/sglang\.kernel\.keepAlive is "soon", not a number; 10 is used/);
    // The next one comes alone.
    write({ 'sglang.kernel.keepAlive': 'soon', 'sglang.codeLens.enabled': 'yes' });
    await notified(/sglang\.codeLens\.enabled is "yes", not a boolean; true is used/);
    const rows = workbench.page.locator('.notifications-center .monaco-list-row');
    expect((await rows.allInnerTexts()).filter((text) => text.includes('keepAlive'))).toHaveLength(
      1,
    );
    await workbench.command('Notifications: Clear All Notifications');
    write({});
    await workbench.page.waitForTimeout(1000);
    write({ 'sglang.kernel.keepAlive': [] });
    await notified(/sglang\.kernel\.keepAlive is \[\], not a number/);
    // The default is in force: the kernel outlives its window.
    await workbench.runAll();
    await workbench.waitForOutput('counter is 1');
    expect(workbench.processes('"keepAlive":600000')).toHaveLength(1);
    write({});
  });
});

describe('two windows on one notebook', () => {
  it('have a kernel each; what one saves, the other shows; attaching takes the kernel over', async ({
    skip,
  }) => {
    skip(workbench.isDesktop, 'desktop VS Code opens a folder in one window only');
    await workbench.open('twice.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 1');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 2');
    const [first] = workbench.processes('kernel.mjs');
    // Not saved yet: the other window shows no output before it has run the cell itself.
    await using second = await workbench.secondWindow();
    await second.quickOpen('twice.sglnb');
    await second.page.locator('.code-cell-row').first().waitFor();
    expect(await second.outputText()).not.toContain('counter is');
    await second.runAll();
    await second.waitForOutput('counter is 1');
    const pids = workbench.processes('kernel.mjs');
    expect(pids).toHaveLength(2);
    expect(pids).toContain(first);
    await second.command('SGLang: Restart Kernel');
    await second.waitForKernel('idle');
    // The first window's kernel never noticed.
    await workbench.runAll();
    await workbench.waitForOutput('counter is 3');
    // Its end changes the notebook once more.
    await workbench.waitForNoRunningCell();
    await workbench.save();
    await workbench.waitForFile('twice.sglnb', (text) => text.includes('counter is 3'));
    await second.command('View: Revert and Close Editor');
    // A closed notebook's kernel ends, and only that one.
    await eventually(
      15_000,
      async () => workbench.processes('kernel.mjs').length === 1 || undefined,
      () => 'the kernel of the closed notebook still runs',
    );
    await second.quickOpen('twice.sglnb');
    await second.waitForOutput('counter is 3');
    // Taking over is asked for, and the window that had it says so.
    await second.command('View: Show SGLang');
    const row = second.page.locator('.pane-body .monaco-list-row', {
      hasText: 'in another window',
    });
    await row.hover();
    await row.getByRole('button', { name: 'Attach to Kernel' }).click();
    await second.waitForKernel('idle');
    await second.runAll();
    await second.waitForOutput('counter is 4');
    await workbench.waitForKernel('no kernel');
    expect(workbench.processes('kernel.mjs')).toEqual([first]);
  });
});

describe('a disk that refuses what is saved', () => {
  /** Why this machine mounts nothing for us; null if it does. */
  let denied: string | null;
  beforeAll(() => {
    denied = mountDenied(workbench.path('may-mount'));
  });

  /** Opens a new notebook on the disk. */
  async function open(disk: SmallDisk, name: string, content: string): Promise<void> {
    writeFileSync(`${disk.path}/${name}`, content);
    await workbench.quickOpen(name);
    await workbench.page.locator('.code-cell-row').first().waitFor();
  }

  it('loses nothing when it is full: the old file stays whole, and is replaced once there is space', async ({
    skip,
  }) => {
    skip(denied !== null, `a small disk could not be mounted: ${denied}`);
    using disk = new SmallDisk(workbench.path('full'));
    const old = notebook('print("o" * 300_000)\nprint("run " + "is whole")');
    await open(disk, 'precious.sglnb', old);
    await workbench.runAll();
    await workbench.waitForOutput('run is whole');
    disk.fill();
    expect(workbench.read('full/precious.sglnb')).toBe(old);
    await type('\nedited = 1');
    await workbench.waitForText('.tab.dirty', 'precious');
    await workbench.save();
    await notified(/Failed to save 'precious\.sglnb'.*no space.*Free some space/s);
    await workbench.screenshot('save-on-full-disk');
    expect(workbench.read('full/precious.sglnb')).toBe(old);
    expect(readdirSync(disk.path).toSorted()).toEqual(['filler', 'precious.sglnb']);
    await workbench.waitForText('.code-cell-row', /edited.=.1/);
    expect(await workbench.page.locator('.tab.dirty').count()).toBe(1);
    disk.free();
    await workbench.save();
    const saved = await workbench.waitForFile('full/precious.sglnb', (text) => text !== old);
    expect(saved).toContain('edited = 1');
    expect(saved).toContain('o'.repeat(300_000));
    expect(saved).toContain('run is whole');
    expect(await workbench.page.locator('.tab.dirty').count()).toBe(0);
  });

  it('says where to save when the disk takes nothing at all', async ({ skip }) => {
    skip(denied !== null, `a small disk could not be mounted: ${denied}`);
    using disk = new SmallDisk(workbench.path('read-only'));
    const old = notebook('print("run " + "is whole")');
    await open(disk, 'fixed.sglnb', old);
    disk.mount('remount,ro');
    await type('\nedited = 1');
    await workbench.waitForText('.tab.dirty', 'fixed');
    await workbench.runAll();
    await workbench.waitForOutput('run is whole');
    await workbench.save();
    await notified(/Failed to save 'fixed\.sglnb'.*read-only.*Save As/s);
    await workbench.screenshot('save-on-read-only-disk');
    await workbench.waitForText('.code-cell-row', /edited.=.1/);
    expect(await workbench.page.locator('.tab.dirty').count()).toBe(1);
    expect(workbench.read('read-only/fixed.sglnb')).toBe(old);
    disk.mount('remount,rw');
    await workbench.save();
    const saved = await workbench.waitForFile('read-only/fixed.sglnb', (text) => text !== old);
    expect(saved).toContain('edited = 1');
    expect(saved).toContain('run is whole');
  });
});

describe('an export', () => {
  let denied: string | null;
  beforeAll(() => {
    denied = mountDenied(workbench.path('may-mount-too'));
  });

  /** Through the dialog for files, whose box takes a path. */
  async function exportTo(path: string): Promise<void> {
    const { page } = workbench;
    await workbench.command('SGLang: Export Notebook…');
    await workbench.waitForText('.quick-input-list .monaco-list-row', 'Jupyter notebook');
    await page.keyboard.type(extname(path));
    await page.keyboard.press('Enter');
    await workbench.acceptPath(path);
    // Asks before it overwrites, in the same box.
    const overwrites = page.getByText('already exists', { exact: false });
    const asked = await overwrites.waitFor({ timeout: 3000 }).then(
      () => true,
      () => false,
    );
    if (asked)
      await page.locator('.quick-input-widget').getByRole('button', { name: 'OK' }).click();
  }

  it('is a notebook, a program, a text and a page for other tools, and replaces earlier ones', async () => {
    await workbench.open('exported.sglnb');
    for (const name of ['out.ipynb', 'out.py', 'out.md', 'out.html']) {
      writeFileSync(workbench.path(name), 'old');
      await exportTo(workbench.path(name));
      await workbench.waitForFile(name, (text) => text !== 'old');
    }
    expect(JSON.parse(workbench.read('out.ipynb')).cells[0].source).toContain('print("exported")');
    expect(workbench.read('out.py')).toContain('print("exported")');
    expect(workbench.read('out.md')).toContain('```python');
    expect(workbench.read('out.html')).toMatch(/^<!doctype html>/i);
    // What is in the editor: it need not be saved for that.
    await workbench.command('SGLang: New SGLang Notebook');
    await workbench.waitForText('.tab.active', 'Untitled');
    await exportTo(workbench.path('new.md'));
    await workbench.waitForText('.tab.active', 'Untitled');
    expect(await workbench.waitForFile('new.md', (text) => text !== '')).toContain('capital_of');
    expect(readdirSync(workbench.folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('leaves the file as it was where the disk is full or read-only, and says so', async ({
    skip,
  }) => {
    skip(denied !== null, `a small disk could not be mounted: ${denied}`);
    using disk = new SmallDisk(workbench.path('exports'));
    writeFileSync(`${disk.path}/out.html`, 'what was there');
    disk.fill();
    await workbench.open('exported.sglnb');
    await exportTo(`${disk.path}/out.html`);
    await notified(/out\.html was not written: there is no space left on the disk/);
    await workbench.screenshot('export-on-full-disk');
    expect(readdirSync(disk.path).toSorted()).toEqual(['filler', 'out.html']);
    expect(workbench.read('exports/out.html')).toBe('what was there');
    // Room for a part of it, which VS Code would take for the whole.
    truncateSync(`${disk.path}/filler`, statSync(`${disk.path}/filler`).size - 4096);
    await workbench.command('Notifications: Clear All Notifications');
    await exportTo(`${disk.path}/out.html`);
    await notified(/out\.html was not written: there is no space left on the disk/);
    expect(readdirSync(disk.path).toSorted()).toEqual(['filler', 'out.html']);
    expect(workbench.read('exports/out.html')).toBe('what was there');
    disk.free();
    disk.mount('remount,ro');
    await workbench.command('Notifications: Clear All Notifications');
    await exportTo(`${disk.path}/out.html`);
    await notified(/out\.html was not written: nothing can be written in that folder/);
    expect(workbench.read('exports/out.html')).toBe('what was there');
  });
});
