/**
 * Desktop VS Code in place of the server and Chromium, for `npm run test:desktop`: the same page, driven
 * through Electron's debugging port.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { chromium, type Browser, type Page } from 'playwright-core';

/** Set by `test/vscode/desktop.mjs`: the executable of VS Code. */
export const DESKTOP = 'SGLNB_DESKTOP_VSCODE';

export interface DesktopOptions {
  readonly executable: string;
  /** Has the user's data and the folder `extensions`. */
  readonly home: string;
  readonly folder: string;
  readonly port: number;
  readonly trust: boolean;
  /** Checkout whose extension is loaded; `undefined` for an installed one. */
  readonly development: string | undefined;
  readonly log: (text: string) => void;
}

/** Milliseconds that the window may take to appear. */
const APPEARING = 60_000;

export async function startDesktop(options: DesktopOptions): Promise<{
  readonly server: ChildProcess;
  readonly browser: Browser;
  readonly page: Page;
}> {
  const { executable, home, folder, port, development, log } = options;
  const server = spawn(
    executable,
    [
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...(development === undefined ? [] : [`--extensionDevelopmentPath=${development}`]),
      ...(options.trust ? [] : ['--disable-workspace-trust']),
      `--user-data-dir=${home}/data`,
      `--extensions-dir=${home}/extensions`,
      `--remote-debugging-port=${port}`,
      '--enable-smoke-test-driver',
      '--disable-telemetry',
      '--disable-updates',
      '--skip-welcome',
      '--skip-release-notes',
      folder,
    ],
    { env: { ...process.env, ELECTRON_RUN_AS_NODE: undefined }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  for (const stream of [server.stdout, server.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => log(`[desktop] ${text.trimEnd()}`));
  const browser = await connect(port, server);
  return { server, browser, page: await workbenchPage(browser) };
}

async function connect(port: number, server: ChildProcess): Promise<Browser> {
  const deadline = Date.now() + APPEARING;
  for (;;) {
    try {
      return await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    } catch (error) {
      if (server.exitCode !== null || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }
}

async function workbenchPage(browser: Browser): Promise<Page> {
  const deadline = Date.now() + APPEARING;
  for (;;) {
    for (const page of browser.contexts().flatMap((context) => context.pages()))
      if ((await page.locator('.monaco-workbench').count()) > 0) return page;
    if (Date.now() > deadline) throw new Error('desktop VS Code showed no window');
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
