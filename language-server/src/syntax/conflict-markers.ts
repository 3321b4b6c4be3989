/** What a merge that did not go through left in the text: both versions, between lines of git's. */
import type { SyntaxProblem } from './ast.ts';
import type { Token } from './token.ts';

const markerLine = /^(?:<{7}|\|{7}|={7}|>{7})(?=[ \r\n]|$).*$/gm;

const meanings: Readonly<Record<string, string>> = {
  '<': 'your version starts here',
  '|': 'the version before both starts here',
  '=': 'the other version starts here',
  '>': 'the other version ends here',
};

/** A problem for each marker. Lines that look like markers inside strings are text of the author's. */
export function conflictMarkers(text: string, tokens: readonly Token[]): readonly SyntaxProblem[] {
  const strings = tokens.filter(({ kind }) => kind === 'string' || kind === 'magic');
  return [...text.matchAll(markerLine)].flatMap(({ 0: line, index }) => {
    if (strings.some(({ start, end }) => start < index && index < end)) return [];
    const meaning = meanings[line[0] ?? ''] ?? '';
    return [
      {
        start: index,
        end: index + line.trimEnd().length,
        message: `merge conflict marker (${meaning}): resolve the conflict, keep one version and remove this line`,
      },
    ];
  });
}

/** The text with only the first version of each conflict; every place stays where it was. */
export function firstVersion(text: string, markers: readonly SyntaxProblem[]): string {
  let result = '';
  let done = 0;
  let isDropped = false;
  const lastEnd = markers.findLastIndex(({ start }) => text[start] === '>');
  for (const [i, { start, end }] of markers.entries()) {
    const kept = text.slice(done, start);
    result += (isDropped ? blank(kept) : kept) + blank(text.slice(start, end));
    isDropped = i < lastEnd && (text[start] === '|' || text[start] === '=');
    done = end;
  }
  return result + text.slice(done);
}

const blank = (text: string): string => text.replaceAll(/[^\r\n]/g, ' ');
