/**
 * Pure: what a language model passes to a tool. Callers do not hold inputs against their schemas, so
 * everything is checked here. Messages are for the model, which corrects itself by them: English.
 */
import { field } from '../field.ts';
import type { JsonObject } from '../../protocol/kernel-protocol.ts';

/** The call cannot be carried out as it is; the message says what to pass instead. */
export class ToolError extends Error {
  readonly code = 'TOOL';
}

/** Which of the open notebooks: path or name; `null` for the one in front. */
export interface NotebookInput {
  readonly notebook: string | null;
}

export interface CellInput extends NotebookInput {
  /** From 1, all kinds of cells counted, as tracebacks do. */
  readonly cell: number;
}

export interface ProgramInput extends NotebookInput {
  readonly program: string;
  readonly arguments: JsonObject;
}

export interface GenerationsInput extends NotebookInput {
  readonly variable: string | null;
  readonly limit: number;
  readonly requests: boolean;
}

export const MOST_GENERATIONS = 50;

export function readNotebookInput(input: unknown): NotebookInput {
  const notebook = field(input, 'notebook');
  if (notebook === undefined || notebook === null || notebook === '') return { notebook: null };
  if (typeof notebook !== 'string') throw new ToolError('"notebook" must be a path or a name.');
  return { notebook };
}

export function readCellInput(input: unknown): CellInput {
  return { ...readNotebookInput(input), cell: wholeNumber(input, 'cell') };
}

export function readProgramInput(input: unknown): ProgramInput {
  const program = field(input, 'program');
  if (typeof program !== 'string' || program === '') {
    throw new ToolError('"program" must be the name of a function decorated with @function.');
  }
  const given = field(input, 'arguments') ?? {};
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ToolError('"arguments" must be an object: parameter name to value.');
  }
  // SAFETY: inputs are JSON, and this part of it is an object.
  return { ...readNotebookInput(input), program, arguments: given as JsonObject };
}

export function readGenerationsInput(input: unknown): GenerationsInput {
  const variable = field(input, 'variable');
  if (variable !== undefined && variable !== null && typeof variable !== 'string') {
    throw new ToolError('"variable" must be the name of a generated variable.');
  }
  const limit = field(input, 'limit') === undefined ? 10 : wholeNumber(input, 'limit');
  return {
    ...readNotebookInput(input),
    variable: variable || null,
    limit: Math.min(limit, MOST_GENERATIONS),
    requests: field(input, 'requests') === true,
  };
}

export interface OpenNotebook {
  readonly uri: string;
  /** As it is shown to the model: relative to the workspace where that is possible. */
  readonly name: string;
  readonly path: string;
  readonly isActive: boolean;
}

/** The open notebook that the model means: the one in front, the only one, or by a path that fits one. */
export function chooseNotebook<N extends OpenNotebook>(
  wanted: string | null,
  open: readonly N[],
): N {
  const names = open.map(({ name }) => name).join(', ');
  if (open.length === 0) {
    throw new ToolError('No SGLang notebook is open. Ask the user to open a .sglnb file.');
  }
  if (wanted === null) {
    const chosen = open.find(({ isActive }) => isActive) ?? (open.length === 1 ? open[0] : null);
    if (chosen) return chosen;
    throw new ToolError(`Several notebooks are open; pass "notebook", one of: ${names}`);
  }
  const exact = open.filter(({ uri, name, path }) => [uri, name, path].includes(wanted));
  const fitting = exact.length > 0 ? exact : open.filter(({ path }) => path.endsWith(`/${wanted}`));
  const [first, second] = fitting;
  if (first && !second) return first;
  throw new ToolError(
    first
      ? `"${wanted}" fits several open notebooks; pass more of the path. Open: ${names}`
      : `No open notebook is "${wanted}". Open: ${names}`,
  );
}

function wholeNumber(input: unknown, name: string): number {
  const value = field(input, name);
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1) return value;
  throw new ToolError(`"${name}" must be a whole number from 1.`);
}
