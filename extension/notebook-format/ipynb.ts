/**
 * Jupyter notebooks (nbformat 4) ⇄ notebook document, without loss: what a cell of the `.ipynb`
 * file has beyond the model is found by writing the cell back and comparing, and is carried along.
 */
import { deriveCellId, isValidCellId } from './cell-ids.ts';
import { NEW_LAYOUT } from './document.ts';
import type { CellKind, IpynbCellOrigin, NotebookCell, NotebookDocument } from './document.ts';
import { NotebookFormatError } from './format-error.ts';
import { isJsonObject, jsonEqual, type JsonObject, type JsonValue } from './json.ts';

/** The nbformat version of notebooks that do not come from a `.ipynb` file. */
const NEW_ORIGIN = { nbformat: 4, nbformatMinor: 5, extra: {} } as const;

/** First minor version in which cells have ids. */
const MINOR_WITH_IDS = 5;

/**
 * @throws NotebookFormatError `invalid-json`, `invalid-ipynb`, `unsupported-nbformat`
 */
export function readIpynb(text: string): NotebookDocument {
  const { cells, metadata, nbformat, nbformat_minor: minor, ...extra } = parseObject(text);
  if (typeof nbformat !== 'number') {
    throw invalid('The file is JSON, but no Jupyter notebook: "nbformat" is missing.');
  }
  if (nbformat !== 4 || typeof minor !== 'number') {
    const hint = nbformat < 4 ? ' Open and save it in Jupyter to upgrade it.' : '';
    throw new NotebookFormatError(
      'unsupported-nbformat',
      1,
      `Notebooks of nbformat ${nbformat} cannot be read, only those of nbformat 4.${hint}`,
    );
  }
  if (!Array.isArray(cells)) throw invalid('"cells" must be a list.');
  if (metadata !== undefined && !isJsonObject(metadata)) {
    throw invalid('"metadata" must be an object.');
  }
  const ipynb = { nbformat, nbformatMinor: minor, extra };
  const document = {
    metadata: metadata ?? {},
    cells: readCells(cells, minor),
    // A notebook of the present version is no different from one that began here.
    ipynb: jsonEqual(ipynb, NEW_ORIGIN) ? null : ipynb,
    layout: NEW_LAYOUT,
  };
  return document;
}

function invalid(message: string): NotebookFormatError {
  return new NotebookFormatError('invalid-ipynb', 1, message);
}

function parseObject(text: string): JsonObject {
  const content = text.startsWith('\ufeff') ? text.slice(1) : text;
  let value: JsonValue;
  try {
    value = JSON.parse(content);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const line = lineOfJsonError(content, reason);
    throw new NotebookFormatError('invalid-json', line, `The file is no valid JSON: ${reason}`);
  }
  if (!isJsonObject(value)) throw invalid('The file is JSON, but no Jupyter notebook.');
  return value;
}

/** V8 names the position (and newer ones the line) of a JSON error in its message. */
function lineOfJsonError(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  return position === undefined ? 1 : text.slice(0, Number(position)).split('\n').length;
}

function readCells(cells: readonly JsonValue[], minor: number): NotebookCell[] {
  const written = new Set(
    cells.flatMap((cell) =>
      isJsonObject(cell) && typeof cell['id'] === 'string' ? [cell['id']] : [],
    ),
  );
  const used = new Set<string>();
  return cells.map((json, index) => {
    if (!isJsonObject(json)) throw invalid(`Cell ${index + 1} is no object.`);
    const own = json['id'];
    const usable = typeof own === 'string' && isValidCellId(own) && !used.has(own);
    const taken = { has: (id: string) => written.has(id) || used.has(id) };
    const id = usable ? own : deriveCellId(joinLines(json['source']) ?? '', index, taken);
    used.add(id);
    return readCell(json, id, minor, index);
  });
}

function readCell(json: JsonObject, id: string, minor: number, index: number): NotebookCell {
  const kind = cellKind(json['cell_type']);
  const source = joinLines(json['source']);
  if (kind === null || source === null) {
    throw invalid(`Cell ${index + 1} has no usable ${kind === null ? '"cell_type"' : '"source"'}.`);
  }
  const { metadata, outputs, execution_count: count, attachments } = json;
  const cell: NotebookCell = {
    kind,
    id,
    source,
    metadata: isJsonObject(metadata) ? metadata : {},
    outputs: kind === 'code' ? readOutputs(outputs) : [],
    executionCount: kind === 'code' && typeof count === 'number' ? count : null,
    attachments: isJsonObject(attachments) ? attachments : null,
    ipynb: null,
  };
  return { ...cell, ipynb: originOf(json, cell, minor) };
}

function cellKind(type: JsonValue | undefined): CellKind | null {
  return type === 'code' || type === 'markdown' || type === 'raw' ? type : null;
}

function joinLines(value: JsonValue | undefined): string | null {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return null;
  return value.every((line) => typeof line === 'string') ? value.join('') : null;
}

/** Outputs that are no list, or hold something without type, stay whole in the cell's origin. */
function readOutputs(outputs: JsonValue | undefined): NotebookCell['outputs'] {
  if (!Array.isArray(outputs)) return [];
  const objects = outputs.filter(
    (output) => isJsonObject(output) && typeof output['output_type'] === 'string',
  );
  return objects.length === outputs.length ? objects.map((json) => ({ json })) : [];
}

/** Writes the cell back and records every member that came out differently. */
function originOf(json: JsonObject, cell: NotebookCell, minor: number): IpynbCellOrigin | null {
  const lines = sourceForm(json['source']);
  const plain = writeCell(cell, minor);
  const extra = Object.entries(json).filter(
    ([key, value]) => key !== 'source' && !jsonEqual(plain[key], value),
  );
  const absent = Object.keys(plain).filter((key) => !Object.hasOwn(json, key));
  if (lines === null && extra.length === 0 && absent.length === 0) return null;
  return {
    ...(lines === null ? {} : { source: lines }),
    ...(absent.length === 0 ? {} : { absent }),
    ...(extra.length === 0 ? {} : { extra: Object.fromEntries(extra) }),
  };
}

function sourceForm(source: JsonValue | undefined): 'string' | readonly number[] | null {
  if (typeof source === 'string') return 'string';
  if (!Array.isArray(source)) return null;
  const parts = source.filter((part) => typeof part === 'string');
  return jsonEqual(splitLines(parts.join('')), parts) ? null : parts.map((part) => part.length);
}

/** As Jupyter splits: every line keeps its line break. */
function splitLines(source: string): string[] {
  return source === '' ? [] : source.split(/(?<=\n)/);
}

function writeSource(source: string, form: IpynbCellOrigin['source']): JsonValue {
  if (form === 'string') return source;
  if (form === undefined) return splitLines(source);
  const total = form.reduce((sum, length) => sum + length, 0);
  if (total !== source.length) return splitLines(source);
  let at = 0;
  return form.map((length) => {
    at += length;
    return source.slice(at - length, at);
  });
}

function writeCell(cell: NotebookCell, minor: number): JsonObject {
  const { kind, id, source, metadata, outputs, executionCount, attachments, ipynb } = cell;
  const isCode = kind === 'code';
  const members: JsonObject = {
    ...(attachments === null ? {} : { attachments }),
    cell_type: kind,
    ...(isCode ? { execution_count: executionCount } : {}),
    ...(minor >= MINOR_WITH_IDS ? { id } : {}),
    metadata,
    ...(isCode ? { outputs: outputs.map(({ json }) => json) } : {}),
    source: writeSource(source, ipynb?.source),
  };
  // A cell that has run since the import has its own outputs and count.
  const { outputs: oddOutputs, execution_count: oddCount, ...extra } = ipynb?.extra ?? {};
  const kept = {
    ...extra,
    ...(oddOutputs !== undefined && outputs.length === 0 ? { outputs: oddOutputs } : {}),
    ...(oddCount !== undefined && executionCount === null ? { execution_count: oddCount } : {}),
  };
  const absent = new Set(ipynb?.absent);
  if (outputs.length > 0) absent.delete('outputs');
  if (executionCount !== null) absent.delete('execution_count');
  const all = Object.entries({ ...members, ...kept });
  return Object.fromEntries(all.filter(([key]) => !absent.has(key)));
}

/** nbformat 4 JSON, indented by one blank as Jupyter writes it. */
export function writeIpynb(document: NotebookDocument): string {
  const { nbformat, nbformatMinor, extra } = document.ipynb ?? NEW_ORIGIN;
  const notebook = {
    cells: document.cells.map((cell) => writeCell(cell, nbformatMinor)),
    metadata: document.metadata,
    nbformat,
    nbformat_minor: nbformatMinor,
    ...extra,
  };
  return `${JSON.stringify(notebook, null, 1)}\n`;
}
