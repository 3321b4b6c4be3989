/** `input()` and `getpass()` of cells, in a real workbench. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { Workbench } from './workbench.ts';

let workbench: Workbench;

const ASKING = 'name = input("Your name? ")\nprint("Hello,", name)';

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      'asking.sglnb': `# %%\n${ASKING}\n`,
      'secret.sglnb':
        '# %%\nimport getpass\nkey = getpass.getpass("Key? ")\nprint("length", len(key))\n',
      'ending.sglnb': `# %%\n${ASKING}\n`,
      'stopped.sglnb': `# %%\n${ASKING}\n`,
      'hidden.sglnb': `# %%\nimport time\ntime.sleep(4)\n${ASKING}\n`,
      'reloaded.sglnb': `# %%\nprint(input("First? "))\n${ASKING}\n`,
      'other.txt': 'something else',
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async () => {
  await workbench.closeAll();
});
pictureFailures(() => workbench);

const FIELD = '.question input';
const boxes = (): Promise<number> => workbench.page.locator('.quick-input-widget:visible').count();

/** Types into the question's field, and sends what is there. */
async function answer(text: string): Promise<void> {
  const field = await workbench.inOutputs(FIELD);
  await field.fill(text);
  await field.press('Enter');
}

describe('questions of a cell', () => {
  it('are asked inside the cell, and stay as text', async () => {
    await workbench.open('asking.sglnb');
    await workbench.runAll();
    const field = await workbench.inOutputs(FIELD);
    expect(await field.getAttribute('aria-label')).toBe('Your name? ');
    // Had the renderer been slow, its drawing would have closed the box.
    await expect.poll(boxes).toBe(0);
    // Saved while it waits, the file has the question as text.
    await workbench.save();
    await workbench.waitForFile('asking.sglnb', (text) => text.includes('"text":"Your name? "'));
    expect(workbench.read('asking.sglnb')).not.toContain('vnd.sglang.input');
    await workbench.screenshot('question');
    await answer('Ada');
    await workbench.waitForOutput('Your name? Ada\nHello, Ada');
    await workbench.waitForNoRunningCell();
    await workbench.save();
    await workbench.waitForFile('asking.sglnb', (text) =>
      text.includes(String.raw`"text":"Your name? Ada\nHello, Ada\n"`),
    );
  });

  it('have the focus when nobody types elsewhere, and keep their keys to themselves', async () => {
    await workbench.open('asking.sglnb');
    await workbench.runAll();
    const field = await workbench.inOutputs(FIELD);
    await field.evaluate((element) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      if (element.matches(':focus')) resolve();
      element.addEventListener('focus', () => resolve());
      return promise;
    });
    // Keys that are commands of a notebook outside of a field: new cells, deletion.
    await workbench.page.keyboard.type('abdd');
    await workbench.page.keyboard.press('Enter');
    await workbench.waitForOutput('Hello, abdd');
    expect(await workbench.page.locator('.code-cell-row').count()).toBe(1);
  });

  it('hide passwords, and leave no trace of them', async () => {
    await workbench.open('secret.sglnb');
    await workbench.runAll();
    const field = await workbench.inOutputs(FIELD);
    expect(await field.getAttribute('type')).toBe('password');
    await answer('swordfish');
    await workbench.waitForOutput('length 9');
    await workbench.waitForNoRunningCell();
    await workbench.save();
    await workbench.waitForFile('secret.sglnb', (text) =>
      text.includes(String.raw`"text":"Key? \nlength 9\n"`),
    );
    expect(workbench.filesWith('swordfish')).toEqual([]);
  });

  it('end at Escape', async () => {
    await workbench.open('ending.sglnb');
    await workbench.runAll();
    await (await workbench.inOutputs(FIELD)).press('Escape');
    await workbench.waitForOutput('EOFError');
    await workbench.waitForKernel('idle');
  });

  it('close with an interrupt', async () => {
    await workbench.open('stopped.sglnb');
    await workbench.runAll();
    const field = await workbench.inOutputs(FIELD);
    // It takes the focus once: a palette that is open by then would lose it.
    const isFocused = (): Promise<boolean> =>
      field.evaluate((input) => {
        const root = input.getRootNode();
        return root instanceof ShadowRoot && root.activeElement === input;
      });
    await expect.poll(isFocused, { timeout: 10_000 }).toBe(true);
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForOutput('KeyboardInterrupt');
    await workbench.waitForKernel('idle');
    await field.waitFor({ state: 'detached' });
    await expect.poll(boxes).toBe(0);
  });

  it('are asked in a box while the notebook is hidden', async () => {
    await workbench.open('hidden.sglnb');
    await workbench.runAll();
    await workbench.quickOpen('other.txt');
    await workbench.waitForText('.quick-input-widget', 'Your name?');
    await workbench.waitForText('.quick-input-widget', 'Input for cell 1');
    await workbench.page.keyboard.type('Grace');
    await workbench.page.keyboard.press('Enter');
    await workbench.quickOpen('hidden.sglnb');
    await workbench.waitForOutput('Your name? Grace\nHello, Grace');
  });

  it('are asked again in a window that was reloaded', async () => {
    await workbench.open('reloaded.sglnb');
    await workbench.runAll();
    await answer('one');
    await workbench.waitForOutput('First? one\none');
    await workbench.inOutputs(FIELD);
    await workbench.reload();
    // The window may come back with another tab in front.
    await workbench.open('reloaded.sglnb');
    await workbench.waitForKernel('busy');
    await answer('two');
    await workbench.waitForOutput('First? one\none\nYour name? two\nHello, two');
    await workbench.waitForKernel('idle');
  });
});
