/**
 * One cell as text: marker line, body, blank line. The body of a code cell is its source as it is,
 * shell lines and magics included; markdown and raw cells stand behind `# `. A source line that
 * looks like a marker gets one backslash more (`# \%%`), so any text survives.
 */
import type { CellKind, IpynbCellOrigin, LineEnding, NotebookCell } from './document.ts';
import { isConflictLine } from './conflicts.ts';
import { formatMarker, isMarkerAt, parseMarker, type Marker } from './marker.ts';
import type { JsonObject } from './json.ts';

/** Where the text stands: it decides how many line breaks at its end belong to the cell. */
export interface CellPlace {
  readonly lineEnding: LineEnding;
  /** Nothing follows in the file. */
  readonly last: boolean;
}

export interface ParsedCell {
  readonly kind: CellKind;
  readonly id: string | null;
  readonly source: string;
  readonly metadata: JsonObject;
  readonly ipynb: IpynbCellOrigin | null;
  readonly complaint: string | null;
}

const TO_ESCAPE = /(^|\n)(#[ \t]*)(?=\\*%%(?:[ \t\r\n]|$))/g;
const ESCAPED = /(^|\n)(#[ \t]*)\\(?=\\*%%(?:[ \t\r\n]|$))/g;

function escapeMarkers(text: string): string {
  return text.includes('%%') ? text.replace(TO_ESCAPE, '$1$2\\') : text;
}

function unescapeMarkers(text: string): string {
  return text.includes('\\%%') ? text.replace(ESCAPED, '$1$2') : text;
}

function commentLine(line: string): string {
  return line === '' || line === '\r' ? `#${line}` : `# ${line}`;
}

function uncommentLine(line: string): string {
  if (line.startsWith('# ')) return line.slice(2);
  return line.startsWith('#') ? line.slice(1) : line;
}

function encodeBody(kind: CellKind, source: string): string {
  if (kind === 'code') return escapeMarkers(source);
  return source === '' ? '' : escapeMarkers(source.split('\n').map(commentLine).join('\n'));
}

/** jupytext also writes markdown as a string literal between triple quotes. */
const QUOTED_MARKDOWN = /^(?:r|R)?("""|''')\r?\n?([^]*?)\r?\n?\1\s*$/;

function decodeBody(kind: CellKind, body: string): string {
  if (kind === 'code') return unescapeMarkers(body);
  const quoted = QUOTED_MARKDOWN.exec(body)?.[2];
  if (quoted !== undefined) return quoted;
  return unescapeMarkers(body).split('\n').map(uncommentLine).join('\n');
}

/** Cuts the line breaks that separate this cell from what follows. */
function splitBody(text: string, { lineEnding, last }: CellPlace): string {
  if (!last && text.endsWith(lineEnding + lineEnding)) {
    return text.slice(0, -2 * lineEnding.length);
  }
  return text.endsWith(lineEnding) ? text.slice(0, -lineEnding.length) : text;
}

function separator(body: string, { lineEnding, last }: CellPlace): string {
  if (body === '') return last ? '' : lineEnding;
  return last ? lineEnding : lineEnding + lineEnding;
}

const NO_MARKER: Marker = {
  kind: 'code',
  id: null,
  source: null,
  metadata: {},
  ipynb: null,
  section: null,
  complaint: null,
};

/** Reads the text from a marker (or from the start of the file) up to the next one. */
export function parseCellText(text: string, place: CellPlace): ParsedCell {
  const hasMarker = isMarkerAt(text, 0);
  const lineEnd = hasMarker ? text.indexOf('\n') : -1;
  const markerLine = lineEnd === -1 ? text : text.slice(0, lineEnd);
  const { kind, id, source, metadata, ipynb, complaint } = hasMarker
    ? parseMarker(markerLine)
    : NO_MARKER;
  const rest = hasMarker ? (lineEnd === -1 ? '' : text.slice(lineEnd + 1)) : text;
  const body = splitBody(rest, place);
  return {
    kind,
    id,
    source: source ?? decodeBody(kind, body),
    metadata,
    ipynb,
    complaint,
  };
}

/** The cell as this package writes it. */
export function formatCellText(
  cell: Pick<NotebookCell, 'kind' | 'id' | 'source' | 'metadata' | 'ipynb'>,
  place: CellPlace,
): string {
  const { kind, id, metadata, ipynb } = cell;
  // UTF-8 cannot carry lone surrogates; JSON escapes can.
  const wellFormed = cell.source.isWellFormed();
  const marker = formatMarker({
    kind,
    id,
    metadata,
    ipynb,
    ...(wellFormed ? {} : { source: cell.source }),
  });
  const body = wellFormed ? encodeBody(kind, cell.source) : '';
  return `${marker}${place.lineEnding}${body}${separator(body, place)}`;
}

/** Does the text before the first marker hold code, or only comments and blank lines? */
export function holdsCode(text: string): boolean {
  return text.split('\n').some((line) => {
    const trimmed = line.trim();
    return trimmed !== '' && !trimmed.startsWith('#') && !isConflictLine(line);
  });
}
