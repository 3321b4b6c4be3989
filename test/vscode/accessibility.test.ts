/**
 * Every kind of output as a saved file shows it in a real workbench, without a kernel: checked by
 * axe-core in each of VS Code's kinds of theme, in a narrow window, and drawn for people to look at.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Frame } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newCell, newDocument } from '../../extension/notebook-format/document.ts';
import type { JsonObject } from '../../extension/notebook-format/json.ts';
import { serializeNotebook } from '../../extension/notebook-format/sglnb.ts';
import { SAMPLE_OUTPUTS } from './sample-outputs.ts';
import { eventually, Workbench } from './workbench.ts';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const cells = SAMPLE_OUTPUTS.map(([mime, payload], index) => {
  // SAFETY: payloads are plain data.
  const data = { [mime]: payload, 'text/plain': 'the fallback' } as JsonObject;
  const json = { output_type: 'display_data', data, metadata: {} };
  return { ...newCell('code', `cell-${index}`, `shown_${index}`), outputs: [{ json }] };
});

let workbench: Workbench;

beforeAll(async () => {
  workbench = await Workbench.start({
    files: { 'outputs.sglnb': serializeNotebook(newDocument(cells)) },
  });
  await workbench.tall(3600);
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
    const found = await Reflect.get(globalThis, 'axe').run('.checked-output', { iframes: false });
    document.body.style.overflow = '';
    return found.violations.flatMap(
      (rule: { id: string; nodes: { html: string; failureSummary: string }[] }) =>
        rule.nodes.map(({ html, failureSummary }) => `${rule.id}: ${html}: ${failureSummary}`),
    );
  });
}

it.each([
  ['Light Modern', 'vscode-light'],
  ['Dark Modern', 'vscode-dark'],
  ['Dark High Contrast', 'vscode-high-contrast'],
  ['Light High Contrast', 'vscode-high-contrast-light'],
])('has no accessibility violations in %s', async (theme, bodyClass) => {
  await workbench.tall(3600);
  await workbench.theme(theme);
  const frame = await outputFrame();
  await frame.waitForSelector(`body.${bodyClass}`, { state: 'attached', timeout: 10_000 });
  expect(await violations(frame)).toEqual([]);
  await workbench.tall(1800);
  await workbench.screenshot(`outputs-${bodyClass}`);
});

it('finds what is wrong: text of one colour with its background', async () => {
  await workbench.tall(3600);
  const frame = await outputFrame();
  await frame.evaluate(() => {
    const shadow = document.querySelector('.checked-output')?.shadowRoot;
    shadow
      ?.querySelector('.sglang-output')
      ?.insertAdjacentHTML(
        'beforeend',
        '<p id="bad" style="color: white; background: white">unreadable</p>',
      );
  });
  expect(await violations(frame)).toEqual([expect.stringContaining('color-contrast')]);
  await frame.evaluate(() => {
    document.querySelector('.checked-output')?.shadowRoot?.querySelector('#bad')?.remove();
  });
});

it('cuts nothing off in a narrow window', async () => {
  await workbench.page.setViewportSize({ width: 640, height: 3600 });
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
