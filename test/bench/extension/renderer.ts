/** Render cost of streamed text, in the browser that draws it. */
import { build } from 'esbuild';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';

const root = join(import.meta.dirname, '..', '..', '..');

export interface RenderCost {
  /** Main-thread milliseconds per 1,000 tokens: script, style, layout. */
  readonly perThousand: number;
  /** Longest single update in milliseconds. */
  readonly longest: number;
}

const TOKENS = 10_000;
/** 50 tokens a second and update would be 200 s; updates of 50 tokens measure the same work per update. */
const UPDATES = 200;

/** The renderer as an iife with `activate`. */
export async function rendererScript(): Promise<string> {
  const bundle = await build({
    entryPoints: [join(root, 'notebook-renderer/src/main.tsx')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    globalName: 'sglangRenderer',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    loader: { '.css': 'text' },
  });
  return bundle.outputFiles[0]?.text ?? '';
}

/** `kind`: our view of a growing state, or, to compare, one text node that is set. */
export async function renderCost(
  browser: Browser,
  script: string,
  kind: 'state view' | 'bare text node',
): Promise<RenderCost> {
  const page = await browser.newPage({ viewport: { width: 1000, height: 800 } });
  await page.setContent('<main></main>');
  await page.addScriptTag({ content: script });
  const times = await page.evaluate(
    async ({ tokens, updates, bare }) => {
      const renderer = Reflect.get(window, 'sglangRenderer').activate({
        workspace: { isTrusted: false },
      });
      const element = document.createElement('div');
      document.querySelector('main')?.append(element);
      const node = document.createTextNode('');
      const holder = document.createElement('div');
      holder.style.cssText = 'white-space: pre-wrap; overflow-wrap: anywhere';
      holder.append(node);
      if (bare) element.append(holder);
      const found: number[] = [];
      for (let update = 1; update <= updates; update += 1) {
        const words = (tokens / updates) * update;
        const text = Array.from({ length: words }, (_, word) =>
          word % 40 === 39 ? 'end.\n' : 'token ',
        ).join('');
        const gen = {
          kind: 'gen',
          role: 'assistant',
          name: 'a',
          text,
          source: 'gen',
          constraint: null,
          timing: null,
          tokens: null,
          choices: null,
          request: null,
        };
        const payload = { program: 'p', running: true, error: null, segments: [gen], forks: [] };
        const begin = performance.now();
        if (bare) node.data = text;
        else {
          renderer.renderOutputItem(
            { id: 'a', mime: 'application/vnd.sglang.state+json', json: () => payload },
            element,
          );
        }
        // Reading a size forces style and layout now.
        void element.getBoundingClientRect().height;
        found.push(performance.now() - begin);
        if (update % 10 === 0) await new Promise((resolve) => requestAnimationFrame(resolve));
      }
      return found;
    },
    { tokens: TOKENS, updates: UPDATES, bare: kind === 'bare text node' },
  );
  await page.close();
  const sum = times.reduce((total, time) => total + time, 0);
  return { perThousand: (sum * 1000) / TOKENS, longest: Math.max(...times) };
}
