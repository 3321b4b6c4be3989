/** Switches the cells of open notebooks when the setting for their language changes. */
import { languages, workspace, type Disposable, type NotebookDocument } from 'vscode';
import { cellLanguage } from '../settings.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook-type.ts';

const SWITCHED: readonly string[] = SUPPORTED_LANGUAGES;

export function followCellLanguage(): Disposable {
  return workspace.onDidChangeConfiguration((change) => {
    if (!change.affectsConfiguration('sglang.notebook.cellLanguage')) return;
    for (const notebook of workspace.notebookDocuments) {
      if (notebook.notebookType === NOTEBOOK_TYPE) void switchCells(notebook, cellLanguage());
    }
  });
}

async function switchCells(notebook: NotebookDocument, language: string): Promise<void> {
  const others = notebook
    .getCells()
    .map(({ document }) => document)
    .filter(({ languageId }) => languageId !== language && SWITCHED.includes(languageId));
  const wasClean = !notebook.isDirty && !notebook.isUntitled;
  await Promise.all(others.map((cell) => languages.setTextDocumentLanguage(cell, language)));
  // The file does not name the language: it is saved as it was, and the editor is not left unsaved.
  if (wasClean && notebook.isDirty) await notebook.save();
}
