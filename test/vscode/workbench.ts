/**
 * A real VS Code workbench for tests: the server with its extension host, Chromium in front of it,
 * the extension loaded from this checkout (or from a built VSIX).
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium, type Browser, type Frame, type Locator, type Page } from 'playwright-core';
import { DESKTOP, startDesktop } from './desktop-host.ts';
import { startWebHost } from './web-host.ts';
// @ts-expect-error plain JavaScript, which also runs before the dependencies are installed
import { ensureChromium, ensureVsCodeServer } from './host-setup.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const screenshots = join(root, 'test', 'results', 'screenshots');

/** Messages of a workbench without native logging, watchdog and gallery: nothing a test can act on. */
const HARMLESS =
  /spdlog|watchdog|vsda|fetching additional builtin|AccountPolicyGate|service worker|serviceWorker/i;

/** Keys of commands that tests need often and VS Code gives none: the palette takes a second each. */
const KEYS = {
  'workbench.action.revertAndCloseActiveEditor': 'Control+Alt+Shift+F9',
} as const;

const KEYS_EXTENSION = {
  'test.keys-0.0.1': {
    'package.json': JSON.stringify({
      name: 'keys',
      publisher: 'test',
      version: '0.0.1',
      engines: { vscode: '^1.104.0' },
      contributes: {
        keybindings: Object.entries(KEYS).map(([command, key]) => ({
          command,
          key: key.replace('Control', 'ctrl'),
        })),
      },
    }),
  },
};

export interface WorkbenchOptions {
  /** File name → content of the workspace. */
  readonly files: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Ask for workspace trust as a user's VS Code does; the default trusts everything. */
  readonly workspaceTrust?: boolean;
  /** Folder with an installed VSIX; default: the extension of this checkout. */
  readonly extensionsFolder?: string;
  /** Other extensions beside it: folder name → file name → content. */
  readonly others?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** In the browser alone: the extension runs in a web worker, and the workspace is a virtual one. */
  readonly web?: boolean;
}

interface WorkbenchParts {
  readonly folder: string;
  readonly home: string;
  readonly page: Page;
  readonly server: ChildProcess;
  readonly browser: Browser;
  readonly log: string[];
  /** Of another window on the same server; closing it leaves the server alone. */
  readonly isSecond?: boolean;
}

export class Workbench implements AsyncDisposable {
  readonly folder: string;
  readonly page: Page;
  readonly #home: string;
  readonly #server: ChildProcess;
  readonly #browser: Browser;
  readonly #log: string[];
  readonly #parts: WorkbenchParts;

  private constructor(parts: WorkbenchParts) {
    this.#parts = parts;
    this.folder = parts.folder;
    this.page = parts.page;
    this.#home = parts.home;
    this.#server = parts.server;
    this.#browser = parts.browser;
    this.#log = parts.log;
  }

  static async start(options: WorkbenchOptions): Promise<Workbench> {
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
    for (const [name, files] of Object.entries({ ...KEYS_EXTENSION, ...options.others })) {
      const other = join(home, 'extensions', name);
      mkdirSync(other);
      for (const [file, content] of Object.entries(files))
        writeFileSync(join(other, file), content);
    }
    const log: string[] = [];
    const { server, browser, page } = await startHost(home, folder, options, log);
    await page.waitForSelector('.monaco-workbench .explorer-folders-view', { timeout: 60_000 });
    const workbench = new Workbench({ folder, home, page, server, browser, log });
    await workbench.waitForCommand('SGLang: Show Log');
    return workbench;
  }

  /** Waits until the extension's contributions are known; files opened earlier open as plain text. */
  async waitForCommand(title: string): Promise<void> {
    await this.#findCommand(title, 60_000);
    await this.page.keyboard.press('Escape');
  }

  /**
   * Runs a command by its title through the command palette; waits until it is registered. By keyboard:
   * rows move under the mouse while the palette still searches.
   */
  async command(title: string): Promise<void> {
    const { page } = this;
    const palette = page.locator('.quick-input-widget');
    const chosen = page
      .locator('.quick-input-list .monaco-list-row.focused')
      .filter({ has: page.getByText(title, { exact: true }) });
    for (let attempt = 1; attempt <= 5; attempt += 1) {
      await this.#findCommand(title, 45_000);
      for (let row = 0; row < 20 && !(await chosen.isVisible()); row += 1) {
        await page.keyboard.press('ArrowDown');
      }
      if (await chosen.isVisible()) {
        await page.keyboard.press('Enter');
        // Some commands go on in the same box.
        await Promise.race([
          palette.waitFor({ state: 'hidden', timeout: 2000 }),
          page.waitForFunction(
            () =>
              !document
                .querySelector<HTMLInputElement>('.quick-input-widget input')
                ?.value.startsWith('>'),
            undefined,
            { timeout: 2000 },
          ),
        ]).catch(() => {});
        return;
      }
      // Something took the focus, and the palette closed.
      await page.keyboard.press('Escape');
    }
    await this.screenshot('no-command');
    throw new Error(`"${title}" could not be chosen in the palette\n${this.log(30)}`);
  }

  async #findCommand(title: string, timeout: number): Promise<void> {
    const { page } = this;
    for (const deadline = Date.now() + timeout; Date.now() < deadline;) {
      await page.keyboard.press('F1');
      const input = page.locator('.quick-input-widget input').first();
      await input.fill(`>${title}`, { timeout: 5000 }).catch(() => {});
      const row = page
        .locator('.quick-input-list .monaco-list-row')
        .filter({ has: page.getByText(title, { exact: true }) })
        .first();
      const found = await row.waitFor({ timeout: 700 }).then(
        () => true,
        () => false,
      );
      if (found) return;
      await page.keyboard.press('Escape');
    }
    await this.screenshot('no-command');
    throw new Error(`no command "${title}" in the palette\n${this.log(30)}`);
  }

  /** Opens a workspace file by double-clicking it in the explorer. */
  async open(name: string): Promise<void> {
    if (!(await this.page.locator('.explorer-folders-view').first().isVisible())) {
      await this.command('View: Show Explorer');
    }
    const row = this.page.locator('.explorer-folders-view .monaco-list-row', { hasText: name });
    const tab = this.page.locator('.tabs-container .tab.active', { hasText: name });
    // The explorer may draw itself anew between the two clicks.
    await eventually(
      60_000,
      async () => {
        await row.first().dblclick();
        return tab.waitFor({ timeout: 10_000 }).then(
          () => true,
          () => undefined,
        );
      },
      () => `${name} does not open`,
    );
    await this.page.waitForSelector('.notebook-editor .code-cell-row, .editor-instance', {
      state: 'attached',
      timeout: 60_000,
    });
  }

  /** Reloads the window as the command of that name does; waits until the extension is back. */
  async reload(): Promise<void> {
    await this.page.reload();
    await this.page.waitForSelector('.monaco-workbench .explorer-folders-view', {
      timeout: 60_000,
    });
    await this.waitForCommand('SGLang: Show Log');
  }

  /** By the button of the notebook's toolbar, which is there once a kernel is; otherwise by the command. */
  async runAll(): Promise<void> {
    const button = this.page.locator('.notebook-toolbar-container a[aria-label="Run All"]').first();
    const isClicked = await button.click({ timeout: 3000 }).then(
      () => true,
      () => false,
    );
    if (!isClicked) return this.command('Notebook: Run All');
    await this.page.mouse.move(5, 5);
  }

  /** Switches to a colour theme of VS Code by its name. */
  async theme(name: string): Promise<void> {
    await this.command('Preferences: Color Theme');
    await this.page.locator('.quick-input-widget input').first().fill(name);
    await this.page
      .locator('.quick-input-list .monaco-list-row', { hasText: name })
      .first()
      .click();
    await this.page.waitForTimeout(500);
  }

  async closeAll(): Promise<void> {
    for (
      let count = await this.page.locator('.tabs-container .tab').count();
      count > 0;
      count -= 1
    ) {
      await this.page.keyboard.press(KEYS['workbench.action.revertAndCloseActiveEditor']);
      const isClosed = await this.page
        .locator('.tabs-container .tab')
        .nth(count - 1)
        .waitFor({ state: 'detached', timeout: 3000 })
        .then(
          () => true,
          () => false,
        );
      if (!isClosed) await this.command('View: Revert and Close Editor');
    }
  }

  /** Sets the height of the window: a tall one draws cells that a user would scroll to. */
  async tall(height: number): Promise<void> {
    await this.page.setViewportSize({ width: 1280, height });
  }

  /** Begins to save; `waitForFile` waits for its end. */
  async save(): Promise<void> {
    await this.page.keyboard.press('Control+S');
  }

  path(name: string): string {
    return join(this.folder, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), 'utf8');
  }

  /** Waits until a file of the workspace satisfies `test`; the error shows the file. */
  async waitForFile(
    name: string,
    test: (content: string) => boolean,
    timeout = 20_000,
  ): Promise<string> {
    return eventually(
      timeout,
      async () => {
        const content = this.read(name);
        return test(content) ? content : undefined;
      },
      () => `${name} never became as expected:\n${this.read(name).slice(-2000)}`,
    );
  }

  /** Waits for `text` in the workbench itself: status bar, views, cell status, dialogs. */
  async waitForText(selector: string, text: string | RegExp, timeout = 30_000): Promise<void> {
    try {
      await this.page.locator(selector).filter({ hasText: text }).first().waitFor({ timeout });
    } catch {
      await this.screenshot('timeout');
      const shown = await this.page.locator(selector).allInnerTexts();
      throw new Error(
        `no ${String(text)} in ${selector} after ${timeout} ms; shown: ${shown.join(' | ')}\n${this.log(20)}`,
      );
    }
  }

  /** Waits until no cell shows that it runs or waits for its turn. */
  async waitForNoRunningCell(): Promise<void> {
    const busy = this.page.locator(
      '.codicon-notebook-state-executing, .codicon-notebook-state-pending',
    );
    await eventually(
      15_000,
      async () => ((await busy.count()) === 0 ? true : undefined),
      () => 'a cell still runs or waits',
    );
  }

  /** Rests the mouse on the character `offset` of `text` in a cell or editor. */
  async hoverText(text: string, offset: number): Promise<void> {
    const line = this.page.locator('.view-line > span', { hasText: text }).first();
    const content = (await line.innerText()).replaceAll('\u00a0', ' ');
    const width = (await line.boundingBox())?.width ?? 0;
    const x = ((content.indexOf(text) + offset + 0.5) * width) / content.length;
    await line.hover({ position: { x, y: 8 } });
  }

  /** Does it again while nothing comes of it: a busy workbench closes hovers and menus by itself. */
  async until(act: () => Promise<void>, selector: string, text: RegExp): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      await act();
      try {
        return await this.waitForText(selector, text, 5000);
      } catch (error) {
        if (attempt === 5) throw error;
        await this.page.keyboard.press('Escape');
        await this.page.mouse.move(5, 5);
      }
    }
  }

  /** Rests the mouse there until the hover says so. */
  waitForHover(text: string, offset: number, shown: RegExp): Promise<void> {
    return this.until(() => this.hoverText(text, offset), '.monaco-hover', shown);
  }

  /** Waits until the active notebook's kernel has this status. */
  async waitForKernel(status: string, timeout = 60_000): Promise<void> {
    await this.waitForText(
      '#sglang-notebooks\\.sglang-notebooks\\.sglang\\.kernel',
      `SGLang: ${status}`,
      timeout,
    );
  }

  /** Process ids below the VS Code server whose command line contains `text`. */
  processes(text: string): number[] {
    const rows = spawnSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).stdout.split(
      '\n',
    );
    const all = rows.flatMap((row) => {
      const match = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row);
      return match
        ? [{ pid: Number(match[1]), parent: Number(match[2]), args: match[3] ?? '' }]
        : [];
    });
    // A kernel that outlived its window is nobody's child any more; its arguments name this workbench.
    const survivors = all.filter(
      ({ args }) => args.includes(this.#home) && args.includes('--listen'),
    );
    const below = new Set([this.#server.pid ?? -1, ...survivors.map(({ pid }) => pid)]);
    // Parents come before their children only by chance; repeat until nothing is added.
    for (let size = 0; size !== below.size;) {
      size = below.size;
      for (const { pid, parent } of all) if (below.has(parent)) below.add(pid);
    }
    return all
      .filter(({ pid, args }) => below.has(pid) && args.includes(text))
      .map(({ pid }) => pid);
  }

  /** All text that renderers have drawn, frame by frame, shadow roots included. */
  async outputText(): Promise<string> {
    const texts = await Promise.all(this.page.frames().map((frame) => frameText(frame)));
    return texts.join('\n');
  }

  /** Waits for an element inside the outputs' shadow roots. */
  async inOutputs(selector: string, timeout = 30_000): Promise<Locator> {
    return eventually(
      timeout,
      async () => {
        for (const frame of this.page.frames()) {
          const found = frame.locator(selector);
          // A frame that goes away meanwhile has nothing.
          if ((await found.count().catch(() => 0)) > 0) return found.first();
        }
        return undefined;
      },
      () => `no ${selector} in the outputs`,
    );
  }

  /** Waits until the drawn outputs contain `text`; the error shows what there was instead. */
  async waitForOutput(text: string | RegExp, timeout = 60_000): Promise<string> {
    const deadline = Date.now() + timeout;
    for (;;) {
      const shown = await this.outputText();
      if (typeof text === 'string' ? shown.includes(text) : text.test(shown)) return shown;
      if (Date.now() > deadline) {
        await this.screenshot('timeout');
        throw new Error(
          `no output ${String(text)} after ${timeout} ms; shown:\n${shown.slice(-3000)}\n${this.log(20)}`,
        );
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

  /** Desktop VS Code: it opens a folder in one window only. */
  readonly isDesktop = process.env[DESKTOP] !== undefined;

  /** Another window of the same user on the same folder. */
  async secondWindow(): Promise<Workbench> {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 900 } });
    const page = await context.newPage();
    await page.goto(this.page.url());
    await page.waitForSelector('.monaco-workbench .explorer-folders-view', { timeout: 60_000 });
    const second = new Workbench({ ...this.#parts, page, isSecond: true });
    await second.waitForCommand('SGLang: Show Log');
    return second;
  }

  /** Ends this window without a word to its server, as a crash does. */
  async crash(): Promise<void> {
    const devtools = await this.page.context().newCDPSession(this.page);
    const crashed = this.page.waitForEvent('crash');
    void devtools.send('Page.crash').catch(() => {});
    await crashed;
    await this.page.context().close();
  }

  /** Files of this workbench, its server's and user's data included, that contain `text`. */
  filesWith(text: string): string[] {
    const found = spawnSync('grep', ['-rlaF', '--', text, this.#home], { encoding: 'utf8' });
    return found.stdout.split('\n').filter((line) => line !== '');
  }

  /** Opens a workspace file by its name through Quick Open, which may not know a new file at once. */
  async quickOpen(name: string): Promise<void> {
    const row = this.page.locator('.quick-input-list .monaco-list-row', { hasText: name }).first();
    await eventually(
      30_000,
      async () => {
        await this.page.keyboard.press('Control+P');
        await this.page.locator('.quick-input-widget input').first().fill(name);
        const found = await row.click({ timeout: 2000 }).then(
          () => true,
          () => undefined,
        );
        if (found === undefined) await this.page.keyboard.press('Escape');
        return found;
      },
      () => `Quick Open does not find ${name}`,
    );
  }

  /** Enters a path into VS Code's own dialog for files. */
  async acceptPath(path: string): Promise<void> {
    const box = this.page.locator('.quick-input-widget input').first();
    const ok = this.page.locator('.quick-input-widget').getByRole('button', { name: 'OK' });
    await ok.waitFor();
    // The dialog writes its own proposal into the box once it has looked at the folder.
    await eventually(
      20_000,
      async () => {
        await box.fill(path);
        await this.page.waitForTimeout(400);
        return (await box.inputValue()) === path || undefined;
      },
      () => `the dialog did not keep "${path}"`,
    );
    await ok.click();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#parts.isSecond) return this.page.context().close();
    await this.#browser.close();
    const gone = new Promise((resolve) => this.#server.once('exit', resolve));
    this.#server.kill('SIGTERM');
    const killer = setTimeout(() => this.#server.kill('SIGKILL'), 5000);
    await gone;
    clearTimeout(killer);
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

/** Another extension, in any workspace: its command `Name: title` is `name.verb`, which `main` registers. */
export function commandExtension(
  { name, verb, title }: { readonly name: string; readonly verb: string; readonly title: string },
  main: string,
): Readonly<Record<'package.json' | 'main.js', string>> {
  const command = `${name}.${verb}`;
  const category = `${name.charAt(0).toUpperCase()}${name.slice(1)}`;
  return {
    'package.json': JSON.stringify({
      name,
      publisher: 'test',
      version: '0.0.1',
      engines: { vscode: '^1.104.0' },
      main: './main.js',
      activationEvents: [`onCommand:${command}`],
      capabilities: { untrustedWorkspaces: { supported: true } },
      contributes: { commands: [{ command, title, category }] },
    }),
    'main.js': main,
  };
}

/** Installs a VSIX into a new folder of extensions, as a user's VS Code does. */
export function installVsix(vsix: string): string {
  const vscode: string = ensureVsCodeServer();
  const home = mkdtempSync(join(tmpdir(), 'vsix-'));
  const folder = join(home, 'extensions');
  const result = spawnSync(
    process.execPath,
    [
      join(vscode, 'out', 'server-main.js'),
      '--accept-server-license-terms',
      '--server-data-dir',
      home,
      '--extensions-dir',
      folder,
      '--install-extension',
      vsix,
    ],
    { encoding: 'utf8', env: { ...process.env, EXTENSIONS_GALLERY: NO_GALLERY } },
  );
  if (!/successfully installed/i.test(result.stdout)) {
    throw new Error(`the VSIX was not installed:\n${result.stdout}${result.stderr}`);
  }
  return folder;
}

const NO_GALLERY = '{"serviceUrl":"","itemUrl":"","resourceUrlTemplate":""}';

/** The server with Chromium in front of it, or desktop VS Code where the environment names one. */
async function startHost(
  home: string,
  folder: string,
  { workspaceTrust: trust = false, extensionsFolder, web = false, settings }: WorkbenchOptions,
  log: string[],
): Promise<Pick<WorkbenchParts, 'server' | 'browser' | 'page'>> {
  const port = await freePort();
  const desktop = process.env[DESKTOP];
  if (desktop !== undefined && !web) {
    const host = await startDesktop({
      executable: desktop,
      home,
      folder,
      port,
      trust,
      development: extensionsFolder === undefined ? root : undefined,
      log: (text) => log.push(text),
    });
    logConsole(host.page, log);
    return host;
  }
  const server = await startServer({ vscode: ensureVsCodeServer(), home, port, log, trust });
  const browser = await chromium.launch({
    executablePath: ensureChromium(),
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
  logConsole(page, log);
  if (web) {
    const host = await startWebHost({
      vscode: `http://127.0.0.1:${port}`,
      extension: root,
      workspace: folder,
      settings: { ...QUIET, ...settings },
    });
    server.once('exit', () => host.close());
    await page.goto(`http://127.0.0.1:${portOf(host)}/`, { timeout: 120_000 });
    return { server, browser, page };
  }
  await page.goto(workbenchUrl(port, folder, extensionsFolder === undefined), { timeout: 120_000 });
  return { server, browser, page };
}

function logConsole(page: Page, log: string[]): void {
  page.on('console', (message) => {
    const text = message.text();
    if (!HARMLESS.test(text)) log.push(`[browser] ${text}`);
  });
}

const QUIET = {
  'workbench.startupEditor': 'none',
  'chat.disableAIFeatures': true,
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  'telemetry.telemetryLevel': 'off',
  // As on the desktop; in a browser the default saves a second after each change.
  'files.autoSave': 'off',
  'git.enabled': false,
  // Nobody is there to answer; test/vscode/models.test.ts asks for the question.
  'sglang.runtime.missingModel': 'starter',
  'extensions.ignoreRecommendations': true,
  'security.workspace.trust.startupPrompt': 'never',
  'security.workspace.trust.banner': 'never',
};

function writeSettings(home: string, settings: Readonly<Record<string, unknown>>): void {
  // The server reads a machine's settings, desktop VS Code a user's.
  const kind = process.env[DESKTOP] === undefined ? 'Machine' : 'User';
  mkdirSync(join(home, 'data', kind), { recursive: true });
  mkdirSync(join(home, 'extensions'), { recursive: true });
  writeFileSync(
    join(home, 'data', kind, 'settings.json'),
    JSON.stringify({ ...QUIET, ...settings }, null, 2),
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
        EXTENSIONS_GALLERY: NO_GALLERY,
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
    server.once('exit', (code) =>
      reject(new Error(`the VS Code server exited with ${code}:\n${log.join('\n')}`)),
    );
  });
  return server;
}

function workbenchUrl(port: number, folder: string, development: boolean): string {
  const payload = [
    ['skipWelcome', 'true'],
    ...(development
      ? [['extensionDevelopmentPath', `vscode-remote://127.0.0.1:${port}${root}`]]
      : []),
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
          parts.push(
            element.shadowRoot.querySelector('.sglang-output, #preview')?.textContent ?? '',
          );
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

/** Asks again and again until there is an answer; never longer than `timeout` ms. */
export async function eventually<Answer>(
  timeout: number,
  ask: () => Promise<Answer | undefined>,
  describe: () => string,
): Promise<Answer> {
  const deadline = Date.now() + timeout;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > deadline) throw new Error(`${describe()} (after ${timeout} ms)`);
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const port = portOf(probe);
      probe.close(() => resolve(port));
    });
  });
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address === 'object' && address) return address.port;
  throw new Error('no port');
}
