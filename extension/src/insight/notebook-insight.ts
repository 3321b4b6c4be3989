/** The generations of every open notebook, and who wants to know when they change. */
import {
  EventEmitter,
  NotebookCellKind,
  workspace,
  type Disposable,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';
import type { GenRecord } from '../../protocol/kernel-protocol.ts';
import { GenRecords } from './gen-records.ts';
import { StaleCells, type CellText, type Staleness } from './stale-cells.ts';

export class NotebookInsight implements Disposable {
  readonly #records = new WeakMap<NotebookDocument, GenRecords>();
  readonly #stale = new WeakMap<NotebookDocument, StaleCells>();
  readonly #running = new WeakMap<NotebookDocument, string>();
  readonly #changed = new EventEmitter<NotebookDocument>();
  readonly onDidChange = this.#changed.event;
  readonly #edits = workspace.onDidChangeNotebookDocument(({ notebook, cellChanges }) => {
    const isEdit = cellChanges.some(({ document }) => document !== undefined);
    if (isEdit && this.#stale.has(notebook)) this.#changed.fire(notebook);
  });

  /** Records of a notebook. */
  of(notebook: NotebookDocument): GenRecords | undefined {
    return this.#records.get(notebook);
  }

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
    const started = codeTexts(notebook).find(({ uri }) => uri === cell);
    const stale = this.#stale.get(notebook) ?? new StaleCells();
    this.#stale.set(notebook, stale);
    if (started) stale.ran(started);
    this.#changed.fire(notebook);
  }

  /** Uri of the cell that runs, or ran last. */
  running(notebook: NotebookDocument): string | undefined {
    return this.#running.get(notebook);
  }

  add(notebook: NotebookDocument, record: GenRecord): void {
    this.#of(notebook).add(this.#running.get(notebook) ?? null, record);
    this.#changed.fire(notebook);
  }

  /** Why what a cell shows no longer follows from the notebook's text; `null` when it does. */
  staleness(cell: NotebookCell): Staleness | null {
    // The workbench asks for every cell of a notebook, which may have thousands: most have never run.
    const uri = cell.document.uri.toString();
    const stale = this.#stale.get(cell.notebook);
    if (!stale?.hasRun(uri)) return null;
    const texts = codeTexts(cell.notebook);
    const index = texts.findIndex((text) => text.uri === uri);
    return stale.staleness(index, texts);
  }

  /** The kernel that made the values is gone or fresh. */
  clear(notebook: NotebookDocument): void {
    this.#stale.get(notebook)?.clear();
    this.#of(notebook).clear();
    this.#changed.fire(notebook);
  }

  dispose(): void {
    this.#edits.dispose();
    this.#changed.dispose();
  }

  #of(notebook: NotebookDocument): GenRecords {
    const known = this.#records.get(notebook) ?? new GenRecords();
    this.#records.set(notebook, known);
    return known;
  }
}

function codeTexts(notebook: NotebookDocument): CellText[] {
  return notebook
    .getCells()
    .filter(({ kind }) => kind === NotebookCellKind.Code)
    .map(({ document }) => ({ uri: document.uri.toString(), text: document.getText() }));
}
