/** The one kernel entry of the picker: runs cells of `.sglnb` notebooks, one session a notebook. */
import {
  notebooks,
  NotebookControllerAffinity,
  l10n,
  Uri,
  workspace,
  type Disposable,
  type LogOutputChannel,
  type NotebookCell,
  type NotebookController,
  type NotebookDocument,
} from 'vscode';
import { dirname } from 'node:path';
import { homedir } from 'node:os';
import type {
  CellRef,
  EndpointOptions,
  GenRecord,
  KernelStatus,
  RunOutcome,
} from '../../protocol/kernel-protocol.ts';
import {
  KernelSession,
  type KernelLaunch,
  type SessionListener,
} from '../kernel-client/kernel-session.ts';
import { kernelSettings } from '../settings.ts';
import { CellExecution } from './cell-execution.ts';
import { onNotebookClosed } from './closed-notebooks.ts';
import { askUser } from './input-box.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook-type.ts';
import { linkTraceback } from './traceback-links.ts';

export interface ControllerListener {
  status(notebook: NotebookDocument, status: KernelStatus, reason: string | null): void;
  /** `cell` in these is the URI of the cell's text document. */
  started(notebook: NotebookDocument, cell: string): void;
  finished(notebook: NotebookDocument, cell: string, outcome: RunOutcome): void;
  gen(notebook: NotebookDocument, record: GenRecord): void;
  /** The user closed the notebook, and its kernel is gone. */
  closed(notebook: NotebookDocument): void;
  /** Kernels or the programs that they started have come or gone. */
  sessions(): void;
}

/** What a kernel needs to know of servers and models. */
export interface KernelModels {
  /** Await it before `options`. */
  prepare(notebook: Uri): Promise<void>;
  options(notebook: Uri): EndpointOptions;
  environment(notebook: Uri): Readonly<Record<string, string>>;
  choose(name: string, notebook: Uri, signal: AbortSignal): Promise<string | null>;
}

export class SglangNotebookController implements Disposable {
  readonly #controller: NotebookController;
  readonly #sessions = new Map<NotebookDocument, KernelSession>();
  readonly #orders = new WeakMap<NotebookDocument, Map<string, number>>();
  readonly #subscriptions: Disposable[] = [];
  readonly #kernelEntry: string;
  readonly #log: LogOutputChannel;
  readonly #listener: ControllerListener;
  readonly #models: KernelModels;

  constructor(
    kernelEntry: string,
    log: LogOutputChannel,
    models: KernelModels,
    listener: ControllerListener,
  ) {
    this.#kernelEntry = kernelEntry;
    this.#log = log;
    this.#models = models;
    this.#listener = listener;
    this.#controller = notebooks.createNotebookController(
      'sglang-bundled',
      NOTEBOOK_TYPE,
      'SGLang',
    );
    this.#controller.description = l10n.t('bundled Python and runtime');
    this.#controller.supportedLanguages = [...SUPPORTED_LANGUAGES];
    this.#controller.supportsExecutionOrder = true;
    this.#controller.executeHandler = (cells, notebook) => this.#execute(cells, notebook);
    this.#controller.interruptHandler = (notebook) => this.#sessions.get(notebook)?.interrupt();
    const prefer = (notebook: NotebookDocument) => {
      if (notebook.notebookType !== NOTEBOOK_TYPE) return;
      this.#controller.updateNotebookAffinity(notebook, NotebookControllerAffinity.Preferred);
    };
    workspace.notebookDocuments.forEach(prefer);
    this.#subscriptions.push(
      workspace.onDidOpenNotebookDocument(prefer),
      ...onNotebookClosed(
        () => [...this.#sessions.keys()],
        (notebook) => void this.#close(notebook),
      ),
    );
  }

  /** Notebooks that have had a kernel, with its session. */
  get sessions(): ReadonlyMap<NotebookDocument, KernelSession> {
    return this.#sessions;
  }

  session(notebook: NotebookDocument): KernelSession | undefined {
    return this.#sessions.get(notebook);
  }

  /** Has the views of kernels and variables drawn afresh. */
  refreshViews(): void {
    this.#listener.sessions();
  }

  async dispose(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#controller.dispose();
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
  }

  async #execute(cells: readonly NotebookCell[], notebook: NotebookDocument): Promise<void> {
    await this.#models.prepare(notebook.uri);
    const session = this.#sessionFor(notebook);
    // All executions exist before the first starts, so that the workbench shows the queue.
    const queue = cells.map((cell) => ({
      cell,
      execution: new CellExecution(
        this.#controller.createNotebookCellExecution(cell),
        (traceback) => linkTraceback(traceback, this.#ordersOf(notebook)),
      ),
    }));
    await Promise.all(
      queue.map(({ cell, execution }) =>
        session.execute(
          { id: cell.document.uri.toString(), label: `cell ${cell.index + 1}` },
          cell.document.getText(),
          execution,
        ),
      ),
    );
  }

  async #close(notebook: NotebookDocument): Promise<void> {
    const session = this.#sessions.get(notebook);
    this.#sessions.delete(notebook);
    await session?.stop();
    if (session) this.#listener.closed(notebook);
    this.#listener.sessions();
  }

  /** Execution orders by cell label, for links in tracebacks. */
  #ordersOf(notebook: NotebookDocument): Map<string, number> {
    const known = this.#orders.get(notebook) ?? new Map<string, number>();
    this.#orders.set(notebook, known);
    return known;
  }

  #sessionFor(notebook: NotebookDocument): KernelSession {
    const known = this.#sessions.get(notebook);
    if (known) return known;
    const session = new KernelSession(() => this.#launchOf(notebook), this.#listenerFor(notebook));
    this.#sessions.set(notebook, session);
    return session;
  }

  #launchOf(notebook: NotebookDocument): KernelLaunch {
    const settings = kernelSettings(notebook.uri);
    return {
      entry: this.#kernelEntry,
      cwd: notebookFolder(notebook),
      endpoint: settings.endpoint,
      endpointOptions: this.#models.options(notebook.uri),
      model: settings.modelPath,
      env: this.#models.environment(notebook.uri),
      interruptTimeout: settings.interruptTimeout,
    };
  }

  #listenerFor(notebook: NotebookDocument): SessionListener {
    const log = this.#log;
    return {
      status: (status, reason) => {
        this.#listener.status(notebook, status, reason);
        this.#listener.sessions();
      },
      started: (cell: CellRef, executionOrder) => {
        this.#ordersOf(notebook).set(cell.label, executionOrder);
        this.#listener.started(notebook, cell.id);
      },
      finished: (cell, outcome) => this.#listener.finished(notebook, cell.id, outcome),
      gen: (record) => this.#listener.gen(notebook, record),
      processes: () => this.#listener.sessions(),
      log: (level, message) => log[level](message),
      background: (output) => {
        if (output.kind === 'stream') log.info(output.text.trimEnd());
      },
      input: askUser,
      chooseModel: (name, signal) => this.#models.choose(name, notebook.uri, signal),
    };
  }
}

/** Where a notebook's relative paths start: its folder, else the workspace, else home. */
function notebookFolder(notebook: NotebookDocument): string {
  if (notebook.uri.scheme === 'file') return dirname(notebook.uri.fsPath);
  const folder = workspace.workspaceFolders?.[0]?.uri ?? Uri.file(homedir());
  return folder.fsPath;
}
