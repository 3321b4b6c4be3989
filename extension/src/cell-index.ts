/**
 * Finds the notebook of a cell's document. vscode-languageclient looks through all cells for each cell that
 * opens, which keeps the extension host busy for many seconds when a notebook of thousands of cells does.
 */
import { workspace, type NotebookCell, type NotebookDocument, type TextDocument } from 'vscode';
import type { BaseLanguageClient } from 'vscode-languageclient';

type Notebook = Pick<NotebookDocument, 'version' | 'cellCount' | 'getCells'>;
interface Cells {
  readonly version: number;
  readonly byUri: ReadonlyMap<string, NotebookCell>;
}

/** The cells of notebooks by their addresses, read once for each version of a notebook. */
export class CellIndex<Open extends Notebook> {
  readonly #known = new WeakMap<Open, Cells>();

  find(
    notebooks: Iterable<Open>,
    document: Pick<TextDocument, 'uri'>,
  ): [Open, NotebookCell] | [undefined, undefined] {
    const uri = document.uri.toString();
    for (const notebook of notebooks) {
      const cell = this.#cells(notebook).get(uri);
      if (cell !== undefined) return [notebook, cell];
    }
    return [undefined, undefined];
  }

  #cells(notebook: Open): Cells['byUri'] {
    const known = this.#known.get(notebook);
    const { version, cellCount } = notebook;
    if (known?.version === version && known.byUri.size === cellCount) return known.byUri;
    const byUri = new Map(notebook.getCells().map((cell) => [cell.document.uri.toString(), cell]));
    this.#known.set(notebook, { version, byUri });
    return byUri;
  }
}

/** Name of the library's method, which it calls on itself. */
export const LOOKUP = 'findNotebookDocumentAndCell';

/** Gives the client's notebook feature an index in place of its search. */
export function indexCells(
  client: Pick<BaseLanguageClient, 'getFeature'>,
  index: CellIndex<NotebookDocument>,
): void {
  const feature = client.getFeature('notebookDocument/sync');
  Reflect.set(feature, LOOKUP, (document: TextDocument) =>
    index.find(workspace.notebookDocuments, document),
  );
}
