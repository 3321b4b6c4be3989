/**
 * Notebooks in a real workbench: extension host, kernel process, Python, runtime and starter model,
 * nothing replaced. One workbench serves all tests; each opens a notebook of its own.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, freePort, root, Workbench } from './workbench.ts';

const BROKEN = '# ---\n# sglnb: 99\n# ---\n\n# %%\nprint("from the future")\n';
/** Of the tour, as it stands in the file. */
const LAST_OUTPUT = String.raw`the tour is over\n`;
const UNTOUCHED = '# %% [markdown]\n# odd   spacing\n\n\n# %%  \nx  =  1\n\n\n\n# %%\ny = 2';

let workbench: Workbench;
let port: number;

/** A notebook with one code cell per text. */
function notebook(...cells: readonly string[]): string {
  return cells.map((source) => `# %%\n${source}\n`).join('\n');
}

const launch = (): string => `from sglang import *
from sglang.utils import execute_shell_command, wait_for_server, print_highlight
server = execute_shell_command("python3 -m sglang.launch_server --model-path Qwen/Qwen2.5-1.5B-Instruct --port ${port}")
wait_for_server("http://localhost:${port}")
set_default_backend(RuntimeEndpoint("http://localhost:${port}"))`;

const PROGRAM = `@function
def capital_of(s, country: str):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=64, temperature=0))`;

beforeAll(async () => {
  port = await freePort();
  const tour = readFileSync(join(root, 'extension/examples/sglang-tour.sglnb'), 'utf8')
    .replace(/^port = \d+$/m, `port = ${port}`)
    .replace('country = "Italy"', 'country = "Germany"');
  expect(tour).toContain(`port = ${port}`);
  workbench = await Workbench.start({
    files: {
      'tour.sglnb': tour,
      'broken.sglnb': BROKEN,
      'untouched.sglnb': UNTOUCHED,
      'failing.sglnb': notebook(
        'def half(x):\n    return x / 0',
        'print("before")\nhalf(4)',
        'print("never")',
      ),
      'waiting.sglnb': notebook(
        'import time\nprint("sleeping")\ntime.sleep(600)',
        'print("not reached")',
      ),
      'spinning.sglnb': notebook(
        'print("spinning", flush=True)\nwhile True: pass',
        'print("not reached")',
      ),
      'killed.sglnb': notebook(
        'print("alive", 40 + 2, flush=True)\nimport time\ntime.sleep(3 if globals().get("again") else 600)',
      ),
      'runtime.sglnb': notebook(
        launch(),
        `${PROGRAM}\n\nstate = capital_of.run(country="Germany")\nstate`,
        '@function\ndef long(s):\n    s += user("Tell me a story")\n    s += assistant(gen("story", max_tokens=100000, ignore_eos=True))\nstate = long.run()\nprint("writing", flush=True)\nstate["story"]',
      ),
      'program.sglnb': notebook(
        launch(),
        `country = "Germany"\n\n${PROGRAM}\n\nstate = capital_of.run(country=country)\nstate`,
      ),
      'python.sglnb': notebook('import sys\nprint("runs on", sys.platform)'),
      'state.sglnb': notebook(
        'counter = globals().get("counter", 0) + 1\nprint("counter is", counter)',
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

describe('the tour', () => {
  it('runs all cells, shows their outputs, saves them, and shows them again without a kernel', async () => {
    await workbench.open('tour.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('The server is ready');
    let saved = '';
    await eventually(
      90_000,
      async () => {
        const before = saved;
        await workbench.save();
        saved = workbench.read('tour.sglnb');
        return saved.includes(LAST_OUTPUT) && saved === before ? true : undefined;
      },
      () => workbench.read('tour.sglnb').slice(-3000),
    );
    await workbench.waitForKernel('idle');
    expect(saved).toContain('Berlin');
    expect(saved).toMatch(/Gryffindor/);
    expect(saved).not.toContain('Traceback');
    await workbench.tall(9000);
    await workbench.waitForOutput(/The capital of Germany is Berlin/);
    await workbench.waitForOutput('the tour is over');
    await workbench.waitForOutput('"house": "Gryffindor"');
    await workbench.waitForOutput('question_and_answer: 3 of 3 finished');
    await workbench.screenshot('tour-whole');
    await workbench.tall(900);
    await workbench.closeAll();
    await eventually(
      15_000,
      async () => (workbench.processes('kernel.mjs').length === 0 ? true : undefined),
      () => 'the kernel of the closed notebook still runs',
    );
    await workbench.open('tour.sglnb');
    await workbench.tall(9000);
    await workbench.waitForOutput(/The capital of Germany is Berlin/);
    await workbench.waitForOutput('the tour is over');
    await workbench.waitForOutput('"house": "Gryffindor"');
    await workbench.waitForOutput('question_and_answer: 3 of 3 finished');
    await workbench.tall(900);
    expect(workbench.processes('kernel.mjs')).toEqual([]);
    expect(workbench.read('tour.sglnb')).toBe(saved);
  });
});

describe('files', () => {
  it('saves an untouched notebook byte for byte', async () => {
    await workbench.open('untouched.sglnb');
    await workbench.command('File: Save without Formatting');
    expect(workbench.read('untouched.sglnb')).toBe(UNTOUCHED);
  });

  it('shows why a broken file is no notebook, and never changes it', async () => {
    await workbench.open('broken.sglnb');
    await workbench.waitForOutput(/not an SGLang notebook/);
    await workbench.command('Notebook: Run All');
    await workbench.command('File: Save without Formatting');
    expect(workbench.read('broken.sglnb')).toBe(BROKEN);
    await workbench.screenshot('broken-file');
  });
});

describe('failures and interrupts', () => {
  it('shows a traceback with links, marks the failing line, and stops the queue', async () => {
    await workbench.open('failing.sglnb');
    await workbench.runAll();
    const shown = await workbench.waitForOutput(/ZeroDivisionError/);
    expect(shown).toContain('before');
    expect(shown).toMatch(/Cell In\[2\], line 2[^]*Cell In\[1\], line 2/);
    expect(await workbench.outputText()).not.toContain('never');
    // The error is in the first cell's function: that line is marked, and the status bar counts it.
    await workbench.waitForText('#status\\.problems', /^\s*1/);
    await workbench.page.locator('.squiggly-error').first().waitFor({ state: 'attached' });
    // The cell behind it never ran, and nothing waits any more.
    await workbench.waitForNoRunningCell();
    expect(await workbench.page.locator('.codicon-notebook-state-success').count()).toBe(1);
    await workbench.screenshot('failing-cell');
  });

  it('interrupts a waiting cell and runs the next one in the same kernel', async () => {
    await workbench.open('waiting.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('sleeping');
    const [pid] = workbench.processes('kernel.mjs');
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForOutput('KeyboardInterrupt');
    await workbench.waitForKernel('idle');
    expect(workbench.processes('kernel.mjs')).toEqual([pid]);
    expect(await workbench.outputText()).not.toContain('not reached');
  });

  it('interrupts a busy loop', async () => {
    await workbench.open('spinning.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('spinning');
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForKernel('idle');
    expect(await workbench.outputText()).not.toContain('not reached');
  });

  it('ends the cell with a clear error when its kernel is killed, and runs again', async () => {
    await workbench.open('killed.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('alive 42');
    const [pid = 0] = workbench.processes('kernel.mjs');
    process.kill(pid, 'SIGKILL');
    await workbench.waitForOutput(/The kernel was ended by SIGKILL. Run the cell again/);
    await workbench.waitForKernel('no kernel');
    await workbench.screenshot('kernel-killed');
    await workbench.runAll();
    await workbench.waitForKernel('busy');
    await workbench.waitForOutput('alive 42');
    expect(workbench.processes('kernel.mjs')).toHaveLength(1);
    await workbench.command('SGLang: Interrupt Kernel');
    await workbench.waitForKernel('idle');
  });

  it('ends a generation with a clear error when the runtime is killed', async () => {
    await workbench.tall(1600);
    await workbench.open('runtime.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('writing');
    await workbench.screenshot('state-and-sessions');
    const [pid = 0] = workbench.processes('runtime.mjs');
    expect(pid).toBeGreaterThan(0);
    process.kill(pid, 'SIGKILL');
    await workbench.waitForOutput(/KeyError|connection|runtime/i);
    await workbench.waitForKernel('idle');
    await workbench.screenshot('runtime-killed');
  });
});

describe('programs', () => {
  it('shows a state as a conversation, in light, dark and high contrast', async () => {
    await workbench.open('program.sglnb');
    await workbench.tall(1100);
    await workbench.command('View: Show SGLang');
    await workbench.runAll();
    await workbench.waitForOutput(/systemYou are a helpful assistant/);
    await workbench.waitForText('.cell-statusbar-container', /\d+ tokens · \d+ tok\/s/);
    await workbench.waitForNoRunningCell();
    await workbench.waitForText('.pane-body .monaco-list-row', /SGLang runtime/);
    await workbench.waitForText('.pane-body .monaco-list-row', /country.*str.*Germany/);
    await workbench.screenshot('light');
    for (const [name, theme] of [
      ['dark', 'Dark Modern'],
      ['high-contrast', 'Dark High Contrast'],
      ['high-contrast-light', 'Light High Contrast'],
    ] as const) {
      await workbench.theme(theme);
      await workbench.screenshot(name);
    }
    await workbench.theme('Light Modern');
  });

  it('runs a program from its lens with typed arguments, remembered the next time', async () => {
    await workbench.open('program.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('The capital of Germany is Berlin');
    await workbench.waitForKernel('idle');
    const lens = workbench.page.locator('.codelens-decoration a', { hasText: 'Run' }).first();
    await lens.click();
    await workbench.waitForText('.quick-input-widget', 'country: str');
    await workbench.page.keyboard.type('France');
    await workbench.page.keyboard.press('Enter');
    await workbench.tall(1600);
    await workbench.waitForOutput('The capital of France is Paris');
    await workbench.tall(900);
    await lens.click();
    await eventually(
      5000,
      async () =>
        (await workbench.page.locator('.quick-input-widget input').first().inputValue()) ===
        'France'
          ? true
          : undefined,
      () => 'the argument was not remembered',
    );
    await workbench.page.keyboard.press('Escape');
  });

  it('hovers over a variable with what was generated last', async () => {
    await workbench.open('program.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('The capital of Germany is Berlin');
    await workbench.waitForHover('gen("capital"', 6, /Berlin/);
    await workbench.screenshot('hover');
  });
});

it('lists what runs and what is missing', async () => {
  await workbench.command('SGLang: Show Diagnostics');
  await workbench.waitForText('.view-lines', /VS.Code.1\./);
  await workbench.waitForText('.view-lines', /kernel\.mjs:.\d+/);
  expect(await workbench.page.locator('.view-lines').first().innerText()).not.toContain('missing');
});

describe('the kernel', () => {
  it('keeps its state between runs, loses it at a restart, and shuts down', async () => {
    await workbench.open('state.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 1');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 2');
    await workbench.command('SGLang: Restart Kernel');
    await workbench.waitForKernel('idle');
    await workbench.runAll();
    await workbench.waitForOutput('counter is 1');
    await workbench.command('SGLang: Shut Down Kernel');
    await workbench.waitForKernel('no kernel');
    expect(workbench.processes('kernel.mjs')).toEqual([]);
  });

  it("runs cells in one of the machine's Pythons, and in the bundled one again", async ({
    skip,
  }) => {
    skip(spawnSync('python3', ['--version']).status !== 0, 'this machine has no python3');
    const rows = workbench.page.locator('.quick-input-list .monaco-list-row');
    // Nothing is waited for between the choice and the run: the cell goes to the chosen one all the same.
    const runIn = async (text: string | RegExp, platform: string, set: string): Promise<void> => {
      await workbench.command('SGLang: Select Python…');
      await rows.filter({ hasText: text }).first().click();
      await workbench.runAll();
      await workbench.waitForOutput(`runs on ${platform}`);
      expect(workbench.read('.vscode/settings.json')).toContain(`"sglang.kernel.python": "${set}`);
    };
    await workbench.open('python.sglnb');
    await runIn(/python3/, process.platform, '/');
    await runIn('Bundled Python', 'emscripten', '"');
  });
});

describe('a folder that is not trusted', () => {
  it('shows saved outputs and starts nothing', async () => {
    const saved = workbench.read('tour.sglnb');
    expect(saved).toContain('Berlin');
    await using restricted = await Workbench.start({
      files: { 'tour.sglnb': saved },
      workspaceTrust: true,
    });
    await restricted.waitForText('.statusbar-item', 'Restricted Mode');
    await restricted.open('tour.sglnb');
    await restricted.tall(9000);
    await restricted.waitForOutput('The capital of Germany is Berlin');
    await restricted.tall(900);
    await restricted.screenshot('not-trusted');
    await restricted.runAll();
    await restricted.page.waitForTimeout(1500);
    expect(restricted.processes('kernel.mjs')).toEqual([]);
    await restricted.page.keyboard.press('Escape');
    expect(restricted.read('tour.sglnb')).toBe(saved);
  });
});
