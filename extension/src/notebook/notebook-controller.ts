/** Runs cells of `.sglnb` notebooks, one session a notebook, whichever Python is selected for it. */
import {
  l10n,
  window,
  workspace,
  type Disposable,
  type LogOutputChannel,
  type NotebookCell,
  type NotebookDocument,
  type Uri,
} from 'vscode';
import type { AttachedRun, KernelRecord } from '../../protocol/attach-protocol.ts';
import type {
  CellRef,
  ChildProcessInfo,
  EndpointOptions,
  GenRecord,
  KernelStatus,
  RunOutcome,
} from '../../protocol/kernel-protocol.ts';
import { endKernel } from '../kernel-client/end-kernel.ts';
import {
  KernelSession,
  type KernelLaunch,
  type RunDebugger,
  type RunSink,
  type SessionListener,
} from '../kernel-client/kernel-session.ts';
import { kernelSettings } from '../settings.ts';
import { CellExecution } from './cell-execution.ts';
import { cellOfRun, cellReference, cellUri } from './cell-identity.ts';
import { onNotebookClosed } from './closed-notebooks.ts';
import { KernelPicker, type Guest } from './kernel-picker.ts';
import type { KernelSurvival } from './kernel-survival.ts';
import { LongOutput } from './long-output.ts';
import { openOutputFile } from './output-file.ts';
import { notebookFolder } from './notebook-folder.ts';
import { NOTEBOOK_TYPE } from './notebook-type.ts';
import type { OwnPython } from './own-python.ts';
import type { NotebookPython } from './python-status.ts';
import { runCells } from './run-cells.ts';
import { choosePython, setPython } from './select-python.ts';
import { linkTraceback } from './traceback-links.ts';
import type { UserQuestions } from './user-questions.ts';

/** A run of nothing, which only starts a kernel. */
const NO_CELL: CellRef = { id: '', label: 'no cell' };
const NO_OUTPUT: RunSink = {
  start() {},
  output() {},
  ask: async () => null,
  async end() {},
  async fail() {},
};

export interface ControllerListener {
  status(notebook: NotebookDocument, status: KernelStatus, reason: string | null): void;
  /** `cell` in these is the URI of the cell's text document. */
  started(notebook: NotebookDocument, cell: string): void;
  finished(notebook: NotebookDocument, cell: string, outcome: RunOutcome): void;
  gen(notebook: NotebookDocument, record: GenRecord): void;
  /** A runtime of this notebook ended so often that it is not started again. */
  runtimeFailed(notebook: NotebookDocument, info: ChildProcessInfo): void;
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
  readonly #picker: KernelPicker;
  readonly #ownPython: OwnPython;
  readonly #sessions = new Map<NotebookDocument, KernelSession>();
  readonly #orders = new WeakMap<NotebookDocument, Map<string, number>>();
  readonly #subscriptions: Disposable[] = [];
  readonly #kernelEntry: string;
  readonly #log: LogOutputChannel;
  readonly #listener: ControllerListener;
  readonly #models: KernelModels;
  readonly #survival: KernelSurvival;
  readonly #questions: UserQuestions;
  /** What the user selected in the kernel picker and is not in force yet. */
  readonly #picks = new Map<NotebookDocument, { readonly guest: Guest }>();
  /** What cells wait for: the notebook gets back the kernel it had, or another Python. */
  readonly #changes = new Map<NotebookDocument, Promise<void>>();
  /** Cells that are about to run with a debugger. */
  readonly #debugged = new Map<NotebookCell, RunDebugger>();

  constructor(
    kernelEntry: string,
    log: LogOutputChannel,
    models: KernelModels,
    survival: KernelSurvival,
    questions: UserQuestions,
    ownPython: OwnPython,
    listener: ControllerListener,
  ) {
    this.#kernelEntry = kernelEntry;
    this.#log = log;
    this.#models = models;
    this.#survival = survival;
    this.#questions = questions;
    this.#listener = listener;
    this.#ownPython = ownPython;
    this.#picker = new KernelPicker({
      execute: (cells, notebook) => this.#execute(cells, notebook),
      interrupt: (notebook) => this.#sessions.get(notebook)?.interrupt(),
      guest: (notebook) =>
        this.#picks.get(notebook)?.guest ??
        this.#sessions.get(notebook)?.guest ??
        preferredGuest(notebook.uri),
      preferred: () => preferredGuest(undefined),
      ownPython: () => ownPython.known,
      picked: (notebook, guest) => void this.#picked(notebook, guest),
    });
    const reattach = (notebook: NotebookDocument) => {
      if (notebook.notebookType !== NOTEBOOK_TYPE) return;
      if (this.#survival.hasKernelFor(notebook)) void this.attach(notebook);
    };
    this.#subscriptions.push(
      workspace.onDidChangeConfiguration((change) => {
        if (!change.affectsConfiguration('sglang.kernel.python')) return;
        ownPython.remember();
        void this.#picker.refresh();
      }),
      workspace.onDidOpenNotebookDocument(reattach),
      ...onNotebookClosed(
        () => [...this.#sessions.keys()],
        (notebook) => void this.#close(notebook),
      ),
    );
    workspace.notebookDocuments.forEach(reattach);
  }

  /** Notebooks that have had a kernel, with its session. */
  get sessions(): ReadonlyMap<NotebookDocument, KernelSession> {
    return this.#sessions;
  }

  session(notebook: NotebookDocument): KernelSession | undefined {
    return this.#sessions.get(notebook);
  }

  /** What runs the notebook's cells, or would. */
  pythonOf(notebook: NotebookDocument): NotebookPython {
    const session = this.#sessions.get(notebook);
    const runs = session?.guest ?? null;
    if (session && runs !== null)
      return { guest: runs, executable: session.executable, version: session.python };
    const { python } = kernelSettings(notebook.uri);
    return { guest: preferredGuest(notebook.uri), executable: python, version: null };
  }

  /** The notebook's session with a kernel that answers questions; starts one if need be. */
  async startedSession(notebook: NotebookDocument): Promise<KernelSession> {
    await this.#models.prepare(notebook.uri);
    await this.ready(notebook);
    const session = this.#sessionFor(notebook);
    if (session.python === null) await session.execute(NO_CELL, '', NO_OUTPUT);
    return session;
  }

  /** Has the views of kernels and variables drawn afresh. */
  refreshViews(): void {
    this.#listener.sessions();
  }

  /** Ends a kernel that has no window, or another one. */
  async endSurvivor(record: KernelRecord): Promise<void> {
    await endKernel(this.#survival.folder, record);
    this.#listener.sessions();
  }

  /** The window ends; kernels that outlive it are left running. */
  async dispose(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.dispose();
    await Promise.all([...this.#sessions.values()].map((session) => session.leave()));
    this.#picker.dispose();
  }

  /**
   * Gives the notebook back the kernel that it had before the window was reloaded, with everything that
   * its cells have shown meanwhile; or the kernel of `wanted`, even if another window has it.
   */
  attach(notebook: NotebookDocument, wanted?: KernelRecord): Promise<boolean> {
    return this.#change(notebook, this.#attach(notebook, wanted));
  }

  /**
   * Has the notebook run on `python`, the value of the setting; ends the kernel of another one. A cell
   * that is run meanwhile runs in the next kernel, instead of being lost with the one before.
   */
  changePython(notebook: NotebookDocument, python: string): Promise<void> {
    return this.#change(notebook, this.#changeAfter(this.#changes.get(notebook), notebook, python));
  }

  async #changeAfter(
    before: Promise<void> | undefined,
    notebook: NotebookDocument,
    choice: string | Promise<string | undefined>,
  ): Promise<void> {
    await before;
    const python = await choice;
    if (python === undefined) return;
    const isNew = python !== (kernelSettings(notebook.uri).python ?? '');
    if (isNew) await setPython(notebook.uri, python);
    const session = this.#sessions.get(notebook);
    if (session && (isNew || session.guest !== preferredGuest(notebook.uri))) await session.stop();
    await this.#picker.show(notebook);
  }

  /** The kernel picker says what the setting shall be; asks when no Python of the user's is known. */
  async #picked(notebook: NotebookDocument, guest: Guest): Promise<void> {
    const pick = { guest };
    this.#picks.set(notebook, pick);
    const python = guest === 'wasm' ? '' : (this.#ownPython.known ?? choosePython(notebook.uri));
    const changed = async (): Promise<void> => {
      try {
        await this.#changeAfter(this.#changes.get(notebook), notebook, python);
      } finally {
        if (this.#picks.get(notebook) === pick) this.#picks.delete(notebook);
        // After a choice that came to nothing, the picker shows again what runs.
        await this.#picker.show(notebook);
      }
    };
    try {
      await this.#change(notebook, changed());
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.error(`the Python of ${notebook.uri.path} was not changed: ${reason}`);
      await window.showErrorMessage(l10n.t('The Python could not be changed: {0}', reason));
    }
  }

  /** A notebook is about to be opened. */
  opening(): void {
    this.#picker.opening();
  }

  /** Resolves when cells of the notebook run at once, on the kernel that the picker shows. */
  async ready(notebook: NotebookDocument): Promise<void> {
    for (let change = this.#changes.get(notebook); change; change = this.#changes.get(notebook)) {
      await change;
    }
    await this.#picker.show(notebook);
  }

  #change<Result>(notebook: NotebookDocument, change: Promise<Result>): Promise<Result> {
    const over = (): void => {
      if (this.#changes.get(notebook) === ended) this.#changes.delete(notebook);
    };
    // Cells run also after a change that failed.
    const ended = change.then(over, over);
    this.#changes.set(notebook, ended);
    return change;
  }

  async #attach(notebook: NotebookDocument, wanted: KernelRecord | undefined): Promise<boolean> {
    const session = this.#sessionFor(notebook);
    if (session.pid !== undefined) return false;
    await this.#models.prepare(notebook.uri);
    await this.#picker.whenSelected(notebook);
    const orders = this.#ordersOf(notebook);
    for (const cell of notebook.getCells()) {
      const order = cell.executionSummary?.executionOrder;
      if (order !== undefined) orders.set(cellReference(cell).label, order);
    }
    const sinkOf = (run: AttachedRun) => this.#sinkOf(notebook, run);
    const attached = await this.#survival.attach(notebook, session, sinkOf, wanted);
    if (attached) this.#log.info(`attached to kernel ${session.pid} of ${notebook.uri.path}`);
    return attached;
  }

  #sinkOf(notebook: NotebookDocument, run: AttachedRun): CellExecution | null {
    const cell = cellOfRun(notebook, run);
    if (cell && this.#picker.isSelected(notebook)) return this.#execution(cell);
    this.#log.warn(`the cell of a run that goes on, ${run.cell.label}, is no longer there`);
    return null;
  }

  #execution(cell: NotebookCell): CellExecution {
    const { notebook } = cell;
    const open = () =>
      openOutputFile((reason) => this.#log.error(`output of a cell was lost: ${reason}`));
    return new CellExecution(
      this.#picker.execution(cell),
      (traceback) => linkTraceback(traceback, this.#ordersOf(notebook)),
      new LongOutput(
        open,
        (path) =>
          `\n${l10n.t('[This cell prints more than can be shown. The rest is in {0}]', path)}\n`,
      ),
      (question, over) => this.#questions.ask(cell, question, over),
    );
  }

  async #execute(cells: readonly NotebookCell[], notebook: NotebookDocument): Promise<void> {
    await this.#models.prepare(notebook.uri);
    await this.ready(notebook);
    const session = this.#sessionFor(notebook);
    // All executions exist before the first starts, so that the workbench shows the queue.
    const queue = cells.map((cell) => ({ cell, execution: this.#execution(cell) }));
    await Promise.all(
      queue.map(({ cell, execution }) => {
        const debug = this.#debugged.get(cell);
        this.#debugged.delete(cell);
        return session.execute(cellReference(cell), cell.document.getText(), execution, debug);
      }),
    );
  }

  /** Runs a cell with a debugger, otherwise like any other; settles when it has ended. */
  async debug(cell: NotebookCell, debug: RunDebugger): Promise<void> {
    this.#debugged.set(cell, debug);
    try {
      await runCells(cell.notebook, [{ start: cell.index, end: cell.index + 1 }]);
    } finally {
      // Nobody took it: VS Code started nothing, and says nothing.
      if (this.#debugged.delete(cell))
        void window.showWarningMessage(
          l10n.t(
            'Cell {0} was not started: it runs already, or another kernel is selected.',
            cell.index + 1,
          ),
        );
    }
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
    const detached = this.#survival.options(notebook);
    return {
      entry: this.#kernelEntry,
      cwd: notebookFolder(
        notebook.uri,
        (workspace.workspaceFolders ?? []).map(({ uri }) => uri),
      ),
      endpoint: settings.endpoint,
      endpointOptions: this.#models.options(notebook.uri),
      model: settings.modelPath,
      guest:
        settings.python === null
          ? { kind: 'wasm' }
          : { kind: 'cpython', executable: settings.python },
      env: this.#models.environment(notebook.uri),
      interruptTimeout: settings.interruptTimeout,
      ...(detached === undefined ? {} : { detached }),
    };
  }

  #listenerFor(notebook: NotebookDocument): SessionListener {
    const log = this.#log;
    const uriOf = (id: string): string => cellUri(notebook, id);
    /** Kernels know cells by their ids, the rest of the extension by their documents. */
    const located = <T extends { readonly cellId: string | null }>(place: T): T => ({
      ...place,
      cellId: place.cellId === null ? null : uriOf(place.cellId),
    });
    return {
      status: (status, reason) => {
        const survivor = this.#sessions.get(notebook)?.survivor ?? null;
        if (survivor !== null) this.#survival.remember(notebook, survivor);
        this.#listener.status(notebook, status, reason);
        this.#listener.sessions();
        // A change of the setting waits in the notebook whose kernel runs on another Python.
        void this.#picker.show(notebook);
      },
      started: (cell: CellRef, executionOrder) => {
        this.#ordersOf(notebook).set(cell.label, executionOrder);
        this.#listener.started(notebook, uriOf(cell.id));
      },
      finished: (cell, outcome) => {
        const told =
          outcome.status === 'error' ? { ...outcome, error: located(outcome.error) } : outcome;
        this.#listener.finished(notebook, uriOf(cell.id), told);
      },
      gen: (record) => this.#listener.gen(notebook, located(record)),
      processes: () => this.#listener.sessions(),
      log: (level, message) => log[level](message),
      runtimeFailed: (info) => this.#listener.runtimeFailed(notebook, info),
      background: (output) => {
        if (output.kind === 'stream') log.info(output.text.trimEnd());
      },
      chooseModel: (name, signal) => this.#models.choose(name, notebook.uri, signal),
    };
  }
}

/** Of a kernel that starts now. */
function preferredGuest(notebook: Uri | undefined): Guest {
  return kernelSettings(notebook).python === null ? 'wasm' : 'cpython';
}
