/** Notebooks whose files change or are open in two windows, and wrong settings; in a real workbench. */
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
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
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    await workbench.screenshot(`failed-${task.name.replaceAll(/\W+/g, '-')}`);
  await workbench.command('Notifications: Clear All Notifications');
  await workbench.closeAll();
});

/** Waits for a notification: a workbench under test shows none by itself. */
async function notified(text: RegExp, window = workbench): Promise<void> {
  await window.command('Notifications: Show Notifications');
  await window.waitForText('.notifications-center', text);
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
    await workbench.save();
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
