/**
 * A notebook in memory: plain JSON-like data, so that it survives structured cloning and VS Code's
 * metadata. `verbatim` and `layout` remember how the file was written where that differs from how
 * this package would write it; a writer uses them only while they still mean the same.
 */
import type { JsonObject } from './json.ts';

export type CellKind = 'code' | 'markdown' | 'raw';
export type LineEnding = '\n' | '\r\n';

export interface NotebookDocument {
  /** Notebook metadata as in nbformat (`kernelspec`, …). */
  readonly metadata: JsonObject;
  readonly cells: readonly NotebookCell[];
  /** What an imported `.ipynb` had besides cells and metadata; `null` for a native notebook. */
  readonly ipynb: IpynbOrigin | null;
  readonly layout: NotebookLayout;
}

export interface NotebookCell {
  readonly kind: CellKind;
  /** Unique in the notebook; 1–64 of `A-Z a-z 0-9 _ -`, as nbformat demands. */
  readonly id: string;
  /** Exactly the cell's text, line endings included. */
  readonly source: string;
  readonly metadata: JsonObject;
  /** In the order they appeared; empty for markdown and raw cells. */
  readonly outputs: readonly NotebookOutput[];
  readonly executionCount: number | null;
  /** nbformat attachments: file name → MIME bundle. */
  readonly attachments: JsonObject | null;
  readonly ipynb: IpynbCellOrigin | null;
  readonly verbatim?: VerbatimCell;
}

/** One output in nbformat's shape (`output_type`: stream, display_data, execute_result, error, …). */
export interface NotebookOutput {
  readonly json: JsonObject;
  /** The JSON as it stood in the file; written back as it is. Leave it out when `json` is new. */
  readonly text?: string;
}

/** The cell as it stood in the file. Writers check that it still says the same before using it. */
export interface VerbatimCell {
  readonly text: string;
  /** The id given on reading, if the file had none or one that was taken. */
  readonly assignedId: string | null;
}

/** Top-level facts of an `.ipynb` file. */
export interface IpynbOrigin {
  readonly nbformat: number;
  readonly nbformatMinor: number;
  /** Unknown top-level members. */
  readonly extra: JsonObject;
}

/** How a cell of an `.ipynb` file differed from the way this package writes cells. */
export type IpynbCellOrigin = {
  /** `string`: source was one string; numbers: lengths of an unusual split into lines. */
  readonly source?: 'string' | readonly number[];
  /** Members that the file did not have. */
  readonly absent?: readonly string[];
  /** Members that this package does not know, or with unusual values. */
  readonly extra?: JsonObject;
};

export interface NotebookLayout {
  readonly byteOrderMark: boolean;
  readonly lineEnding: LineEnding;
  /** Text before the first cell, if it is not what this package would write. */
  readonly header?: string;
  /** Non-cell sections as they stood, if they are not what this package would write. */
  readonly sections?: readonly VerbatimSection[];
  /** Fingerprint of the cells' text when `sections` hold merge conflicts. */
  readonly conflictedWith?: string;
}

export interface VerbatimSection {
  readonly text: string;
  /** Index of the cell that follows; `null` at the end of the file. */
  readonly before: number | null;
}

export const NEW_LAYOUT: NotebookLayout = { byteOrderMark: false, lineEnding: '\n' };

/** A cell with nothing but its text; give it the rest by spreading. */
export function newCell(kind: CellKind, id: string, source: string): NotebookCell {
  return {
    kind,
    id,
    source,
    metadata: {},
    outputs: [],
    executionCount: null,
    attachments: null,
    ipynb: null,
  };
}

export function newDocument(cells: readonly NotebookCell[]): NotebookDocument {
  return { metadata: {}, cells, ipynb: null, layout: NEW_LAYOUT };
}
