/**
 * A real VS Code workbench for tests: the server with its extension host, Chromium in front of it,
 * the extension loaded from this checkout (or from a built VSIX).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Frame, type Page } from 'playwright-core';
// @ts-expect-error plain JavaScript, which also runs before the dependencies are installed
import { ensureChromium, ensureVsCodeServer } from './host-setup.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const screenshots = join(root, 'test', 'results', 'screenshots');

export interface WorkbenchOptions {
  /** File name → content of the workspace. */
  readonly files: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Ask for workspace trust as a user's VS Code does; the default trusts everything. */
  readonly workspaceTrust?: boolean;
  /** Folder with an installed VSIX; default: the extension of this checkout. */
  readonly extensionsFolder?: string;
}

export class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly page: Page;
  readonly #home: string;
  readonly #server: ChildProcess;
  readonly #browser: Browser;
  readonly #log: string[];

  private constructor(parts: {
    folder: string;
    home: string;
    page: Page;
    server: ChildProcess;
    browser: Browser;
    log: string[];
  }) {
    this.folder = parts.folder;
    this.page = parts.page;
    this.#home = parts.home;
    this.#server = parts.server;
    this.#browser = parts.browser;
    this.#log = parts.log;
  }

  static async start(options: WorkbenchOptions): Promise<Workbench> {
    const executable: string = ensureChromium();
    const vscode: string = ensureVsCodeServer();
    const home = mkdtempSync(join(tmpdir(), 'workbench-'));
    const folder = join(home, 'workspace');
    mkdirSync(folder);
    for (const [name, content] of Object.entries(options.files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    writeSettings(home, options.settings ?? {});
    if (options.extensionsFolder) {
      cpSync(options.extensionsFolder, join(home, 'extensions'), { recursive: true });
    }
    const port = await freePort();
    const log: string[] = [];
    const server = await startServer({ vscode, home, port, log, trust: options.workspaceTrust ?? false });
    const browser = await chromium.launch({
      executablePath: executable,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    });
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    page.on('console', (message) => log.push(`[browser] ${message.text()}`));
    await page.goto(workbenchUrl(port, folder, options.extensionsFolder === undefined));
    await page.waitForSelector('.monaco-workbench .explorer-folders-view', { timeout: 60_000 });
    return new Workbench({ folder, home, page, server, browser, log });
  }

  /** Runs a command by its title through the command palette; waits until it is registered. */
  async command(title: string): Promise<void> {
    const { page } = this;
    for (let attempt = 0; ; attempt += 1) {
      await page.keyboard.press('F1');
      const input = page.locator('.quick-input-widget input').first();
      await input.fill(`>${title}`);
      const row = page.locator('.quick-input-list .monaco-list-row', { hasText: title }).first();
      if (await row.waitFor({ timeout: 3000 }).then(() => true, () => false)) {
        await row.click();
        return;
      }
      await page.keyboard.press('Escape');
      if (attempt === 10) throw new Error(`no command "${title}" in the palette\n${this.log(30)}`);
    }
  }

  /** Opens a workspace file by double-clicking it in the explorer. */
  async open(name: string): Promise<void> {
    await this.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name }).first().dblclick();
    await this.page.waitForSelector('.notebook-editor .code-cell-row, .editor-instance', {
      state: 'attached',
      timeout: 60_000,
    });
  }

  async runAll(): Promise<void> {
    await this.command('Notebook: Run All');
  }

  /** All text that renderers have drawn, frame by frame, shadow roots included. */
  async outputText(): Promise<string> {
    const texts = await Promise.all(this.page.frames().map((frame) => frameText(frame)));
    return texts.join('\n');
  }

  /** Waits until the drawn outputs contain `text`; the error shows what there was instead. */
  async waitForOutput(text: string | RegExp, timeout = 60_000): Promise<string> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const shown = await this.outputText();
      if (typeof text === 'string' ? shown.includes(text) : text.test(shown)) return shown;
      if (Date.now() > deadline) {
        await this.screenshot('timeout');
        throw new Error(`no output ${String(text)} after ${timeout} ms; shown:\n${shown.slice(-3000)}\n${this.log(20)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
  }

  /** Writes `test/results/screenshots/NAME.png`. */
  async screenshot(name: string): Promise<void> {
    mkdirSync(screenshots, { recursive: true });
    await this.page.screenshot({ path: join(screenshots, `${name}.png`) });
  }

  log(lines: number): string {
    return this.#log.slice(-lines).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
    const gone = new Promise((resolve) => this.#server.once('exit', resolve));
    this.#server.kill('SIGTERM');
    const killer = setTimeout(() => this.#server.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(killer);
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function writeSettings(home: string, settings: Readonly<Record<string, unknown>>): void {
  mkdirSync(join(home, 'data', 'Machine'), { recursive: true });
  mkdirSync(join(home, 'extensions'), { recursive: true });
  const quiet = {
    'workbench.startupEditor': 'none',
    'chat.disableAIFeatures': true,
    'workbench.secondarySideBar.defaultVisibility': 'hidden',
    'telemetry.telemetryLevel': 'off',
    'git.enabled': false,
    'extensions.ignoreRecommendations': true,
    'security.workspace.trust.startupPrompt': 'never',
    'security.workspace.trust.banner': 'never',
  };
  writeFileSync(
    join(home, 'data', 'Machine', 'settings.json'),
    JSON.stringify({ ...quiet, ...settings }, null, 2),
  );
}

async function startServer(parts: {
  vscode: string;
  home: string;
  port: number;
  log: string[];
  trust: boolean;
}): Promise<ChildProcess> {
  const { vscode, home, port, log, trust } = parts;
  const server = spawn(
    process.execPath,
    [
      join(vscode, 'out', 'server-main.js'),
      '--host',
      '127.0.0.1',
      '--port',
      String(port),
      '--without-connection-token',
      '--accept-server-license-terms',
      '--enable-smoke-test-driver',
      '--disable-telemetry',
      ...(trust ? [] : ['--disable-workspace-trust']),
      '--server-data-dir',
      home,
      '--extensions-dir',
      join(home, 'extensions'),
    ],
    {
      env: {
        ...process.env,
        EXTENSIONS_GALLERY: '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  await new Promise<void>((resolve, reject) => {
    const onText = (text: string) => {
      log.push(`[server] ${text.trimEnd()}`);
      if (text.includes('Extension host agent listening on')) resolve();
    };
    server.stdout.setEncoding('utf8').on('data', onText);
    server.stderr.setEncoding('utf8').on('data', onText);
    server.once('exit', (code) => reject(new Error(`the VS Code server exited with ${code}:\n${log.join('\n')}`)));
  });
  return server;
}

function workbenchUrl(port: number, folder: string, development: boolean): string {
  const payload = [
    ['skipWelcome', 'true'],
    ...(development ? [['extensionDevelopmentPath', `vscode-remote://127.0.0.1:${port}${root}`]] : []),
  ];
  const query = new URLSearchParams({ folder, payload: JSON.stringify(payload) });
  return `http://127.0.0.1:${port}/?${query.toString()}`;
}

async function frameText(frame: Frame): Promise<string> {
  try {
    return await frame.evaluate(() => {
      const parts: string[] = [];
      const visit = (node: Document | ShadowRoot) => {
        for (const element of node.querySelectorAll('*')) {
          if (!element.shadowRoot) continue;
          parts.push(element.shadowRoot.querySelector('.sglang-output')?.textContent ?? '');
          visit(element.shadowRoot);
        }
      };
      const outputs = document.querySelector('#container');
      if (!outputs) return '';
      parts.push(outputs.textContent ?? '');
      visit(document);
      return parts.join('\n');
    });
  } catch {
    // The frame went away while it was read.
    return '';
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => {
        if (typeof address === 'object' && address) resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
