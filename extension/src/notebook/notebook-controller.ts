/** The one kernel entry of the picker: runs cells of `.sglnb` notebooks, one session a notebook. */
import {
  notebooks,
  NotebookControllerAffinity,
  Uri,
  window,
  workspace,
  type Disposable,
  type LogOutputChannel,
  type NotebookCell,
  type NotebookController,
  type NotebookDocument,
} from 'vscode';
import { dirname } from 'node:path';
import { homedir } from 'node:os';
import type { GenRecord, KernelStatus } from '../../protocol/kernel-protocol.ts';
import { KernelSession } from '../kernel-client/kernel-session.ts';
import { kernelSettings } from '../settings.ts';
import { CellExecution } from './cell-execution.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook-type.ts';

export interface ControllerListener {
  status(notebook: NotebookDocument, status: KernelStatus, reason: string | null): void;
  gen(notebook: NotebookDocument, record: GenRecord): void;
}

export class SglangNotebookController implements Disposable {
  readonly #controller: NotebookController;
  readonly #sessions = new Map<NotebookDocument, KernelSession>();
  readonly #subscriptions: Disposable[] = [];
  readonly #kernelEntry: string;
  readonly #log: LogOutputChannel;
  readonly #listener: ControllerListener;

  constructor(kernelEntry: string, log: LogOutputChannel, listener: ControllerListener) {
    this.#kernelEntry = kernelEntry;
    this.#log = log;
    this.#listener = listener;
    this.#controller = notebooks.createNotebookController('sglang-bundled', NOTEBOOK_TYPE, 'SGLang');
    this.#controller.description = 'bundled Python and runtime';
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
      workspace.onDidCloseNotebookDocument((notebook) => void this.#close(notebook)),
    );
  }

  session(notebook: NotebookDocument): KernelSession | undefined {
    return this.#sessions.get(notebook);
  }

  async dispose(): Promise<void> {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#controller.dispose();
    await Promise.all([...this.#sessions.values()].map((session) => session.stop()));
  }

  async #execute(cells: readonly NotebookCell[], notebook: NotebookDocument): Promise<void> {
    const session = this.#sessionFor(notebook);
    // All executions exist before the first starts, so that the workbench shows the queue.
    const queue = cells.map((cell) => ({
      cell,
      execution: new CellExecution(this.#controller.createNotebookCellExecution(cell)),
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
  }

  #sessionFor(notebook: NotebookDocument): KernelSession {
    const known = this.#sessions.get(notebook);
    if (known) return known;
    const settings = kernelSettings(notebook.uri);
    const session = new KernelSession(
      {
        entry: this.#kernelEntry,
        cwd: notebookFolder(notebook),
        endpoint: settings.endpoint,
        model: settings.modelPath,
        interruptTimeout: settings.interruptTimeout,
      },
      {
        status: (status, reason) => this.#listener.status(notebook, status, reason),
        gen: (record) => this.#listener.gen(notebook, record),
        log: (level, message) => this.#log[level](message),
        background: (output) => {
          if (output.kind === 'stream') this.#log.info(output.text.trimEnd());
        },
        input: async (prompt, password) =>
          (await window.showInputBox({ prompt, password, ignoreFocusOut: true })) ?? null,
      },
    );
    this.#sessions.set(notebook, session);
    return session;
  }
}

/** Where a notebook's relative paths start: its folder, else the workspace, else home. */
function notebookFolder(notebook: NotebookDocument): string {
  if (notebook.uri.scheme === 'file') return dirname(notebook.uri.fsPath);
  const folder = workspace.workspaceFolders?.[0]?.uri ?? Uri.file(homedir());
  return folder.fsPath;
}
