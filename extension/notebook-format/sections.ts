/**
 * Sections that hold data of cells, one line each, keyed by cell id:
 *
 *     # %% [sglnb:outputs]
 *     # a1b2 {"execution_count":3}
 *     # a1b2 {"output_type":"stream","name":"stdout","text":"hello\n"}
 *
 * `[sglnb:attachments]` has lines of nbformat attachments: file name → MIME bundle.
 */
import { isValidCellId } from './cell-ids.ts';
import { conflictDepthAfter, isConflictLine } from './conflicts.ts';
import type { LineEnding, NotebookCell, NotebookOutput } from './document.ts';
import type { NotebookWarning } from './format-error.ts';
import { limitImages } from './image-limit.ts';
import { isJsonObject, jsonEqual, toJsonLine, tryParseJson, type JsonObject } from './json.ts';

export type SectionName = 'outputs' | 'attachments';

export function isSectionName(name: string | null): name is SectionName {
  return name === 'outputs' || name === 'attachments';
}

/** What all data sections of a file say. */
export interface CellData {
  readonly outputs: Map<string, NotebookOutput[]>;
  readonly executionCounts: Map<string, number>;
  readonly attachments: Map<string, JsonObject>;
  /** Lines that are kept although they mean nothing to this version. */
  readonly unknown: Record<SectionName, string[]>;
  conflicted: boolean;
}

export function newCellData(): CellData {
  return {
    outputs: new Map(),
    executionCounts: new Map(),
    attachments: new Map(),
    unknown: { outputs: [], attachments: [] },
    conflicted: false,
  };
}

interface DataLine {
  readonly id: string;
  readonly text: string;
}

function dataLine(line: string): DataLine | null {
  if (!line.startsWith('# ')) return null;
  const space = line.indexOf(' ', 2);
  if (space === -1) return null;
  const id = line.slice(2, space);
  const text = line.slice(space + 1).trimEnd();
  return isValidCellId(id) && text.startsWith('{') ? { id, text } : null;
}

export function isDataLine(line: string): boolean {
  return dataLine(line) !== null;
}

export interface SectionText {
  readonly name: SectionName;
  readonly text: string;
  /** 1-based line of the file at which `text` begins. */
  readonly line: number;
}

type Warn = (warning: NotebookWarning) => void;

/** Adds one section's lines to `data`. Lines in merge conflicts add nothing to outputs. */
export function readSection(section: SectionText, data: CellData, warn: Warn): void {
  const dropped = new Set<string>();
  const seen = new Set<string>();
  let inside = false;
  for (const [index, raw] of section.text.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (isConflictLine(line)) {
      // A conflict that began before this section: what stood here so far is one of its sides.
      if (!inside && !line.startsWith('<')) for (const id of seen) dropped.add(id);
      inside = conflictDepthAfter(line, inside);
      data.conflicted = true;
      continue;
    }
    if (line === '' || line === '#' || line.startsWith('# %%')) continue;
    const parsed = dataLine(line);
    if (parsed !== null) {
      seen.add(parsed.id);
      if (inside) dropped.add(parsed.id);
    }
    if (parsed === null || !readLine(section.name, parsed, data)) {
      data.unknown[section.name].push(line);
      const message = `This line of the ${section.name} is not understood and is kept as it is.`;
      warn({ code: 'unknown-line', line: section.line + index, message });
    }
  }
  if (section.name === 'outputs') dropConflicting(section, dropped, data, warn);
}

function dropConflicting(
  section: SectionText,
  dropped: ReadonlySet<string>,
  data: CellData,
  warn: Warn,
): void {
  for (const id of dropped) {
    data.outputs.delete(id);
    data.executionCounts.delete(id);
  }
  if (dropped.size === 0) return;
  const cells = dropped.size === 1 ? 'one cell' : `${dropped.size} cells`;
  const message = `The saved outputs of ${cells} are in a merge conflict and are left out; run the cells again.`;
  warn({ code: 'conflicting-outputs', line: section.line, message });
}

function readLine(name: SectionName, { id, text }: DataLine, data: CellData): boolean {
  const json = tryParseJson(text);
  if (!isJsonObject(json)) return false;
  if (name === 'attachments') {
    data.attachments.set(id, { ...json, ...data.attachments.get(id) });
    return true;
  }
  if (typeof json['output_type'] === 'string') {
    const list = data.outputs.get(id);
    if (list) list.push({ json, text });
    else data.outputs.set(id, [{ json, text }]);
    return true;
  }
  const count = json['execution_count'];
  if (typeof count !== 'number' || Object.keys(json).length !== 1) return false;
  if (data.executionCounts.has(id)) return false;
  data.executionCounts.set(id, count);
  return true;
}

export interface WriteOptions {
  readonly maximumImageBytes?: number;
}

function outputLines(cell: NotebookCell, { maximumImageBytes }: WriteOptions): string[] {
  const lines = cell.outputs.map(({ json, text }) => {
    if (text !== undefined && !text.includes('\n')) return `# ${cell.id} ${text}`;
    const limited = maximumImageBytes === undefined ? json : limitImages(json, maximumImageBytes);
    return `# ${cell.id} ${toJsonLine(limited)}`;
  });
  if (cell.executionCount === null) return lines;
  return [`# ${cell.id} ${toJsonLine({ execution_count: cell.executionCount })}`, ...lines];
}

function attachmentLines({ id, attachments }: NotebookCell): string[] {
  if (attachments === null) return [];
  const entries = Object.entries(attachments);
  if (entries.length === 0) return [`# ${id} {}`];
  return entries.map(([name, bundle]) => `# ${id} ${toJsonLine({ [name]: bundle })}`);
}

/** All data sections as this package writes them, attachments first; '' without data. */
export function formatSections(
  cells: readonly NotebookCell[],
  unknown: CellData['unknown'],
  lineEnding: LineEnding,
  options: WriteOptions,
): string {
  const sections = [
    { name: 'attachments', lines: [...cells.flatMap(attachmentLines), ...unknown.attachments] },
    {
      name: 'outputs',
      lines: [...cells.flatMap((cell) => outputLines(cell, options)), ...unknown.outputs],
    },
  ];
  return sections
    .filter(({ lines }) => lines.length > 0)
    .map(({ name, lines }) => [`# %% [sglnb:${name}]`, ...lines, ''].join(lineEnding))
    .join(lineEnding);
}

/** Would reading `data` give these cells exactly the outputs and attachments that they have? */
export function saysTheSame(data: CellData, cells: readonly NotebookCell[]): boolean {
  return cells.every((cell) => {
    const outputs = data.outputs.get(cell.id) ?? [];
    return (
      (data.executionCounts.get(cell.id) ?? null) === cell.executionCount &&
      jsonEqual(data.attachments.get(cell.id) ?? null, cell.attachments) &&
      outputs.length === cell.outputs.length &&
      outputs.every((output, index) => sameOutput(output, cell.outputs[index]))
    );
  });
}

function sameOutput(a: NotebookOutput, b: NotebookOutput | undefined): boolean {
  if (b === undefined) return false;
  return a.text === b.text || jsonEqual(a.json, b.json);
}
