/** "Debug Cell": starts debug sessions for cells. */
import {
  debug,
  DebugAdapterInlineImplementation,
  Disposable,
  l10n,
  NotebookCellKind,
  window,
  workspace,
  type DebugConfiguration,
  type NotebookCell,
} from 'vscode';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';

export const DEBUG_TYPE = 'sglang';

/** Names the URI of the cell's document in a debug configuration. */
const CELL = 'cell';

export async function debugCell(cell: NotebookCell): Promise<void> {
  if (cell.kind !== NotebookCellKind.Code) return;
  const folder = workspace.getWorkspaceFolder(cell.notebook.uri);
  // The file of the notebook need not be saved to run a cell, so neither to debug one.
  await debug.startDebugging(folder, configurationOf(cell), { suppressSaveBeforeStart: true });
}

export function registerDebugging(controller: SglangNotebookController): Disposable {
  return Disposable.from(
    debug.registerDebugConfigurationProvider(DEBUG_TYPE, {
      /** Also for "Start Debugging" and `launch.json`, which name no cell. */
      resolveDebugConfiguration: async (_folder, configuration) => {
        const cell = cellOf(configuration) ?? activeCell();
        if (!cell) return refuse(l10n.t('Select a code cell of an SGLang notebook to debug it.'));
        const reason = (await sessions()).obstacle(cell.notebook);
        if (reason !== null) return refuse(reason);
        return cellOf(configuration) ? configuration : configurationOf(cell);
      },
    }),
    debug.registerDebugAdapterDescriptorFactory(DEBUG_TYPE, {
      createDebugAdapterDescriptor: async (session) => {
        const cell = cellOf(session.configuration);
        if (!cell) throw new Error(l10n.t('The cell to debug is gone.'));
        const { adapterFor } = await sessions();
        return new DebugAdapterInlineImplementation(adapterFor(cell, session.name, controller));
      },
    }),
  );
}

/** VS Code would tell what goes wrong later in a dialog that offers to edit launch.json. */
function refuse(reason: string): undefined {
  void window.showErrorMessage(reason);
}

/** Activation does not read it. */
const sessions = () => import('./debug-session.ts');

function configurationOf(cell: NotebookCell): DebugConfiguration {
  return {
    type: DEBUG_TYPE,
    request: 'launch',
    name: l10n.t('Cell {0}', cell.index + 1),
    internalConsoleOptions: 'neverOpen',
    [CELL]: cell.document.uri.toString(),
  };
}

function cellOf(configuration: DebugConfiguration): NotebookCell | undefined {
  const uri: unknown = configuration[CELL];
  return workspace.notebookDocuments
    .filter(({ notebookType }) => notebookType === NOTEBOOK_TYPE)
    .flatMap((notebook) => notebook.getCells())
    .find(({ document }) => document.uri.toString() === uri);
}

function activeCell(): NotebookCell | undefined {
  const editor = window.activeNotebookEditor;
  if (editor?.notebook.notebookType !== NOTEBOOK_TYPE) return undefined;
  const cell = editor.notebook.getCells()[editor.selection.start];
  return cell?.kind === NotebookCellKind.Code ? cell : undefined;
}
