/** What users know from other notebooks: snippets, the interrupt key, importing from the explorer. */
import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, Workbench } from './workbench.ts';

let workbench: Workbench;

const ENDLESS = `# %%
import time
print("has", "started")
while True:
    time.sleep(0.1)
`;
const SCRIPT = `# %%
greeting = "from a script"

# %% [markdown]
# A title
`;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      '.vscode/settings.json': '{}',
      'empty.sglnb': '# %%\n\n',
      'endless.sglnb': ENDLESS,
      'script.py': SCRIPT,
      'words.txt': 'words',
    },
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
