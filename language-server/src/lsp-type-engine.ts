/**
 * The type engine: basedpyright as a child process that sees the same notebook, with types put into
 * the cells and hidden cells between them. It answers what concerns plain Python, in places of the
 * cells as the author sees them; it never executes code. When it dies it is started again, later each
 * time and not for ever; without it everything of our own still works.
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
  type Position,
  type ProtocolConnection,
} from 'vscode-languageserver/node';
import { mapAnswer } from './type-engine/map-answer.ts';
import { packageStubs } from './type-engine/package-stubs.ts';
import { toVirtual, type VirtualCell } from './type-engine/virtual-cell.ts';

export interface EngineCell extends VirtualCell {
  readonly uri: string;
  /** What stands behind the cell, unseen. */
  readonly hidden: string;
}

export interface EngineNotebook {
  /** What stands before all cells, unseen. */
  readonly types: string;
  readonly cells: readonly EngineCell[];
}

/** A request about a place or range of a cell. */
export interface CellRequest {
  readonly textDocument: { readonly uri: string };
  readonly position?: Position;
}

export interface TypeEngine {
  /** Process id, `null` while there is no process. */
  readonly pid: number | null;
  /** The notebook as it is now. */
  setNotebook(uri: string, notebook: EngineNotebook): void;
  closeNotebook(uri: string): void;
  /** A request about a cell; `null` when the engine has no answer, is starting, or is gone. */
  request(method: string, params: CellRequest): Promise<unknown>;
  stop(): void;
}

export interface TypeEngineOptions {
  /** basedpyright's `langserver.index.js`. */
  readonly entry: string;
  /** Folders whose modules cells may import. */
  readonly folders?: readonly string[];
  /** Milliseconds before the first restart, doubled for each further one. Default 1000. */
  readonly restartDelay?: number;
  readonly onDiagnostics: (cellUri: string, diagnostics: readonly Diagnostic[]) => void;
  readonly log: (message: string) => void;
  /** It ended too often, and is not started again. */
  readonly onGivenUp?: () => void;
}

const maximumRestarts = 4;
/** After running this long, in milliseconds, an engine that dies counts as one that died first. */
const stableAfter = 60_000;
const requestTimeout = 5000;
const hiddenSuffix = '-types';

interface OpenCell {
  text: string;
  version: number;
}

const configuration = (stubs: string, folders: readonly string[]) => ({
  typeCheckingMode: 'standard',
  stubPath: stubs,
  extraPaths: folders,
  autoSearchPaths: true,
  useLibraryCodeForTypes: true,
  diagnosticMode: 'openFilesOnly',
  // The kernel may have packages that this machine's Python has not.
  diagnosticSeverityOverrides: {
    reportMissingModuleSource: 'none',
    reportMissingImports: 'none',
    reportAttributeAccessIssue: 'none',
    // Cells set things up in one place and use them in another: `None` is rarely what is left.
    reportOptionalMemberAccess: 'none',
    reportOptionalSubscript: 'none',
    reportOptionalIterable: 'none',
    reportOptionalCall: 'none',
    reportOptionalOperand: 'none',
    reportOptionalContextManager: 'none',
  },
});

export function createTypeEngine(options: TypeEngineOptions): TypeEngine {
  return new BasedPyright(options);
}

class BasedPyright implements TypeEngine {
  readonly #options: TypeEngineOptions;
  readonly #folder: string;
  readonly #stubs: string;
  readonly #notebooks = new Map<string, EngineNotebook>();
  readonly #cells = new Map<string, EngineCell>();
  readonly #open = new Map<string, { cells: Map<string, OpenCell>; version: number }>();
  #child: ChildProcessWithoutNullStreams | null = null;
  #connection: ProtocolConnection | null = null;
  #isReady = false;
  #restarts = 0;
  #startedAt = 0;
  #isStopped = false;

  constructor(options: TypeEngineOptions) {
    this.#options = options;
    this.#folder = mkdtempSync(join(tmpdir(), 'sglang-types-'));
    this.#stubs = join(this.#folder, 'stubs');
    writeStubs(this.#stubs);
    this.#start();
  }

  get pid(): number | null {
    return this.#child?.pid ?? null;
  }

  #start(): void {
    const temporary = join(this.#folder, 'temporary');
    mkdirSync(temporary, { recursive: true });
    const child = spawn(process.execPath, [this.#options.entry, '--stdio'], {
      env: {
        ...process.env,
        // The host's own Node may be Electron; this makes it behave as Node.
        ELECTRON_RUN_AS_NODE: '1',
        // What it leaves behind when it is killed goes with our folder.
        TMPDIR: temporary,
        TEMP: temporary,
        TMP: temporary,
      },
    });
    this.#startedAt = performance.now();
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
            ? { analysis: configuration(this.#stubs, this.#options.folders ?? []) }
            : {},
        ),
    );
    connection.onRequest('client/registerCapability', () => null);
    connection.onRequest('window/workDoneProgress/create', () => null);
    connection.onNotification(
      'textDocument/publishDiagnostics',
      ({ uri, diagnostics }: { uri: string; diagnostics: readonly Diagnostic[] }) => {
        if (uri.endsWith(hiddenSuffix)) return;
        // SAFETY: only the places within the diagnostics changed.
        const mapped = this.#toOriginal(diagnostics, uri) as readonly Diagnostic[];
        this.#options.onDiagnostics(uri, mapped);
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
    for (const [uri, notebook] of this.#notebooks) this.#sync(uri, notebook);
  }

  #toOriginal(answer: unknown, uri: string): unknown {
    return mapAnswer(answer, uri, (cell) => this.#cells.get(cell));
  }

  #exited(): void {
    this.#connection?.dispose();
    this.#connection = null;
    this.#child = null;
    this.#isReady = false;
    this.#open.clear();
    if (this.#isStopped) {
      this.#removeFolder();
      return;
    }
    for (const uri of this.#cells.keys()) this.#options.onDiagnostics(uri, []);
    this.#restart();
  }

  #restart(): void {
    if (performance.now() - this.#startedAt > stableAfter) this.#restarts = 0;
    if (this.#restarts >= maximumRestarts) {
      this.#options.log(
        `type engine: ended ${maximumRestarts + 1} times; types of plain Python are off until the language server restarts`,
      );
      this.#options.onGivenUp?.();
      return;
    }
    const delay = (this.#options.restartDelay ?? 1000) * 2 ** this.#restarts++;
    this.#options.log(`type engine: ended unexpectedly, starting it again in ${delay} ms`);
    setTimeout(() => {
      if (!this.#isStopped) this.#start();
    }, delay).unref();
  }

  setNotebook(uri: string, notebook: EngineNotebook): void {
    this.#forget(uri);
    this.#notebooks.set(uri, notebook);
    for (const cell of notebook.cells) this.#cells.set(cell.uri, cell);
    if (this.#isReady) this.#sync(uri, notebook);
  }

  #forget(uri: string): void {
    for (const cell of this.#notebooks.get(uri)?.cells ?? []) this.#cells.delete(cell.uri);
  }

  closeNotebook(uri: string): void {
    this.#forget(uri);
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
  #sync(uri: string, { types, cells }: EngineNotebook): void {
    const wanted = [
      { uri: `${cells[0]?.uri ?? uri}-states${hiddenSuffix}`, text: types },
      ...cells.flatMap((cell) => [
        { uri: cell.uri, text: cell.text },
        { uri: `${cell.uri}${hiddenSuffix}`, text: cell.hidden },
      ]),
    ];
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

  async request(method: string, params: CellRequest): Promise<unknown> {
    const connection = this.#connection;
    if (!connection || !this.#isReady) return null;
    const { uri } = params.textDocument;
    const cell = this.#cells.get(uri);
    const moved =
      cell && params.position
        ? { ...params, position: toVirtual(cell, params.position) }
        : { ...params };
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<null>(
      (done) => (timer = setTimeout(() => done(null), requestTimeout)),
    );
    try {
      const answer = await Promise.race([connection.sendRequest<unknown>(method, moved), timeout]);
      return this.#toOriginal(answer, uri);
    } catch {
      // The engine died or refused: its answer is "nothing", ours remain.
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  stop(): void {
    this.#isStopped = true;
    // It has nothing to save, and must not write into the folder any more.
    this.#child?.kill('SIGKILL');
    this.#removeFolder();
  }

  #removeFolder(): void {
    try {
      rmSync(this.#folder, { recursive: true, force: true, maxRetries: 3, retryDelay: 20 });
    } catch (error) {
      this.#options.log(`type engine: ${String(error)}`);
    }
  }
}

function writeStubs(folder: string): void {
  for (const [path, text] of packageStubs()) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
