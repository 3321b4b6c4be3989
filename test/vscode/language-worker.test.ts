/** The static part of the language server as a web worker in a real browser, spoken to over its protocol. */
import { build } from 'esbuild';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { root } from './workbench.ts';
// @ts-expect-error plain JavaScript, which also runs before the dependencies are installed
import { ensureChromium } from './host-setup.mjs';

const NOTEBOOK = 'vscode-vfs://github/notebook.sglnb';
const CELLS = [
  'from sglang import *\n@function\ndef f(s):\n    s += user("q") + assistant(gen("answer"))',
  'f.run()["anser"]',
];

let browser: Browser;
let page: Page;

beforeAll(async () => {
  const bundle = await build({
    entryPoints: [join(root, 'language-server/src/lsp-worker.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    platform: 'browser',
  });
  browser = await chromium.launch({ executablePath: ensureChromium(), args: ['--no-sandbox'] });
  page = await browser.newPage();
  await page.evaluate((source) => {
    const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
    const worker = new Worker(url);
    const post = (message: object): void => {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
      worker.postMessage({ jsonrpc: '2.0', ...message });
    };
    const waiting = new Map<unknown, (value: unknown) => void>();
    worker.addEventListener('error', (event) => waiting.get('failed')?.(event.message));
    worker.addEventListener('message', ({ data }) => {
      // Its own requests (configuration, registrations) are answered with nothing.
      if (data.id !== undefined && data.method !== undefined) post({ id: data.id, result: null });
      const key = data.method === 'textDocument/publishDiagnostics' ? data.params.uri : data.id;
      waiting.get(key)?.(data.params ?? data.result ?? data.error);
    });
    let requests = 0;
    Object.assign(window, {
      notify: (method: string, params: unknown) => post({ method, params }),
      request(method: string, params: unknown) {
        requests += 1;
        const id = `test-${requests}`;
        post({ id, method, params });
        return new Promise((resolve) => waiting.set(id, resolve));
      },
      arrival: (key: string) => new Promise((resolve) => waiting.set(key, resolve)),
    });
  }, bundle.outputFiles[0]?.text ?? '');
});
afterAll(() => browser.close());

const call = (name: string, ...args: readonly unknown[]): Promise<unknown> =>
  page.evaluate(([fn, given]) => Reflect.get(window, fn)(...given), [name, args] as const);

it('reports and completes without files and processes', async () => {
  const started = await call('request', 'initialize', {
    processId: null,
    rootUri: null,
    workspaceFolders: null,
    capabilities: { notebookDocument: { synchronization: {} } },
  });
  expect(started).toMatchObject({ serverInfo: { name: 'sglang-language-server' } });
  await call('notify', 'initialized', {});
  const arrival = call('arrival', `${NOTEBOOK}#1`);
  await call('notify', 'notebookDocument/didOpen', {
    notebookDocument: {
      uri: NOTEBOOK,
      notebookType: 'sglang-notebook',
      version: 1,
      cells: CELLS.map((_, index) => ({ kind: 2, document: `${NOTEBOOK}#${index}` })),
    },
    cellTextDocuments: CELLS.map((text, index) => ({
      uri: `${NOTEBOOK}#${index}`,
      languageId: 'sglang-python',
      version: 1,
      text,
    })),
  });
  expect(await arrival).toMatchObject({
    diagnostics: [{ code: 'unknown-variable', message: expect.stringContaining('"answer"') }],
  });
  const position = { line: 0, character: 12 };
  const textDocument = { uri: `${NOTEBOOK}#1` };
  expect(
    await call('request', 'textDocument/completion', { textDocument, position }),
  ).toMatchObject([{ label: 'answer' }]);
});
