import type { JsonValue } from './json.ts';

/** A Python literal of the same value. */
export function pythonLiteral(value: JsonValue): string {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return pythonString(value);
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(', ')}]`;
  const items = Object.entries(value).map(
    ([key, item]) => `${pythonString(key)}: ${pythonLiteral(item)}`,
  );
  return `{${items.join(', ')}}`;
}

/** JSON's escapes are Python's, but for characters outside the basic plane, which stay themselves. */
function pythonString(text: string): string {
  return JSON.stringify(text);
}
