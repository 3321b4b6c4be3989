/**
 * The language server's problems of notebooks that have a tab. VS Code keeps a closed notebook's document
 * for minutes, and would list its problems as long.
 */
import {
  window,
  workspace,
  type Diagnostic,
  type Disposable,
  type NotebookDocument,
  type Uri,
} from 'vscode';
import type { HandleDiagnosticsSignature } from 'vscode-languageclient';
import type { CellIndex } from './cell-index.ts';
import { shownNotebooks } from './notebook/closed-notebooks.ts';

interface Reported {
  readonly cell: Uri;
  readonly diagnostics: Diagnostic[];
  readonly show: HandleDiagnosticsSignature;
}

export class NotebookProblems implements Disposable {
  readonly #cells: CellIndex<NotebookDocument>;
  /** By the cell's address; cells without problems have none. */
  readonly #reported = new Map<string, Reported>();
  readonly #subscription: Disposable;

  constructor(cells: CellIndex<NotebookDocument>) {
    this.#cells = cells;
    this.#subscription = window.tabGroups.onDidChangeTabs(({ opened, closed }) => {
      if (opened.length > 0 || closed.length > 0) this.#draw();
    });
  }

  /** For the client's middleware. */
  handle(cell: Uri, diagnostics: Diagnostic[], show: HandleDiagnosticsSignature): void {
    const [notebook] = this.#cells.find(workspace.notebookDocuments, { uri: cell });
    if (diagnostics.length === 0 || notebook === undefined) {
      this.#reported.delete(cell.toString());
      show(cell, diagnostics);
      return;
    }
    this.#reported.set(cell.toString(), { cell, diagnostics, show });
    show(cell, shownNotebooks().has(notebook.uri.toString()) ? diagnostics : []);
  }

  #draw(): void {
    const shown = shownNotebooks();
    for (const { cell, diagnostics, show } of this.#reported.values()) {
      const [notebook] = this.#cells.find(workspace.notebookDocuments, { uri: cell });
      show(cell, notebook && shown.has(notebook.uri.toString()) ? diagnostics : []);
    }
  }

  dispose(): void {
    this.#subscription.dispose();
  }
}
