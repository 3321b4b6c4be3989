/** Starts the language server as a child of the extension host and speaks LSP with it over stdio. */
import {
  commands,
  NotebookEditorRevealType,
  NotebookRange,
  window,
  workspace,
  type Disposable,
  type LogOutputChannel,
  type NotebookDocument,
} from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';
import type { GenRecord } from '../protocol/kernel-protocol.ts';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from './notebook/notebook-type.ts';

/**
 * The server reads text and never runs it, so it also serves untrusted folders. Cells are synced as
 * notebooks; Python files and Jupyter's cells only get what concerns SGLang, next to the user's own
 * Python extension.
 */
export function createLanguageClient(serverModule: string, log: LogOutputChannel): LanguageClient {
  const run = { module: serverModule, transport: TransportKind.stdio };
  return new LanguageClient(
    'sglang',
    'SGLang Language Server',
    { run, debug: run },
    {
      documentSelector: [
        { notebook: NOTEBOOK_TYPE, language: CELL_LANGUAGE },
        { scheme: 'file', language: 'python' },
        { notebook: 'jupyter-notebook', language: 'python' },
      ],
      outputChannel: log,
      // Hovers link to the cell whose output shows a value; no other command can run from them.
      markdown: { isTrusted: { enabledCommands: [REVEAL_CELL] } },
    },
  );
}

/** Not in the manifest: only links of hovers run it. */
const REVEAL_CELL = 'sglang.revealCell';

/** Shows the cell with this uri, and its output, in its notebook. */
export function registerRevealCell(): Disposable {
  return commands.registerCommand(REVEAL_CELL, async (uri: unknown) => {
    const cells = workspace.notebookDocuments.flatMap((notebook) => notebook.getCells());
    const cell = cells.find(({ document }) => document.uri.toString() === uri);
    if (cell === undefined) return;
    const range = new NotebookRange(cell.index, cell.index + 1);
    // The cell with the hover is being edited, and would take the focus back.
    await commands.executeCommand('notebook.cell.quitEdit');
    const editor = await window.showNotebookDocument(cell.notebook, { selections: [range] });
    editor.revealRange(range, NotebookEditorRevealType.InCenterIfOutsideViewport);
  });
}

function outputLink(cell: string): string {
  return `command:${REVEAL_CELL}?${encodeURIComponent(JSON.stringify([cell]))}`;
}

/** The server's hovers show what a variable's last generations were. */
export function sendGeneratedValue(
  client: LanguageClient,
  notebook: NotebookDocument,
  record: GenRecord,
  /** Uri of the cell that runs the program. */
  cell: string | undefined,
): void {
  if (record.name === null || record.value === null || !client.isRunning()) return;
  const value = {
    program: record.program,
    name: record.name,
    value: record.value,
    probability: record.probability,
    tokens: record.completionTokens,
    milliseconds: record.milliseconds,
    output: cell === undefined ? null : outputLink(cell),
  };
  void client.sendNotification('sglang/generatedValues', {
    notebook: notebook.uri.toString(),
    values: [value],
  });
}
