/**
 * What users of other notebook extensions complain about most, and the tests that show that this one
 * does not have it. The rows point at tests by file and title, and a test checks that these exist;
 * complaints without a natural home elsewhere are tested here, in one workbench.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { eventually, root, Workbench } from './workbench.ts';

interface Complaint {
  readonly complaint: string;
  /** `file: title`, below `test/`. */
  readonly shownBy: readonly string[];
}

const COMPLAINTS: readonly Complaint[] = [
  {
    complaint: 'a cell spins for ever, and a restart hangs',
    shownBy: [
      'vscode/notebook.test.ts: ends the cell with a clear error when its kernel is killed, and runs again',
      'extension/kernel-session.test.ts: kills a kernel that ignores the interrupt, ends its cells, and starts anew',
      'extension/kernel-session.test.ts: runs a cell that comes during a restart on the new kernel',
    ],
  },
  {
    complaint: 'much streamed output freezes the window',
    shownBy: [
      'extension/cell-run-reducer.test.ts: grows one output per stream',
      'extension/cell-run-reducer.test.ts: ends a flood of displays in one text output',
      'process/kernel.test.ts: 10 MB arrive whole, while the kernel answers',
      'vscode/renderer.test.ts: streams 10,000 tokens by changing the last block of lines only',
    ],
  },
  {
    complaint: 'the page jumps while a cell runs',
    shownBy: [
      'vscode/renderer.test.ts: patches the same nodes while streaming and keeps the scroll position',
      'vscode/complaints.test.ts: leaves a notebook where it was scrolled to while outputs stream, are replaced and collapsed',
    ],
  },
  {
    complaint: 'a long run is lost when the window is reloaded',
    shownBy: [
      'vscode/kernel-life.test.ts: gets its kernel back: the cells go on, and their output is complete',
    ],
  },
  {
    complaint: 'completions come twice, or not at all',
    shownBy: ['vscode/complaints.test.ts: completes each name once'],
  },
  {
    complaint: 'the kernel does not start, because something is to be installed first',
    shownBy: [
      'vscode/vsix.test.ts: packs only what runs, within its budgets, and runs the tour where it is installed',
      'extension/kernel-session.test.ts: reports a kernel that cannot start',
    ],
  },
  {
    complaint: 'asked for the kernel again and again',
    shownBy: ['vscode/complaints.test.ts: runs a new notebook without asking for a kernel'],
  },
  {
    complaint: 'the list of variables blocks the kernel',
    shownBy: [
      'extension/kernel-session.test.ts: asks the kernel next to a running cell; a question fails when there is no kernel',
      'process/kernel.test.ts: variables are short and limited, and nothing runs',
    ],
  },
  {
    complaint: 'a merge conflict makes the notebook unopenable',
    shownBy: [
      'vscode/kernel-life.test.ts: opens a file with conflict markers as it is, and runs the rest',
      'notebook-format/sglnb-reading.test.ts: in the outputs drop only the outputs of the cells concerned',
    ],
  },
  {
    complaint: 'large outputs make saving slow',
    shownBy: [
      'notebook-format/sglnb-reading.test.ts: replaces images above the limit by a note, except those that were in the file',
      'vscode/kernel-life.test.ts: takes a hundred megabytes of output',
    ],
  },
  {
    complaint: 'the question of input() is overlooked',
    shownBy: [
      'vscode/questions.test.ts: are asked inside the cell, and stay as text',
      'vscode/questions.test.ts: are asked in a box while the notebook is hidden',
    ],
  },
  {
    complaint: 'a cell cannot be debugged, nor a module that it calls',
    shownBy: [
      'vscode/complaints.test.ts: debugs a cell and the module that it calls',
      'process/debugger.test.ts: steps into a module that the cell calls, out of it, and stops at its breakpoints',
      'process/debugger.test.ts: stops in the body of a program, which other cells defined, and reads its state',
      'vscode/notebook.test.ts: shows a traceback with links, marks the failing line, and stops the queue',
    ],
  },
  {
    complaint: 'a screen reader does not reach the outputs',
    shownBy: [
      'vscode/renderer.test.ts: reads well in high contrast and with a screen reader: every control has a name',
      'vscode/renderer.test.ts: opens details by keyboard: timings, choices, tokens, the request',
    ],
  },
  {
    complaint: 'shell lines and magics are marked as errors',
    shownBy: ['vscode/complaints.test.ts: takes shell lines and magics for what they are'],
  },
  {
    complaint: 'the format locks its users in',
    shownBy: [
      'notebook-format/ipynb.test.ts: stays a plain notebook: nothing of the format leaks into it',
      'notebook-format/sglnb-reading.test.ts: is a script that people can read, diff and merge',
      'notebook-format/exports.test.ts: comes back with shell lines and magics alive',
    ],
  },
];

const streaming = (where: string): string => `# %%
import time
from sglang.utils import print_highlight
runs = globals().get("${where}_runs", 0) + 1
${where}_runs = runs
print_highlight("${where} begins")
for line in range(25):
    print("${where}", "run", runs, "line", line, flush=True)
    time.sleep(0.04)
print_highlight(f"${where} ended {runs}")
`;
const filler = (number: number): string =>
  `# %%\n${Array.from({ length: 12 }, (_, line) => `# filler ${number} ${line}`).join('\n')}\n`;
/** One output far above what is read, one right above it, one right below it. */
const SCROLLED = [
  streaming('far'),
  ...[1, 2, 3, 4].map(filler),
  streaming('above'),
  '# %%\nwatched = "read"\n',
  streaming('below'),
  ...[5, 6, 7].map(filler),
].join('\n');

it('has a test for each of the fifteen complaints', () => {
  expect(COMPLAINTS).toHaveLength(15);
  const missing = COMPLAINTS.flatMap(({ shownBy }) => shownBy).filter((reference) => {
    const [file = '', title = ''] = reference.split(/: (.*)/s);
    const text = readFileSync(join(root, 'test', file), 'utf8');
    return !new RegExp(`(?:it|test)\\(\\s*'${escaped(title)}'`).test(text);
  });
  expect(missing).toEqual([]);
});

describe('in a workbench', () => {
  let workbench: Workbench;

  beforeAll(async () => {
    workbench = await Workbench.start({
      files: {
        'fresh.sglnb': '# %%\nprint("it", "runs")\n',
        'names.sglnb': '# %%\nunmistakable_name = 1\n\n# %%\nunmistak\n',
        'scrolled.sglnb': SCROLLED,
        'debugged.sglnb':
          '# %%\nimport helpers\nsmall = 20\nbig = helpers.double(small)\nprint("got", big)\n',
        'helpers.py': 'def double(x):\n    result = 2 * x\n    return result\n',
        'magics.sglnb': '# %%\n!echo hello\n%time 1 + 1\nundefined_on_purpose\n',
      },
    });
  });
  afterAll(() => workbench[Symbol.asyncDispose]());
  afterEach(() => workbench.closeAll());

  it('runs a new notebook without asking for a kernel', async () => {
    await workbench.open('fresh.sglnb');
    await workbench.runAll();
    await workbench.waitForOutput('it runs');
    expect(await workbench.page.locator('.quick-input-widget:visible').count()).toBe(0);
  });

  it('completes each name once', async () => {
    await workbench.open('names.sglnb');
    await workbench.page.getByText('unmistak', { exact: true }).first().click();
    await workbench.page.keyboard.press('End');
    await workbench.page.keyboard.press('Control+Space');
    const rows = workbench.page.locator('.suggest-widget .monaco-list-row');
    await rows.filter({ hasText: 'unmistakable_name' }).first().waitFor({ timeout: 30_000 });
    expect(await rows.filter({ hasText: 'unmistakable_name' }).count()).toBe(1);
    await workbench.page.keyboard.press('Escape');
  });

  it('leaves a notebook where it was scrolled to while outputs stream, are replaced and collapsed', async () => {
    const { page } = workbench;
    await workbench.open('scrolled.sglnb');
    const watched = page.locator('.code-cell-row', { hasText: /watched.=/ });
    await eventually(
      20_000,
      async () => {
        await page.locator('.notebookOverlay .monaco-list').first().hover();
        await page.mouse.wheel(0, 300);
        await page.waitForTimeout(200);
        const y = (await watched.count()) > 0 ? (await watched.boundingBox())?.y : undefined;
        return y !== undefined && y < 500 ? y : undefined;
      },
      () => 'the cell was not reached',
    );
    await watched.locator('.view-lines').click();
    /** How far the cell that is read moved meanwhile, in pixels, by every frame. */
    const moved = async (act: () => Promise<void>): Promise<number> => {
      const places = await page.evaluateHandle(() => {
        const found = { tops: [] as number[], isOver: false };
        const look = (): void => {
          for (const row of document.querySelectorAll('.code-cell-row'))
            if (/watched.=/.test(row.textContent ?? ''))
              found.tops.push(row.getBoundingClientRect().top);
          if (!found.isOver) requestAnimationFrame(look);
        };
        look();
        return found;
      });
      await act();
      await page.waitForTimeout(700);
      const tops = await places.evaluate((found) => {
        found.isOver = true;
        return found.tops;
      });
      expect(tops.length).toBeGreaterThan(10);
      return Math.max(...tops) - Math.min(...tops);
    };
    const run = (number: number) => async (): Promise<void> => {
      await workbench.runAll();
      await workbench.waitForOutput(`below ended ${number}`);
      await workbench.waitForNoRunningCell();
    };
    expect(await moved(run(1)), 'the first run').toBeLessThan(2);
    expect(await moved(run(2)), 'a run that replaces outputs').toBeLessThan(2);
    await workbench.screenshot('scrolled');
    const all = (title: string) => () => workbench.command(title);
    expect(await moved(all('Notebook: Collapse All Cell Outputs')), 'collapsed').toBeLessThan(2);
    expect(await moved(all('Notebook: Expand All Cell Outputs')), 'expanded').toBeLessThan(2);
  });

  /** Unfolds the scope where the workbench has not done that by itself. */
  async function waitForVariable(scope: string, variable: RegExp): Promise<void> {
    const rows = '.debug-variables .monaco-list-row';
    const folded = workbench.page.locator(`${rows}[aria-expanded="false"]`, { hasText: scope });
    const unfold = async () => {
      if ((await folded.count()) > 0)
        await folded
          .first()
          .click({ timeout: 2000 })
          .catch(() => {});
    };
    await workbench.until(unfold, rows, variable);
  }

  it('debugs a cell and the module that it calls', async () => {
    const { page } = workbench;
    await workbench.open('debugged.sglnb');
    await page.getByText('helpers.double(small)').first().click();
    await page.keyboard.press('F9');
    await page.locator('.codicon-debug-breakpoint').first().waitFor();
    await workbench.command('SGLang: Debug Cell');
    await page.locator('.debug-toolbar').waitFor({ timeout: 60_000 });
    const frames = '.debug-call-stack .monaco-list-row';
    await workbench.waitForText(frames, /Cell 1[^]*3:1/);
    // Paused, in the cell and in the views.
    await page.locator('.code-cell-row .debug-top-stack-frame-line').first().waitFor();
    await waitForVariable('Globals', /small[^]*20/);
    await workbench.screenshot('debug-cell');
    // One at a time: it says so beside the work, not in a dialog that offers to edit launch.json.
    await workbench.command('SGLang: Debug Cell');
    await workbench.command('Notifications: Show Notifications');
    await workbench.waitForText(
      '.notifications-center',
      /Cell 1 of this notebook is being debugged/,
    );
    expect(await page.locator('.monaco-dialog-box').count()).toBe(0);
    await workbench.command('Notifications: Clear All Notifications');

    await page.keyboard.press('F11');
    await workbench.waitForText(frames, /double[^]*helpers\.py[^]*2:1/);
    await waitForVariable('Locals', /x[^]*20/);
    await page.keyboard.press('F10');
    await waitForVariable('Locals', /result[^]*40/);
    await workbench.screenshot('debug-module');

    // Stop ends the cell as an interrupt does; the kernel is ready for the next.
    await page.keyboard.press('Shift+F5');
    await page.locator('.debug-toolbar').waitFor({ state: 'hidden' });
    await workbench.open('debugged.sglnb');
    await workbench.waitForOutput('KeyboardInterrupt');
    await workbench.runAll();
    await workbench.waitForOutput('got 40');
    // A cell that runs is not debugged by the way.
    await page.getByText('print("got", big)').first().click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('\nimport time\ntime.sleep(600)');
    await page.keyboard.press('Control+Enter');
    await workbench.waitForKernel('busy');
    await workbench.command('SGLang: Debug Cell');
    await workbench.command('Notifications: Show Notifications');
    await workbench.waitForText('.notifications-center', /Cell 1 was not started: it runs already/);
    await workbench.command('Notifications: Clear All Notifications');
  });

  it('takes shell lines and magics for what they are', async () => {
    await workbench.open('magics.sglnb');
    // The name that nothing defines proves that the cell was looked at; it is the only problem.
    await workbench.waitForText('#status\\.problems', /[1-9]/, 40_000);
    await workbench.command('Problems: Focus on Problems View');
    await workbench.waitForText('.markers-panel .monaco-list-row', 'undefined_on_purpose');
    const shown = await workbench.page.locator('.markers-panel .monaco-list-row').allInnerTexts();
    expect(shown.join('\n')).not.toMatch(/echo|hello|time/);
    await workbench.command('View: Toggle Panel Visibility');
  });
});

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}
