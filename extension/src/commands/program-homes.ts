/**
 * Where a program's runs go: below its cell, or, for a Python file, into a scratch notebook beside the
 * file, whose first cell loads it. One scratch notebook a file, as long as it is open.
 */
import {
  l10n,
  NotebookCellData,
  NotebookCellKind,
  NotebookData,
  type Uri,
  ViewColumn,
  window,
  workspace,
  type NotebookCell,
  type NotebookDocument,
  type TextDocument,
} from 'vscode';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { kernelSettings } from '../settings.ts';
import { loadingCode } from './loading-code.ts';

export interface ProgramHome {
  readonly notebook: NotebookDocument;
  /** The cell that defines the program, or loads the file that does. */
  readonly cell: NotebookCell;
  /** Whether that cell must run before the program can. */
  readonly isStale: boolean;
  /** New cells go below this one. */
  readonly last: NotebookCell;
  /** The text that defines the program, as it is now, after those of the cells above. */
  readonly texts: () => readonly string[];
  /** Call when the cell has been asked to run. */
  readonly loaded: () => void;
}

interface Scratch {
  readonly notebook: NotebookDocument;
  /** Version of the file that the first cell loaded last. */
  loaded: number | null;
}

export class ProgramHomes {
  readonly #scratches = new Map<string, Scratch>();

  /** Nothing when the text is no longer open; says so. */
  async find(uri: Uri): Promise<ProgramHome | undefined> {
    const cell = workspace.notebookDocuments
      .flatMap((notebook) => notebook.getCells())
      .find((each) => each.document.uri.toString() === uri.toString());
    if (cell) return cellHome(cell);
    const file = workspace.textDocuments.find((open) => open.uri.toString() === uri.toString());
    if (file) return this.#fileHome(file);
    await window.showErrorMessage(l10n.t('The text of this program is no longer open.'));
    return undefined;
  }

  async #fileHome(file: TextDocument): Promise<ProgramHome | undefined> {
    if (file.isDirty) await file.save();
    const key = file.uri.toString();
    const known = this.#scratches.get(key);
    const scratch =
      known && !known.notebook.isClosed
        ? known
        : { notebook: await openScratch(file), loaded: null };
    this.#scratches.set(key, scratch);
    const cells = scratch.notebook.getCells();
    const [cell] = cells;
    const last = cells.at(-1);
    if (!cell || !last) return undefined;
    return {
      notebook: scratch.notebook,
      cell,
      isStale: scratch.loaded !== file.version,
      last,
      texts: () => [file.getText()],
      loaded: () => {
        scratch.loaded = file.version;
      },
    };
  }
}

function cellHome(cell: NotebookCell): ProgramHome {
  return {
    notebook: cell.notebook,
    cell,
    isStale: cell.executionSummary?.executionOrder === undefined,
    last: cell,
    texts: () =>
      cell.notebook
        .getCells()
        .slice(0, cell.index + 1)
        .filter(({ kind }) => kind === NotebookCellKind.Code)
        .map(({ document }) => document.getText()),
    loaded: () => {},
  };
}

async function openScratch(file: TextDocument): Promise<NotebookDocument> {
  const code = loadingCode(file.uri.fsPath, kernelSettings(file.uri).endpoint !== null);
  const cell = new NotebookCellData(NotebookCellKind.Code, code, CELL_LANGUAGE);
  const notebook = await workspace.openNotebookDocument(NOTEBOOK_TYPE, new NotebookData([cell]));
  // At once: the workbench would soon open an unsaved notebook by itself, in front of the file.
  await window.showNotebookDocument(notebook, {
    viewColumn: ViewColumn.Beside,
    preserveFocus: true,
  });
  return notebook;
}
