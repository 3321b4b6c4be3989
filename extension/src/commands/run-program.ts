/** ▷ Run and ▷ Run batch: a program's call in a new cell where its runs go. */
import {
  l10n,
  NotebookCellData,
  NotebookCellKind,
  NotebookEdit,
  NotebookRange,
  Uri,
  ViewColumn,
  window,
  workspace,
  WorkspaceEdit,
  type Memento,
  type NotebookCell,
} from 'vscode';
import { basename, dirname, relative } from 'node:path';
import { CELL_LANGUAGE } from '../notebook/notebook-type.ts';
import { runCells } from '../notebook/run-cells.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import type { ScannedProgram } from '../program-scan.ts';
import { batchCode } from './batch-code.ts';
import { readColumns, type RowsProblem } from './batch-rows.ts';
import { askArguments } from './program-arguments.ts';
import type { ProgramHome, ProgramHomes } from './program-homes.ts';

export interface RunContext {
  readonly memory: Memento;
  readonly homes: ProgramHomes;
  /** Undefined until the workspace is trusted. */
  readonly controller: () => SglangNotebookController | undefined;
}

/** Asks for the arguments, then runs the program. `source` is a cell's or a Python file's. */
export async function runProgram(
  { memory, homes, controller }: RunContext,
  source: Uri,
  program: ScannedProgram,
): Promise<void> {
  const home = await homes.find(source);
  if (!home) return;
  const literals = await askArguments(memory, program);
  if (!literals) return;
  const values = Object.entries(literals).map(([name, value]) => `${name}=${value}`);
  const code = `state = ${program.name}.run(${values.join(', ')})\nstate`;
  await runBelow(home, code, controller());
}

/** Runs the program over the rows of a CSV, JSON or JSONL file. */
export async function runBatch(
  { homes, controller }: RunContext,
  source: Uri,
  program: ScannedProgram,
): Promise<void> {
  const home = await homes.find(source);
  if (!home) return;
  const folder = rowsFolder(home, source);
  const [file] =
    (await window.showOpenDialog({
      title: l10n.t('Rows for {0}', program.name),
      defaultUri: Uri.file(folder),
      filters: { [l10n.t('Rows')]: ['csv', 'jsonl', 'ndjson', 'json'] },
    })) ?? [];
  if (!file) return;
  const path = home.notebook.isUntitled
    ? file.fsPath
    : relative(folder, file.fsPath).replaceAll('\\', '/');
  const text = new TextDecoder().decode(await workspace.fs.readFile(file));
  const found = readColumns(program, path, text);
  if ('problem' in found) {
    await window.showErrorMessage(problemText(found.problem, basename(file.fsPath), program.name));
    return;
  }
  const code = batchCode(program, path, found.columns);
  if (code === null) {
    await window.showErrorMessage(l10n.t('{0} is no CSV, JSON or JSONL file.', file.fsPath));
    return;
  }
  await runBelow(home, code, controller());
}

function problemText(problem: RowsProblem, file: string, program: string): string {
  switch (problem.kind) {
    case 'empty':
      return l10n.t('{0} has no rows.', file);
    case 'not-json':
      return problem.line === undefined
        ? l10n.t('{0} is not JSON: {1}', file, problem.reason)
        : l10n.t('Line {1} of {0} is not JSON: {2}', file, problem.line, problem.reason);
    case 'not-objects':
      return problem.line === undefined
        ? l10n.t('{0} must hold a list of objects, one for each run.', file)
        : l10n.t(
            'Line {1} of {0} must be an object with the arguments of a run.',
            file,
            problem.line,
          );
    case 'missing-column':
      return l10n.t(
        '{0} has no column for {1}, which {2} needs. Its columns: {3}.',
        file,
        problem.names.join(', '),
        program,
        problem.columns.join(', '),
      );
    default:
      return problem satisfies never;
  }
}

/** Beside the notebook, or beside the Python file of an untitled one. */
function rowsFolder({ notebook }: ProgramHome, source: Uri): string {
  return dirname(notebook.isUntitled ? source.fsPath : notebook.uri.fsPath);
}

/**
 * Runs `code` in a new cell, after the cell that it needs if that has not run as it is now. Resolves with
 * the new cell when its run has ended.
 */
export async function runBelow(
  home: ProgramHome,
  code: string,
  controller: Pick<SglangNotebookController, 'ready'> | undefined,
): Promise<NotebookCell> {
  const { notebook, cell, last } = home;
  if (notebook.isUntitled && !isShown(home)) {
    await window.showNotebookDocument(notebook, {
      viewColumn: ViewColumn.Beside,
      preserveFocus: true,
    });
  }
  await controller?.ready(notebook);
  const below = last.index + 1;
  await insertCell(last, code);
  const needed = home.isStale ? [{ start: cell.index, end: cell.index + 1 }] : [];
  home.loaded();
  const added = notebook.cellAt(below);
  await runCells(notebook, [...needed, { start: below, end: below + 1 }]);
  return added;
}

function isShown({ notebook }: ProgramHome): boolean {
  return window.visibleNotebookEditors.some((editor) => editor.notebook === notebook);
}

async function insertCell(after: NotebookCell, code: string): Promise<void> {
  const data = new NotebookCellData(NotebookCellKind.Code, code, CELL_LANGUAGE);
  const edit = new WorkspaceEdit();
  edit.set(after.notebook.uri, [NotebookEdit.insertCells(after.index + 1, [data])]);
  await workspace.applyEdit(edit);
  const editor = window.visibleNotebookEditors.find((shown) => shown.notebook === after.notebook);
  editor?.revealRange(new NotebookRange(after.index + 1, after.index + 2));
}
