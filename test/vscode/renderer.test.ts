/** The renderer alone in a real browser, fed as VS Code feeds it. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  STATE_MIME,
  type StatePayload,
  type StateSegment,
} from '../../extension/protocol/output-payloads.ts';
import { root } from './workbench.ts';
// @ts-expect-error plain JavaScript, which also runs before the dependencies are installed
import { ensureChromium } from './host-setup.mjs';

let browser: Browser;
let page: Page;
let script: string;

beforeAll(async () => {
  const bundle = await build({
    entryPoints: [join(root, 'notebook-renderer/src/main.tsx')],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'sglangRenderer',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.css': 'text' },
  });
  script = bundle.outputFiles[0]?.text ?? '';
  browser = await chromium.launch({ executablePath: ensureChromium(), args: ['--no-sandbox'] });
});
afterAll(() => browser.close());

beforeEach(async () => {
  page = await browser.newPage();
  await page.setContent('<main></main>');
  await page.addScriptTag({ content: script });
  await page.evaluate(() => {
    const renderer = Reflect.get(window, 'sglangRenderer').activate();
    const elements = new Map<string, HTMLElement>();
    Object.assign(window, {
      show(id: string, mime: string, payload: unknown) {
        let element = elements.get(id);
        if (!element) {
          element = document.createElement('div');
          document.querySelector('main')?.append(element);
          elements.set(id, element);
        }
        const text = JSON.stringify(payload);
        renderer.renderOutputItem(
          { id, mime, json: () => JSON.parse(text), text: () => text },
          element,
        );
      },
      output: (id: string) => elements.get(id)?.shadowRoot?.querySelector('.sglang-output'),
    });
  });
});

async function show(mime: string, payload: unknown, id = 'a'): Promise<void> {
  await page.evaluate(([i, m, p]) => Reflect.get(window, 'show')(i, m, p), [
    id,
    mime,
    payload,
  ] as const);
}
function text(id = 'a'): Promise<string> {
  return page.evaluate((i) => Reflect.get(window, 'output')(i).textContent, id);
}
function count(selector: string, id = 'a'): Promise<number> {
  return page.evaluate(([i, s]) => Reflect.get(window, 'output')(i).querySelectorAll(s).length, [
    id,
    selector,
  ] as const);
}

function gen(
  value: string,
  more: Partial<Extract<StateSegment, { kind: 'gen' }>> = {},
): StateSegment {
  return {
    kind: 'gen',
    role: 'assistant',
    name: 'answer',
    text: value,
    source: 'gen',
    constraint: null,
    timing: null,
    tokens: null,
    choices: null,
    request: null,
    ...more,
  };
}
function state(segments: readonly StateSegment[], more: Partial<StatePayload> = {}): StatePayload {
  return { program: 'qa', running: false, error: null, segments, forks: [], ...more };
}

describe('model output', () => {
  const attacks = [
    '<script>window.hacked = 1</script>',
    '<img src=x onerror="window.hacked = 1">',
    '</span></section><iframe srcdoc="<script>parent.hacked=1</script>">',
  ];

  it.each(attacks)('is text, not markup: %s', async (attack) => {
    await show(HIGHLIGHT_MIME, { text: attack }, 'highlight');
    await show(NOTICE_MIME, { severity: 'info', text: attack }, 'notice');
    await show(
      STATE_MIME,
      state([gen(attack, { name: attack, constraint: attack })], { error: attack }),
      'state',
    );
    await page.waitForTimeout(50);
    expect(await page.evaluate(() => Reflect.get(window, 'hacked'))).toBeUndefined();
    expect(await text('highlight')).toBe(attack);
    expect(await text('state')).toContain(attack);
    expect(await count('script, iframe, img', 'state')).toBe(0);
  });

  it('shows control characters instead of obeying them', async () => {
    await show(HIGHLIGHT_MIME, { text: '\u001b[31mred\u001b[0m \u202Eevil\u202C \u0007' });
    expect(await text()).toBe('␛[31mred␛[0m ⟨U+202E⟩evil⟨U+202C⟩ ␇');
  });

  it('shows a megabyte in one line in parts, all of it on request', async () => {
    const megabyte = 'x'.repeat(1_000_000);
    await show(HIGHLIGHT_MIME, { text: megabyte });
    expect((await text()).length).toBeLessThan(60_000);
    await page.getByRole('button', { name: /950,000 more characters/ }).click();
    expect(await text()).toBe(megabyte);
  });
});

describe('state view', () => {
  it('shows turns with roles and marks generated values by name', async () => {
    await show(
      STATE_MIME,
      state([
        { kind: 'text', role: 'user', text: 'Capital of France?' },
        { kind: 'text', role: 'assistant', text: 'It is ' },
        gen('Paris'),
      ]),
    );
    expect(await count('.turn')).toBe(2);
    expect(await text()).toMatch(/userCapital of France\?assistantIt is answerParis/);
    expect(await page.getByRole('region', { name: 'State of qa' }).count()).toBe(1);
  });

  it('shows forks side by side', async () => {
    const fork = (value: string) => state([gen(value)]);
    await show(
      STATE_MIME,
      state([gen('root')], { forks: [fork('one'), fork('two'), fork('three')] }),
    );
    expect(await count('.fork')).toBe(3);
    expect(await text()).toContain('fork 2 of 3');
  });

  it('opens details by keyboard: timings, choices, tokens, the request', async () => {
    const choices = [
      { text: 'yes', score: -0.1, chosen: true },
      { text: 'no', score: -2.5, chosen: false },
    ];
    const tokens = [
      { text: 'yes', logprob: Math.log(0.25), top: [{ text: 'no', logprob: Math.log(0.5) }] },
    ];
    const timing = {
      milliseconds: 500,
      firstTokenMilliseconds: 20,
      promptTokens: 30,
      cachedTokens: 20,
      completionTokens: 50,
    };
    const request = { url: 'http://127.0.0.1:1/generate', body: { text: "it's" } };
    await show(
      STATE_MIME,
      state([gen('yes', { choices, tokens, timing, request, source: 'select' })]),
    );
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    const shown = await text();
    expect(shown).toContain('-2.500');
    expect(shown).toContain('100'); // 50 tokens in 500 ms
    expect(shown).toContain('no 50 %');
    expect(shown).toContain(`it'\\''s`);
    expect(await count('details[open]')).toBe(1);
  });

  it('patches the same nodes while streaming and keeps the scroll position', async () => {
    await page.evaluate(() => {
      document.body.style.height = '4000px';
    });
    await show(STATE_MIME, state([gen('a')], { running: true }));
    expect(await text()).toContain('Generating…');
    await page.evaluate(() => {
      Reflect.set(window, 'first', Reflect.get(window, 'output')('a').querySelector('.gen'));
      scrollTo(0, 120);
    });
    for (let tokens = 1; tokens <= 50; tokens += 1) {
      await show(STATE_MIME, state([gen('token '.repeat(tokens * 200))], { running: true }));
    }
    await show(STATE_MIME, state([gen('token '.repeat(10_000))]));
    const kept = await page.evaluate(
      () =>
        Reflect.get(window, 'first') === Reflect.get(window, 'output')('a').querySelector('.gen'),
    );
    expect(kept).toBe(true);
    expect(await page.evaluate(() => scrollY)).toBe(120);
    expect(await text()).not.toContain('Generating…');
  });
});

it('uses theme variables for every colour', () => {
  const css = readFileSync(join(root, 'notebook-renderer/src/styles.css'), 'utf8');
  const declared = [...css.matchAll(/(?:color|background|border[\w-]*|outline):\s*([^;]+);/g)].map(
    (m) => m[1],
  );
  expect(declared.length).toBeGreaterThan(10);
  expect(css).not.toMatch(/#[0-9a-f]{3,8}\b|rgba?\(|hsla?\(/i);
});

it('shows a payload it cannot read as text', async () => {
  await show(STATE_MIME, 'just text');
  expect(await text()).toBe('"just text"');
});
