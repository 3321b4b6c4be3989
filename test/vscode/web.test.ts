/** The extension in a browser alone: its host is a web worker, the folder is a virtual one, nothing can be started. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Workbench } from './workbench.ts';

const PIXEL =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const STATE = {
  program: 'capital_of',
  running: false,
  error: null,
  segments: [
    { kind: 'text', role: 'user', text: 'What is the capital of France?' },
    {
      kind: 'gen',
      role: 'assistant',
      name: 'capital',
      text: 'Paris, as saved',
      source: 'gen',
      constraint: null,
      timing: null,
      tokens: null,
      choices: null,
      request: null,
    },
  ],
  forks: [],
};

const CELLS = `# %%
from sglang import *

@function
def capital_of(s, country):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=32))

# %%
state = capital_of.run(country="France")
state["capitol"]
`;

let workbench: Workbench;

beforeAll(async () => {
  const saved = await notebookWithOutputs();
  workbench = await Workbench.start({
    web: true,
    files: { 'saved.sglnb': saved },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());

/** A workbench under test shows no notification by itself. */
async function waitForMessage(text: string): Promise<void> {
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText('.notifications-center', text);
}

/** As this project writes it. */
async function notebookWithOutputs(): Promise<string> {
  const { parseNotebook, serializeNotebook } =
    await import('../../extension/notebook-format/sglnb.ts');
  const { document } = parseNotebook(CELLS);
  const display = (data: object) => ({
    json: { output_type: 'display_data', metadata: {}, data: { 'text/plain': 'plain', ...data } },
  });
  const outputs = [
    display({ 'application/vnd.sglang.state+json': STATE }),
    display({ 'image/png': PIXEL }),
  ];
  const cells = document.cells.map((cell, index) => (index === 1 ? { ...cell, outputs } : cell));
  return serializeNotebook({ ...document, cells });
}

it('opens a notebook and draws its saved outputs', async () => {
  const opened = workbench.open('saved.sglnb');
  // VS Code asks for every notebook in a browser alone.
  await workbench.page.getByRole('button', { name: 'Open Notebook' }).click();
  await opened;
  await workbench.waitForOutput('Paris, as saved');
  await workbench.screenshot('web');
});

it('reports, by the language server in its own worker, what is wrong in a cell', async () => {
  await workbench.waitForText('.statusbar-item', /^\s*1\b/);
  await workbench.waitForHover('"capitol"', 3, /no variable "capitol"|capital/);
});

it('says where cells run when one is run, and leaves no cell waiting', async () => {
  await workbench.runAll();
  await waitForMessage('A browser cannot run cells');
  await workbench.waitForNoRunningCell();
  await workbench.command('Notifications: Clear All Notifications');
});

it('says so for every command that would need a kernel', async () => {
  await workbench.command('SGLang: Choose Model…');
  await waitForMessage('A browser cannot run cells');
  await workbench.command('Notifications: Clear All Notifications');
});

it('shows no views of kernels', async () => {
  const icons = workbench.page.locator('.activitybar .action-label');
  expect(await icons.count()).toBeGreaterThan(3);
  expect(await workbench.page.locator('.activitybar [aria-label*="SGLang"]').count()).toBe(0);
});

it('saves what was written, and keeps every byte of the rest', async () => {
  const before = workbench.read('saved.sglnb');
  await workbench.page.locator('.view-line', { hasText: 'capitol' }).click();
  await workbench.page.keyboard.press('End');
  await workbench.page.keyboard.type('  # typed in a browser');
  await workbench.save();
  const after = await workbench.waitForFile('saved.sglnb', (text) => text.includes('# typed in'));
  expect(after.replace('  # typed in a browser', '')).toBe(before);
});

it('starts no process', () => {
  expect(workbench.processes('kernel.mjs')).toEqual([]);
  expect(workbench.processes('language-server.mjs')).toEqual([]);
});
