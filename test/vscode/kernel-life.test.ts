/**
 * Kernels in a real workbench over what happens to windows, files and processes. One workbench serves
 * all tests; each opens a notebook of its own.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually, Workbench } from './workbench.ts';

let workbench: Workbench;

/** A notebook with one code cell per text. */
function notebook(...cells: readonly string[]): string {
  return cells.map((source) => `# %%\n${source}\n`).join('\n');
}

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      'reloaded.sglnb': notebook(
        'import time\nkept = 41\nprint("kept")',
        'for i in range(28):\n    print("line", i, flush=True)\n    time.sleep(0.5)',
        'print("after the loop", kept + 1)',
      ),
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    await workbench.screenshot(`failed-${task.name.replaceAll(/\W+/g, '-')}`);
  await workbench.tall(900);
  await workbench.closeAll();
});

describe('a window that is reloaded while a cell runs', () => {
  it('gets its kernel back: the cells go on, and their output is complete', async () => {
    await workbench.open('reloaded.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput(/line 2\n/);
    const [pid] = workbench.processes('kernel.mjs');
    await workbench.reload();
    await workbench.waitForKernel('busy');
    await workbench.waitForOutput(/line 20\n/);
    await workbench.screenshot('reloaded-window');
    expect(workbench.processes('kernel.mjs')).toEqual([pid]);
    await workbench.waitForKernel('idle');
    await workbench.tall(1600);
    await workbench.waitForOutput('after the loop 42');
    await workbench.waitForNoRunningCell();
    expect(await workbench.page.locator('.codicon-notebook-state-success').count()).toBe(3);
    // The cell that had ended just before shows again what it showed, with its number.
    await workbench.waitForOutput('kept');
    expect(await workbench.page.locator('.execution-count-label').allInnerTexts()).toEqual([
      '[1]',
      '[2]',
      '[3]',
    ]);
    await workbench.save();
    const lines = Array.from({ length: 28 }, (_, line) => String.raw`line ${line}\n`).join('');
    await workbench.waitForFile('reloaded.sglnb', (text) => text.includes(`"text":"${lines}"`));
    expect(workbench.read('reloaded.sglnb')).toContain('"text":"after the loop 42');
    // Its variables are there too, and closing the notebook ends it.
    await workbench.closeAll();
    await eventually(
      15_000,
      async () => (workbench.processes('kernel.mjs').length === 0 ? true : undefined),
      () => 'the kernel of the closed notebook still runs',
    );
  });
});
