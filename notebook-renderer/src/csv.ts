import type { BatchRow } from '../../extension/protocol/output-payloads.ts';

/** Names in the order in which rows first have them. */
export function columnNames(rows: readonly Readonly<Record<string, string>>[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row)))];
}

/** RFC 4180: fields with commas, quotes or line breaks are quoted, quotes doubled. */
export function batchCsv(rows: readonly BatchRow[]): string {
  const given = columnNames(rows.map((row) => row.arguments));
  const made = columnNames(rows.map((row) => row.values));
  const lines = rows.map((row) => [
    ...given.map((name) => row.arguments[name] ?? ''),
    ...made.map((name) => row.values[name] ?? ''),
    row.error ?? '',
  ]);
  return [[...given, ...made, 'error'], ...lines]
    .map((fields) => `${fields.map(field).join(',')}\r\n`)
    .join('');
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
