/**
 * Where the parts of a `.sglnb` document that VS Code has no place for live while it is open: in
 * notebook, cell and output metadata, as plain JSON. Shared by the serializer's two directions.
 */
import type { NotebookCell, NotebookDocument } from '../../notebook-format/document.ts';

/** Everything of a document but its cells. */
export type DocumentMetadata = Omit<NotebookDocument, 'cells'>;

/** Everything of a cell but what the editor edits: kind, source, outputs. */
export type CellMetadata = Omit<NotebookCell, 'kind' | 'source' | 'outputs'>;

/** A file that is no notebook: shown as text, and written back exactly as it was. */
export interface BrokenFile {
  readonly reason: string;
  readonly base64: string;
}

export interface SglnbNotebookMetadata {
  readonly sglnb?: DocumentMetadata;
  readonly broken?: BrokenFile;
}

export interface SglnbCellMetadata {
  readonly sglnb?: CellMetadata;
}

/** The output's JSON as it stands in the file. */
export interface SglnbOutputMetadata {
  readonly nbformat?: string;
}
