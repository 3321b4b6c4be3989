/**
 * Typing in a real workbench: the language server, the type engine, and what the kernel generated last,
 * as an author meets them. One notebook serves all tests, in order.
 */
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Locator } from 'playwright-core';
import { listeningSockets } from '../support/listening-sockets.ts';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, freePort, Workbench } from './workbench.ts';

let workbench: Workbench;

const cells = (port: number): readonly string[] => [
  `from sglang import *
from sglang.utils import launch_server_cmd, wait_for_server
server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path starter --log-level error", port=${port})
wait_for_server(f"http://localhost:{port}")
set_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))`,
  `@function
def capital_of(s, country):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=32, temperature=0, return_logprob=True))
    s += user("Is it a country or a city?")
    s += assistant(select("kind", choices=["country", "city"]))`,
  `state = capital_of.run(country="Germany")
town = state["capitol"]
sort = state["kind"]`,
  `print(state["capital"])`,
];

const programs = `import sglang as sgl


@sgl.function
def qa(s, question):
    s += question + sgl.gen("reply")
`;
/** Never opened; its outputs speak of the variable, too. */
const closed = `# %%
from programs import qa
print(qa.run(question="x")["reply"])

# %% [sglnb:outputs]
{"id": "x", "outputs": ["qa[\\"reply\\"]"]}
`;

beforeAll(async () => {
  const port = await freePort();
  workbench = await Workbench.start({
    files: {
      'typing.sglnb': cells(port)
        .map((source) => `# %%\n${source}\n`)
        .join('\n'),
      '.vscode/settings.json': '{}',
      'programs.py': programs,
      'closed.sglnb': closed,
    },
  });
  await workbench.open('typing.sglnb');
  await workbench.tall(1300);
});
afterAll(() => workbench[Symbol.asyncDispose]());
pictureFailures(() => workbench);

/** Puts the cursor on the character `offset` of `text` in a cell. */
async function clickText(text: string, offset: number): Promise<void> {
  await workbench.hoverText(text, offset);
  await workbench.page.mouse.down();
  await workbench.page.mouse.up();
}

function appears(element: Locator, timeout: number): Promise<boolean> {
  return element.waitFor({ timeout }).then(
    () => true,
    () => false,
  );
}

/** Opens the box for a new name; a line that moves meanwhile, as its lens is drawn, escapes the mouse. */
async function startRename(text: string, offset: number): Promise<Locator> {
  // A notebook behind the editor has a box of its own, which is not shown.
  const box = workbench.page.locator('.rename-box input:visible');
  return eventually(
    60_000,
    async () => {
      await clickText(text, offset);
      await workbench.command('Rename Symbol');
      if (await appears(box, 5000)) return box;
      await workbench.page.keyboard.press('Escape');
      return undefined;
    },
    () => `${text} cannot be renamed`,
  );
}

const hovered = (text: string, offset: number, shown: RegExp): Promise<void> =>
  workbench.waitForHover(text, offset, shown);

describe('a typo', () => {
  it('is underlined and explained', async () => {
    await workbench.waitForText('#status\\.problems', /^\s*1/);
    await workbench.page.locator('.squiggly-error').first().waitFor({ state: 'attached' });
    await hovered(
      'town = state["capitol"]',
      16,
      /capital_of.*has no variable|Did you mean.*capital/,
    );
    await workbench.screenshot('typing-typo');
  });

  it('is none of ours while the setting makes the open cells plain Python', async () => {
    const before = workbench.read('typing.sglnb');
    const languages = workbench.page.locator('.code-cell-row .cell-status-right');
    const switchTo = async (language: string, shown: string) => {
      const settings = JSON.stringify({ 'sglang.notebook.cellLanguage': language });
      writeFileSync(workbench.path('.vscode/settings.json'), settings);
      await eventually(
        15_000,
        async () => {
          const texts = await languages.allInnerTexts();
          return (texts.length >= 4 && texts.every((text) => text.trim() === shown)) || undefined;
        },
        () => `the cells did not become ${shown}`,
      );
    };
    await switchTo('python', 'Python');
    await workbench.waitForText('#status\\.problems', /^\s*0/);
    await workbench.screenshot('cells-of-plain-python');
    await switchTo('sglang-python', 'SGLang Python');
    await workbench.waitForText('#status\\.problems', /^\s*1/);
    await hovered('town = state["capitol"]', 16, /capital_of.*has no variable/);
    expect(await workbench.page.locator('.tab.dirty').count()).toBe(0);
    expect(workbench.read('typing.sglnb')).toBe(before);
  });

  it('is repaired by the quick fix', async () => {
    const fix = workbench.page.locator('.action-widget .monaco-list-row', { hasText: 'capital' });
    const repair = async () => {
      await clickText('town = state["capitol"]', 16);
      await workbench.page.keyboard.press('Control+Period');
      if (!(await appears(fix.first(), 5000))) return;
      await workbench.screenshot('typing-quick-fix');
      // By mouse: Enter would break the line if the menu has closed meanwhile.
      await fix
        .first()
        .click({ timeout: 2000 })
        .catch(() => {});
    };
    // A hint may stand behind the name.
    await workbench.until(repair, '.view-line', /town.*=\sstate\["capital"\]/);
    await workbench.waitForText('#status\\.problems', /^\s*0/);
  });
});

describe('types', () => {
  it('of choices reach plain Python', async () => {
    await hovered('sort', 1, /Literal\["country", "city"\]|Literal\['country', 'city'\]/);
    await workbench.screenshot('typing-type');
  });
});

describe('generated values', () => {
  it('appear in the hover with probability, tokens and time, and lead to their output', async () => {
    await workbench.runAll();
    await workbench.waitForOutput('The capital of Germany is Berlin');
    await workbench.waitForKernel('idle');
    await hovered('gen("capital"', 6, /Berlin[^]*p = [\d.]+ · \d+ tokens · \d+ ms/);
    expect(await workbench.page.locator('.monaco-hover').allInnerTexts()).not.toContain('stale');
    await workbench.screenshot('typing-hover-value');
    await workbench.page.locator('.monaco-hover a', { hasText: 'show output' }).first().click();
    await workbench.page
      .locator('.code-cell-row.focused', { hasText: 'capital_of.run' })
      .waitFor({ timeout: 10_000 });
  });

  it('are summed up under the cell that ran: tokens, speed, and how much of the prompts was cached', async () => {
    const cell = workbench.page.locator('.code-cell-row', { hasText: 'capital_of.run' });
    const bar = cell.locator('.cell-statusbar-container');
    await workbench.waitForText('.cell-statusbar-container', / 0 % cached/);
    // Its prompt is known to the runtime by now.
    await cell.hover();
    await cell.locator('.run-button-container .codicon-notebook-execute').first().click();
    await workbench.waitForText('.cell-statusbar-container', /[1-9]\d % cached/);
    const shown = (await bar.innerText()).replaceAll(/\s+/g, ' ');
    const found = /(\d+) tokens · (\d+) tok\/s · (\d+) % cached/.exec(shown);
    expect(found, shown).not.toBeNull();
    const [tokens = 0, speed = 0, cached = 0] = (found ?? []).slice(1).map(Number);
    expect(tokens).toBeGreaterThan(3);
    expect(speed).toBeGreaterThan(0);
    expect(cached).toBeLessThanOrEqual(100);
    const spoken = await bar
      .locator('.cell-status-item', { hasText: '% cached' })
      .getAttribute('aria-label');
    expect(spoken).toMatch(
      /\d+ generations \(0 failed\): \d+ new tokens after \d+ prompt tokens, \d+ of them cached/,
    );
  });

  it('come over the loopback: no process of the window listens on another address', ({ skip }) => {
    skip(process.platform !== 'linux', 'only Linux tells the sockets of a process');
    const sockets = listeningSockets(workbench.processes(''));
    const [runtime] = workbench.processes('runtime.mjs');
    expect(sockets.some(({ pid }) => pid === runtime)).toBe(true);
    expect(workbench.processes('kernel.mjs')).toHaveLength(1);
    expect(workbench.processes('language-server.mjs')).toHaveLength(1);
    expect(sockets.filter(({ isLoopback }) => !isLoopback)).toEqual([]);
  });

  it('are marked as stale once the program has changed, and no longer when it is as it was', async () => {
    await clickText('max_tokens=32', 12);
    await workbench.page.keyboard.type('0');
    await hovered('gen("capital"', 6, /stale: the code changed since/);
    await workbench.waitForText('.cell-statusbar-container', 'stale');
    await clickText('max_tokens=', 'max_tokens='.length + 1);
    await workbench.page.keyboard.press('Control+Z');
    await workbench.waitForText('.view-line', 'max_tokens=32,');
    await hovered('gen("capital"', 6, /p = [\d.]+ · \d+ tokens · \d+ ms(?! · stale)/);
  });
});

describe('editing', () => {
  it('completes the variables of a state inside its brackets', async () => {
    await clickText('print(state["capital"])', 22);
    await workbench.page.keyboard.press('End');
    await workbench.page.keyboard.press('Enter');
    await workbench.page.keyboard.type('state["');
    await workbench.waitForText('.suggest-widget', /capital[^]*kind/);
    await workbench.screenshot('typing-completion');
    await workbench.page.keyboard.press('Escape');
    await workbench.page.keyboard.press('Control+A');
    await workbench.page.keyboard.type('print(state["capital');
    await workbench.page.keyboard.press('Escape');
    await workbench.waitForText('.view-line', 'print(state["capital"])');
  });

  it('renames a variable in all cells, strings included', async () => {
    const box = await startRename('gen("capital"', 6);
    await workbench.screenshot('typing-rename');
    await box.fill('town');
    await workbench.page.keyboard.press('Enter');
    await workbench.waitForText('.view-line', 'print(state["town"])');
    await workbench.save();
    const renamed = await workbench.waitForFile('typing.sglnb', (content) =>
      content.includes('gen("town", max_tokens=32'),
    );
    expect(renamed).toContain('town = state["town"]');
    expect(renamed).toContain('print(state["town"])');
    expect(renamed).not.toContain('"capital"');
  });

  it('renames in a notebook that is not open, and leaves its outputs alone', async () => {
    await workbench.open('programs.py');
    // The lens moves the lines below it.
    await workbench.waitForText('.codelens-decoration', /Run/);
    const box = await startRename('sgl.gen("reply")', 10);
    await box.fill('answer');
    await workbench.page.keyboard.press('Enter');
    const renamed = await workbench.waitForFile('closed.sglnb', (content) =>
      content.includes('"answer"'),
    );
    expect(renamed).toBe(closed.replace('["reply"]', '["answer"]'));
    expect(
      await workbench.waitForFile('programs.py', (content) => content.includes('answer')),
    ).toBe(programs.replace('"reply"', '"answer"'));
  });
});

it('says beside the language that the language server runs, and what is missing once it does not', async () => {
  const { page } = workbench;
  await workbench.open('typing.sglnb');
  const shows = (text: RegExp): Promise<void> =>
    workbench.until(
      async () => {
        await page.locator('.code-cell-row .view-lines').first().click();
        await page.locator('#status\\.languageStatus').hover();
      },
      '.hover-language-status',
      text,
    );
  await shows(/SGLang language server: running/);
  await workbench.screenshot('language-status');
  // It is started again a few times.
  await eventually(
    60_000,
    async () => {
      for (const pid of workbench.processes('language-server.mjs')) process.kill(pid, 'SIGKILL');
      await page.waitForTimeout(500);
      const isWrong = page.locator('#status\\.languageStatus .codicon-bracket-error');
      return (await isWrong.count()) > 0 || undefined;
    },
    () => 'the language server always came back',
  );
  await shows(/SGLang language server: stopped[^]*no completion, hovers or diagnostics of SGLang/);
  await workbench.screenshot('language-status-stopped');
});
