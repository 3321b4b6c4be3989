/** The renderer alone in a real browser, fed as VS Code feeds it. */
import { build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  BATCH_MIME,
  HIGHLIGHT_MIME,
  INPUT_MIME,
  NOTICE_MIME,
  STATE_MIME,
  type StateSegment,
} from '../../extension/protocol/output-payloads.ts';
import { paintPng } from '../support/png.ts';
import { CHOICES, gen, NUMBERED_TOKENS, RED_SQUARE, state, token } from './sample-outputs.ts';
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
    const posted: unknown[] = [];
    const listeners: ((message: unknown) => void)[] = [];
    const renderer = Reflect.get(window, 'sglangRenderer').activate({
      workspace: { isTrusted: true },
      postMessage: (message: unknown) => posted.push(message),
      onDidReceiveMessage: (listener: (message: unknown) => void) => listeners.push(listener),
    });
    const elements = new Map<string, HTMLElement>();
    Object.assign(window, {
      posted,
      tell: (message: unknown) => listeners.forEach((listener) => listener(message)),
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
function textOf(id = 'a'): Promise<string> {
  return page.evaluate((i) => Reflect.get(window, 'output')(i).textContent, id);
}
function count(selector: string, id = 'a'): Promise<number> {
  return page.evaluate(([i, s]) => Reflect.get(window, 'output')(i).querySelectorAll(s).length, [
    id,
    selector,
  ] as const);
}

describe('a question', () => {
  const question = { id: 'q1', prompt: 'Name\u202e? ', password: false };
  const field = () => page.locator('.question input');
  const posted = () => page.evaluate(() => Reflect.get(window, 'posted'));
  const tell = (id: string) =>
    page.evaluate((i) => Reflect.get(window, 'tell')({ type: 'ask', id: i, focus: true }), id);

  it('has a field only when somebody waits for the answer', async () => {
    await show(INPUT_MIME, question);
    expect(await textOf()).toBe('Name⟨U+202E⟩? ');
    await expect.poll(posted).toEqual([{ type: 'question', id: 'q1' }]);
    await tell('another');
    expect(await field().count()).toBe(0);
    await tell('q1');
    await field().waitFor();
    expect(await page.getByLabel('Name').getAttribute('type')).toBe('text');
    await page.evaluate(() => {
      const seen: string[] = [];
      Object.assign(window, { seen });
      window.addEventListener('keydown', ({ key }) => seen.push(key));
    });
    await page.keyboard.type('Ada');
    await page.keyboard.press('F1');
    await page.keyboard.press('Control+s');
    // The notebook gets the window's keys, and none of the field's.
    expect(await page.evaluate(() => Reflect.get(window, 'seen'))).toEqual(['F1', 's']);
    // A second look at the same output changes nothing.
    await show(INPUT_MIME, question);
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    expect((await posted()).slice(1)).toEqual([{ type: 'answer', id: 'q1', text: 'Ada' }]);
  });

  it('hides a password, and Escape ends the input', async () => {
    await show(INPUT_MIME, { id: 'q2', prompt: '', password: true });
    await expect.poll(posted).toHaveLength(1);
    await tell('q2');
    await field().waitFor();
    expect(await page.getByLabel('Input of the cell').getAttribute('type')).toBe('password');
    await page.keyboard.press('Escape');
    expect((await posted()).slice(1)).toEqual([{ type: 'answer', id: 'q2', text: null }]);
  });
});

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
    const rows = [
      { index: 0, arguments: { [attack]: attack }, values: {}, error: attack, milliseconds: 1 },
    ];
    await show(BATCH_MIME, { program: attack, total: 1, finished: 1, failed: 1, rows }, 'batch');
    await page.waitForTimeout(50);
    expect(await page.evaluate(() => Reflect.get(window, 'hacked'))).toBeUndefined();
    expect(await textOf('highlight')).toBe(attack);
    expect(await textOf('state')).toContain(attack);
    expect(await count('script, iframe, img', 'state')).toBe(0);
    expect(await count('script, iframe, img', 'batch')).toBe(0);
    expect(await textOf('batch')).toContain(attack);
  });

  it('shows control characters instead of obeying them', async () => {
    await show(HIGHLIGHT_MIME, { text: '\u001b[31mred\u001b[0m \u202Eevil\u202C \u0007' });
    expect(await textOf()).toBe('␛[31mred␛[0m ⟨U+202E⟩evil⟨U+202C⟩ ␇');
  });

  it('shows what hides in text: spaces without width, tags, line separators; joiners stay', async () => {
    await show(HIGHLIGHT_MIME, {
      text: 'a\u200bb\u{e0041}c\u2028d\ufeffe\u00adf \u{1f469}\u200d\u{1f52c} می\u200cخواهم',
    });
    expect(await textOf()).toBe(
      'a⟨U+200B⟩b⟨U+E0041⟩c⟨U+2028⟩d⟨U+FEFF⟩e⟨U+00AD⟩f \u{1f469}\u200d\u{1f52c} می\u200cخواهم',
    );
  });

  it('shows a megabyte in one line in parts, all of it on request', async () => {
    const megabyte = 'x'.repeat(1_000_000);
    await show(HIGHLIGHT_MIME, { text: megabyte });
    expect((await textOf()).length).toBeLessThan(60_000);
    await page.getByRole('button', { name: /950,000 more characters/ }).click();
    expect(await textOf()).toBe(megabyte);
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
    expect(await textOf()).toMatch(/userCapital of France\?assistantIt is answerParis/);
    expect(await page.getByRole('group', { name: 'State of qa' }).count()).toBe(1);
  });

  it('shows pictures where they stand in the prompt, none too high, and says what was left out', async () => {
    const text = (value: string): StateSegment => ({ kind: 'text', role: 'user', text: value });
    const image = { kind: 'image', role: 'user', mime: 'image/png' } as const;
    const tower = paintPng(60, 4000, () => [0, 90, 200]).toString('base64');
    const segments = [
      text('Compare '),
      { ...image, base64: RED_SQUARE },
      text(' with '),
      { ...image, base64: tower },
      text(' and '),
      { ...image, base64: '', omittedBytes: 5 * 2 ** 20 },
      gen('Both have edges.'),
    ];
    await show(STATE_MIME, state(segments));
    const pictures = page.locator('.content img');
    await expect
      .poll(() => pictures.nth(1).evaluate((img) => Reflect.get(img, 'naturalHeight')))
      .toBe(4000);
    expect(await pictures.first().evaluate((img) => Reflect.get(img, 'naturalWidth'))).toBe(64);
    expect((await pictures.nth(1).boundingBox())?.height).toBe(512);
    const inOrder = await page
      .locator('.content')
      .first()
      .evaluate((content) => {
        const parts = [...content.childNodes];
        return parts.map((part) => (part.nodeName === 'IMG' ? 'IMG' : (part.textContent ?? '')));
      });
    expect(inOrder).toEqual([
      'Compare ',
      'IMG',
      ' with ',
      'IMG',
      ' and ',
      '[image/png, 5.0 MiB: too large to be shown here]',
    ]);
  });

  it('shows forks side by side', async () => {
    const fork = (value: string) => state([gen(value)]);
    await show(
      STATE_MIME,
      state([gen('root')], { forks: [fork('one'), fork('two'), fork('three')] }),
    );
    expect(await count('.fork')).toBe(3);
    expect(await textOf()).toContain('fork 2 of 3');
  });

  it('shows what forks share once, and each where it branches off', async () => {
    const text = (value: string): StateSegment => ({ kind: 'text', role: 'user', text: value });
    const fork = (value: string, after: number) => ({ ...state([gen(value)]), after });
    const nested = { ...state([gen('left'), text('mid')], { forks: [fork('leaf', 1)] }), after: 1 };
    await show(
      STATE_MIME,
      state([text('shared prefix'), text('then joined')], { forks: [nested, fork('right', 1)] }),
    );
    const shown = await textOf('a');
    expect(shown.match(/shared prefix/g)).toHaveLength(1);
    expect(shown).toMatch(
      /shared prefix.*fork 1 of 2.*left.*leaf.*mid.*fork 2 of 2.*right.*then joined/s,
    );
    expect(await page.getByRole('list', { name: '2 forks' }).getByRole('listitem').count()).toBe(3);
  });

  it('runs the cell of a failed state again, from the keyboard', async () => {
    const failed = state([gen('')], { error: 'the server is gone' });
    await show(STATE_MIME, failed);
    await page.getByRole('button', { name: 'Run the cell again' }).focus();
    await page.keyboard.press('Enter');
    expect(await page.evaluate(() => Reflect.get(window, 'posted'))).toEqual([
      { type: 'retry', mime: STATE_MIME, text: JSON.stringify(failed) },
    ]);
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
    const shown = await textOf();
    expect(shown).toContain('-2.500');
    expect(shown).toContain('100'); // 50 tokens in 500 ms
    expect(shown).toContain('no 50 %');
    expect(shown).toContain(`it'\\''s`);
    expect(await count('details[open]')).toBe(1);
  });

  it('names the kind of a constraint in the text, and all of it in the details', async () => {
    await show(STATE_MIME, state([gen('12', { constraint: String.raw`regex \d{1,2}` })]));
    const chip = await page.evaluate(() => {
      const element = Reflect.get(window, 'output')('a').querySelector('.gen-constraint');
      return [element.textContent, element.title];
    });
    expect(chip).toEqual(['regex', String.raw`regex \d{1,2}`]);
    expect(await count('td.constraint')).toBe(1);
  });

  it('shows every choice under each way to decide, and where they disagree', async () => {
    await show(
      STATE_MIME,
      state([
        gen('a city', {
          name: 'kind',
          source: 'select',
          choices: CHOICES,
          decidedBy: 'token_length_normalized',
        }),
      ]),
    );
    const shown = await textOf();
    expect(shown).toContain('Decided by the highest mean log probability');
    expect(shown).toContain('greedy_token_selection would have chosen “a river”');
    expect(shown).toContain('unconditional_likelihood_normalized would have chosen “a river”');
    const rows = await page.evaluate(() =>
      [...Reflect.get(window, 'output')('a').querySelectorAll('[aria-label="Choices of kind"] tr')]
        .slice(1)
        .map((row: Element) => [...row.children].map((cell) => cell.textContent?.trim())),
    );
    expect(rows).toEqual([
      ['a city chosen', '71 %', '-0.400', '0.200', 'given up at token 2'],
      ['a river', '29 %', '-0.600', '0.900', 'likeliest throughout'],
    ]);
    expect(shown).toContain('city 50 % (without the prompt 5.0 %)');
  });

  it('draws choices that an older version saved', async () => {
    const choices = [{ text: 'yes', score: -0.1, chosen: true }];
    await show(STATE_MIME, state([gen('yes', { choices, source: 'select' })]));
    expect(await textOf()).toContain('yes chosen-0.100');
    expect(await textOf()).not.toContain('Decided by');
  });

  it('shows the tokens of the value only; the table has the one that ended it, too', async () => {
    const others = [['.\n\n', 0.01]] as const;
    const tokens = [token('Ber', 0.3), token('lin. And', 0.05, others), token('<|end|>', 0.9)];
    await show(STATE_MIME, state([gen('Berlin.', { tokens })]));
    expect(
      await page.evaluate(
        () => Reflect.get(window, 'output')('a').querySelector('.gen').textContent,
      ),
    ).toBe('answerBerlin.');
    expect(await count('.gen .token.unlikely')).toBe(1);
    expect(await textOf()).toContain('<|end|> 90 %'.replace(' ', ''));
    expect(await textOf()).toContain('.↵↵ 1.0 %');
    await show(STATE_MIME, state([gen('cut elsewhere', { tokens })]));
    expect(await count('.gen .token')).toBe(0);
    expect(await textOf()).toContain('cut elsewhere');
  });

  it('shows tokens by number where the gen asked for no text, and says what to add', async () => {
    await show(STATE_MIME, state([gen('Berlin', { tokens: NUMBERED_TOKENS })]));
    expect(await count('.token')).toBe(0);
    expect(await textOf()).toMatch(
      /without their text\. Add return_text_in_logprobs=True to the gen.*number 1234.*5\.0 %.*number 99 90 %/s,
    );
    await show(STATE_MIME, state([gen('Berlin', { tokens: [token('Berlin', 0.8)] })]));
    expect(await textOf()).not.toContain('return_text_in_logprobs');
  });

  it('says what forks agree on, once all have finished', async () => {
    const forks = ['Paris', 'Paris ', 'Rome'].map((text) => state([gen(text)]));
    const [first, ...others] = forks;
    if (!first) throw new Error('no fork');
    await show(STATE_MIME, state([], { forks: [{ ...first, running: true }, ...others] }));
    expect(await textOf()).not.toContain('agree');
    await show(STATE_MIME, state([], { forks }));
    expect(await textOf()).toContain('2 of 3 forks agree on “Paris”.');
    await show(STATE_MIME, state([], { forks: [first, first] }));
    expect(await textOf()).toContain('The same in all 2 forks.');
    await show(STATE_MIME, state([], { forks: ['a', 'b'].map((text) => state([gen(text)])) }));
    expect(await textOf()).toContain('2 different values in 2 forks.');
  });

  it('copies the request exactly, control characters too', async () => {
    const request = { url: 'http://127.0.0.1:1/generate', body: { text: '\u202e' } };
    await show(STATE_MIME, state([gen('a', { request })]));
    expect(await textOf()).toContain('⟨U+202E⟩');
    await page.evaluate(() => {
      for (const each of Reflect.get(window, 'output')('a').querySelectorAll('details')) {
        each.open = true;
      }
    });
    await page.getByRole('button', { name: 'Copy the command' }).click();
    const copied = await page.waitForFunction(() => Reflect.get(window, 'posted')[0]?.text);
    expect(await copied.jsonValue()).toContain('"text": "\u202e"');
    const huge = { ...request, body: { image_data: 'x'.repeat(1_000_000) } };
    await show(STATE_MIME, state([gen('a', { request: huge })]), 'b');
    expect((await textOf('b')).length).toBeLessThan(60_000);
  });

  it('tells a screen reader the end of a run once, and nothing of a file that is opened', async () => {
    const spoken = () =>
      page.evaluate(
        () => Reflect.get(window, 'output')('a').querySelector('[role=status]').textContent,
      );
    const forks = [state([gen('x')])];
    await show(STATE_MIME, state([gen('a')], { running: true, forks }));
    expect(await count('[role=status], [role=alert], [aria-live]')).toBe(1);
    expect(await spoken()).toBe('');
    await show(STATE_MIME, state([gen('a b')], { running: true, forks }));
    expect(await spoken()).toBe('');
    await show(STATE_MIME, state([gen('a b c')], { forks }));
    expect(await spoken()).toBe('qa has finished');
    await show(STATE_MIME, state([gen('a')], { error: 'gone' }), 'b');
    expect(
      await page.evaluate(
        () => Reflect.get(window, 'output')('b').querySelector('[role=status]').textContent,
      ),
    ).toBe('');
  });

  it('patches the same nodes while streaming and keeps the scroll position', async () => {
    await page.evaluate(() => {
      document.body.style.height = '4000px';
    });
    await show(STATE_MIME, state([gen('a')], { running: true }));
    expect(await textOf()).toContain('Generating…');
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
    expect(await textOf()).not.toContain('Generating…');
  });
});

it('streams 10,000 tokens by changing the last block of lines only', async () => {
  const words = (count: number): string =>
    Array.from({ length: count }, (_, at) => (at % 40 === 39 ? 'end.\n' : 'word ')).join('');
  await show(STATE_MIME, state([gen(words(5000))], { running: true }));
  const watched = await page.evaluate(() => {
    const output = Reflect.get(window, 'output')('a');
    const changes: number[] = [];
    const blocks = () => [...output.querySelectorAll('.block')];
    const before = blocks().length;
    Reflect.set(window, 'changes', changes);
    new MutationObserver((records) => {
      for (const { target } of records) {
        const block = target.parentElement?.closest('.block');
        if (block) changes.push(blocks().length - blocks().indexOf(block));
      }
    }).observe(output, { subtree: true, characterData: true });
    return before;
  });
  expect(watched).toBeGreaterThan(5);
  for (let count = 5050; count <= 9_900; count += 50) {
    await show(STATE_MIME, state([gen(words(count))], { running: true }));
  }
  const changes: number[] = await page.evaluate(() => Reflect.get(window, 'changes'));
  expect(changes.length).toBeGreaterThan(50);
  // Counted from the end: the last block, or the last but one when an update opened a new one.
  expect(Math.max(...changes)).toBeLessThanOrEqual(2);
  expect(await textOf()).toContain(words(9_900));
});

describe('batch view', () => {
  const row = (index: number, city: string, error: string | null = null) => ({
    index,
    arguments: { country: `land ${10 - index}` },
    values: error === null ? { city } : {},
    error,
    milliseconds: 100 - index,
  });
  const batch = (rows: readonly object[], total = rows.length) => ({
    program: 'capital_of',
    total,
    finished: rows.length,
    failed: rows.filter((each) => Reflect.get(each, 'error') !== null).length,
    rows,
  });
  const column = (at: number) =>
    page.evaluate(
      (i) =>
        [...Reflect.get(window, 'output')('a').querySelectorAll(`tbody tr > :nth-child(${i})`)].map(
          (cell) => (cell as HTMLElement).textContent?.trim(),
        ),
      at,
    );

  it('streams its rows into a table with progress, errors with their cause', async () => {
    await show(BATCH_MIME, batch([], 3));
    expect(await textOf('a')).toBe('capital_of: 0 of 3 finished');
    await show(BATCH_MIME, batch([row(0, 'Paris')], 3));
    expect(await count('tbody tr')).toBe(1);
    await page.evaluate(() => {
      Reflect.set(window, 'first', Reflect.get(window, 'output')('a').querySelector('tbody tr'));
    });
    await show(BATCH_MIME, batch([row(0, 'Paris'), row(1, '', 'the prompt is too long')], 3));
    expect(await textOf('a')).toContain('2 of 3 finished, 1 failed');
    expect(await column(4)).toEqual(['', 'Error the prompt is too long']);
    const kept = await page.evaluate(
      () =>
        Reflect.get(window, 'first') ===
        Reflect.get(window, 'output')('a').querySelector('tr.failed')?.previousSibling,
    );
    expect(kept).toBe(true);
    expect(await page.getByRole('progressbar').count()).toBe(1);
  });

  it('sorts by a column, by keyboard and aloud', async () => {
    await show(BATCH_MIME, batch([row(0, 'Paris'), row(1, 'Berlin'), row(2, 'Rome')]));
    await page.getByRole('button', { name: 'city' }).focus();
    await page.keyboard.press('Enter');
    expect(await column(3)).toEqual(['Berlin', 'Paris', 'Rome']);
    expect(await count('th[aria-sort="ascending"]')).toBe(1);
    await page.keyboard.press('Enter');
    expect(await column(3)).toEqual(['Rome', 'Paris', 'Berlin']);
    await page.getByRole('button', { name: 'ms' }).click();
    expect(await column(4)).toEqual(['98', '99', '100']);
  });

  it('announces the end of a batch, not each row', async () => {
    const spoken = () =>
      page.evaluate(
        () => Reflect.get(window, 'output')('a').querySelector('[role=status]').textContent,
      );
    await show(BATCH_MIME, batch([row(0, 'Paris')], 2));
    expect(await spoken()).toBe('');
    await show(BATCH_MIME, batch([row(0, 'Paris'), row(1, 'Rome')]));
    expect(await spoken()).toBe('capital_of: 2 of 2 finished');
  });

  it('copies all rows as CSV, those that are not drawn too', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => row(index, 'a "b",\nc'));
    await show(BATCH_MIME, batch(rows));
    expect(await count('tbody tr')).toBe(100);
    await page.getByRole('button', { name: 'Copy as CSV' }).click();
    const copied = await page.waitForFunction(() => Reflect.get(window, 'posted')[0]?.text);
    const lines = String(await copied.jsonValue()).split('\r\n');
    expect(lines.slice(0, 2)).toEqual(['country,city,error', 'land 10,"a ""b"",\nc",']);
    expect(lines).toHaveLength(302);
    await page.getByRole('button', { name: '200 more rows' }).click();
    expect(await count('tbody tr')).toBe(300);
  });

  it('draws what an older version saved, without rows', async () => {
    await show(BATCH_MIME, { program: 'qa', total: 3, finished: 3, failed: 0 });
    expect(await textOf('a')).toBe('qa: 3 of 3 finished');
  });
});

it('reads well in high contrast and with a screen reader: every control has a name', async () => {
  await page.emulateMedia({ forcedColors: 'active' });
  const failed = state([gen('a')], { error: 'x', forks: [state([gen('b')])] });
  await show(STATE_MIME, failed);
  await show(BATCH_MIME, { program: 'qa', total: 1, finished: 1, failed: 0, rows: [] }, 'b');
  const nameless = await page.evaluate(() =>
    ['a', 'b'].flatMap((id) =>
      [
        ...Reflect.get(
          window,
          'output',
        )(id).querySelectorAll('button, progress, img, summary, [tabindex]'),
      ]
        .filter(
          (node: Element) =>
            !(node.getAttribute('aria-label') ?? node.getAttribute('alt') ?? node.textContent),
        )
        .map((node: Element) => node.outerHTML),
    ),
  );
  expect(nameless).toEqual([]);
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
  expect(await textOf()).toBe('"just text"');
  await show(STATE_MIME, { segments: 7 }, 'b');
  expect(await textOf('b')).toBe('{"segments":7}');
  await show(STATE_MIME, state([gen('as it should be')]), 'b');
  expect(await textOf('b')).toContain('as it should be');
});
