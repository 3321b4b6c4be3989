/**
 * Marker lines, jupytext's percent format:
 *
 *     # %% Title [markdown] id="a1b2" tags=["x"]
 *
 * Bare `id`, `source` and `ipynb` belong to the format; every other key, and any key in quotes, is
 * cell metadata. Values are JSON. `# %% [sglnb:NAME]` opens a section that is no cell.
 */
import type { CellKind, IpynbCellOrigin } from './document.ts';
import {
  endOfJsonString,
  endOfJsonValue,
  isJsonObject,
  toJsonLine,
  tryParseJson,
  type JsonObject,
  type JsonValue,
} from './json.ts';

export interface Marker {
  readonly kind: CellKind;
  /** As written; may be missing or unusable. */
  readonly id: string | null;
  /** Text that cannot stand in a UTF-8 file line by line (lone surrogates). */
  readonly source: string | null;
  readonly metadata: JsonObject;
  readonly ipynb: IpynbCellOrigin | null;
  /** Name of the section, for `[sglnb:NAME]`; `null` for cells. */
  readonly section: string | null;
  /** Part of the line that could not be understood. */
  readonly complaint: string | null;
}

const MARKER_START = /#[ \t]*%%(?=[ \t\r\n]|$)/y;
const TAG = /\[(markdown|md|raw|code|sglnb:[A-Za-z0-9_-]+)\](?=\s|$)/y;
const BARE_KEY = /[A-Za-z_][\w.-]*(?==)/y;
const PLAIN_KEY = /^[A-Za-z_][\w.-]*$/;
const RESERVED = new Set(['id', 'source', 'ipynb', 'title']);

/** Is there a marker line at `start`, which is the beginning of a line? */
export function isMarkerAt(text: string, start: number): boolean {
  if (text.charCodeAt(start) !== 35 /* # */) return false;
  MARKER_START.lastIndex = start;
  return MARKER_START.test(text);
}

interface Attribute {
  readonly key: string;
  readonly quoted: boolean;
  readonly value: JsonValue;
  readonly end: number;
}

function attributeAt(line: string, start: number): Attribute | null {
  let key: string | undefined;
  let equals = -1;
  const quoted = line[start] === '"';
  if (quoted) {
    equals = endOfJsonString(line, start);
    if (equals === -1 || line[equals] !== '=') return null;
    const parsed = tryParseJson(line.slice(start, equals));
    if (typeof parsed === 'string') key = parsed;
  } else {
    BARE_KEY.lastIndex = start;
    key = BARE_KEY.exec(line)?.[0];
    equals = BARE_KEY.lastIndex;
  }
  if (key === undefined) return null;
  const end = endOfJsonValue(line, equals + 1);
  if (end === -1 || (end < line.length && !/\s/.test(line.charAt(end)))) return null;
  const value = tryParseJson(line.slice(equals + 1, end));
  return value === undefined ? null : { key, quoted, value, end };
}

function kindOfTag(tag: string): CellKind {
  if (tag === 'raw') return 'raw';
  return tag === 'markdown' || tag === 'md' ? 'markdown' : 'code';
}

function ipynbOrigin(value: JsonValue | undefined): IpynbCellOrigin | null {
  if (!isJsonObject(value)) return null;
  const { source, absent, extra } = value;
  const lengths = Array.isArray(source) ? source.filter((item) => typeof item === 'number') : [];
  const names = Array.isArray(absent) ? absent.filter((item) => typeof item === 'string') : [];
  return {
    ...(source === 'string' ? { source } : lengths.length > 0 ? { source: lengths } : {}),
    ...(names.length > 0 ? { absent: names } : {}),
    ...(isJsonObject(extra) ? { extra } : {}),
  };
}

/** Reads a marker line (without its line ending). Never fails: what is no attribute is title. */
export function parseMarker(line: string): Marker {
  const text = line.slice(line.indexOf('%%') + 2).trimEnd();
  let tag: string | null = null;
  const words: string[] = [];
  const own = new Map<string, JsonValue>();
  const metadata = new Map<string, JsonValue>();
  const complaints: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text.charAt(at))) {
      at += 1;
      continue;
    }
    TAG.lastIndex = at;
    const found: string | undefined =
      tag === null && own.size + metadata.size === 0 ? TAG.exec(text)?.[1] : undefined;
    if (found !== undefined) {
      tag = found;
      at = TAG.lastIndex;
      continue;
    }
    const attribute = attributeAt(text, at);
    if (attribute === null) {
      const end = endOfWord(text, at);
      const word = text.slice(at, end);
      if (tag !== null || own.size + metadata.size > 0 || /^(id|ipynb|source)=/.test(word)) {
        complaints.push(word);
      }
      words.push(word);
      at = end;
      continue;
    }
    const target = !attribute.quoted && RESERVED.has(attribute.key) ? own : metadata;
    if (target.has(attribute.key)) complaints.push(attribute.key);
    else target.set(attribute.key, attribute.value);
    at = attribute.end;
  }
  const id = own.get('id');
  const source = own.get('source');
  const title = words.length > 0 ? words.join(' ') : own.get('title');
  if (title !== undefined && !metadata.has('title')) metadata.set('title', title);
  return {
    kind: kindOfTag(tag ?? 'code'),
    id: typeof id === 'string' ? id : null,
    source: typeof source === 'string' ? source : null,
    metadata: Object.fromEntries(metadata),
    ipynb: ipynbOrigin(own.get('ipynb')),
    section: tag?.startsWith('sglnb:') ? tag.slice('sglnb:'.length) : null,
    complaint: complaints.length > 0 ? complaints.join(' ') : null,
  };
}

function endOfWord(text: string, start: number): number {
  let end = start;
  while (end < text.length && !/\s/.test(text.charAt(end))) end += 1;
  return end;
}

/** A title that can stand bare: reading it back gives exactly it. */
function bareTitle(title: JsonValue | undefined): string | null {
  if (typeof title !== 'string' || title === '' || !/^[\p{L}\p{N}\p{P}\p{S} ]*$/u.test(title)) {
    return null;
  }
  const back = parseMarker(`# %% ${title}`);
  const keys = Object.keys(back.metadata);
  const same = keys.length === 1 && back.metadata['title'] === title;
  const plain = back.kind === 'code' && back.id === null && back.section === null;
  return same && plain && back.complaint === null && back.ipynb === null ? title : null;
}

export interface MarkerFields {
  readonly kind: CellKind;
  readonly id: string;
  readonly metadata: JsonObject;
  readonly ipynb: IpynbCellOrigin | null;
  readonly source?: string;
}

/** The canonical marker line, without line ending. */
export function formatMarker(fields: MarkerFields): string {
  const title = bareTitle(fields.metadata['title']);
  const parts = ['# %%'];
  if (title !== null) parts.push(title);
  // A title may look like a tag of its own; an explicit tag ends it.
  if (fields.kind !== 'code') parts.push(`[${fields.kind}]`);
  parts.push(`id=${toJsonLine(fields.id)}`);
  if (fields.source !== undefined) parts.push(`source=${toJsonLine(fields.source)}`);
  for (const [key, value] of Object.entries(fields.metadata)) {
    if (key === 'title' && title !== null) continue;
    const bare = PLAIN_KEY.test(key) && (key === 'title' || !RESERVED.has(key));
    parts.push(`${bare ? key : toJsonLine(key)}=${toJsonLine(value)}`);
  }
  if (fields.ipynb !== null) parts.push(`ipynb=${toJsonLine(fields.ipynb)}`);
  return parts.join(' ');
}
