/** The generations of every open notebook, and who wants to know when they change. */
import { EventEmitter, workspace, type Disposable, type NotebookDocument } from 'vscode';
import type { GenRecord } from '../../protocol/kernel-protocol.ts';
import { GenRecords } from './gen-records.ts';

export class NotebookInsight implements Disposable {
  readonly #records = new WeakMap<NotebookDocument, GenRecords>();
  readonly #running = new WeakMap<NotebookDocument, string>();
  readonly #changed = new EventEmitter<NotebookDocument>();
  readonly onDidChange = this.#changed.event;

  /** Records of the notebook that `uri`, the notebook or one of its cells, belongs to. */
  find(uri: string): GenRecords | undefined {
    const notebook = workspace.notebookDocuments.find((open) =>
      open.getCells().some((cell) => cell.document.uri.toString() === uri),
    );
    return notebook && this.#records.get(notebook);
  }

  start(notebook: NotebookDocument, cell: string): void {
    this.#running.set(notebook, cell);
    this.#of(notebook).startCell(cell);
    this.#changed.fire(notebook);
  }

  add(notebook: NotebookDocument, record: GenRecord): void {
    this.#of(notebook).add(this.#running.get(notebook) ?? null, record);
    this.#changed.fire(notebook);
  }

  /** The kernel that made the values is gone or fresh. */
  clear(notebook: NotebookDocument): void {
    this.#of(notebook).clear();
    this.#changed.fire(notebook);
  }

  dispose(): void {
    this.#changed.dispose();
  }

  #of(notebook: NotebookDocument): GenRecords {
    const known = this.#records.get(notebook) ?? new GenRecords();
    this.#records.set(notebook, known);
    return known;
  }
}
