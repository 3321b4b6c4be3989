/** The table of commands: id → function. */
import {
  commands,
  l10n,
  type Uri,
  window,
  workspace,
  type Disposable,
  type LogOutputChannel,
  type Memento,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';
import type { KernelRecord } from '../../protocol/attach-protocol.ts';
import type { KernelSession } from '../kernel-client/kernel-session.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import type { WorkspaceModels } from '../models/workspace-models.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import type { ScannedProgram } from '../program-scan.ts';
import type { DiagnosticsPage } from '../views/diagnostics-page.ts';
import { notebookOf, type SessionNode } from '../views/sessions-view.ts';
import type { ApiKeys } from '../api-keys.ts';
import { COMMANDS } from './command-ids.ts';
import { newNotebook, openTour } from './notebook-commands.ts';
import { runCells } from '../notebook/run-cells.ts';
import { choosePython, setPython } from '../notebook/select-python.ts';
import type { PromptPreview } from './preview-prompt.ts';
import type { ProgramHomes } from './program-homes.ts';
import { debugCell } from '../debug/debug-cells.ts';
import { replaceDiskFile } from './replace-disk-file.ts';
import { reportIssue } from './report-issue.ts';
import { runBatch, runProgram } from './run-program.ts';

export interface CommandContext {
  /** Undefined until the workspace is trusted. */
  readonly controller: () => SglangNotebookController | undefined;
  readonly log: LogOutputChannel;
  readonly page: DiagnosticsPage;
  readonly memory: Memento;
  readonly homes: ProgramHomes;
  readonly preview: PromptPreview;
  readonly models: Pick<WorkspaceModels, 'chooseModel' | 'connectToServer' | 'runStarterIn'>;
  readonly apiKeys: ApiKeys;
  readonly tour: Uri;
}

type Action = (...args: never[]) => unknown;

export function registerCommands(context: CommandContext): Disposable[] {
  /** Runs on the notebook of the clicked row of the sessions view, else on the active one. */
  const onNotebook = (action: (notebook: NotebookDocument) => unknown) => (node?: unknown) => {
    const notebook = clickedNotebook(node) ?? window.activeNotebookEditor?.notebook;
    return notebook?.notebookType === NOTEBOOK_TYPE ? action(notebook) : undefined;
  };
  const onSession = (action: (session: KernelSession, notebook: NotebookDocument) => unknown) =>
    onNotebook((notebook) => {
      const session = context.controller()?.session(notebook);
      return session && action(session, notebook);
    });
  /** On a row of the sessions view that is no kernel of this window, or as usual. */
  const onSurvivorOr =
    (
      action: (record: KernelRecord, controller: SglangNotebookController) => unknown,
      otherwise: (node?: unknown) => unknown,
    ) =>
    (node?: unknown) => {
      const record = clickedSurvivor(node);
      const controller = context.controller();
      return record && controller ? action(record, controller) : otherwise(node);
    };
  /** On the clicked runtime or program, else on the newest runtime of the active notebook. */
  const onProgram = (action: 'restart' | 'kill') => (node?: unknown) => {
    const row = clickedRow(node);
    if (row?.kind === 'process') return row.session.control(row.info.id, action);
    const notebook = window.activeNotebookEditor?.notebook;
    const session = notebook && context.controller()?.session(notebook);
    const runtime = session?.processes.findLast(({ kind }) => kind === 'runtime');
    if (session && runtime) return session.control(runtime.id, action);
    return window.showInformationMessage(l10n.t('This notebook has not started a runtime.'));
  };
  const table: Readonly<Record<keyof typeof COMMANDS, Action>> = {
    newNotebook,
    openTour: async () => context.models.runStarterIn(await openTour(context.tour)),
    interruptKernel: onSession((session) => session.interrupt()),
    restartKernel: onSession((session) => session.restart()),
    restartAndRunAll: onNotebook(async (notebook) => {
      await context.controller()?.session(notebook)?.restart();
      await commands.executeCommand('notebook.execute', notebook.uri);
    }),
    restartAndRunToHere: async (clicked?: unknown) => {
      const cell = cellOf(clicked);
      if (!cell || cell.notebook.notebookType !== NOTEBOOK_TYPE) return;
      await context.controller()?.session(cell.notebook)?.restart();
      await runCells(cell.notebook, [{ start: 0, end: cell.index + 1 }]);
    },
    debugCell: (clicked?: unknown) => {
      const cell = cellOf(clicked);
      const isOurs = cell?.notebook.notebookType === NOTEBOOK_TYPE;
      return isOurs && context.controller() ? debugCell(cell) : undefined;
    },
    selectPython: async () => {
      const notebook = window.activeNotebookEditor?.notebook;
      const python = await choosePython(notebook?.uri);
      if (python === undefined) return;
      const controller = context.controller();
      await (controller && notebook?.notebookType === NOTEBOOK_TYPE
        ? controller.changePython(notebook, python)
        : setPython(notebook?.uri, python));
    },
    shutDownKernel: onSurvivorOr(
      (record, controller) => controller.endSurvivor(record),
      onSession((session) => session.stop()),
    ),
    forceKillKernel: onSurvivorOr(
      (record) => process.kill(record.pid, 'SIGKILL'),
      onSession((session) => session.kill()),
    ),
    restartRuntime: onProgram('restart'),
    forceKillRuntime: onProgram('kill'),
    attachKernel: onSurvivorOr(
      (record, controller) => attachKernel(record, controller),
      () => undefined,
    ),
    runProgram: (source: Uri, program: ScannedProgram) => runProgram(context, source, program),
    runBatch: (source: Uri, program: ScannedProgram) => runBatch(context, source, program),
    previewPrompt: (source: Uri, program: ScannedProgram) => context.preview.show(source, program),
    refreshVariables: () => context.controller()?.refreshViews(),
    exportNotebook: onNotebook(async (notebook) => {
      const { exportNotebook } = await convertCommands();
      return exportNotebook(notebook, replaceDiskFile);
    }),
    importNotebook: async () => (await convertCommands()).importNotebook(replaceDiskFile),
    importFile: async (clicked?: Uri, selected?: readonly Uri[]) =>
      (await convertCommands()).importFiles(replaceDiskFile, clicked, selected),
    chooseModel: () => context.models.chooseModel(),
    connectToServer: () => context.models.connectToServer(),
    setApiKey: () => context.apiKeys.set(),
    deleteApiKey: () => context.apiKeys.delete(),
    showLog: () => context.log.show(),
    showDiagnostics: () => context.page.show(),
    reportIssue: () => reportIssue(context.page.report()),
  };
  return Object.entries(table).map(([name, action]) => {
    // SAFETY: the table's keys are COMMANDS' keys.
    return commands.registerCommand(COMMANDS[name as keyof typeof COMMANDS], action);
  });
}

/** A bundle of its own: activation does not read the other formats. */
function convertCommands() {
  return import('./convert-commands.ts');
}

/** The cell of a clicked menu, else the selected one. */
function cellOf(clicked: unknown): NotebookCell | undefined {
  const editor = window.activeNotebookEditor;
  const notebook = editor?.notebook;
  if (notebook === undefined) return undefined;
  const cells = notebook.getCells();
  return cells.find((cell) => cell === clicked) ?? cells[editor?.selection.start ?? -1];
}

function clickedNotebook(node: unknown): NotebookDocument | undefined {
  const row = clickedRow(node);
  return row?.kind === 'kernel' ? row.notebook : undefined;
}

function clickedSurvivor(node: unknown): KernelRecord | undefined {
  const row = clickedRow(node);
  return row?.kind === 'survivor' ? row.record : undefined;
}

function clickedRow(node: unknown): SessionNode | undefined {
  if (typeof node !== 'object' || node === null || !('kind' in node)) return undefined;
  // SAFETY: rows of the sessions view are the only arguments with a `kind`.
  return node as SessionNode;
}

/** Opens the notebook of a kernel without this window, and takes the kernel over. */
async function attachKernel(
  record: KernelRecord,
  controller: SglangNotebookController,
): Promise<void> {
  const notebook = await workspace.openNotebookDocument(notebookOf(record));
  await window.showNotebookDocument(notebook);
  if (await controller.attach(notebook, record)) return;
  await window.showErrorMessage(
    l10n.t('Process {0} could not be attached to; the log says why.', record.pid),
  );
}
