/** Gives every new cell its id when it appears, so that saving twice names it alike. */
import {
  NotebookEdit,
  workspace,
  WorkspaceEdit,
  type Disposable,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';
import { createCellId } from '../../notebook-format/cell-ids.ts';
import type { AttachedRun } from '../../protocol/attach-protocol.ts';
import type { CellRef } from '../../protocol/kernel-protocol.ts';
import type { SglnbCellMetadata } from './file-data.ts';
import { NOTEBOOK_TYPE } from './notebook-type.ts';

export function keepCellIds(): Disposable {
  return workspace.onDidChangeNotebookDocument(async ({ notebook, contentChanges }) => {
    if (notebook.notebookType !== NOTEBOOK_TYPE || notebook.metadata['broken']) return;
    const added = contentChanges.flatMap((change) => change.addedCells);
    if (added.length === 0) return;
    const others = notebook.getCells().filter((cell) => !added.includes(cell));
    const taken = new Set(others.map(cellId));
    const edits = added.flatMap((cell) => {
      const id = cellId(cell);
      if (id !== undefined && !taken.has(id)) {
        taken.add(id);
        return [];
      }
      const fresh = createCellId(taken);
      taken.add(fresh);
      const known: SglnbCellMetadata = cell.metadata;
      const sglnb = {
        metadata: {},
        executionCount: null,
        attachments: null,
        ipynb: null,
        ...known.sglnb,
        id: fresh,
      };
      return [NotebookEdit.updateCellMetadata(cell.index, { ...cell.metadata, sglnb })];
    });
    if (edits.length === 0) return;
    const edit = new WorkspaceEdit();
    edit.set(notebook.uri, edits);
    await workspace.applyEdit(edit);
  });
}

/** How a kernel knows a cell: by a name that outlives this window, where the cell has one. */
export function cellReference(cell: NotebookCell): CellRef {
  return {
    id: cellId(cell) ?? cell.document.uri.toString(),
    label: `cell ${cell.index + 1}`,
  };
}

/** URI of the text document of the cell that a kernel calls `id`; `id` itself when there is none. */
export function cellUri(notebook: NotebookDocument, id: string): string {
  const cell = notebook.getCells().find((each) => cellId(each) === id);
  return cell?.document.uri.toString() ?? id;
}

/** The cell of a run that started in another window: by its name, else by its place and text. */
export function cellOfRun(
  notebook: NotebookDocument,
  { cell: { id, label }, code }: AttachedRun,
): NotebookCell | undefined {
  const cells = notebook.getCells();
  return (
    cells.find((cell) => cellId(cell) === id) ??
    cells.find((cell) => cellReference(cell).label === label && cell.document.getText() === code)
  );
}

/** The cell's id in the file; `undefined` for a cell that was just made. */
export function cellId(cell: NotebookCell): string | undefined {
  const metadata: SglnbCellMetadata = cell.metadata;
  return metadata.sglnb?.id;
}
