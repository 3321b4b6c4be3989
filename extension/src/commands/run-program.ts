/** ▷ Run: asks for the arguments, then runs the program in a new cell below its definition. */
import {
  commands,
  NotebookCellData,
  NotebookCellKind,
  NotebookEdit,
  NotebookRange,
  l10n,
  Uri,
  window,
  workspace,
  WorkspaceEdit,
  type Memento,
  type NotebookCell,
} from 'vscode';
import { dirname, relative } from 'node:path';
import { batchCode } from './batch-code.ts';
import { CELL_LANGUAGE } from '../notebook/notebook-type.ts';
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';

export async function runProgram(
  memory: Memento,
  cellUri: Uri,
  program: ScannedProgram,
): Promise<void> {
  const cell = findCell(cellUri);
  if (!cell) {
    await window.showErrorMessage(l10n.t('The cell of this program is no longer open.'));
    return;
  }
  const values = await askArguments(memory, program);
  if (!values) return;
  const code = `state = ${program.name}.run(${values.join(', ')})\nstate`;
  await runBelow(cell, code);
}

/** Runs `code` in a new cell below `cell`, which runs first if it has not. */
async function runBelow(cell: NotebookCell, code: string): Promise<void> {
  await appendCell(cell, code);
  const first = cell.executionSummary?.executionOrder === undefined ? cell.index : cell.index + 1;
  await commands.executeCommand('notebook.cell.execute', {
    ranges: [{ start: first, end: cell.index + 2 }],
    document: cell.notebook.uri,
  });
}

/** Runs the program over the rows of a CSV, JSON or JSONL file, in a new cell below its definition. */
export async function runBatch(cellUri: Uri, program: ScannedProgram): Promise<void> {
  const cell = findCell(cellUri);
  if (!cell) return;
  const [file] =
    (await window.showOpenDialog({
      title: l10n.t('Rows for {0}', program.name),
      defaultUri: Uri.joinPath(cell.notebook.uri, '..'),
      filters: { [l10n.t('Rows')]: ['csv', 'jsonl', 'ndjson', 'json'] },
    })) ?? [];
  if (!file) return;
  const path = relative(dirname(cell.notebook.uri.fsPath), file.fsPath).replaceAll('\\', '/');
  const code = batchCode(program, path);
  if (code === null) {
    await window.showErrorMessage(l10n.t('{0} is no CSV, JSON or JSONL file.', file.fsPath));
    return;
  }
  await runBelow(cell, code);
}

function findCell(uri: Uri): NotebookCell | undefined {
  return workspace.notebookDocuments
    .flatMap((notebook) => notebook.getCells())
    .find((cell) => cell.document.uri.toString() === uri.toString());
}

/** `name=value` texts, or nothing when the user cancels. */
async function askArguments(
  memory: Memento,
  program: ScannedProgram,
): Promise<string[] | undefined> {
  const key = `arguments.${program.name}`;
  const remembered = memory.get<Record<string, string>>(key, {});
  const typed: Record<string, string> = {};
  for (const [index, parameter] of program.parameters.entries()) {
    const value = await window.showInputBox({
      title: l10n.t(
        '{0} (argument {1} of {2})',
        program.name,
        index + 1,
        program.parameters.length,
      ),
      prompt: describe(parameter),
      value: remembered[parameter.name] ?? parameter.defaultValue ?? '',
      ignoreFocusOut: true,
    });
    if (value === undefined) return undefined;
    typed[parameter.name] = value;
  }
  await memory.update(key, typed);
  return program.parameters.map(
    (parameter) => `${parameter.name}=${pythonValue(typed[parameter.name] ?? '', parameter)}`,
  );
}

function describe(parameter: ScannedParameter): string {
  const type = parameter.annotation ? `: ${parameter.annotation}` : '';
  return l10n.t('{0}: text, or a Python value such as 5, [1, 2] or "text"', parameter.name + type);
}

/** What was typed as Python: numbers, lists, quoted text and the like stay, all else is text. */
export function pythonValue(typed: string, parameter: ScannedParameter): string {
  const text = typed.trim();
  const isText = parameter.annotation !== null && /^str\b/.test(parameter.annotation);
  const literal = /^(-?\d+(\.\d+)?|True|False|None|\[.*\]|\{.*\}|\(.*\)|"[^"]*"|'[^']*')$/s;
  if (text !== '' && literal.test(text) && !(isText && /^-?\d/.test(text))) return text;
  return JSON.stringify(typed);
}

async function appendCell(after: NotebookCell, code: string): Promise<void> {
  const data = new NotebookCellData(NotebookCellKind.Code, code, CELL_LANGUAGE);
  const edit = new WorkspaceEdit();
  edit.set(after.notebook.uri, [NotebookEdit.insertCells(after.index + 1, [data])]);
  await workspace.applyEdit(edit);
  const editor = window.visibleNotebookEditors.find((shown) => shown.notebook === after.notebook);
  editor?.revealRange(new NotebookRange(after.index + 1, after.index + 2));
}
