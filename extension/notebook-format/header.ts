/**
 * The head of a file: comment lines between `# ---`, one key each, values in JSON.
 *
 *     # ---
 *     # sglnb: 1
 *     # kernelspec: {"name":"sglang"}
 *     # ---
 *
 * Bare `sglnb` (format version) and `ipynb` belong to the format; other keys, and any key in
 * quotes, are notebook metadata. Other comments around it are kept.
 */
import type { IpynbOrigin, LineEnding } from './document.ts';
import { isConflictLine } from './conflicts.ts';
import { NotebookFormatError, type NotebookWarning } from './format-error.ts';
import { endOfJsonString, isJsonObject, toJsonLine, tryParseJson } from './json.ts';
import type { JsonObject, JsonValue } from './json.ts';

export const FORMAT_VERSION = 1;

const FENCE = /^# ---\s*$/;
const VERSION_LINE = /^# sglnb:/;
const PLAIN_KEY = /^[A-Za-z_][\w.-]*$/;

export interface Header {
  readonly metadata: JsonObject;
  readonly ipynb: IpynbOrigin | null;
}

/**
 * Length of the head within `preamble`, the text before the first marker; 0 if there is none.
 * @throws NotebookFormatError `unterminated-header`
 */
export function headerLength(preamble: string): number {
  if (!/(?:^|\n)# sglnb:/.test(preamble)) return 0;
  let at = 0;
  let end = 0;
  let fences = 0;
  let seen = false;
  let line = 0;
  let versionLine = 1;
  while (at < preamble.length) {
    const newline = preamble.indexOf('\n', at);
    const next = newline === -1 ? preamble.length : newline + 1;
    const text = preamble.slice(at, next);
    line += 1;
    if (VERSION_LINE.test(text)) {
      seen = true;
      versionLine = line;
    }
    if (FENCE.test(text)) {
      fences += 1;
      if (seen) end = next;
    }
    at = next;
  }
  if (end === 0 || fences < 2) {
    throw new NotebookFormatError(
      'unterminated-header',
      versionLine,
      'The head of the notebook is not closed: add a line "# ---" after its last key.',
    );
  }
  const blank = /^\r?\n/.exec(preamble.slice(end));
  return end + (blank?.[0].length ?? 0);
}

function checkVersion(value: JsonValue | undefined, line: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) {
    throw new NotebookFormatError(
      'invalid-header',
      line,
      `The format version must be a whole number from 1, as in "# sglnb: ${FORMAT_VERSION}".`,
    );
  }
  if (value > FORMAT_VERSION) {
    throw new NotebookFormatError(
      'unsupported-version',
      line,
      `This notebook has format version ${value}; this program reads up to ${FORMAT_VERSION}. Update it to open the file.`,
    );
  }
}

function ipynbOrigin(value: JsonValue): IpynbOrigin | null {
  if (!isJsonObject(value)) return null;
  const { nbformat, nbformat_minor: minor, ...extra } = value;
  if (typeof nbformat !== 'number' || typeof minor !== 'number') return null;
  return { nbformat, nbformatMinor: minor, extra };
}

interface HeaderLine {
  readonly key: string;
  readonly quoted: boolean;
  readonly value: JsonValue | undefined;
}

function parseLine(line: string): HeaderLine | null {
  const text = line.slice(2).trimEnd();
  const quoted = text.startsWith('"');
  const colon = quoted ? endOfJsonString(text, 0) : text.indexOf(':');
  if (colon === -1 || text[colon] !== ':') return null;
  const key = quoted ? tryParseJson(text.slice(0, colon)) : text.slice(0, colon);
  if (typeof key !== 'string' || (!quoted && !PLAIN_KEY.test(key))) return null;
  return { key, quoted, value: tryParseJson(text.slice(colon + 1).trim()) };
}

/**
 * Reads the head. In a merge conflict the first side wins; lines that mean nothing are reported.
 * @throws NotebookFormatError `invalid-header`, `unsupported-version`
 */
export function parseHeader(text: string, warn: (warning: NotebookWarning) => void): Header {
  const metadata = new Map<string, JsonValue>();
  let ipynb: IpynbOrigin | null = null;
  let inside = false;
  for (const [index, line] of text.split('\n').entries()) {
    if (FENCE.test(line)) {
      inside = !inside;
      continue;
    }
    if (!inside || line.trim() === '' || isConflictLine(line)) continue;
    const parsed = line.startsWith('# ') ? parseLine(line) : null;
    if (parsed !== null && !parsed.quoted && parsed.key === 'sglnb') {
      checkVersion(parsed.value, index + 1);
    } else if (parsed?.value === undefined) {
      const message = 'This line of the head is no "# key: JSON" and is kept as it is.';
      warn({ code: 'unknown-header-line', line: index + 1, message });
    } else if (!parsed.quoted && parsed.key === 'ipynb') {
      ipynb ??= ipynbOrigin(parsed.value);
    } else if (!metadata.has(parsed.key)) {
      metadata.set(parsed.key, parsed.value);
    }
  }
  return { metadata: Object.fromEntries(metadata), ipynb };
}

export function formatHeader({ metadata, ipynb }: Header, lineEnding: LineEnding): string {
  const lines = ['# ---', `# sglnb: ${FORMAT_VERSION}`];
  if (ipynb !== null) {
    const { nbformat, nbformatMinor, extra } = ipynb;
    lines.push(`# ipynb: ${toJsonLine({ nbformat, nbformat_minor: nbformatMinor, ...extra })}`);
  }
  for (const [key, value] of Object.entries(metadata)) {
    const bare = PLAIN_KEY.test(key) && key !== 'sglnb' && key !== 'ipynb';
    lines.push(`# ${bare ? key : toJsonLine(key)}: ${toJsonLine(value)}`);
  }
  lines.push('# ---', '', '');
  return lines.join(lineEnding);
}
