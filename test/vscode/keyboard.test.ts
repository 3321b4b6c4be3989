/**
 * A whole session without a mouse: each stop of the focus is read from the browser's accessibility tree, as a
 * screen reader gets it, and must be seen to have the focus.
 */
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { pictureFailures } from './failure-screenshot.ts';
import { eventually, freePort, Workbench } from './workbench.ts';

const CELLS = (port: number): string => `# %%
from sglang import Runtime, assistant, function, gen, set_default_backend, user

set_default_backend(Runtime(model_path="starter", port=${port}))

# %%
@function
def capitals(s, country: str, loud: bool = False):
    s += user(f"What is the capital of {country}? {loud}")
    forks = s.fork(2)
    forks += assistant(gen("capital", max_tokens=12, temperature=0, return_logprob=True,
                           top_logprobs_num=2, return_text_in_logprobs=True))
    forks.join()

# %%
state = capitals.run(country="Italy")
print("the run is over")
state

# %%
# the end
`;

let workbench: Workbench;

async function openWindow(): Promise<void> {
  workbench = await Workbench.start({ files: { 'keys.sglnb': CELLS(await freePort()) } });
  await workbench.tall(1400);
  // From here on, nothing is clicked.
  await workbench.page.evaluate(() => {
    window.addEventListener('mousedown', () => Reflect.set(window, 'usedTheMouse', true), true);
  });
}

beforeAll(openWindow);
afterAll(() => workbench[Symbol.asyncDispose]());
pictureFailures(() => workbench);

interface Stop {
  readonly role: string;
  readonly name: string;
}

interface AxNode {
  readonly backendDOMNodeId?: number;
  readonly role?: { readonly value?: unknown };
  readonly name?: { readonly value?: unknown };
  readonly properties?: readonly { readonly name: string; readonly value: AxValue }[];
}

interface AxValue {
  readonly value?: unknown;
  readonly relatedNodes?: readonly { readonly backendDOMNodeId: number }[];
}

/** What has the focus in an output's frame or in the workbench, in a screen reader's words. */
async function focused(): Promise<Stop> {
  const session = await workbench.page.context().newCDPSession(workbench.page);
  const { frameTree } = await session.send('Page.getFrameTree');
  const ids = [frameTree].flatMap(function below(tree): string[] {
    return [...(tree.childFrames ?? []).flatMap(below), tree.frame.id];
  });
  const stops: Stop[] = [];
  for (const frameId of ids) {
    const { nodes } = await session.send('Accessibility.getFullAXTree', { frameId });
    const all: readonly AxNode[] = nodes;
    const property = (node: AxNode, wanted: string): AxValue | undefined =>
      node.properties?.find(({ name }) => name === wanted)?.value;
    const found = all.flatMap((node) => {
      if (property(node, 'focused')?.value !== true) return [];
      // Trees and lists keep the focus and say which of their rows is meant.
      const row = property(node, 'activedescendant')?.relatedNodes?.[0]?.backendDOMNodeId;
      return [all.find(({ backendDOMNodeId }) => row && backendDOMNodeId === row) ?? node];
    });
    stops.push(
      ...found.map(({ role, name }) => ({ role: String(role?.value), name: String(name?.value) })),
    );
  }
  await session.detach();
  return (
    stops.find(({ role }) => !/^(RootWebArea|Iframe)$/.test(role)) ?? { role: 'nothing', name: '' }
  );
}

/** The frame of the outputs whose renderer has the focus. */
async function focusedFrame(): Promise<Frame | undefined> {
  for (const frame of workbench.page.frames()) {
    const has = await frame
      .evaluate(() => document.hasFocus() && document.activeElement?.shadowRoot?.activeElement)
      .catch(() => null);
    if (has) return frame;
  }
  return undefined;
}

/** Its outline, and the theme's colour of what has the focus. */
async function outline(): Promise<{ readonly drawn: string; readonly theme: string }> {
  const frame = await focusedFrame();
  if (!frame) throw new Error('no output has the focus');
  return frame.evaluate(() => {
    let element: Element | null = document.activeElement;
    while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
    const probe = document.createElement('span');
    probe.style.color = 'var(--vscode-focusBorder)';
    document.body.append(probe);
    const theme = getComputedStyle(probe).color;
    probe.remove();
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element ?? document.body);
    const isVisible = outlineStyle !== 'none' && Number.parseFloat(outlineWidth) > 0;
    return { drawn: isVisible ? outlineColor : 'none', theme };
  });
}

/**
 * What has the focus once it stays there: when the focus enters an output, the workbench puts it there a
 * second time as soon as it hears of it, which takes a faster one back.
 */
async function settled(): Promise<Stop> {
  let last: Stop | undefined;
  return eventually(
    15_000,
    async () => {
      const before = last;
      last = await focused();
      return before?.role === last.role && before.name === last.name ? last : undefined;
    },
    () => `the focus does not stay: ${JSON.stringify(last)}`,
  );
}

/** Presses Tab until a stop fits, through stops that all say what they are and are seen. */
async function tabTo(role: string, name: RegExp): Promise<readonly Stop[]> {
  const stops: Stop[] = [];
  for (let step = 0; step < 25; step += 1) {
    await workbench.page.keyboard.press('Tab');
    const stop = await settled();
    stops.push(stop);
    if (await focusedFrame()) {
      expect(stop.name).not.toBe('');
      const { drawn, theme } = await outline();
      expect(drawn, JSON.stringify(stop)).toBe(theme);
    }
    if (stop.role === role && name.test(stop.name)) return stops;
  }
  throw new Error(`Tab never reached ${role} ${String(name)}: ${JSON.stringify(stops)}`);
}

async function waitForStop(role: RegExp, name: RegExp): Promise<Stop> {
  let last: Stop | undefined;
  return eventually(
    15_000,
    async () => {
      last = await focused();
      return role.test(last.role) && name.test(last.name) ? last : undefined;
    },
    () => `the focus is not on ${String(role)} ${String(name)} but on ${JSON.stringify(last)}`,
  );
}

/** Waits until such an element of the workbench has the focus; an output's is that of its frame. */
function waitForActive(selector: string): Promise<unknown> {
  return eventually(
    10_000,
    async () =>
      (await workbench.page.evaluate((css) => document.activeElement?.matches(css), selector))
        ? true
        : undefined,
    () => `the focus is not in ${selector}`,
  );
}

async function openAndRun(): Promise<void> {
  const { page } = workbench;
  await page.keyboard.press('Control+P');
  await page.keyboard.type('keys.sglnb');
  await workbench.waitForText('.quick-input-list .monaco-list-row.focused', 'keys.sglnb');
  await page.keyboard.press('Enter');
  await page.locator('.code-cell-row').nth(2).waitFor();
  await page.keyboard.press('Control+Home');
  // The keys of Jupyter's command mode: two cells come and go again.
  for (const [keys, count] of [
    ['a', 5],
    ['d d', 4],
    ['b', 5],
    ['z', 4],
  ] as const) {
    const press = async () => {
      for (const key of keys.split(' ')) await page.keyboard.press(key);
    };
    await workbench.until(press, '.statusbar-item', new RegExp(`Cell \\d of ${count}`));
  }
  await page.keyboard.press('Control+Home');
  for (const [text, key] of [
    [/set_default_backend/, 'Shift+Enter'],
    [/def.capitals/, 'Control+Enter'],
    [/def.capitals/, 'ArrowDown'],
    [/capitals\.run/, 'Shift+Enter'],
    [/the.end/, 'ArrowUp'],
  ] as const) {
    await workbench.waitForText('.code-cell-row.focused', text);
    await page.keyboard.press(key);
  }
  await workbench.waitForOutput('the run is over');
  await workbench.inOutputs('.state');
  await workbench.waitForNoRunningCell();
}

it('opens a notebook and runs its cells', openAndRun);

it('enters the output, walks through the forks and the token view, opens its tables, and leaves', async ({
  task,
}) => {
  if (task.result?.retryCount) {
    // The first try left its focus and open parts behind.
    await workbench[Symbol.asyncDispose]();
    await openWindow();
    await openAndRun();
  }
  const { page } = workbench;
  await workbench.waitForText('.code-cell-row.focused', /capitals\.run/);
  await workbench.command('Notebook: Focus In Active Cell Output');
  await waitForActive('iframe');
  await waitForStop(/./, /the run is over/);
  const forks = await tabTo('group', /^2 forks$/);
  expect(forks.length).toBeGreaterThan(0);
  await tabTo('DisclosureTriangle', /^1 generation/);
  await page.keyboard.press('Enter');
  await tabTo('DisclosureTriangle', /^Token probabilities of capital/);
  await workbench.screenshot('keyboard-focus');
  await page.keyboard.press('Enter');
  await tabTo('group', /^Token probabilities of capital/);
  await workbench.screenshot('keyboard-token-view');
  // Whoever reads outputs deletes no cell by that.
  await page.keyboard.press('d');
  await page.keyboard.press('d');
  await page.keyboard.press('Shift+Tab');
  await waitForStop(/^DisclosureTriangle$/, /^Token probabilities of capital/);
  await page.keyboard.press(' ');
  await eventually(
    20_000,
    async () => {
      await page.keyboard.press('Shift+Tab');
      await page.waitForTimeout(300);
      const isLeft = await page.evaluate(() => document.activeElement?.tagName !== 'IFRAME');
      return isLeft || undefined;
    },
    () => 'the focus does not leave the output',
  );
  await page.keyboard.press('Escape');
  await workbench.waitForText('.statusbar-item', /Cell \d of 4/);
});

it('opens the form of a program from its lens, goes back, fills it in and runs', async () => {
  const { page } = workbench;
  // The list of cells takes keys a moment after it has the focus.
  await workbench.until(
    () => page.keyboard.press('ArrowUp'),
    '.code-cell-row.focused',
    /def.capitals/,
  );
  await page.keyboard.press('Enter');
  await waitForActive('.native-edit-context, textarea');
  await page.keyboard.press('Control+Home');
  await workbench.command('Show CodeLens Commands for Current Line');
  await workbench.waitForText('.quick-input-list', 'Preview prompt');
  await workbench.waitForText('.quick-input-list .monaco-list-row.focused', /Run/);
  await page.keyboard.press('Enter');
  await workbench.waitForText('.quick-input-widget', 'country: str');
  await waitForStop(/^textbox$/, /^capitals/);
  await page.keyboard.type('Germany');
  await page.keyboard.press('Enter');
  await workbench.waitForText('.quick-input-widget', '2/2');
  await page.keyboard.press('ArrowUp');
  await workbench.waitForText('.quick-input-list .monaco-list-row.focused', /True|False/);
  await workbench.screenshot('keyboard-form');
  await page.keyboard.press('Enter');
  await workbench.waitForOutput(/capital of Germany\? (True|False)/);
  await workbench.waitForNoRunningCell();
});

it('reads the variables and what runs', async () => {
  const { page } = workbench;
  await workbench.command('SGLang: Focus on Variables View');
  await workbench.waitForText('.pane-body .monaco-list-row', 'capitals');
  await workbench.command('SGLang: Focus on Variables View');
  await page.keyboard.press('Home');
  const first = await waitForStop(/^treeitem$/, /\S/);
  await page.keyboard.press('End');
  const last = await waitForStop(/^treeitem$/, /^state: ProgramState$/);
  expect(last.name).not.toBe(first.name);
  // Inside it is what the program generated.
  await page.keyboard.press('ArrowRight');
  await workbench.waitForText('.pane-body .monaco-list-row', /'capital'/);
  await page.keyboard.press('ArrowDown');
  await waitForStop(/^treeitem$/, /^'capital': list\[2\]/);
  await workbench.screenshot('keyboard-variables');
  await workbench.command('SGLang: Focus on Kernels and Runtimes View');
  await page.keyboard.press('Home');
  await waitForStop(/^treeitem$/, /^keys\.sglnb: idle/);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowDown');
  await waitForStop(/^treeitem$/, /^SGLang runtime: starter/);
  await workbench.screenshot('keyboard-sessions');
  expect(await page.evaluate(() => Reflect.get(window, 'usedTheMouse'))).toBeUndefined();
});
