/** The tools for language models, called by another extension as chats call them, in a real workbench. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandExtension, eventually, Workbench } from './workbench.ts';

const NOTEBOOK = `# %%
from sglang import Runtime, assistant, function, gen, set_default_backend, user

set_default_backend(Runtime(model_path="starter"))
api_key = "sk-hidden"

# %% [markdown]
# Words

# %%
@function
def capital_of(s, country: str):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=32, temperature=0))

# %%
print("from the", "cell")
raise ValueError("as written")
`;

/** Calls a tool as its own file asks for, and writes down the answer. */
const CALLER = commandExtension(
  { name: 'caller', verb: 'call', title: 'Call Tool' },
  `
const { commands, lm, workspace, Uri } = require('vscode');
exports.activate = () => commands.registerCommand('caller.call', async () => {
  const file = (name) => Uri.joinPath(workspace.workspaceFolders[0].uri, name);
  const { name, input } = JSON.parse(String(await workspace.fs.readFile(file('call.json'))));
  let answer;
  try {
    const { content } = await lm.invokeTool(name, { input, toolInvocationToken: undefined });
    answer = { result: JSON.parse(content.map(({ value }) => value).join('')) };
  } catch (error) {
    answer = { error: String(error && error.message || error) };
  }
  answer.tools = lm.tools.filter(({ name }) => name.startsWith('sglang_'));
  await workspace.fs.writeFile(file('answer.json'), Buffer.from(JSON.stringify(answer)));
});
`,
);

interface Answer {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: string;
  readonly tools: readonly { readonly name: string; readonly inputSchema: object }[];
}

let workbench: Workbench;

/** Starts a call; its answer comes when the user has decided. */
async function call(name: string, input: object): Promise<void> {
  rmSync(workbench.path('answer.json'), { force: true });
  writeFileSync(workbench.path('call.json'), JSON.stringify({ name, input }));
  await workbench.command('Caller: Call Tool');
}

async function answer(): Promise<Answer> {
  return eventually(
    90_000,
    async () => {
      try {
        const found: Answer = JSON.parse(readFileSync(workbench.path('answer.json'), 'utf8'));
        return found;
      } catch {
        return undefined;
      }
    },
    () => `no answer\n${workbench.log(20)}`,
  );
}

const dialog = () => workbench.page.locator('.monaco-dialog-box');

/** Presses a button of the question, and returns what it asked. */
async function decide(button: RegExp): Promise<string> {
  await dialog().waitFor({ timeout: 30_000 });
  const text = await dialog().innerText();
  await dialog().getByRole('button', { name: button }).click();
  return text.replaceAll('\u00a0', ' ');
}

async function start(more: Partial<Parameters<typeof Workbench.start>[0]>): Promise<void> {
  workbench = await Workbench.start({
    files: { 'tools.sglnb': NOTEBOOK },
    others: { 'test.caller-0.0.1': CALLER },
    ...more,
  });
  await workbench.waitForCommand('Caller: Call Tool');
}

describe('in a trusted folder', () => {
  beforeAll(() => start({}));
  afterAll(() => workbench[Symbol.asyncDispose]());

  it('say that a notebook must be open first', async () => {
    await call('sglang_read_notebook', {});
    expect((await answer()).error).toContain('No SGLang notebook is open');
  });

  it('read a notebook that has not run, and start no kernel for that', async () => {
    await workbench.open('tools.sglnb');
    await workbench.waitForKernel('no kernel');
    await call('sglang_read_notebook', {});
    const { result, tools } = await answer();
    expect(result).toMatchObject({
      notebook: 'tools.sglnb',
      kernel: { status: 'stopped', runtimes: [] },
      cells: [
        { cell: 1, kind: 'code' },
        { cell: 2, kind: 'text' },
        { cell: 3, kind: 'code' },
        { cell: 4, kind: 'code' },
      ],
      programs: [
        { name: 'capital_of', cell: 3, parameters: [{ name: 'country' }], variables: ['capital'] },
      ],
      pythonVariables: 'No kernel is running.',
    });
    expect(workbench.processes('kernel.mjs')).toEqual([]);
    expect(tools.map(({ name }) => name).toSorted()).toEqual([
      'sglang_read_generations',
      'sglang_read_notebook',
      'sglang_run_cell',
      'sglang_run_program',
    ]);
    expect(tools.every(({ inputSchema }) => 'properties' in inputSchema)).toBe(true);
  });

  it('run nothing that the user does not want', async () => {
    await call('sglang_run_cell', { cell: 4 });
    const asked = await decide(/cancel|no/i);
    expect(asked).toContain('Run cell 4 of tools.sglnb?');
    expect(asked).toContain('raise ValueError("as written")');
    expect((await answer()).error).toMatch(/cancel/i);
    expect(workbench.processes('kernel.mjs')).toEqual([]);
  });

  it('do not run a cell that was edited while the user was asked', async () => {
    await call('sglang_run_cell', { cell: 4 });
    await dialog().waitFor();
    const other = NOTEBOOK.replace('as written', 'as changed');
    writeFileSync(workbench.path('tools.sglnb'), other);
    await workbench.waitForText('.view-lines', /as.changed/);
    expect(await decide(/yes|continue|ok/i)).toContain('as written');
    expect((await answer()).error).toContain('not what was confirmed');
    expect(workbench.processes('kernel.mjs')).toEqual([]);
    writeFileSync(workbench.path('tools.sglnb'), NOTEBOOK);
    await workbench.waitForText('.view-lines', /as.written/);
  });

  it('run a cell once it is confirmed, and tell what it printed and how it failed', async () => {
    await call('sglang_run_cell', { cell: 4, notebook: 'tools.sglnb' });
    await decide(/yes|continue|ok/i);
    const { result } = await answer();
    expect(result).toMatchObject({ notebook: 'tools.sglnb', cell: 4, outcome: 'failed' });
    expect(result?.['output']).toMatch(/^from the cell\n[^]*ValueError: as written/);
  });

  it('run a program with arguments, after the cell that defines it', async () => {
    await call('sglang_run_cell', { cell: 1 });
    await decide(/yes|continue|ok/i);
    expect((await answer()).result).toMatchObject({ outcome: 'ok' });
    await call('sglang_run_program', { program: 'capital_of', arguments: { country: 'Germany' } });
    await dialog().waitFor();
    await workbench.screenshot('tool-confirmation');
    const asked = await decide(/yes|continue|ok/i);
    expect(asked).toMatch(/^Cell 3\n@function\ndef capital_of/m);
    expect(asked).toMatch(/^New cell$/m);
    expect(asked).toContain('capital_of.run(country="Germany")');
    const { result } = await answer();
    expect(result).toMatchObject({ cell: 4, outcome: 'ok' });
    expect(result?.['output']).toContain('Berlin');
    await workbench.waitForOutput('Berlin');
  });

  it('read what was generated, with times and requests, and no secret', async () => {
    await call('sglang_read_generations', { variable: 'capital', requests: true });
    const { result } = await answer();
    expect(result).toMatchObject({
      generations: [
        {
          program: 'capital_of',
          variable: 'capital',
          value: expect.stringContaining('Berlin'),
          cell: 3,
          milliseconds: expect.any(Number),
          completionTokens: expect.any(Number),
          request: { url: expect.stringMatching(/\/generate$/) },
        },
      ],
    });
    await call('sglang_read_notebook', {});
    const read = JSON.stringify((await answer()).result);
    expect(read).toContain('"capital":"');
    expect(read).toContain('"status":"idle"');
    expect(read).toContain('"api_key"');
    expect(read).not.toContain('sk-hidden"');
  });

  it('say which program or argument is missing', async () => {
    await call('sglang_run_program', { program: 'nothing' });
    expect((await answer()).error).toContain('Programs: capital_of');
    await call('sglang_run_program', { program: 'capital_of' });
    expect((await answer()).error).toContain('lacks country');
    expect(await dialog().count()).toBe(0);
  });
});

describe('in a folder that is not trusted', () => {
  beforeAll(() => start({ workspaceTrust: true }));
  afterAll(() => workbench[Symbol.asyncDispose]());

  it('runs nothing, whatever is asked', async () => {
    await workbench.open('tools.sglnb');
    await call('sglang_run_cell', { cell: 4 });
    expect((await answer()).error).toContain('not trusted');
    expect(await dialog().count()).toBe(0);
    expect(workbench.processes('kernel.mjs')).toEqual([]);
  });
});
