/** Moves every range of an engine's answer from the texts it sees to those the author sees. */
import { toOriginal, type Place, type VirtualCell } from './virtual-cell.ts';

export type CellLookup = (uri: string) => VirtualCell | undefined;

/** `uri`: the cell that ranges without a uri of their own belong to. */
export function mapAnswer(answer: unknown, uri: string, cells: CellLookup): unknown {
  if (Array.isArray(answer)) return answer.map((item: unknown) => mapAnswer(item, uri, cells));
  if (!isObject(answer)) return answer;
  const own = uriOf(answer) ?? uri;
  const cell = cells(own);
  if (cell && isPlace(answer['start']) && isPlace(answer['end'])) {
    const start = toOriginal(cell, answer['start']);
    return { ...answer, start, end: toOriginal(cell, answer['end']) };
  }
  return Object.fromEntries(
    Object.entries(answer).map(([key, value]) => [key, mapAnswer(value, own, cells)]),
  );
}

function uriOf(answer: Readonly<Record<string, unknown>>): string | undefined {
  return typeof answer['uri'] === 'string' ? answer['uri'] : undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isPlace(value: unknown): value is Place {
  return (
    isObject(value) && typeof value['line'] === 'number' && typeof value['character'] === 'number'
  );
}
