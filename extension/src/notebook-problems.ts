/**
 * The language server's problems of notebooks that have a tab, in cells that it serves. VS Code keeps a closed
 * notebook's document for minutes, and would list its problems as long.
 */
import {
  window,
  workspace,
  type Diagnostic,
  type Disposable,
  type NotebookDocument,
  type Uri,
} from 'vscode';
import type { HandleDiagnosticsSignature, Middleware } from 'vscode-languageclient';
import type { CellIndex } from './cell-index.ts';
import { CELL_LANGUAGE, NOTEBOOK_TYPE } from './notebook/notebook-type.ts';
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
  readonly #subscriptions: readonly Disposable[];
  /** For the client. */
  readonly middleware: Middleware = {
    handleDiagnostics: (cell, diagnostics, show) => this.#handle({ cell, diagnostics, show }),
  };

  constructor(cells: CellIndex<NotebookDocument>) {
    this.#cells = cells;
    this.#subscriptions = [
      window.tabGroups.onDidChangeTabs(({ opened, closed }) => {
        if (opened.length > 0 || closed.length > 0) this.#draw(this.#reported.values());
      }),
      // A cell that changes its language opens anew; the server says nothing of one that it loses.
      workspace.onDidOpenTextDocument(({ uri }) => {
        const report = this.#reported.get(uri.toString());
        if (report) this.#draw([report]);
      }),
    ];
  }

  #handle(report: Reported): void {
    const { cell, diagnostics, show } = report;
    if (diagnostics.length === 0 || this.#notebookOf(cell) === undefined) {
      this.#reported.delete(cell.toString());
      show(cell, diagnostics);
      return;
    }
    this.#reported.set(cell.toString(), report);
    this.#draw([report]);
  }

  #draw(reports: Iterable<Reported>): void {
    const shown = shownNotebooks();
    for (const { cell, diagnostics, show } of reports) {
      const notebook = this.#notebookOf(cell);
      const isShown = notebook && shown.has(notebook.uri.toString());
      show(cell, isShown && this.#isServed(cell) ? diagnostics : []);
    }
  }

  #notebookOf(cell: Uri): NotebookDocument | undefined {
    return this.#cells.find(workspace.notebookDocuments, { uri: cell })[0];
  }

  /** Ours are left to others while they are plain Python. */
  #isServed(uri: Uri): boolean {
    const [notebook, cell] = this.#cells.find(workspace.notebookDocuments, { uri });
    return notebook?.notebookType !== NOTEBOOK_TYPE || cell?.document.languageId === CELL_LANGUAGE;
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }
}
