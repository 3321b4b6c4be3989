/**
 * Makes the pictures of the README, in a real workbench: `node test/vscode/readme-screenshots.ts`. They are
 * written over those of `extension/media/`; look at each, and reduce it to 256 colours (a third of the size),
 * before it is committed.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually, freePort, root, Workbench } from './workbench.ts';

const LIGHT = 'Light Modern';
const DARK = 'Dark Modern';
const HEIGHT = 860;
/** Height of the title bar, which says that the extension is one in development. */
const TITLE = 36;

const FAILING = `# %%
import json


def read_person(text):
    return json.loads(text)["name"]

# %%
answer = 'Sure! Here is the record: {"name": "Ada"}'
print("the model wrote:", answer)
read_person(answer)
`;

const port = await freePort();
// Without the cell that ends the server: the status bar and the preview speak of it.
const tour = readFileSync(join(root, 'extension/examples/sglang-tour.sglnb'), 'utf8')
  .replace(/^port = \d+$/m, `port = ${port}`)
  .replace(/^# %% Clean up[^]*/m, '');
await using workbench = await Workbench.start({
  files: { 'sglang-tour.sglnb': tour, 'failing.sglnb': FAILING },
  settings: {
    'editor.minimap.enabled': false,
    // Below the word, so that the program stays in view.
    'editor.hover.above': false,
  },
});
const { page } = workbench;

/** Where the mouse shows nothing: beside the tabs. */
const rest = (): Promise<void> => page.mouse.move(1000, 52);

async function picture(name: string): Promise<void> {
  // Nothing blinks, moves or is half drawn.
  await page.waitForTimeout(1500);
  await page.screenshot({
    path: join(root, 'extension', 'media', `screenshot-${name}.png`),
    animations: 'disabled',
    caret: 'hide',
    clip: { x: 0, y: TITLE, width: 1280, height: (page.viewportSize()?.height ?? 0) - TITLE },
  });
}

/** Scrolls the notebook until the line stands `top` pixels below the window's edge. */
async function scrollTo(line: string, top: number): Promise<void> {
  const found = page.locator('.notebook-editor .view-line', { hasText: line }).first();
  // Beside the cells: outputs and long lines would take the wheel.
  await page.mouse.move(60, 500);
  // Cells that run come into view by themselves, wherever that is.
  await page.mouse.wheel(0, -100_000);
  let last = 0;
  await eventually(
    20_000,
    async () => {
      const box = (await found.isVisible()) ? await found.boundingBox() : null;
      const distance = box === null ? 300 : box.y - top;
      last = distance;
      if (Math.abs(distance) < 40) return true;
      await page.mouse.wheel(0, Math.max(-400, Math.min(400, distance)));
      await page.waitForTimeout(120);
      return undefined;
    },
    () => `no line ${line}, last seen ${last} pixels away`,
  );
}

await workbench.theme(LIGHT);
await workbench.tall(HEIGHT);
await workbench.command('View: Toggle Primary Side Bar Visibility');
await workbench.quickOpen('sglang-tour.sglnb');
await page.locator('.code-cell-row').first().waitFor();
await workbench.runAll();
await workbench.waitForKernel('busy');
await workbench.waitForKernel('idle', 180_000);

await scrollTo('def sightseeing', 180);
await workbench.hoverText('print_highlight(state["building"', 24);
await workbench.waitForText('.monaco-hover', 'Last values');
await picture('hover');

await rest();
await page.getByText('Preview prompt').first().click();
await page.locator('.quick-input-widget input').first().fill('Italy');
await page.keyboard.press('Enter');
await workbench.waitForText('.editor-instance .view-line', 'What is the capital');
await picture('preview');
await page.locator('.editor-instance .view-line', { hasText: 'im_start' }).first().click();
await workbench.command('View: Close Editor');

await workbench.theme(DARK);
await workbench.tall(1000);
await scrollTo('def second_opinions', 150);
await rest();
await picture('forks');
await workbench.tall(HEIGHT);
await workbench.theme(LIGHT);
await workbench.closeAll();

await workbench.quickOpen('failing.sglnb');
await page.locator('.code-cell-row').first().waitFor();
await workbench.runAll();
await workbench.waitForOutput('JSONDecodeError');
await workbench.waitForNoRunningCell();
await rest();
await workbench.tall(800);
await picture('failing-cell');
