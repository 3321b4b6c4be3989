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
import { tryParseJson } from './json.ts';
import { formatSections, isSectionName, newCellData, readSection } from './sections.ts';
import type { CellData } from './sections.ts';
import { splitFile, type Piece } from './split-file.ts';
import { BYTE_ORDER_MARK, NOTHING_UNKNOWN } from './write-sglnb.ts';

export interface ParsedNotebook {
  readonly document: NotebookDocument;
  readonly warnings: readonly NotebookWarning[];
}

export { serializeNotebook, type SerializeOptions } from './write-sglnb.ts';

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
