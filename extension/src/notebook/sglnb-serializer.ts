/**
 * `.sglnb` bytes ⇄ the workbench. The pure format does the work; this file moves its document in and
 * out of VS Code's data, and shows a file that is no notebook without ever changing it.
 */
import {
  l10n,
  NotebookCellData,
  NotebookCellKind,
  NotebookData,
  type LogOutputChannel,
  type NotebookSerializer,
} from 'vscode';
import { createCellId } from '../../notebook-format/cell-ids.ts';
import { NEW_LAYOUT, type CellKind, type NotebookCell } from '../../notebook-format/document.ts';
import { NotebookFormatError } from '../../notebook-format/format-error.ts';
import { parseNotebook, serializeNotebook } from '../../notebook-format/sglnb.ts';
import { cellLanguage, maximumImageSize } from '../settings.ts';
import { fromBase64, toBase64 } from './base64.ts';
import type {
  BrokenFile,
  CellMetadata,
  SglnbCellMetadata,
  SglnbNotebookMetadata,
} from './file-data.ts';
import { fromVsCodeOutput, toVsCodeOutput } from './nbformat-outputs.ts';

export class SglnbSerializer implements NotebookSerializer {
  readonly #log: Pick<LogOutputChannel, 'warn'>;
  readonly #beforeSave: (data: NotebookData, bytes: Uint8Array) => Promise<void>;

  /** An error of `beforeSave` ends a save before the file is touched, and is shown. */
  constructor(
    log: Pick<LogOutputChannel, 'warn'>,
    beforeSave: (data: NotebookData, bytes: Uint8Array) => Promise<void> = async () => {},
  ) {
    this.#log = log;
    this.#beforeSave = beforeSave;
  }

  deserializeNotebook(content: Uint8Array): NotebookData {
    try {
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(content);
      return this.#open(text);
    } catch (error) {
      return brokenNotebook(content, reasonOf(error));
    }
  }

  async serializeNotebook(data: NotebookData): Promise<Uint8Array> {
    const bytes = bytesOf(data);
    await this.#beforeSave(data, bytes);
    return bytes;
  }

  #open(text: string): NotebookData {
    const { document, warnings } = parseNotebook(text);
    if (warnings.length > 0) {
      for (const { line, message } of warnings) this.#log.warn(`line ${line}: ${message}`);
    }
    const { cells, ...rest } = document;
    const language = cellLanguage();
    const data = new NotebookData(cells.map((cell) => cellData(cell, language)));
    const metadata: SglnbNotebookMetadata = { sglnb: rest };
    data.metadata = { ...metadata };
    return data;
  }
}

/** As a save would write it. */
export function bytesOf(data: Pick<NotebookData, 'cells' | 'metadata'>): Uint8Array {
  // SAFETY: this file alone writes notebook metadata of this notebook type.
  const metadata = (data.metadata ?? {}) as SglnbNotebookMetadata;
  if (metadata.broken) return fromBase64(metadata.broken.base64);
  const text = serializeNotebook(
    {
      ...(metadata.sglnb ?? { metadata: {}, ipynb: null, layout: NEW_LAYOUT }),
      cells: cellsOf(data.cells),
    },
    { maximumImageBytes: maximumImageSize() },
  );
  return new TextEncoder().encode(text);
}

function reasonOf(error: unknown): string {
  if (error instanceof NotebookFormatError) return `line ${error.line}: ${error.message}`;
  if (error instanceof TypeError) return 'the file is not UTF-8 text';
  return error instanceof Error ? error.message : String(error);
}

/** The reason and the text, in cells that run nothing. Saving writes the original bytes. */
function brokenNotebook(content: Uint8Array, reason: string): NotebookData {
  const note = new NotebookCellData(
    NotebookCellKind.Markup,
    `**${l10n.t('This file is not an SGLang notebook:')}** ${reason}\n\n${l10n.t('Its text is below and stays untouched on disk. Mend it in the text editor: Reopen Editor With… › Text Editor.')}`,
    'markdown',
  );
  const text = new NotebookCellData(
    NotebookCellKind.Code,
    new TextDecoder().decode(content),
    'plaintext',
  );
  const data = new NotebookData([note, text]);
  const broken: BrokenFile = { reason, base64: toBase64(content) };
  data.metadata = { broken };
  return data;
}

function cellData(cell: NotebookCell, codeLanguage: string): NotebookCellData {
  const { kind, source, outputs, ...rest } = cell;
  const data = new NotebookCellData(
    kind === 'markdown' ? NotebookCellKind.Markup : NotebookCellKind.Code,
    source,
    kind === 'code' ? codeLanguage : kind,
  );
  const metadata: SglnbCellMetadata = { sglnb: rest };
  data.metadata = { ...metadata };
  data.outputs = outputs.map(toVsCodeOutput);
  if (cell.executionCount !== null) {
    data.executionSummary = { executionOrder: cell.executionCount };
  }
  return data;
}

function cellsOf(cells: readonly NotebookCellData[]): NotebookCell[] {
  const stored = cells.map((cell) => storedMetadata(cell));
  const taken = new Set(stored.flatMap((metadata) => (metadata ? [metadata.id] : [])));
  const used = new Set<string>();
  return cells.map((cell, index) => {
    const known = stored[index];
    // A copied cell carries its original's metadata; only the first keeps the id.
    const id = known && !used.has(known.id) ? known.id : createCellId(taken);
    taken.add(id);
    used.add(id);
    const executionCount = cell.executionSummary?.executionOrder ?? known?.executionCount ?? null;
    return {
      metadata: {},
      attachments: null,
      ipynb: null,
      ...known,
      id,
      executionCount,
      kind: kindOf(cell),
      source: cell.value,
      outputs: (cell.outputs ?? []).map((output) => fromVsCodeOutput(output, executionCount)),
    };
  });
}

function storedMetadata(cell: NotebookCellData): CellMetadata | undefined {
  // SAFETY: this file alone writes cell metadata of this notebook type.
  return (cell.metadata as SglnbCellMetadata | undefined)?.sglnb;
}

function kindOf(cell: NotebookCellData): CellKind {
  if (cell.kind === NotebookCellKind.Markup) return 'markdown';
  return cell.languageId === 'raw' ? 'raw' : 'code';
}
