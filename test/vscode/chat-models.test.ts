/** The models that chats and other extensions get: asked by another extension, in a real workbench. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandExtension, eventually, Workbench } from './workbench.ts';

const NOTEBOOK = `# %%
import requests
from sglang import Runtime

runtime = Runtime(model_path="starter")
text = "What is the capital of Germany?"
answer = requests.post(runtime.url + "/tokenize", json={"prompt": text, "add_special_tokens": False})
print("tokens:", answer.json()["count"])
`;

/** Asks as its file says, and writes down what it got. */
const ASKER = commandExtension(
  { name: 'asker', verb: 'ask', title: 'Ask Model' },
  `
const vscode = require('vscode');
const { commands, lm, workspace, Uri, CancellationTokenSource, LanguageModelChatMessage } = vscode;
exports.activate = () => commands.registerCommand('asker.ask', async () => {
  const file = (name) => Uri.joinPath(workspace.workspaceFolders[0].uri, name);
  const { id, text, modelOptions, cancelAfter, kill } =
    JSON.parse(String(await workspace.fs.readFile(file('ask.json'))));
  const models = await lm.selectChatModels({ vendor: 'sglang' });
  const answer = { models: models.map(({ id, name, maxInputTokens }) => ({ id, name, maxInputTokens })), chunks: [] };
  try {
    const model = models.find((one) => one.id === id);
    if (text !== undefined && model === undefined) throw new Error('no model ' + id);
    if (text !== undefined) {
      answer.tokens = await model.countTokens(text);
      const cancel = new CancellationTokenSource();
      const request = [LanguageModelChatMessage.User(text)];
      const response = await model.sendRequest(request, { modelOptions }, cancel.token);
      for await (const chunk of response.text) {
        answer.chunks.push(chunk);
        if (answer.chunks.length === cancelAfter) cancel.cancel();
        if (answer.chunks.length === 1 && kill) process.kill(kill, 'SIGKILL');
      }
    }
  } catch (error) {
    answer.error = String(error && error.message || error);
  }
  await workspace.fs.writeFile(file('answer.json'), Buffer.from(JSON.stringify(answer)));
});
`,
);

interface Question {
  readonly id?: string;
  readonly text?: string;
  readonly modelOptions?: object;
  readonly cancelAfter?: number;
  /** Process that is killed after the first piece. */
  readonly kill?: number;
}
interface Answer {
  readonly models: readonly {
    readonly id: string;
    readonly name: string;
    readonly maxInputTokens: number;
  }[];
  readonly chunks: readonly string[];
  readonly tokens?: number;
  readonly error?: string;
}

const GERMANY = 'What is the capital of Germany?';

let workbench: Workbench;

async function ask(question: Question): Promise<Answer> {
  rmSync(workbench.path('answer.json'), { force: true });
  writeFileSync(workbench.path('ask.json'), JSON.stringify(question));
  await workbench.command('Asker: Ask Model');
  return eventually(
    60_000,
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

async function start(more: Partial<Parameters<typeof Workbench.start>[0]>): Promise<void> {
  workbench = await Workbench.start({
    files: { 'models.sglnb': NOTEBOOK },
    others: { 'test.asker-0.0.1': ASKER },
    settings: { 'chat.disableAIFeatures': false },
    ...more,
  });
  await workbench.waitForCommand('Asker: Ask Model');
}

const runtimes = (): number[] => workbench.processes('runtime.mjs');
const ids = ({ models }: Answer): string[] => models.map(({ id }) => id);

describe('in a trusted folder', () => {
  beforeAll(() => start({}));
  afterAll(() => workbench[Symbol.asyncDispose]());

  it('offers the bundled model, and starts nothing for that', async () => {
    const answer = await ask({});
    expect(answer.models).toMatchObject([{ id: 'bundled', name: 'starter (bundled)' }]);
    expect(runtimes()).toEqual([]);
    expect(workbench.processes('language-server.mjs')).toEqual([]);
  });

  it('answers in pieces as they come, and counts tokens', async () => {
    const answer = await ask({ id: 'bundled', text: GERMANY, modelOptions: { temperature: 0 } });
    expect(answer.error).toBeUndefined();
    expect(answer.chunks.join('')).toContain('Berlin');
    expect(answer.chunks.length).toBeGreaterThan(1);
    expect(answer.tokens).toBeGreaterThan(3);
    expect(runtimes()).toHaveLength(1);
  });

  it('ends an answer that is cancelled', async () => {
    const modelOptions = { temperature: 0, ignore_eos: true, max_tokens: 1000 };
    const whole = await ask({ id: 'bundled', text: GERMANY, modelOptions });
    const part = await ask({ id: 'bundled', text: GERMANY, modelOptions, cancelAfter: 1 });
    expect(whole.chunks.join('').startsWith(part.chunks.join(''))).toBe(true);
    expect(part.chunks.join('').length).toBeLessThan(whole.chunks.join('').length / 2);
  });

  it('says why a request was refused', async () => {
    const { error } = await ask({ id: 'bundled', text: GERMANY, modelOptions: { regex: '(' } });
    expect(error).toMatch(/starter \(bundled\) refused the request: .*regex/);
  });

  it('says that an answer broke off, and starts the runtime anew when it has died', async () => {
    const [pid = 0] = runtimes();
    const modelOptions = { temperature: 0, ignore_eos: true, max_tokens: 1000 };
    const broken = await ask({ id: 'bundled', text: GERMANY, modelOptions, kill: pid });
    expect(broken.chunks.length).toBeGreaterThan(0);
    expect(broken.error).toMatch(/starter \(bundled\) broke off its answer: \w+.*Show Log/);
    const answer = await ask({ id: 'bundled', text: GERMANY, modelOptions: { temperature: 0 } });
    expect(answer.chunks.join('')).toContain('Berlin');
    expect(runtimes()).toHaveLength(1);
    expect(runtimes()).not.toContain(pid);
  });

  it("offers a notebook's runtime while it runs, and counts by its tokenizer", async () => {
    await workbench.open('models.sglnb');
    await workbench.runAll();
    const shown = await workbench.waitForOutput(/tokens: \d+/);
    const count = Number(/tokens: (\d+)/.exec(shown)?.[1]);
    const offered = await eventually(
      20_000,
      async () => ids(await ask({})).find((id) => id.startsWith('starter')),
      () => 'the runtime of the notebook is not offered',
    );
    expect(offered).toMatch(/^starter[\w-]*@\d+$/);
    const answer = await ask({ id: offered, text: GERMANY, modelOptions: { temperature: 0 } });
    expect(answer.error).toBeUndefined();
    expect(answer.chunks.join('')).toContain('Berlin');
    expect(answer.tokens).toBe(count);
    await workbench.command('SGLang: Shut Down Kernel');
    await eventually(
      20_000,
      async () => ids(await ask({})).length === 1 || undefined,
      () => 'the runtime of the notebook is still offered',
    );
  });
});

describe('in a folder that is not trusted', () => {
  beforeAll(() => start({ workspaceTrust: true }));
  afterAll(() => workbench[Symbol.asyncDispose]());

  it('offers nothing', async () => {
    expect((await ask({})).models).toEqual([]);
    expect(runtimes()).toEqual([]);
  });
});
