/** How people begin, without a network: the views, the walkthrough, a new notebook; and how they begin again. */
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { Workbench } from './workbench.ts';

const COUNT = 'counter = globals().get("counter", 0) + 1\nprint("counter is", counter)';

let workbench: Workbench;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      'again.sglnb': `# %%\n${COUNT}\n\n# %%\nprint("second sees", counter)\n\n# %%\nprint("third sees", counter)\n`,
      'silent.sglnb':
        '# %%\nimport time\nruns = globals().get("runs", 0) + 1\nprint("shown once") if runs == 1 else time.sleep(3)\n',
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(() => workbench.closeAll());
pictureFailures(() => workbench);

it('says in its view what to do first, and makes a new notebook from there', async () => {
  const { page } = workbench;
  await workbench.command('View: Show SGLang');
  await workbench.waitForText('.welcome-view-content', 'No kernel is running');
  await page.locator('.welcome-view-content').getByRole('button', { name: 'New SGLang' }).click();
  await workbench.waitForText('.code-cell-row', /from.sglang.import/);
  await workbench.screenshot('new-notebook');
});

it('is among the kinds of new files', async () => {
  const { page } = workbench;
  await workbench.command('Create: New File...');
  await workbench.waitForText('.quick-input-list .monaco-list-row', 'SGLang Notebook');
  await page.keyboard.press('Escape');
});

it('has a walkthrough whose steps lead to the tour, a new notebook and a model', async () => {
  const { page } = workbench;
  await workbench.command('Welcome: Open Walkthrough...');
  await page.locator('.quick-input-widget input').first().fill('SGLang');
  await workbench.waitForText('.quick-input-list .monaco-list-row', 'Get started with SGLang');
  await page.keyboard.press('Enter');
  for (const step of ['Run the tour', 'Write your own', 'Use a model of your own'])
    await workbench.waitForText('.getting-started-step', step);
  await workbench.screenshot('walkthrough');
  await page.getByText('Open the Tour Notebook').first().click();
  await workbench.waitForText('.tab', /tour/i);
});

it('runs all cells on a fresh kernel, and up to the selected one', async () => {
  const { page } = workbench;
  await workbench.open('again.sglnb');
  await workbench.runAll();
  await workbench.waitForOutput('third sees 1');
  await workbench.runAll();
  await workbench.waitForOutput('third sees 2');
  const [before] = workbench.processes('kernel.mjs');
  await workbench.command('SGLang: Restart Kernel and Run All Cells');
  await workbench.waitForOutput('third sees 1');
  expect(workbench.processes('kernel.mjs')).not.toEqual([before]);
  await workbench.runAll();
  await workbench.waitForOutput('third sees 2');
  await workbench.waitForNoRunningCell();
  await page.locator('.code-cell-row .view-lines').nth(1).click();
  await workbench.command('SGLang: Restart Kernel and Run Up to This Cell');
  await workbench.waitForOutput('second sees 1');
  await workbench.waitForNoRunningCell();
  // What lies below was not run again.
  expect(await workbench.outputText()).toContain('third sees 2');
});

it('clears what a cell showed when its next run shows nothing', async () => {
  await workbench.open('silent.sglnb');
  await workbench.runAll();
  await workbench.waitForOutput('shown once');
  await workbench.waitForNoRunningCell();
  await workbench.runAll();
  await workbench.page.locator('.codicon-notebook-state-executing').first().waitFor();
  await workbench.page.waitForTimeout(1500);
  expect(await workbench.outputText()).not.toContain('shown once');
  expect(await workbench.page.locator('.codicon-notebook-state-executing').count()).toBeGreaterThan(
    0,
  );
  await workbench.waitForNoRunningCell();
});
