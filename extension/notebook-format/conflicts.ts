/** Git's conflict markers: seven of a kind at the beginning of a line. */
const CONFLICT_LINE = /^(?:<{7}|>{7}|\|{7})(?: |\r?$)|^={7}\r?$/;

export function isConflictLine(line: string): boolean {
  return CONFLICT_LINE.test(line);
}

const CONFLICT_START = /(?:^|\n)<{7}(?: [^\n]*)?\r?\n/;
const CONFLICT_END = /\n>{7}(?: |\r?\n|\r?$)/;

/** Index of the first conflict's opening line, or -1. Cheap for texts without one. */
export function findConflict(text: string): number {
  if (!text.includes('<<<<<<<')) return -1;
  const opening = CONFLICT_START.exec(text);
  if (opening === null || !CONFLICT_END.test(text.slice(opening.index))) return -1;
  return text[opening.index] === '\n' ? opening.index + 1 : opening.index;
}

/** How a conflict line moves the reader: into one, or out of it. */
export function conflictDepthAfter(line: string, inside: boolean): boolean {
  if (line.startsWith('<<<<<<<')) return true;
  return line.startsWith('>>>>>>>') ? false : inside;
}
