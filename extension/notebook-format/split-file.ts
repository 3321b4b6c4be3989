/** Cuts a file at its marker lines: preamble, cells, and sections that are no cells. */
import { isConflictLine } from './conflicts.ts';
import { isMarkerAt, parseMarker } from './marker.ts';
import { isDataLine } from './sections.ts';

export interface Piece {
  /** `null` for cells. */
  readonly section: string | null;
  readonly text: string;
  /** 1-based line of the file at which it begins. */
  readonly line: number;
}

export interface SplitFile {
  readonly preamble: string;
  readonly pieces: readonly Piece[];
}

interface Cut {
  readonly section: string | null;
  readonly start: number;
  readonly line: number;
}

function sectionOf(text: string, start: number): string | null {
  const end = text.indexOf('\n', start);
  const line = text.slice(start, end === -1 ? text.length : end);
  return line.includes('[sglnb:') ? parseMarker(line).section : null;
}

/**
 * Where a conflict opens on the very line before a section, both sides added the section: the
 * opening line belongs to it, not to the cell above.
 */
function conflictBefore(text: string, from: number, start: number): number {
  if (start < 2) return start;
  const lineStart = text.lastIndexOf('\n', start - 2) + 1;
  return lineStart >= from && text.startsWith('<<<<<<<', lineStart) ? lineStart : start;
}

/**
 * A conflict may span the last cells and the section: the other side's cells then follow its
 * `=======` inside the section. They are sources, so a cell begins there.
 */
function holdsSourceAfter(text: string, lineEnd: number): boolean {
  let at = lineEnd;
  while (at < text.length) {
    const newline = text.indexOf('\n', at);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(at, end).trimEnd();
    if (line !== '') return !isMarkerAt(text, at) && !isDataLine(line) && !isConflictLine(line);
    at = end + 1;
  }
  return false;
}

function countLines(text: string, from: number, to: number): number {
  let lines = 0;
  for (let at = text.indexOf('\n', from); at !== -1 && at < to; at = text.indexOf('\n', at + 1)) {
    lines += 1;
  }
  return lines;
}

function findCuts(text: string): Cut[] {
  const cuts: Cut[] = [];
  let line = 1;
  let start = 0;
  for (;;) {
    const newline = text.indexOf('\n', start);
    const current = cuts.at(-1);
    if (isMarkerAt(text, start)) {
      const section = sectionOf(text, start);
      const from = current?.start ?? 0;
      const opening = section === null ? start : conflictBefore(text, from, start);
      cuts.push({ section, start: opening, line: line - countLines(text, opening, start) });
    } else if (
      current !== undefined &&
      current.section !== null &&
      newline !== -1 &&
      /^={7}\r?$/.test(text.slice(start, Math.min(newline, start + 9))) &&
      holdsSourceAfter(text, newline + 1)
    ) {
      cuts.push({ section: null, start, line });
    }
    if (newline === -1) return cuts;
    start = newline + 1;
    line += 1;
  }
}

export function splitFile(text: string): SplitFile {
  const cuts = findCuts(text);
  const pieces = cuts.map(({ section, start, line }, index) => ({
    section,
    line,
    text: text.slice(start, cuts[index + 1]?.start ?? text.length),
  }));
  return { preamble: text.slice(0, cuts[0]?.start ?? text.length), pieces };
}
