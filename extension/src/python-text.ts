/** Pure: Python text read without a parser, by its brackets, strings and comments. */

const OPENING = '([{';
const CLOSING = ')]}';

/** Where a string that starts at `start` ends: behind its closing quote, or at the end of the text. */
function stringEnd(text: string, start: number): number {
  const quote = text.charAt(start);
  const triple = quote.repeat(3);
  const closing = text.startsWith(triple, start) ? triple : quote;
  let at = start + closing.length;
  while (at < text.length && !text.startsWith(closing, at)) at += text.charAt(at) === '\\' ? 2 : 1;
  return Math.min(at + closing.length, text.length);
}

/**
 * The parts between separators that stand outside brackets and strings, up to a bracket that closes
 * what the text does not open. Comments are left out.
 */
export function splitTopLevel(text: string, separator: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    let end = at + 1;
    if (character === '"' || character === "'") end = stringEnd(text, at);
    else if (character === '#') {
      const lineEnd = text.indexOf('\n', at);
      at = lineEnd === -1 ? text.length : lineEnd;
      continue;
    } else if (OPENING.includes(character)) depth += 1;
    else if (CLOSING.includes(character)) depth -= 1;
    if (depth < 0) break;
    if (character === separator && depth === 0) {
      parts.push(part);
      part = '';
    } else part += text.slice(at, end);
    at = end;
  }
  if (part.trim() !== '') parts.push(part);
  return parts;
}

/** Whether brackets and strings are closed, each by its own kind: what is missing when one is typed. */
export function isComplete(text: string): boolean {
  const open: string[] = [];
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === '"' || character === "'") {
      const end = stringEnd(text, at);
      if (end - at < 2 || text.charAt(end - 1) !== character) return false;
      at = end;
      continue;
    }
    if (OPENING.includes(character)) open.push(CLOSING.charAt(OPENING.indexOf(character)));
    else if (CLOSING.includes(character) && open.pop() !== character) return false;
    at += 1;
  }
  return open.length === 0;
}
