/**
 * Every kind of output as a saved file shows it in a real workbench, without a kernel: checked by
 * axe-core in each of VS Code's kinds of theme, in a narrow window, and drawn for people to look at.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import type { JsonObject } from '../../extension/notebook-format/json.ts';
import { serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { SAMPLE_OUTPUTS } from './sample-outputs.ts';
import { eventually, Workbench } from './workbench.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** One cell, so that all of it is drawn whatever the window shows. */
const outputs = SAMPLE_OUTPUTS.map(([mime, payload]) => {
  // SAFETY: payloads are plain data.
  const data = { [mime]: payload, 'text/plain': 'the fallback' } as JsonObject;
  return { json: { output_type: 'display_data', data, metadata: {} } };
});
const cell = { ...newCell('code', 'shown', '"every kind of output"'), outputs };

let workbench: Workbench;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: { 'outputs.sglnb': serializeNotebook(newDocument([cell])) },
  });
  await workbench.open('outputs.sglnb');
  await workbench.waitForOutput('the prompt is too long');
});
afterAll(() => workbench[Symbol.asyncDispose]());

/** The frame that draws outputs, with its details opened. */
async function outputFrame(): Promise<Frame> {
  return eventually(
    20_000,
    async () => {
      for (const frame of workbench.page.frames()) {
        const drawn = await frame
          .evaluate(() => {
            const hosts = [...document.querySelectorAll('*')].filter((element) =>
              element.shadowRoot?.querySelector('.sglang-output'),
            );
            for (const host of hosts) {
              for (const each of host.shadowRoot?.querySelectorAll('details') ?? []) {
                each.open = true;
              }
              host.classList.add('checked-output');
            }
            return hosts.length;
          })
          .catch(() => 0);
        if (drawn === SAMPLE_OUTPUTS.length) return frame;
      }
      return undefined;
    },
    () => 'not every output was drawn',
  );
}

/** What axe finds wrong, one line each: rule, element, reason. */
async function violations(frame: Frame): Promise<string[]> {
  await frame.evaluate(AXE);
  return frame.evaluate(async () => {
    // Outputs are positioned below a body without a height: axe would take them for invisible.
    document.body.style.overflow = 'visible';
    // The frame is transparent: what lies behind it is the editor's background.
    document.documentElement.style.background = 'var(--vscode-editor-background)';
    const found = await Reflect.get(globalThis, 'axe').run('.checked-output', { iframes: false });
    document.body.style.overflow = '';
    document.documentElement.style.background = '';
    return found.violations.flatMap(
      (rule: { id: string; nodes: { html: string; failureSummary: string }[] }) =>
        rule.nodes.map(({ html, failureSummary }) => `${rule.id}: ${html}: ${failureSummary}`),
    );
  });
}

/** As a user's settings file does: faster than the picker, and no list has to be drawn. */
function setTheme(name: string): void {
  mkdirSync(workbench.path('.vscode'), { recursive: true });
  writeFileSync(
    workbench.path('.vscode/settings.json'),
    JSON.stringify({ 'workbench.colorTheme': name }),
  );
}

it.each([
  ['Light Modern', 'vscode-light'],
  ['Dark Modern', 'vscode-dark'],
  ['Default High Contrast', 'vscode-high-contrast'],
  ['Default High Contrast Light', 'vscode-high-contrast-light'],
])('has no accessibility violations in %s', async (theme, bodyClass) => {
  setTheme(theme);
  const frame = await outputFrame();
  const body = `body.${bodyClass}[data-vscode-theme-id="${theme}"]`;
  await frame.waitForSelector(body, { state: 'attached', timeout: 30_000 });
  expect(await violations(frame)).toEqual([]);
  await workbench.screenshot(`outputs-${bodyClass}`);
});

it('finds what is wrong: text that is too faint', async () => {
  const frame = await outputFrame();
  await frame.evaluate(() => {
    const shadow = document.querySelector('.checked-output')?.shadowRoot;
    shadow
      ?.querySelector('.sglang-output')
      ?.insertAdjacentHTML(
        'beforeend',
        '<p id="bad" style="color: silver; background: white">faint</p>',
      );
  });
  expect(await violations(frame)).toEqual([expect.stringContaining('color-contrast')]);
  await frame.evaluate(() => {
    document.querySelector('.checked-output')?.shadowRoot?.querySelector('#bad')?.remove();
  });
});

it('cuts nothing off in a narrow window', async () => {
  await workbench.page.setViewportSize({ width: 640, height: 900 });
  const frame = await outputFrame();
  const wide = await frame.evaluate(
    () =>
      [...document.querySelectorAll('.checked-output')].filter(
        ({ scrollWidth, clientWidth }) => scrollWidth > clientWidth + 1,
      ).length,
  );
  expect(wide).toBe(0);
  expect(await violations(frame)).toEqual([]);
  await workbench.screenshot('outputs-narrow');
});
