/** Pure: what a file of rows has for a program's parameters, told before anything runs. */
import type { ScannedProgram } from '../program-scan.ts';

/** Why a file will not do. */
export type RowsProblem =
  | { readonly kind: 'empty' }
  /** `line` is absent in a file that is one JSON value. */
  | { readonly kind: 'not-json'; readonly line?: number; readonly reason: string }
  | { readonly kind: 'not-objects'; readonly line?: number }
  | {
      readonly kind: 'missing-column';
      readonly names: readonly string[];
      readonly columns: readonly string[];
    };

export interface RowsFile {
  /** Column by parameter, for those that the file has. */
  readonly columns: Readonly<Record<string, string>>;
}

/** `text` may begin with a byte-order mark; `path` tells the format. */
export function readColumns(
  program: ScannedProgram,
  path: string,
  text: string,
): RowsFile | { readonly problem: RowsProblem } {
  const body = text.replace(/^\uFEFF/, '');
  const found = /\.csv$/i.test(path) ? csvColumns(body) : jsonColumns(body, /\.json$/i.test(path));
  if ('problem' in found) return found;
  const columns: Record<string, string> = {};
  const missing: string[] = [];
  for (const { name, defaultValue } of program.parameters) {
    const column = columnOf(name, found.columns);
    if (column !== undefined) columns[name] = column;
    else if (defaultValue === null) missing.push(name);
  }
  if (missing.length > 0) {
    return { problem: { kind: 'missing-column', names: missing, columns: found.columns } };
  }
  return { columns };
}

/** The column of that name; else the only one that differs in case, spaces, `_` and `-` alone. */
function columnOf(name: string, columns: readonly string[]): string | undefined {
  if (columns.includes(name)) return name;
  const plain = (text: string): string => text.toLowerCase().replaceAll(/[\s_-]/g, '');
  const alike = columns.filter((column) => plain(column) === plain(name));
  return alike.length === 1 ? alike[0] : undefined;
}

type Columns = { readonly columns: readonly string[] } | { readonly problem: RowsProblem };

/** The names in the first record, as Python's `csv` reads it; a file needs a row below them. */
function csvColumns(text: string): Columns {
  const fields: string[] = [''];
  let isQuoted = false;
  let at = 0;
  for (; at < text.length; at += 1) {
    const character = text.charAt(at);
    const last = fields.length - 1;
    if (character === '"') {
      if (isQuoted && text.charAt(at + 1) === '"') {
        fields[last] += '"';
        at += 1;
      } else isQuoted = !isQuoted;
    } else if (isQuoted) fields[last] += character;
    else if (character === ',') fields.push('');
    else if (character === '\n' || character === '\r') break;
    else fields[last] += character;
  }
  const hasRows = text.slice(at).trim() !== '';
  return hasRows ? { columns: fields } : { problem: { kind: 'empty' } };
}

/** Every row is read; the columns are those of the first. */
function jsonColumns(text: string, isOneValue: boolean): Columns {
  const rows: { readonly value: unknown; readonly line?: number }[] = [];
  const parse = (source: string, line?: number): RowsProblem | undefined => {
    const place = line === undefined ? {} : { line };
    try {
      const value: unknown = JSON.parse(source);
      if (!isOneValue) rows.push({ value, ...place });
      else if (Array.isArray(value)) rows.push(...value.map((row: unknown) => ({ value: row })));
      else return { kind: 'not-objects' };
    } catch (error) {
      return { kind: 'not-json', reason: String(error).replace(/^SyntaxError: /, ''), ...place };
    }
    return undefined;
  };
  const sources = isOneValue
    ? [{ source: text }]
    : text
        .split('\n')
        .map((source, index) => ({ source, line: index + 1 }))
        .filter(({ source }) => source.trim() !== '');
  for (const each of sources) {
    const problem = parse(each.source, 'line' in each ? each.line : undefined);
    if (problem) return { problem };
  }
  for (const { value, line } of rows) {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) continue;
    return { problem: { kind: 'not-objects', ...(line === undefined ? {} : { line }) } };
  }
  const [first] = rows;
  if (first === undefined) return { problem: { kind: 'empty' } };
  // SAFETY: checked above: an object that is no array and not null.
  return { columns: Object.keys(first.value as object) };
}
