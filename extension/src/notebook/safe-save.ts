/**
 * Refuses to save a notebook that the disk has no room for. VS Code empties a file before it writes it
 * and takes a short write for a whole one, so on a full disk it would tear the file and say nothing.
 * Its errors here end a save before the file is touched.
 */
import { l10n, workspace, type Disposable, type NotebookData, type NotebookDocument } from 'vscode';
import { refusalOf, type Refusal } from './disk-room.ts';
import { NOTEBOOK_TYPE } from './notebook-type.ts';

/** Milliseconds from the event before a save to the serializer's turn; backups are serialized too, and pass. */
const SAVE_TIME = 30_000;

export class SafeSave implements Disposable {
  /** Notebooks that are about to be saved, and since when. */
  readonly #saving = new Map<NotebookDocument, number>();
  readonly #subscription: Disposable;

  constructor() {
    this.#subscription = workspace.onWillSaveNotebookDocument(({ notebook }) => {
      const isOnDisk = notebook.uri.scheme === 'file' && !notebook.isUntitled;
      if (notebook.notebookType === NOTEBOOK_TYPE && isOnDisk)
        this.#saving.set(notebook, Date.now());
    });
  }

  /** Throws if `bytes`, which `data` became, are about to be saved where they cannot be. */
  async check(data: NotebookData, bytes: Uint8Array): Promise<void> {
    for (const [notebook, since] of this.#saving) {
      const isStale = Date.now() - since > SAVE_TIME;
      if (!isStale && !isOf(data, notebook)) continue;
      this.#saving.delete(notebook);
      if (isStale) continue;
      const refusal = await refusalOf(notebook.uri.fsPath, bytes);
      if (refusal) throw new Error(wordsOf(refusal));
      return;
    }
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#saving.clear();
  }
}

/** Whether `data` is `notebook`: a serializer is not told which notebook it serializes. */
export function isOf(data: NotebookData, notebook: NotebookDocument): boolean {
  return (
    data.cells.length === notebook.cellCount &&
    data.cells.every((cell, index) => cell.value === notebook.cellAt(index).document.getText())
  );
}

function wordsOf(refusal: Refusal): string {
  return refusal === 'read-only'
    ? l10n.t('The disk is read-only. Save the notebook elsewhere with "File: Save As…".')
    : l10n.t(
        'There is no space left on the disk. The file is as it was. Free some space and save again, or save the notebook elsewhere with "File: Save As…".',
      );
}
