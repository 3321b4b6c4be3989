/**
 * The type engine: basedpyright as a child process that sees the same notebook, with a hidden cell
 * after each cell. It answers what concerns plain Python; it never executes code. When it dies it is
 * started again a few times; without it everything of our own still works.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import {
  createProtocolConnection,
  StreamMessageReader,
  StreamMessageWriter,
  type Diagnostic,
  type ProtocolConnection,
} from 'vscode-languageserver/node';
import { packageStubs } from './type-engine/package-stubs.ts';

export interface EngineCell {
  readonly uri: string;
  readonly text: string;
  /** What stands behind the cell, unseen. */
  readonly hidden: string;
}

export interface TypeEngine {
  /** The notebook as it is now. */
  setNotebook(uri: string, cells: readonly EngineCell[]): void;
  closeNotebook(uri: string): void;
  /** A request about a cell; `null` when the engine has no answer, is starting, or is gone. */
  request(method: string, params: object): Promise<unknown>;
  stop(): void;
}

export interface TypeEngineOptions {
  /** basedpyright's `langserver.index.js`. */
  readonly entry: string;
  readonly onDiagnostics: (cellUri: string, diagnostics: readonly Diagnostic[]) => void;
  readonly log: (message: string) => void;
}

const maximumRestarts = 3;
const requestTimeout = 5000;
const hiddenSuffix = '-types';

interface OpenCell {
  text: string;
  version: number;
}

const configuration = (stubs: string) => ({
  typeCheckingMode: 'standard',
  stubPath: stubs,
  autoSearchPaths: true,
  useLibraryCodeForTypes: true,
  diagnosticMode: 'openFilesOnly',
  // The kernel may have packages that this machine's Python has not.
  diagnosticSeverityOverrides: {
    reportMissingModuleSource: 'none',
    reportMissingImports: 'none',
    reportAttributeAccessIssue: 'none',
  },
});

export function createTypeEngine(options: TypeEngineOptions): TypeEngine {
  return new BasedPyright(options);
}

class BasedPyright implements TypeEngine {
  readonly #options: TypeEngineOptions;
  readonly #stubs: string;
  readonly #notebooks = new Map<string, readonly EngineCell[]>();
  readonly #open = new Map<string, { cells: Map<string, OpenCell>; version: number }>();
  #child: ChildProcessWithoutNullStreams | null = null;
  #connection: ProtocolConnection | null = null;
  #isReady = false;
  #restarts = 0;
  #isStopped = false;

  constructor(options: TypeEngineOptions) {
    this.#options = options;
    this.#stubs = writeStubs();
    this.#start();
  }

  #start(): void {
    const child = spawn(process.execPath, [this.#options.entry, '--stdio'], {
      // The host's own Node may be Electron; this makes it behave as Node.
      env: { ...process.env, ELECTRON_RUN_AS_NODE: '1' },
    });
    const connection = createProtocolConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    this.#child = child;
    this.#connection = connection;
    child.on('error', (error) => this.#options.log(`type engine: ${error.message}`));
    child.on('exit', () => this.#exited());
    child.stdin.on('error', () => {});
    child.stderr.resume();
    connection.onError(() => {});
    connection.onRequest(
      'workspace/configuration',
      ({ items }: { items: readonly { section?: string }[] }) =>
        items.map(({ section = '' }) =>
          section === 'basedpyright' || section === 'python'
            ? { analysis: configuration(this.#stubs) }
            : {},
        ),
    );
    connection.onRequest('client/registerCapability', () => null);
    connection.onRequest('window/workDoneProgress/create', () => null);
    connection.onNotification(
      'textDocument/publishDiagnostics',
      ({ uri, diagnostics }: { uri: string; diagnostics: readonly Diagnostic[] }) => {
        if (!uri.endsWith(hiddenSuffix)) this.#options.onDiagnostics(uri, diagnostics);
      },
    );
    connection.listen();
    this.#initialize(connection).catch((error: unknown) =>
      this.#options.log(`type engine: ${String(error)}`),
    );
  }

  async #initialize(connection: ProtocolConnection): Promise<void> {
    await connection.sendRequest('initialize', {
      processId: process.pid,
      rootUri: null,
      workspaceFolders: [{ uri: pathToFileURL(this.#stubs).href, name: 'notebooks' }],
      capabilities: {
        workspace: { configuration: true },
        textDocument: {
          hover: { contentFormat: ['markdown', 'plaintext'] },
          completion: { completionItem: { documentationFormat: ['markdown'] } },
          publishDiagnostics: {},
        },
        notebookDocument: { synchronization: {} },
      },
    });
    await connection.sendNotification('initialized', {});
    this.#isReady = true;
    for (const [uri, cells] of this.#notebooks) this.#sync(uri, cells);
  }

  #exited(): void {
    this.#connection?.dispose();
    this.#connection = null;
    this.#child = null;
    this.#isReady = false;
    this.#open.clear();
    for (const cells of this.#notebooks.values())
      for (const cell of cells) this.#options.onDiagnostics(cell.uri, []);
    if (this.#isStopped || this.#restarts >= maximumRestarts) return;
    this.#restarts++;
    this.#options.log('type engine: ended unexpectedly, starting it again');
    setTimeout(() => {
      if (!this.#isStopped) this.#start();
    }, 1000 * this.#restarts);
  }

  setNotebook(uri: string, cells: readonly EngineCell[]): void {
    this.#notebooks.set(uri, cells);
    if (this.#isReady) this.#sync(uri, cells);
  }

  closeNotebook(uri: string): void {
    this.#notebooks.delete(uri);
    this.#close(uri);
  }

  #notify(method: string, params: object): void {
    this.#connection?.sendNotification(method, params).catch(() => {});
  }

  #close(uri: string): void {
    const open = this.#open.get(uri);
    if (!open) return;
    this.#open.delete(uri);
    this.#notify('notebookDocument/didClose', {
      notebookDocument: { uri },
      cellTextDocuments: [...open.cells.keys()].map((cell) => ({ uri: cell })),
    });
  }

  /** Sends changed texts; a notebook whose cells changed places is opened anew. */
  #sync(uri: string, cells: readonly EngineCell[]): void {
    const wanted = cells.flatMap((cell) => [
      { uri: cell.uri, text: cell.text },
      { uri: `${cell.uri}${hiddenSuffix}`, text: cell.hidden },
    ]);
    const open = this.#open.get(uri);
    const isSameShape =
      open && [...open.cells.keys()].join('\n') === wanted.map((cell) => cell.uri).join('\n');
    if (!open || !isSameShape) {
      this.#close(uri);
      this.#openNotebook(uri, wanted);
      return;
    }
    const textContent = wanted.flatMap((cell) => {
      const known = open.cells.get(cell.uri);
      if (!known || known.text === cell.text) return [];
      known.text = cell.text;
      known.version++;
      return [
        { document: { uri: cell.uri, version: known.version }, changes: [{ text: cell.text }] },
      ];
    });
    if (textContent.length === 0) return;
    this.#notify('notebookDocument/didChange', {
      notebookDocument: { uri, version: ++open.version },
      change: { cells: { textContent } },
    });
  }

  #openNotebook(
    uri: string,
    cells: readonly { readonly uri: string; readonly text: string }[],
  ): void {
    const entries = cells.map((cell) => [cell.uri, { text: cell.text, version: 1 }] as const);
    this.#open.set(uri, { cells: new Map(entries), version: 1 });
    this.#notify('notebookDocument/didOpen', {
      notebookDocument: {
        uri,
        notebookType: 'sglang-notebook',
        version: 1,
        cells: cells.map((cell) => ({ kind: 2, document: cell.uri })),
      },
      cellTextDocuments: cells.map((cell) => ({
        uri: cell.uri,
        languageId: 'python',
        version: 1,
        text: cell.text,
      })),
    });
  }

  async request(method: string, params: object): Promise<unknown> {
    const connection = this.#connection;
    if (!connection || !this.#isReady) return null;
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<null>(
      (done) => (timer = setTimeout(() => done(null), requestTimeout)),
    );
    try {
      return await Promise.race([connection.sendRequest<unknown>(method, params), timeout]);
    } catch {
      // The engine died or refused: its answer is "nothing", ours remain.
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    this.#child?.kill();
    rmSync(this.#stubs, { recursive: true, force: true });
  }
}

function writeStubs(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sglang-stubs-'));
  for (const [path, text] of packageStubs()) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}
