/**
 * Python string literals: where they end, what they mean, and where the replacement fields of
 * f-strings and t-strings are. Fields follow PEP 701 (any expression, any quotes inside).
 */

export interface StringExtent {
  readonly end: number;
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly terminated: boolean;
}

/** Offset range of a replacement field's expression; `conversion` is the letter after `!`. */
export interface FieldRange {
  readonly kind: 'field';
  readonly start: number;
  readonly end: number;
  readonly conversion: string | null;
}
export type TemplateRange =
  | { readonly kind: 'text'; readonly start: number; readonly end: number }
  | FieldRange;

/** f-strings in f-strings deeper than this are read as plain strings. */
const maximumNesting = 12;

/** Characters that may be looked at inside fields; strings in fields in strings could take for ever. */
interface Work {
  left: number;
}

const workPerString = 5000;

const isQuote = (char: string | undefined): boolean => char === '"' || char === "'";

export function isTemplatePrefix(prefix: string): boolean {
  return /[ft]/i.test(prefix);
}

/** `quoteAt` is the offset of the first quote character, after the prefix. */
export function scanString(
  text: string,
  quoteAt: number,
  prefix: string,
  nesting = 0,
  work: Work = { left: workPerString },
): StringExtent {
  const char = text[quoteAt] ?? '"';
  const quote = text.startsWith(char.repeat(3), quoteAt) ? char.repeat(3) : char;
  const contentStart = quoteAt + quote.length;
  const found =
    isTemplatePrefix(prefix) && nesting < maximumNesting
      ? findTemplateEnd(text, contentStart, quote, /r/i.test(prefix), nesting, work)
      : findPlainEnd(text, contentStart, quote);
  if (found !== -1) {
    return { end: found + quote.length, contentStart, contentEnd: found, terminated: true };
  }
  // An unclosed string ends with its line: the lines below stay code while a quote is being typed.
  const lineEnd = endOfLine(text, contentStart);
  return { end: lineEnd, contentStart, contentEnd: lineEnd, terminated: false };
}

function endOfLine(text: string, from: number): number {
  const at = text.indexOf('\n', from);
  if (at === -1) return text.length;
  return text[at - 1] === '\r' && at > from ? at - 1 : at;
}

function findPlainEnd(text: string, from: number, quote: string): number {
  const triple = quote.length === 3;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i++;
    else if (char === '\n' && !triple) return -1;
    else if (char === quote[0] && (!triple || text.startsWith(quote, i))) return i;
  }
  return -1;
}

function findTemplateEnd(
  text: string,
  from: number,
  quote: string,
  isRaw: boolean,
  nesting: number,
  work: Work,
): number {
  const triple = quote.length === 3;
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (char === '\\') i += escapeLength(text, i, isRaw);
    else if (char === '\n' && !triple) return -1;
    else if (char === quote[0] && (!triple || text.startsWith(quote, i))) return i;
    else if (char === '{') {
      if (text[i + 1] === '{') i++;
      else {
        const close = findFieldEnd(text, i + 1, triple, nesting + 1, work);
        // `f"hello {na"` while typing: the quote ends the string, the field stays open.
        if (close === -1) return findPlainEnd(text, i + 1, quote);
        i = close;
      }
    }
  }
  return -1;
}

/** Offset of the `}` that closes the field whose expression starts at `from`, or -1. */
function findFieldEnd(
  text: string,
  from: number,
  triple: boolean,
  nesting: number,
  work: Work,
): number {
  if (nesting > maximumNesting) return -1;
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const char = text[i] ?? '';
    if ((char === '\n' && !triple) || work.left-- <= 0) return -1;
    if ('([{'.includes(char)) depth++;
    else if (char === '}' && depth === 0) return i;
    else if (')]}'.includes(char)) depth = Math.max(0, depth - 1);
    else if (isQuote(char)) {
      const prefix = /[a-zA-Z]{0,2}$/.exec(text.slice(Math.max(from, i - 2), i))?.[0] ?? '';
      const inner = scanString(text, i, prefix, nesting + 1, work);
      if (!inner.terminated) return -1;
      i = inner.end - 1;
    } else if (char === ':' && depth === 0 && text[i + 1] !== '=') {
      return findSpecEnd(text, i + 1, triple, nesting + 1, work);
    }
  }
  return -1;
}

function findSpecEnd(
  text: string,
  from: number,
  triple: boolean,
  nesting: number,
  work: Work,
): number {
  for (let i = from; i < text.length; i++) {
    const char = text[i];
    if (char === '}') return i;
    if ((char === '\n' && !triple) || isQuote(char)) return -1;
    if (char === '{') {
      const close = findFieldEnd(text, i + 1, triple, nesting, work);
      if (close === -1) return -1;
      i = close;
    }
  }
  return -1;
}

/**
 * Characters behind a backslash of a template that belong to it: none before a brace, which has its
 * meaning there as well, and a whole `N{DASH}`.
 */
function escapeLength(text: string, at: number, isRaw: boolean): number {
  const next = text[at + 1];
  if (next === '{' || next === '}') return 0;
  if (isRaw || next !== 'N' || text[at + 2] !== '{') return 1;
  return /^N\{[^}\n]*\}/.exec(text.slice(at + 1, at + 100))?.[0].length ?? 1;
}

/** Splits the content of an f-string. An unclosed last field ends with the content. */
export function templateRanges(
  text: string,
  start: number,
  end: number,
  prefix: string,
): TemplateRange[] {
  const isRaw = /r/i.test(prefix);
  const ranges: TemplateRange[] = [];
  let textStart = start;
  for (let i = start; i < end; i++) {
    const char = text[i];
    if (char === '\\') i += escapeLength(text, i, isRaw);
    else if (char === '{' && text[i + 1] === '{') i++;
    else if (char === '{') {
      if (i > textStart) ranges.push({ kind: 'text', start: textStart, end: i });
      const found = findFieldEnd(text, i + 1, true, 0, { left: workPerString });
      const close = found === -1 || found > end ? end : found;
      ranges.push(fieldRange(text, i + 1, close));
      i = close;
      textStart = Math.min(close + 1, end);
    }
  }
  if (end > textStart) ranges.push({ kind: 'text', start: textStart, end });
  return ranges;
}

/** Cuts `!r`, `:spec` and the `=` of `{x=}` off a field. */
function fieldRange(text: string, start: number, end: number): FieldRange {
  let depth = 0;
  for (let i = start; i < end; i++) {
    const char = text[i] ?? '';
    if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char)) depth--;
    else if (isQuote(char)) i = Math.max(i, scanString(text, i, '').end - 1);
    else if (depth === 0 && char === '!' && text[i + 1] !== '=') {
      return { kind: 'field', start, end: i, conversion: text[i + 1] ?? '' };
    } else if (depth === 0 && char === ':' && text[i + 1] !== '=') {
      return { kind: 'field', start, end: trimSelfDocumenting(text, start, i), conversion: null };
    }
  }
  return { kind: 'field', start, end: trimSelfDocumenting(text, start, end), conversion: null };
}

function trimSelfDocumenting(text: string, start: number, end: number): number {
  const expression = text.slice(start, end);
  return /[^=!<>]=\s*$/.test(expression) ? start + expression.lastIndexOf('=') : end;
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

const escapes = '\\r\\n|[0-7]{1,3}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|N\\{[^}]*\\}';
const plainPattern = new RegExp(String.raw`\\(${escapes}|[\s\S])`, 'g');
const templatePattern = new RegExp(String.raw`\\(${escapes}|[^{}])|\{\{|\}\}`, 'g');

/**
 * The value of literal text. Unknown escapes keep their backslash, as in Python. In templates
 * `{{` and `}}` stand for one brace.
 */
export function decodeText(source: string, prefix: string): string {
  const raw = /r/i.test(prefix);
  const template = isTemplatePrefix(prefix);
  const pattern = template ? templatePattern : plainPattern;
  return source.replaceAll(pattern, (match: string, escape: string | undefined) => {
    if (escape === undefined) return template ? match.slice(1) : match;
    return raw ? match : decodeEscape(match, escape);
  });
}

function decodeEscape(match: string, escape: string): string {
  if (escape === '\r\n') return '';
  const simple = simpleEscapes[escape];
  if (simple !== undefined) return simple;
  if (/^[0-7]/.test(escape)) return String.fromCodePoint(Number.parseInt(escape, 8));
  if (/^[xuU]./.test(escape)) {
    const code = Number.parseInt(escape.slice(1), 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : match;
  }
  return escape.startsWith('N{') ? '\ufffd' : match;
}
