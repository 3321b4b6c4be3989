import { commands, type NotebookDocument } from 'vscode';

/** Code cells by index; `end` is behind the last one. */
export interface CellRange {
  readonly start: number;
  readonly end: number;
}

/** Runs cells as the workbench's own buttons do. */
export async function runCells(
  { uri }: NotebookDocument,
  ranges: readonly CellRange[],
): Promise<void> {
  await commands.executeCommand('notebook.cell.execute', { ranges, document: uri });
}
