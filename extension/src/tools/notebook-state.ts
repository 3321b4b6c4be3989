/** What the window knows of an open notebook, for the answers of tools. */
import {
  NotebookCellKind,
  window,
  workspace,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';
import { viewOutput } from '../../notebook-format/output-text.ts';
import type { NotebookInsight } from '../insight/notebook-insight.ts';
import type { KernelSession } from '../kernel-client/kernel-session.ts';
import { fromVsCodeOutput } from '../notebook/nbformat-outputs.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { scanPrograms, type ScannedProgram } from '../program-scan.ts';
import { LIMITS, shortened, variableReport } from './tool-report.ts';
import { chooseNotebook, ToolError, type OpenNotebook } from './tool-input.ts';

/** Cells and variables in one answer. */
const MOST_CELLS = 200;
const MOST_VARIABLES = 100;

interface Candidate extends OpenNotebook {
  readonly document: NotebookDocument;
}

function openNotebooks(): Candidate[] {
  const active = window.activeNotebookEditor?.notebook;
  return workspace.notebookDocuments
    .filter(({ notebookType, isClosed }) => notebookType === NOTEBOOK_TYPE && !isClosed)
    .map((document) => ({
      document,
      uri: document.uri.toString(),
      name: notebookName(document),
      path: document.uri.path,
      isActive: document === active,
    }));
}

export function notebookName({ uri }: NotebookDocument): string {
  return workspace.asRelativePath(uri);
}

export function findNotebook(wanted: string | null): NotebookDocument {
  return chooseNotebook(wanted, openNotebooks()).document;
}

/** @param number from 1 */
export function findCodeCell(notebook: NotebookDocument, number: number): NotebookCell {
  const cell = notebook.getCells()[number - 1];
  if (!cell) throw new ToolError(`The notebook has ${notebook.cellCount} cells.`);
  if (cell.kind === NotebookCellKind.Code) return cell;
  throw new ToolError(`Cell ${number} is not a code cell.`);
}

/** The program of that name that the notebook defines last, and its cell. */
export function findProgram(
  notebook: NotebookDocument,
  name: string,
): { readonly cell: NotebookCell; readonly program: ScannedProgram } {
  const all = programsOf(notebook);
  const found = all.findLast(({ program }) => program.name === name);
  if (found) return found;
  const names = all.map(({ program }) => program.name).join(', ') || 'none';
  throw new ToolError(`No cell defines the program "${name}". Programs: ${names}`);
}

function programsOf(notebook: NotebookDocument) {
  const cells = notebook.getCells().filter(({ kind }) => kind === NotebookCellKind.Code);
  const all = cells.map(({ document }) => document.getText()).join('\n');
  return cells.flatMap((cell) =>
    scanPrograms(cell.document.getText(), all).map((program) => ({ cell, program })),
  );
}

/** What a cell shows, as text. */
export function outputText(cell: NotebookCell): string {
  const texts = cell.outputs.map((output) => {
    const view = viewOutput(fromVsCodeOutput(output, null).json);
    return view.kind === 'image' ? `[image] ${view.alternative}` : view.text;
  });
  return shortened(texts.join('\n').trim(), LIMITS.output);
}

export function runOutcome({ executionSummary }: NotebookCell): 'ok' | 'failed' | 'interrupted' {
  if (executionSummary?.success === undefined) return 'interrupted';
  return executionSummary.success ? 'ok' : 'failed';
}

export async function notebookState(
  notebook: NotebookDocument,
  session: KernelSession | undefined,
  insight: NotebookInsight,
): Promise<object> {
  const records = insight.of(notebook);
  const generated = (records?.names() ?? []).map((name) => {
    const [last] = records?.values(name) ?? [];
    const value = typeof last?.value === 'string' ? last.value : JSON.stringify(last?.value ?? '');
    return [name, last?.error ?? shortened(value, LIMITS.value)];
  });
  const others = openNotebooks().filter(({ document }) => document !== notebook);
  return {
    notebook: notebookName(notebook),
    otherOpenNotebooks: others.map(({ name }) => name),
    kernel: {
      status: session?.status ?? 'stopped',
      ...(session?.python ? { python: session.python } : {}),
      runtimes: (session?.processes ?? [])
        .filter(({ kind }) => kind === 'runtime')
        .map(({ url, pid, failure }) => ({ url, pid, ...(failure ? { failure } : {}) })),
    },
    cells: notebook
      .getCells()
      .slice(0, MOST_CELLS)
      .map((cell) => cellState(cell, insight)),
    ...(notebook.cellCount > MOST_CELLS ? { cellsInAll: notebook.cellCount } : {}),
    programs: programsOf(notebook).map(({ cell, program }) => ({
      name: program.name,
      cell: cell.index + 1,
      parameters: program.parameters,
      variables: program.variables,
    })),
    generatedVariables: Object.fromEntries(generated),
    pythonVariables: await pythonVariables(session),
  };
}

function cellState(cell: NotebookCell, insight: NotebookInsight): object {
  const { executionOrder } = cell.executionSummary ?? {};
  const number = cell.index + 1;
  const text = shortened(cell.document.getText(), LIMITS.code);
  if (cell.kind !== NotebookCellKind.Code) return { cell: number, kind: 'text', text };
  const stale = insight.staleness(cell);
  return {
    cell: number,
    kind: 'code',
    text,
    ...(executionOrder === undefined
      ? {}
      : { executionOrder, ...(cell.executionSummary?.success === false ? { failed: true } : {}) }),
    ...(stale ? { stale: true } : {}),
  };
}

/** A kernel that computes does not answer; the model is told why. */
async function pythonVariables(session: KernelSession | undefined): Promise<unknown> {
  if (session?.pid === undefined) return 'No kernel is running.';
  try {
    return variableReport(await session.query({ kind: 'variables', limit: MOST_VARIABLES }));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
