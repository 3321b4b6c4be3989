/**
 * `.sglnb` text ⇄ notebook document. Reading keeps everything: what the model has no place for is
 * remembered as text, and writing an unchanged document gives the same characters again.
 */
import { deriveCellId, fingerprint, isValidCellId } from './cell-ids.ts';
import { formatCellText, holdsCode, parseCellText, type CellPlace } from './cell-text.ts';
import type { ParsedCell } from './cell-text.ts';
import { findConflict } from './conflicts.ts';
import type {
  NotebookCell,
  NotebookDocument,
  NotebookLayout,
  VerbatimSection,
} from './document.ts';
import type { LineEnding } from './document.ts';
import { NotebookFormatError, type NotebookWarning } from './format-error.ts';
import { formatHeader, headerLength, parseHeader } from './header.ts';
import { jsonEqual, tryParseJson } from './json.ts';
import { isMarkerAt, parseMarker } from './marker.ts';
import {
  formatSections,
  isSectionName,
  newCellData,
  readSection,
  saysTheSame,
} from './sections.ts';
import type { CellData, WriteOptions } from './sections.ts';
import { splitFile, type Piece } from './split-file.ts';

export interface ParsedNotebook {
  readonly document: NotebookDocument;
  readonly warnings: readonly NotebookWarning[];
}

const BYTE_ORDER_MARK = '\ufeff';
const NOTHING_UNKNOWN = { outputs: [], attachments: [] };

/**
 * @param text the whole file, decoded with its byte order mark kept
 * @throws NotebookFormatError if the file is something else, or of a newer format version
 */
export function parseNotebook(text: string): ParsedNotebook {
  const warnings: NotebookWarning[] = [];
  const warn = (warning: NotebookWarning) => warnings.push(warning);
  const byteOrderMark = text.startsWith(BYTE_ORDER_MARK);
  const content = byteOrderMark ? text.slice(1) : text;
  refuseIpynb(content);
  const lineEnding = firstLineEnding(content);
  const { preamble, pieces } = withImplicitCell(content);
  const { metadata, ipynb } = parseHeader(preamble, warn);
  const data = readData(pieces, warn);
  const cells = readCells(pieces, lineEnding, data, warn);
  warnAboutConflict(content, warn);
  const header =
    formatHeader({ metadata, ipynb }, lineEnding) === preamble ? {} : { header: preamble };
  const layout = {
    byteOrderMark,
    lineEnding,
    ...header,
    ...sectionLayout(pieces, cells, lineEnding, data),
  };
  return { document: { metadata, cells, ipynb, layout }, warnings };
}

function refuseIpynb(content: string): void {
  const isObject = /^\s*\{/.test(content.slice(0, 1000));
  if (!isObject || !content.includes('"cells"') || tryParseJson(content) === undefined) return;
  throw new NotebookFormatError(
    'is-ipynb',
    1,
    'This is a Jupyter notebook (.ipynb) under the name of a .sglnb file. Give it its own name back and import it.',
  );
}

function firstLineEnding(content: string): LineEnding {
  const newline = content.indexOf('\n');
  return newline > 0 && content[newline - 1] === '\r' ? '\r\n' : '\n';
}

/** Code before the first marker, and a file without markers, make a first cell without marker. */
function withImplicitCell(content: string): { preamble: string; pieces: readonly Piece[] } {
  const { preamble, pieces } = splitFile(content);
  const length = headerLength(preamble);
  const rest = preamble.slice(length);
  const onlyComments = length === 0 && pieces.length === 0 && rest.trim() !== '';
  const hasCell = holdsCode(rest) || onlyComments;
  if (!hasCell) return { preamble, pieces };
  const head = preamble.slice(0, length);
  const line = head.split('\n').length;
  return { preamble: head, pieces: [{ section: null, text: rest, line }, ...pieces] };
}

function warnAboutConflict(content: string, warn: (warning: NotebookWarning) => void): void {
  const at = findConflict(content);
  if (at === -1) return;
  const line = content.slice(0, at).split('\n').length;
  const message = 'The file has merge conflicts. They are shown as text in the cells they touch.';
  warn({ code: 'merge-conflict', line, message });
}

function readData(pieces: readonly Piece[], warn: (warning: NotebookWarning) => void): CellData {
  const data = newCellData();
  for (const { section, text, line } of pieces) {
    if (section === null) continue;
    if (isSectionName(section)) {
      readSection({ name: section, text, line }, data, warn);
    } else {
      const message = `The section "${section}" is not known to this version and is kept as it is.`;
      warn({ code: 'unknown-section', line, message });
    }
  }
  return data;
}

function readCells(
  pieces: readonly Piece[],
  lineEnding: LineEnding,
  data: CellData,
  warn: (warning: NotebookWarning) => void,
): NotebookCell[] {
  const parsed = pieces.flatMap((piece, index) => {
    if (piece.section !== null) return [];
    const place = { lineEnding, last: index === pieces.length - 1 };
    return [{ piece, place, cell: parseCellText(piece.text, place) }];
  });
  const written = new Set(parsed.flatMap(({ cell }) => (cell.id === null ? [] : [cell.id])));
  const used = new Set<string>();
  const cells = parsed.map(({ piece, place, cell }, index) => {
    warnAboutCell(cell, piece.line, used, warn);
    const own = cell.id !== null && isValidCellId(cell.id) && !used.has(cell.id) ? cell.id : null;
    const taken = { has: (id: string) => written.has(id) || used.has(id) };
    const id = own ?? deriveCellId(piece.text, index, taken);
    used.add(id);
    return buildCell(cell, id, own === null ? id : null, piece.text, place, data);
  });
  warnAboutOrphans(data, used, pieces, warn);
  return cells;
}

function buildCell(
  { kind, source, metadata, ipynb }: ParsedCell,
  id: string,
  assignedId: string | null,
  text: string,
  place: CellPlace,
  data: CellData,
): NotebookCell {
  const cell: NotebookCell = {
    kind,
    id,
    source,
    metadata,
    ipynb,
    outputs: data.outputs.get(id) ?? [],
    executionCount: data.executionCounts.get(id) ?? null,
    attachments: data.attachments.get(id) ?? null,
  };
  if (formatCellText(cell, place) === text) return cell;
  return { ...cell, verbatim: { text, assignedId } };
}

function warnAboutCell(
  cell: ParsedCell,
  line: number,
  used: ReadonlySet<string>,
  warn: (warning: NotebookWarning) => void,
): void {
  if (cell.complaint !== null) {
    const message = `Part of the cell marker is not understood and taken as title: ${cell.complaint}`;
    warn({ code: 'invalid-marker', line, message });
  }
  if (cell.id === null) return;
  if (!isValidCellId(cell.id)) {
    const message = `The cell id "${cell.id}" is not usable; ids have 1 to 64 letters, digits, "-" or "_".`;
    warn({ code: 'invalid-id', line, message });
  } else if (used.has(cell.id)) {
    const message = `Two cells have the id "${cell.id}"; the second one gets a new one.`;
    warn({ code: 'duplicate-id', line, message });
  }
}

function warnAboutOrphans(
  data: CellData,
  known: ReadonlySet<string>,
  pieces: readonly Piece[],
  warn: (warning: NotebookWarning) => void,
): void {
  const ids = [...data.outputs.keys(), ...data.attachments.keys()];
  const orphans = new Set(ids.filter((id) => !known.has(id)));
  if (orphans.size === 0) return;
  const line = pieces.find(({ section }) => section !== null)?.line ?? 1;
  const message = `There are outputs of cells that do not exist: ${[...orphans].slice(0, 5).join(', ')}.`;
  warn({ code: 'outputs-without-cell', line, message });
}

/** Sections are remembered as text only if they differ from what would be written anyway. */
function sectionLayout(
  pieces: readonly Piece[],
  cells: readonly NotebookCell[],
  lineEnding: LineEnding,
  data: CellData,
): Pick<NotebookLayout, 'sections' | 'conflictedWith'> {
  const firstSection = pieces.findIndex(({ section }) => section !== null);
  const tail = firstSection === -1 ? [] : pieces.slice(firstSection);
  const canonical = formatSections(cells, NOTHING_UNKNOWN, lineEnding, {});
  const inPlace = tail.every(({ section }) => isSectionName(section));
  if (inPlace && tail.map(({ text }) => text).join('') === canonical) return {};
  const sections = verbatimSections(pieces);
  if (!data.conflicted) return { sections };
  return { sections, conflictedWith: fingerprint(cellPieces(pieces)) };
}

function cellPieces(pieces: readonly Piece[]): string {
  return pieces.flatMap(({ section, text }) => (section === null ? [text] : [])).join('');
}

function verbatimSections(pieces: readonly Piece[]): VerbatimSection[] {
  const total = pieces.filter(({ section }) => section === null).length;
  let before = 0;
  return pieces.flatMap(({ section, text }) => {
    if (section !== null) return [{ text, before: before === total ? null : before }];
    before += 1;
    return [];
  });
}

/* ------------------------------------------------------------------------------ writing */

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
