import {
  codePointSet,
  complement,
  intersection,
  union,
  type CodePointSet,
} from '../syntax/code-points.ts';
import { readEscape } from './regex-escape.ts';
import type { SourceReader } from '../syntax/source-reader.ts';

const UPPER: CodePointSet = [0x41, 0x5a];
const LOWER: CodePointSet = [0x61, 0x7a];
const CASE_DISTANCE = 0x20;

/** Adds the other case of ASCII letters: with re.ASCII, (?i) folds nothing else. */
export function foldAsciiCase(set: CodePointSet): CodePointSet {
  const shift = (part: CodePointSet, distance: number): number[] =>
    part.map((point) => point + distance);
  return codePointSet([
    ...set,
    ...shift(intersection(set, UPPER), CASE_DISTANCE),
    ...shift(intersection(set, LOWER), -CASE_DISTANCE),
  ]);
}

/** Reads `[…]`; the cursor stands on the opening bracket. The set may be empty. */
export function readCharacterClass(reader: SourceReader, ignoreCase: boolean): CodePointSet {
  const start = reader.position;
  reader.take();
  const negated = reader.takeIf('^');
  let set: CodePointSet = [];
  const first = reader.position;
  while (reader.position === first || reader.peek() !== ']') {
    if (reader.atEnd) return reader.invalid('unterminated character set', start);
    set = union(set, readMember(reader));
  }
  reader.take();
  const folded = ignoreCase ? foldAsciiCase(set) : set;
  return negated ? complement(folded) : folded;
}

/** One character, range or class inside brackets. */
function readMember(reader: SourceReader): CodePointSet {
  const start = reader.position;
  refusePosixClass(reader);
  const low = readOne(reader);
  const isRange = reader.peek() === '-' && reader.peek(1) !== ']' && reader.peek(1) !== '';
  if (!isRange) return typeof low === 'number' ? [low, low] : low;
  reader.take();
  const high = readOne(reader);
  if (typeof low !== 'number' || typeof high !== 'number' || low > high) {
    const written = reader.slice(start, reader.position);
    return reader.invalid(`bad character range ${written}`, start);
  }
  return [low, high];
}

function readOne(reader: SourceReader): number | CodePointSet {
  if (!reader.takeIf('\\')) return reader.take().codePointAt(0) ?? 0;
  const escape = readEscape(reader, true);
  switch (escape.kind) {
    case 'character':
      return escape.codePoint;
    case 'class':
      return escape.set;
    case 'anchor':
      return reader.invalid('bad escape in a character set');
  }
}

/** Python reads `[[:alpha:]]` as the set `[:alph` and a literal `]`, which nobody means. */
function refusePosixClass(reader: SourceReader): void {
  if (!reader.startsWith('[:')) return;
  let ahead = 2;
  while (/^[a-z]$/.test(reader.peek(ahead))) ahead++;
  if (ahead > 2 && reader.peek(ahead) === ':' && reader.peek(ahead + 1) === ']') {
    reader.unsupported('POSIX classes such as [:alpha:] are not supported');
  }
}
