/** Notebook document → `.sglnb` text: what was read and still means the same is written as it stood. */
import { deriveCellId, fingerprint, isValidCellId } from './cell-ids.ts';
import { formatCellText, holdsCode, parseCellText, type CellPlace } from './cell-text.ts';
import type { NotebookCell, NotebookDocument, NotebookLayout } from './document.ts';
import type { VerbatimSection } from './document.ts';
import { formatHeader, headerLength, parseHeader } from './header.ts';
import { jsonEqual } from './json.ts';
import { isMarkerAt, parseMarker } from './marker.ts';
import { formatSections, isSectionName, newCellData, readSection } from './sections.ts';
import { saysTheSame, type CellData, type WriteOptions } from './sections.ts';

export const BYTE_ORDER_MARK = '\ufeff';
export const NOTHING_UNKNOWN: CellData['unknown'] = { outputs: [], attachments: [] };

export type SerializeOptions = WriteOptions;

/**
 * The whole file, byte order mark included. Cells with the id of an earlier cell get a new one.
 * `maximumImageBytes` applies to outputs without `text`: those that were not read from a file.
 */
export function serializeNotebook(
  document: NotebookDocument,
  options: SerializeOptions = {},
): string {
  const { layout } = document;
  const cells = withUniqueIds(document.cells);
  const stored = keptSections(layout, cells);
  if (stored !== null) {
    const { text, cellsText } = assemble(document, cells, stored, '');
    const current = layout.conflictedWith ?? null;
    if (current === null || current === fingerprint(cellsText)) return text;
  }
  const unknown = unknownSections(layout);
  const data = formatSections(cells, unknownLines(layout), layout.lineEnding, options);
  return assemble(document, cells, unknown, data).text;
}

function withUniqueIds(cells: readonly NotebookCell[]): readonly NotebookCell[] {
  const taken = new Set(cells.map(({ id }) => id));
  if (taken.size === cells.length && cells.every(({ id }) => isValidCellId(id))) return cells;
  const used = new Set<string>();
  return cells.map((cell, index) => {
    const usable = isValidCellId(cell.id) && !used.has(cell.id);
    const id = usable ? cell.id : deriveCellId(cell.source, index, taken);
    taken.add(id);
    used.add(id);
    return { ...cell, id };
  });
}

function sectionName({ text }: VerbatimSection): string | null {
  const marker = text.startsWith('<<<<<<<') ? text.indexOf('\n#') + 1 : 0;
  const end = text.indexOf('\n', marker);
  return parseMarker(text.slice(marker, end === -1 ? text.length : end)).section;
}

function readStored(sections: readonly VerbatimSection[]): CellData {
  const data = newCellData();
  for (const section of sections) {
    const name = sectionName(section);
    if (isSectionName(name)) readSection({ name, text: section.text, line: 1 }, data, () => {});
  }
  return data;
}

/** The sections as they stood in the file, if they still say what the cells hold. */
function keptSections(
  layout: NotebookLayout,
  cells: readonly NotebookCell[],
): readonly VerbatimSection[] | null {
  if (layout.sections === undefined) return null;
  return saysTheSame(readStored(layout.sections), cells) ? layout.sections : null;
}

function unknownSections(layout: NotebookLayout): readonly VerbatimSection[] {
  return (layout.sections ?? []).filter((section) => !isSectionName(sectionName(section)));
}

function unknownLines(layout: NotebookLayout): CellData['unknown'] {
  return layout.sections === undefined ? NOTHING_UNKNOWN : readStored(layout.sections).unknown;
}

interface Assembled {
  readonly text: string;
  readonly cellsText: string;
}

function assemble(
  document: NotebookDocument,
  cells: readonly NotebookCell[],
  sections: readonly VerbatimSection[],
  data: string,
): Assembled {
  const { layout } = document;
  const { lineEnding } = layout;
  const header = headerText(document, cells.length + sections.length === 0 && data === '');
  const parts: string[] = [layout.byteOrderMark ? BYTE_ORDER_MARK : '', header];
  const cellTexts: string[] = [];
  const trailing = sections.filter(({ before }) => before === null || before >= cells.length);
  const closed = (text: string) => (text.endsWith('\n') ? text : text + lineEnding);
  for (const [index, cell] of cells.entries()) {
    const above = sections.filter(({ before }) => before === index);
    for (const { text } of above) parts.push(closed(text));
    const last = index === cells.length - 1 && trailing.length === 0 && data === '';
    const before = index > 0 ? 'cell' : header === '' ? 'nothing' : 'header';
    const text = cellText(cell, { lineEnding, last }, above.length > 0 ? 'section' : before);
    cellTexts.push(text);
    parts.push(text);
  }
  const rest = [...trailing.map(({ text }) => text), ...(data === '' ? [] : [data])];
  for (const [index, text] of rest.entries()) {
    parts.push(index === rest.length - 1 ? text : closed(text));
  }
  return { text: parts.join(''), cellsText: cellTexts.join('') };
}

/** `alone`: nothing follows, and a comment without a head would be read as a cell. */
function headerText({ metadata, ipynb, layout }: NotebookDocument, alone: boolean): string {
  const canonical = () => formatHeader({ metadata, ipynb }, layout.lineEnding);
  if (layout.header === undefined) return canonical();
  const stored = parseHeader(layout.header, () => {});
  const same = jsonEqual(stored.metadata, metadata) && sameOrigin(stored.ipynb, ipynb);
  if (!same) return canonical();
  const needsHead = alone && layout.header.trim() !== '' && headerLength(layout.header) === 0;
  return needsHead ? layout.header + canonical() : layout.header;
}

function sameOrigin(a: NotebookDocument['ipynb'], b: NotebookDocument['ipynb']): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function cellText(
  cell: NotebookCell,
  place: CellPlace,
  before: 'nothing' | 'header' | 'section' | 'cell',
): string {
  const text = cell.verbatim?.text;
  if (text === undefined || !saysSameCell(cell, text, place)) return formatCellText(cell, place);
  const ends = place.last || text.endsWith('\n');
  const starts =
    isMarkerAt(text, 0) ||
    ((before === 'nothing' || before === 'header') && holdsCode(text)) ||
    (before === 'nothing' && place.last) ||
    (before === 'section' && text.startsWith('======='));
  return ends && starts ? text : formatCellText(cell, place);
}

function saysSameCell(cell: NotebookCell, text: string, place: CellPlace): boolean {
  const parsed = parseCellText(text, place);
  const hasData =
    cell.outputs.length > 0 || cell.executionCount !== null || cell.attachments !== null;
  const sameId = parsed.id === cell.id || (cell.verbatim?.assignedId === cell.id && !hasData);
  return (
    sameId &&
    parsed.kind === cell.kind &&
    parsed.source === cell.source &&
    jsonEqual(parsed.metadata, cell.metadata) &&
    JSON.stringify(parsed.ipynb) === JSON.stringify(cell.ipynb)
  );
}
