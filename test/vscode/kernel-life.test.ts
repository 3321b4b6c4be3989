/**
 * Kernels in a real workbench over what happens to windows, files and processes. One workbench serves
 * all tests; each opens a notebook of its own.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, freePort, Workbench } from './workbench.ts';

let workbench: Workbench;

/** A notebook with one code cell per text. */
function notebook(...cells: readonly string[]): string {
  return cells.map((source) => `# %%\n${source}\n`).join('\n');
}

const SECRET = 'sk-do-not-write-me-down-4711';
const CONFLICT = `# %%
shared = 1

# %%
<<<<<<< HEAD
print("ours")
=======
print("theirs")
>>>>>>> branch
`;
const COUNTER = 'counter = globals().get("counter", 0) + 1\nprint("counter is", counter)';

let port: number;

beforeAll(async () => {
  port = await freePort();
  workbench = await Workbench.start({
    files: {
      '.vscode/settings.json': '{}',
      'conflict.sglnb': CONFLICT,
      'changed.sglnb': notebook(COUNTER),
      'twice.sglnb': notebook(COUNTER),
      'many.sglnb': notebook(
        ...Array.from({ length: 5000 }, (_, index) => `print("cell", ${index})`),
      ),
      'much.sglnb': notebook(
        'line = "x" * 999 + "\\n"\nfor part in range(100):\n    print(line * 1000, end="")\nprint("the end")',
      ),
      'key.sglnb': notebook(
        'import os\nprint("length", len(os.environ.get("OPENAI_API_KEY", "")))',
      ),
      'server.sglnb': notebook(
        'from sglang import *\nfrom sglang.utils import *\n' +
          `server = execute_shell_command("python3 -m sglang.launch_server --model-path starter --port ${port}")\n` +
          `wait_for_server("http://localhost:${port}")\nset_default_backend(RuntimeEndpoint("http://localhost:${port}"))`,
        '@function\ndef capital(s, country):\n    s += user(f"What is the capital of {country}?")\n    s += assistant(gen("answer", max_tokens=32, temperature=0))\nstate = capital.run(country="Germany")\nprint(state["answer"])',
      ),
      'dying.sglnb': notebook(
        'from sglang import *\nfrom sglang.utils import *\n' +
          'server, dying_port = launch_server_cmd("python3 -m sglang.launch_server --model-path starter")\n' +
          'wait_for_server(f"http://localhost:{dying_port}")\n' +
          'set_default_backend(RuntimeEndpoint(f"http://localhost:{dying_port}"))\nrounds = 0',
        '@function\ndef story(s, tokens):\n    s += user("Tell me a story")\n    s += assistant(gen("text", max_tokens=tokens, ignore_eos=True))\n' +
          'rounds += 1\nprint("round", rounds, flush=True)\nfor _ in range(100 if rounds == 1 else 0):\n    story.run(tokens=900)["text"]\n' +
          'state = story.run(tokens=8)\n' +
          'print("told", rounds, len(state["text"]) > 5)\nstate',
      ),
      'crashed.sglnb': notebook(
        'import time\nfor i in range(600):\n    print("line", i, flush=True)\n    time.sleep(0.2)',
      ),
      'reloaded.sglnb': notebook(
        'import time\nkept = 41\nprint("kept")',
        'for i in range(44):\n    print("line", i, flush=True)\n    time.sleep(0.5)',
        'print("after the loop", kept + 1)',
      ),
    },
  });
});
afterAll(() => workbench[Symbol.asyncDispose]());
afterEach(async () => {
  await workbench.tall(900);
  await workbench.closeAll();
});
pictureFailures(() => workbench);

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
    const lines = Array.from({ length: 44 }, (_, line) => String.raw`line ${line}\n`).join('');
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

describe('a window that crashes while a cell runs', () => {
  it('leaves its kernel to the next one', async ({ skip }) => {
    skip(workbench.isDesktop, 'desktop VS Code opens a folder in one window only');
    const crashing = await workbench.secondWindow();
    await crashing.open('crashed.sglnb');
    await crashing.runAll();
    await crashing.waitForOutput(/line 2\n/);
    const [pid] = workbench.processes('kernel.mjs');
    await crashing.crash();
    await workbench.open('crashed.sglnb');
    await workbench.waitForOutput(/line 20\n/);
    expect(workbench.processes('kernel.mjs')).toEqual([pid]);
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForKernel('idle');
    await workbench.waitForOutput(/line 0\n[^]*line 20\n[^]*KeyboardInterrupt/);
  });
});

describe('a runtime that dies', () => {
  const row = '.pane-body .monaco-list-row';
  const statusBar = '#sglang-notebooks\\.sglang-notebooks\\.sglang\\.runtime';

  it('is seen to come back, serves the cell again, and stays away when it is ended by force', async () => {
    await workbench.tall(1300);
    await workbench.open('dying.sglnb');
    await workbench.command('View: Show SGLang');
    await workbench.runAll();
    await workbench.waitForOutput('round 1');
    await workbench.waitForText(row, /SGLang runtime/);
    const [pid = 0] = workbench.processes('runtime.mjs');
    process.kill(pid, 'SIGKILL');
    // The gen that was in flight says what happened, the views what happens.
    await workbench.waitForText(statusBar, /restarting, attempt 1 of 5/);
    await workbench.screenshot('runtime-restarting');
    await workbench.waitForOutput(/ended unexpectedly, by SIGKILL[^]*run the cell once more/);
    await workbench.waitForText(statusBar, /starter/);
    const [next = 0] = workbench.processes('runtime.mjs');
    expect(next).not.toBe(pid);
    await workbench.waitForKernel('idle');

    // Nothing is launched anew: the program's backend is the same address.
    const cell = workbench.page.locator('.code-cell-row', { hasText: 'rounds' }).last();
    await cell.hover();
    await cell.locator('.run-button-container .codicon-notebook-execute').first().click();
    await workbench.waitForOutput('told 2 True');
    // Where the time of the gen went.
    const shown = await workbench.waitForOutput(/queue[^]*prefill[^]*first token/);
    expect(shown).toMatch(/\d ms/);
    await workbench.screenshot('runtime-restarted');

    const runtime = workbench.page.locator(row, { hasText: 'SGLang runtime' }).first();
    const forceKill = workbench.page
      .locator('.monaco-menu .action-item:not(.disabled) .action-label', {
        hasText: 'Force Kill Runtime',
      })
      .first();
    // A busy workbench learns late that it is trusted; until then the command is grey.
    await eventually(
      60_000,
      async () => {
        await runtime.click({ button: 'right' });
        if (await forceKill.isVisible()) return true;
        await workbench.page.keyboard.press('Escape');
        return undefined;
      },
      () => 'the command in the menu stays grey',
    );
    await workbench.screenshot('runtime-menu');
    await forceKill.click();
    await eventually(
      15_000,
      async () => (workbench.processes('runtime.mjs').length === 0 ? true : undefined),
      () => 'the runtime still runs',
    );
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    expect(workbench.processes('runtime.mjs')).toEqual([]);
    await workbench.page.locator(statusBar).waitFor({ state: 'hidden' });
  });
});

/** Waits for a notification, also when the window shows none by itself. */
async function notified(text: RegExp, window = workbench): Promise<void> {
  await window.command('Notifications: Show Notifications');
  await window.waitForText('.notifications-center', text);
}

describe('settings and keys', () => {
  it('keeps a key out of every file and hands it to the kernel', async () => {
    await workbench.open('key.sglnb');
    await workbench.command('SGLang: Set API Key…');
    await workbench.waitForText('.quick-input-widget', 'OPENAI_API_KEY');
    await workbench.page.keyboard.press('Enter');
    await workbench.waitForText('.quick-input-widget', /kept in the secret storage/);
    await workbench.page.keyboard.type(SECRET);
    await workbench.screenshot('api-key');
    await workbench.page.keyboard.press('Enter');
    // The key is checked before the box closes; the palette would cancel it.
    await workbench.page.locator('.quick-input-widget').waitFor({ state: 'hidden' });
    await notified(/The key of OpenAI is stored/);
    await workbench.command('Notifications: Clear All Notifications');
    await workbench.runAll();
    await workbench.waitForOutput(`length ${SECRET.length}`);
    await workbench.save();
    await workbench.waitForFile('key.sglnb', (text) => text.includes(`length ${SECRET.length}`));
    expect(workbench.filesWith(SECRET)).toEqual([]);
    await workbench.command('SGLang: Delete API Key…');
    await workbench.waitForText('.quick-input-widget', 'OPENAI_API_KEY');
    await workbench.page.keyboard.press('Enter');
    await workbench.command('SGLang: Restart Kernel');
    await workbench.waitForKernel('idle');
    await workbench.runAll();
    await workbench.waitForOutput('length 0');
  });
});

describe('a runtime', () => {
  it('is watched in the status bar and the sessions view', async () => {
    await workbench.command('View: Show SGLang');
    await workbench.quickOpen('server.sglnb');
    await workbench.page.locator('.code-cell-row').first().waitFor();
    await workbench.tall(1300);
    await workbench.runAll();
    await workbench.waitForOutput('Berlin');
    await workbench.waitForText('.statusbar-item', /starter.* MiB/);
    await workbench.waitForText('.pane-body .monaco-list-row', /SGLang runtime.*starter.*MiB/s);
    await workbench.screenshot('runtime-watched');
    // `from sglang import *` brings no variables that the reader has to look through.
    await workbench.waitForText('.pane-body .monaco-list-row', /^state/);
    const rows = await workbench.page.locator('.pane-body .monaco-list-row').allInnerTexts();
    expect(rows.join('\n')).not.toMatch(/LazyImport|GlobalConfig/);
    // They stay while another editor is looked at, and the kernel leads back to its notebook.
    await workbench.command('SGLang: Show Diagnostics');
    await workbench.waitForText('.tab.active', 'Diagnostics');
    await workbench.waitForText('.pane-body .monaco-list-row', /^state/);
    await workbench.page
      .locator('.pane-body .monaco-list-row', { hasText: 'server.sglnb' })
      .click();
    await workbench.waitForText('.tab.active', 'server.sglnb');
    // Running the cells again goes on with the server that runs.
    const runtimes = workbench.processes('runtime.mjs');
    await workbench.runAll();
    await workbench.waitForOutput(/started on port \d+ still runs, and is used/);
    await workbench.waitForNoRunningCell();
    await workbench.waitForOutput('Berlin');
    expect(workbench.processes('runtime.mjs')).toEqual(runtimes);
    await workbench.tall(900);
  });
});

describe('files', () => {
  it('opens a file with conflict markers as it is, and runs the rest', async () => {
    await workbench.open('conflict.sglnb');
    // Each marker is one problem; those of the notebooks before are gone with them.
    await workbench.waitForText('#status\\.problems', /^\s*3\s*0/);
    await workbench.runAll();
    await workbench.waitForOutput(/SyntaxError/);
    await workbench.screenshot('conflict-markers');
    await workbench.save();
    const saved = await workbench.waitForFile('conflict.sglnb', (text) =>
      text.includes('SyntaxError'),
    );
    expect(saved).toContain(CONFLICT.slice(CONFLICT.indexOf('<<<')));
    await workbench.closeAll();
    await workbench.waitForText('#status\\.problems', /^\s*0\s*0/);
    await workbench.open('conflict.sglnb');
    await workbench.waitForText('#status\\.problems', /^\s*3\s*0/);
  });

  it('shows what another program wrote to an open file; the kernel stays', async () => {
    await workbench.open('changed.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 1');
    // Its end changes the notebook once more.
    await workbench.waitForNoRunningCell();
    await workbench.save();
    await workbench.waitForFile('changed.sglnb', (text) => text.includes('counter is 1'));
    writeFileSync(workbench.path('changed.sglnb'), notebook(COUNTER, 'print("from outside")'));
    await workbench.waitForText('.code-cell-row', /from.outside/);
    await workbench.runAll();
    await workbench.waitForOutput('counter is 2');
    await workbench.waitForOutput('from outside');
  });
});

describe('large notebooks', () => {
  it('opens, edits and runs one of 5,000 cells', async () => {
    await workbench.open('many.sglnb');
    await workbench.page.locator('.code-cell-row').first().hover();
    await workbench.page.locator('.code-cell-row .codicon-notebook-execute').first().click();
    // VS Code's own JSON extension searches all cells for each that opens, in the same extension host.
    await workbench.waitForOutput('cell 0', 180_000);
    await workbench.save();
    await workbench.waitForFile('many.sglnb', (text) => text.includes('cell 0\\n"'));
    await workbench.screenshot('many-cells');
  });

  it('takes a hundred megabytes of output', async () => {
    await workbench.open('much.sglnb');
    await workbench.runAll();
    await workbench.waitForKernel('busy');
    await workbench.waitForKernel('idle', 120_000);
    await workbench.waitForNoRunningCell();
    const shown = await workbench.waitForOutput(/The rest is in \S+output\.txt/);
    const [, file = ''] = /The rest is in (\S+output\.txt)/.exec(shown) ?? [];
    await eventually(
      20_000,
      async () => (statSync(file).size >= 95_000_000 ? true : undefined),
      () => `${file} has ${statSync(file).size} bytes`,
    );
    expect(readFileSync(file, 'utf8').slice(-8)).toBe('the end\n');
    rmSync(dirname(file), { recursive: true });
    await workbench.screenshot('much-output');
  });
});
