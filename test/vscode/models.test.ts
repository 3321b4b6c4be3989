/** Models and servers in a real workbench: the question, the picker, a server with a key, and one behind ssh. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { RuntimeProcess, starter } from '../process/runtime-process.ts';
import { FakeHub } from '../support/fake-hub.ts';
import { findSshd, SshServer } from '../support/sshd.ts';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, freePort, Workbench } from './workbench.ts';

const NAME = 'HuggingFaceTB/SmolLM2-135M-Instruct';
const FILE = 'bartowski/SmolLM2-135M-Instruct-GGUF/SmolLM2-135M-Instruct-Q4_K_M.gguf';

const foundSshd = findSshd();
let sshd: SshServer | null = null;
let hub: FakeHub;
let server: RuntimeProcess;
let workbench: Workbench;
const models = mkdtempSync(join(tmpdir(), 'workbench-models-'));

/** A notebook that launches a server and prints what it says of its model. */
function asking(port: number, model: string): string {
  return `# %%
import requests
from sglang.utils import execute_shell_command, wait_for_server
server = execute_shell_command("python3 -m sglang.launch_server --model-path ${model} --port ${port}")
wait_for_server("http://localhost:${port}")
print("model:", requests.get("http://localhost:${port}/get_model_info").json()["model_path"], flush=True)
`;
}

beforeAll(async () => {
  hub = await FakeHub.start();
  hub.host(FILE, readFileSync(starter));
  server = await RuntimeProcess.start(['--api-key', 'top-secret']);
  if (foundSshd.executable !== null) {
    sshd = await SshServer.start(foundSshd.executable);
    // The workbench and its kernels find this `ssh`: what comes from a command line asks no login shell for its PATH.
    vi.stubEnv('VSCODE_CLI', '1');
    vi.stubEnv('PATH', sshd.path);
  }
  workbench = await Workbench.start({
    files: {
      'named.sglnb': asking(await freePort(), NAME),
      'other.sglnb': asking(await freePort(), 'lab/unknown'),
      'remote.sglnb': asking(await freePort(), NAME),
      'behind.sglnb': asking(await freePort(), NAME),
    },
    settings: {
      'sglang.runtime.missingModel': 'ask',
      'sglang.models.folder': models,
      'sglang.models.mirror': hub.url,
    },
  });
});
afterAll(async () => {
  await workbench[Symbol.asyncDispose]();
  vi.unstubAllEnvs();
  await Promise.all([hub.close(), server.stop(), sshd?.[Symbol.asyncDispose]()]);
  rmSync(models, { recursive: true, force: true });
});
afterEach(async () => {
  await workbench.closeAll();
});
pictureFailures(() => workbench);

const row = (text: string) =>
  workbench.page.locator('.quick-input-list .monaco-list-row', { hasText: text }).first();
/** Settings of the workspace as text; empty before the first one is written. */
const settings = () =>
  existsSync(workbench.path('.vscode/settings.json'))
    ? workbench.read('.vscode/settings.json')
    : '';
const settled = (test: (text: string) => boolean) =>
  eventually(20_000, async () => test(settings()) || undefined, settings);

/** Toasts come only to windows that have the focus; the center has all of them. */
async function notified(text: string | RegExp): Promise<void> {
  await workbench.command('Notifications: Show Notifications');
  await workbench.waitForText('.notification-list-item', text);
  await workbench.command('Notifications: Clear All Notifications');
}

/** Types into the box that shows `prompt`, which no other box of the test does. */
async function type(prompt: string, text: string): Promise<void> {
  await workbench.waitForText('.quick-input-widget', prompt);
  const { page } = workbench;
  await page.locator('.quick-input-widget input').first().fill(text);
  await page.keyboard.press('Enter');
  // The box stays while its text is checked, and is dismissed by the next palette.
  await page.locator('.quick-input-widget', { hasText: prompt }).waitFor({ state: 'hidden' });
}

it('asks about a model that is not here, fetches it, and runs it under its name', async () => {
  await workbench.open('named.sglnb');
  await workbench.runAll();
  await workbench.waitForText('.quick-input-widget', `${NAME} is not on this machine`);
  await workbench.waitForText('.quick-input-list', /105 MB · Apache-2.0/);
  await workbench.waitForText('.quick-input-list', /fits: 105 MB weights \+ .* free/);
  await workbench.screenshot('missing-model');
  await row(`Download ${NAME}`).click();
  const shown = await workbench.waitForOutput(`model: ${NAME}`);
  expect(shown).not.toContain('is not on this machine');
  expect(hub.requests.some((line) => line.includes('/cdn/'))).toBe(true);
});

it('remembers for the workspace that the starter model shall run', async () => {
  await workbench.open('other.sglnb');
  await workbench.runAll();
  await row('Always run the starter model').click();
  await workbench.waitForOutput('The model lab/unknown is not on this machine');
  await workbench.waitForOutput(/model: \S+/);
  await workbench.waitForNoRunningCell();
  expect(readFileSync(join(models, 'choices.json'), 'utf8')).toContain('lab/unknown');
});

it('chooses a model for the workspace among those that are here and those that fit', async () => {
  await workbench.command('SGLang: Choose Model…');
  await workbench.waitForText('.quick-input-list', /on this machine/);
  await workbench.waitForText('.quick-input-list', /Qwen\/Qwen2.5-0.5B-Instruct/);
  await workbench.screenshot('choose-model');
  await row(NAME).click();
  await settled((text) => text.includes(NAME));
  expect(JSON.parse(settings())).toEqual({ 'sglang.runtime.modelPath': NAME });
  await workbench.command('SGLang: Choose Model…');
  await row('The model that the program names').click();
  await settled((text) => !text.includes(NAME));
});

it('connects to a server after a test, with its key in the secret storage', async () => {
  await workbench.command('SGLang: Connect to Server…');
  await type('Address of an SGLang server', 'http://127.0.0.1:1');
  await notified(/http:\/\/127\.0\.0\.1:1 cannot be reached \(ECONNREFUSED\)/);
  await workbench.command('SGLang: Connect to Server…');
  await type('Address of an SGLang server', server.url);
  await type('The server wants a key', 'wrong');
  await type('The server refused this key', 'top-secret');
  await settled((text) => text.includes(server.url));
  expect(settings()).not.toContain('top-secret');
  await notified(`Connected to ${server.url}`);
  await workbench.open('remote.sglnb');
  await workbench.runAll();
  await workbench.waitForOutput(`this kernel uses the server at ${server.url}`);
  await workbench.waitForOutput(/model: \S+/);
});

it.skipIf(foundSshd.missing !== null)(
  foundSshd.missing ?? 'connects to a server behind ssh, and says why it cannot',
  async () => {
    const target = `127.0.0.1:${server.port}`;
    await workbench.command('SGLang: Connect to Server…');
    await type('Address of an SGLang server', `ssh://unknown/${target}`);
    await notified(/ssh does not know the key of unknown yet\. Run "ssh unknown" in a terminal/);
    const url = `ssh://gpu-box/${target}`;
    await workbench.command('SGLang: Connect to Server…');
    await type('Address of an SGLang server', url);
    await type('The server wants a key', 'top-secret');
    await settled((text) => text.includes(url));
    await notified(`Connected to ${url}`);
    await workbench.open('behind.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput(`this kernel uses the server at ${url}`);
    await workbench.waitForOutput(/model: \S+/);
  },
);
