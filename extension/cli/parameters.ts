/** `--param` values as a cell of assignments, placed as papermill does. */
import { newCell, type NotebookCell } from '../notebook-format/document.ts';
import { tryParseJson, type JsonValue } from '../notebook-format/json.ts';
import { pythonLiteral } from '../notebook-format/python-literal.ts';
import type { Parameter } from './arguments.ts';

const INJECTED = 'injected-parameters';

/** JSON where the text is JSON, the text itself otherwise. Large integers keep their digits. */
function literalOf(text: string): string {
  if (/^-?\d+$/.test(text) && !/^-?0\d/.test(text)) return text;
  const value = tryParseJson(text);
  return pythonLiteral(value === undefined ? text : value);
}

function tagsOf({ metadata }: NotebookCell): readonly JsonValue[] {
  const tags = metadata['tags'];
  return Array.isArray(tags) ? tags : [];
}

function isParameters(cell: NotebookCell): boolean {
  if (cell.kind !== 'code') return false;
  const names = [cell.id, cell.metadata['name'], cell.metadata['title']];
  return tagsOf(cell).includes('parameters') || names.includes('parameters');
}

function freeId(cells: readonly NotebookCell[]): string {
  const taken = new Set(cells.map(({ id }) => id));
  let id = INJECTED;
  for (let number = 2; taken.has(id); number += 1) id = `${INJECTED}-${number}`;
  return id;
}

/** The cells with one more that assigns the parameters; an earlier injected cell is replaced. */
export function injectParameters(
  cells: readonly NotebookCell[],
  parameters: readonly Parameter[],
): readonly NotebookCell[] {
  if (parameters.length === 0) return cells;
  const lines = parameters.map(({ name, value }) => `${name} = ${literalOf(value)}`);
  const earlier = cells.find((cell) => tagsOf(cell).includes(INJECTED));
  const id = earlier?.id ?? freeId(cells);
  const source = ['# Parameters', ...lines].join('\n');
  const injected = { ...newCell('code', id, source), metadata: { tags: [INJECTED] } };
  if (earlier) return cells.map((cell) => (cell === earlier ? injected : cell));
  const at = cells.findIndex(isParameters) + 1;
  return [...cells.slice(0, at), injected, ...cells.slice(at)];
}
