import {
  complement,
  DIGITS,
  LAST_CODE_POINT,
  WHITESPACE,
  WORD_CHARACTERS,
  type CodePointSet,
} from '../syntax/code-points.ts';
import type { SourceReader } from '../syntax/source-reader.ts';
import { unicodeProperty } from './unicode-property.ts';

/** What stands behind a backslash: one character, a class, or an anchor. */
export type Escape =
  | { readonly kind: 'character'; readonly codePoint: number }
  | { readonly kind: 'class'; readonly set: CodePointSet }
  | { readonly kind: 'anchor'; readonly edge: 'start' | 'end' };

const CLASSES: ReadonlyMap<string, CodePointSet> = new Map([
  ['d', DIGITS],
  ['D', complement(DIGITS)],
  ['w', WORD_CHARACTERS],
  ['W', complement(WORD_CHARACTERS)],
  ['s', WHITESPACE],
  ['S', complement(WHITESPACE)],
]);

const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
]);

const HEX = /^[0-9a-fA-F]$/;
const OCTAL = /^[0-7]$/;

/**
 * Reads an escape; the cursor stands behind the backslash. Follows CPython's `re._parser`
 * (`_escape`, `_class_escape`), and in addition takes `\u{…}` and `\p{…}` of ECMAScript, which
 * JSON schemas contain and Python refuses.
 */
export function readEscape(reader: SourceReader, inClass: boolean): Escape {
  const start = reader.position - 1;
  const letter = reader.take();
  if (letter === '') return reader.invalid('bad escape (end of pattern)', start);
  const set = CLASSES.get(letter);
  if (set !== undefined) return { kind: 'class', set };
  const control = CONTROLS.get(letter);
  if (control !== undefined) return character(control);
  if (/^[0-9]$/.test(letter)) return character(readNumber(reader, letter, inClass, start));
  switch (letter) {
    case 'x':
      return character(readHex(reader, 2, start));
    case 'u':
      return character(readUnicode(reader, start));
    case 'U':
      return character(checked(reader, readHex(reader, 8, start), start));
    case 'p':
    case 'P':
      return { kind: 'class', set: readProperty(reader, letter === 'P', start) };
    case 'N':
      return reader.unsupported('named characters \\N{…} are not supported', start);
    default:
  }
  if (inClass && letter === 'b') return character(8);
  if (!inClass) {
    if (letter === 'A') return { kind: 'anchor', edge: 'start' };
    if (letter === 'Z' || letter === 'z') return { kind: 'anchor', edge: 'end' };
    if (letter === 'b' || letter === 'B') {
      return reader.unsupported(`word boundary \\${letter} is not supported`, start);
    }
  }
  if (/^[A-Za-z]$/.test(letter)) return reader.invalid(`bad escape \\${letter}`, start);
  return character(letter.codePointAt(0) ?? 0);
}

function character(codePoint: number): Escape {
  return { kind: 'character', codePoint };
}

/** Octal escapes, and back-references, which look alike. */
function readNumber(reader: SourceReader, first: string, inClass: boolean, start: number): number {
  if (first === '0') return Number.parseInt(`0${reader.takeWhile(OCTAL, 2)}`, 8);
  const octal =
    inClass || (OCTAL.test(first) && OCTAL.test(reader.peek()) && OCTAL.test(reader.peek(1)));
  if (!octal) return reader.unsupported('back-references are not supported', start);
  if (!OCTAL.test(first)) return reader.invalid(`bad escape \\${first}`, start);
  const value = Number.parseInt(first + reader.takeWhile(OCTAL, 2), 8);
  if (value > 0o377) return reader.invalid('octal escape outside of range 0-0o377', start);
  return value;
}

function readHex(reader: SourceReader, length: number, start: number): number {
  const digits = reader.takeWhile(HEX, length);
  if (digits.length < length) return reader.invalid('incomplete hexadecimal escape', start);
  return Number.parseInt(digits, 16);
}

/** `\uXXXX`, a surrogate pair written as two of them, or `\u{X…}`. */
function readUnicode(reader: SourceReader, start: number): number {
  if (reader.takeIf('{')) {
    const digits = reader.takeWhile(HEX, 8);
    if (digits === '' || !reader.takeIf('}')) return reader.invalid('bad \\u{…} escape', start);
    return checked(reader, Number.parseInt(digits, 16), start);
  }
  const first = readHex(reader, 4, start);
  if (first < 0xd800 || first > 0xdbff || !reader.startsWith('\\u')) return first;
  const before = reader.position;
  reader.position += 2;
  const second = reader.takeWhile(HEX, 4);
  const low = Number.parseInt(second, 16);
  if (second.length === 4 && low >= 0xdc00 && low <= 0xdfff) {
    return 0x10000 + ((first - 0xd800) << 10) + (low - 0xdc00);
  }
  reader.position = before;
  return first;
}

function checked(reader: SourceReader, codePoint: number, start: number): number {
  if (codePoint > LAST_CODE_POINT) return reader.invalid('character out of range', start);
  return codePoint;
}

function readProperty(reader: SourceReader, negated: boolean, start: number): CodePointSet {
  let name = reader.take();
  if (name === '{') {
    name = reader.takeWhile(/^[^}]$/u);
    if (!reader.takeIf('}')) return reader.invalid('missing } after \\p{', start);
  }
  const set = unicodeProperty(name);
  if (set === null)
    return reader.invalid(`unknown Unicode property ${JSON.stringify(name)}`, start);
  return negated ? complement(set) : set;
}
