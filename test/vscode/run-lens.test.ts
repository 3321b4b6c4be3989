/** Lenses above programs in cells and in Python files, in a real workbench with a real kernel. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually, Workbench } from './workbench.ts';

const FILE = `import sglang as sgl
from helper import place


@sgl.function
def capital_of(s, country: str):
    s += sgl.user("What is the capital of " + place(country) + "?")
    s += sgl.assistant(sgl.gen("capital", max_tokens=64, temperature=0))


if __name__ == "__main__":
    raise SystemExit("the main part must not run")
`;
/** Python knows the pattern, the runtime refuses what looks ahead. */
const REFUSED = `import sglang as sgl


@sgl.function
def refused(s):
    s += sgl.user("A digit?")
    s += sgl.assistant(sgl.gen("digit", regex="(?=1)[0-9]"))
`;
const CELL = `# %%
from sglang import function as program, user, assistant, gen

# %%
@program
def ask(s, topic, style="short"):
    s += user(f"Tell me about {topic}, {style}.")
    s += assistant(gen("answer", max_tokens=32))
`;

const MANY = `# %%
from typing import Literal, Optional
from sglang import function, gen, user, assistant, Runtime, set_default_backend

set_default_backend(Runtime(model_path="starter"))

@function
def many(s, topic: str, count: int = 3, loud: bool = False, style: Literal["short", "long"] = "short",
         tags: list[str] = [], note: Optional[float] = None, *args, **rest):
    s += user(f"{topic!r} {count!r} {loud!r} {style!r} {tags!r} {note!r}")
    s += assistant(gen("answer", max_tokens=8))
`;

let workbench: Workbench;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: {
      'capitals.py': FILE,
      'refused.py': REFUSED,
      'helper.py': 'def place(name):\n    return name\n',
      'other.py': 'from modal import function\n\n@function\ndef not_ours(s):\n    pass\n',
      'countries.csv': 'Topic,count,loud\n"France, mostly",2,yes\nItaly,,\n',
      'lands.csv': 'land\nFrance\n',
      'many.sglnb': MANY,
      'ask.sglnb': CELL,
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());

function lens(text: string) {
  // An editor that was closed leaves its lenses behind, inert.
  return workbench.page.locator('.codelens-decoration a:visible', { hasText: text }).first();
}

async function type(text: string, prompt: string | RegExp): Promise<void> {
  await workbench.waitForText('.quick-input-widget', prompt);
  await workbench.page.keyboard.type(text);
  await workbench.page.keyboard.press('Enter');
}

it('previews the prompt of a cell that never ran, with its tokens', async () => {
  await workbench.open('ask.sglnb');
  await lens('Preview prompt').click();
  await type('rivers', 'topic');
  await type('long', 'style');
  await workbench.waitForText('.view-lines', /About.\d+.tokens/);
  await workbench.waitForText('.view-lines', /Chat.template."qwen"/);
  await workbench.waitForText('.view-lines', /Tell.me.about.rivers,.long\./);
  await workbench.waitForText('.view-lines', /⟨answer:.up.to.32.tokens⟩/);
  await workbench.screenshot('preview-prompt');
  // The program itself was not run.
  expect(workbench.processes('runtime.mjs')).toEqual([]);
  await workbench.closeAll();
});

it('shows no lens above what another library calls a function', async () => {
  await workbench.open('other.py');
  await workbench.waitForText('.view-lines', 'not_ours');
  await workbench.page.waitForTimeout(1000);
  expect(await workbench.page.locator('.codelens-decoration').count()).toBe(0);
  await workbench.closeAll();
});

it('runs a program of a Python file beside it, and previews it on the server that then runs', async () => {
  await workbench.open('capitals.py');
  await lens('Run').click();
  await type('Germany', 'country: str');
  await workbench.waitForOutput('The capital of Germany is Berlin');
  await workbench.screenshot('python-file-run');
  await workbench.waitForNoRunningCell();
  await lens('Preview prompt').click();
  await type('France', 'country: str');
  await workbench.waitForText('.view-lines', /What.is.the.capital.of.France\?/);
  await workbench.waitForText(
    '.view-lines',
    /\d+.tokens.without.the.generated.parts,.by.the.server/,
  );
  await workbench.screenshot('python-file-preview');
});

it('runs it again in the same notebook and kernel', async () => {
  const kernels = workbench.processes('kernel.mjs');
  expect(kernels).toHaveLength(1);
  await lens('Run').click();
  await type('Italy', 'country: str');
  await workbench.waitForOutput('The capital of Italy is Rome');
  expect(workbench.processes('kernel.mjs')).toEqual(kernels);
  await eventually(
    5000,
    async () => ((await workbench.outputText()).includes('Traceback') ? undefined : true),
    () => 'a traceback is shown',
  );
});

it('runs a cell again from the output that shows its failure', async () => {
  await workbench.closeAll();
  await workbench.open('refused.py');
  await lens('Run').click();
  await workbench.waitForOutput('Run the cell again');
  await workbench.waitForNoRunningCell();
  const order = async (): Promise<string> => {
    const labels = workbench.page.locator('.execution-count-label');
    return (await labels.allInnerTexts()).join();
  };
  const before = await order();
  for (const frame of workbench.page.frames()) {
    const button = frame.getByRole('button', { name: 'Run the cell again' }).first();
    // It may lie below what the window shows.
    if ((await button.count()) > 0) await button.dispatchEvent('click');
  }
  await eventually(
    15_000,
    async () => ((await order()) === before ? undefined : true),
    () => `no cell ran again: ${before}`,
  );
});

it('makes a step of the form for each type, with a way back, and remembers what was given', async () => {
  const { page } = workbench;
  await workbench.closeAll();
  await workbench.open('many.sglnb');
  const box = page.locator('.quick-input-widget');
  const choose = async (label: string, prompt: string): Promise<void> => {
    await workbench.waitForText('.quick-input-widget', prompt);
    await box.locator('.monaco-list-row', { hasText: label }).first().click();
  };
  await lens('Run').click();
  await type(String.raw`"one\ntwo"`, 'topic: str');
  await type('many', 'count: int = 3');
  await workbench.waitForText('.quick-input-widget', 'Type a whole number such as 5.');
  await box.getByRole('button', { name: 'Back' }).click();
  await workbench.waitForText('.quick-input-widget', 'topic: str');
  await workbench.screenshot('run-form');
  await page.keyboard.press('Enter');
  await type('5', 'count: int = 3');
  await workbench.waitForText('.quick-input-widget', '3/6');
  await choose('True', '');
  await choose('"long"', '"short"');
  await type('["a", "b"]', 'tags: list[str] = []');
  await type('', 'note: Optional[float] = None');
  await workbench.waitForOutput(`'one\\ntwo' 5 True 'long' ['a', 'b'] None`);
  await workbench.waitForNoRunningCell();
  await lens('Run').click();
  await workbench.waitForText('.quick-input-widget', 'topic: str');
  expect(await box.locator('input').first().inputValue()).toBe(String.raw`"one\ntwo"`);
  await page.keyboard.press('Escape');
});

it('runs a program over the rows of a CSV file, and says which column is missing before it runs', async () => {
  const pickFile = async (name: string): Promise<void> => {
    await lens('Run batch').click();
    await workbench.page
      .locator('.quick-input-list .monaco-list-row', { hasText: name })
      .first()
      .click();
  };
  await pickFile('lands.csv');
  // A workbench under test shows no notification by itself.
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText(
    '.notifications-center',
    'lands.csv has no column for topic, which many needs. Its columns: land.',
  );
  await workbench.command('Notifications: Clear All Notifications');
  await pickFile('countries.csv');
  await workbench.waitForOutput('many: 2 of 2 finished');
  await workbench.waitForOutput('France, mostly');
  await workbench.screenshot('run-batch');
  await workbench.waitForKernel('idle');
  expect(await workbench.outputText()).not.toContain('Traceback');
});
