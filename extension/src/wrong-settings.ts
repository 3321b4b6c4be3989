/** Settings whose values do not fit what the manifest declares: the default is used, and the user is told. */

export interface SettingSchema {
  readonly type?: unknown;
  readonly enum?: unknown;
  readonly minimum?: unknown;
  readonly maximum?: unknown;
  readonly default?: unknown;
}

export interface WrongSetting {
  readonly key: string;
  readonly value: string;
  readonly expected: Expected;
  readonly fallback: string;
}

export type Expected =
  | { readonly kind: 'type'; readonly type: string }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'range'; readonly minimum: number; readonly maximum: number };

/** `read` gives the value of a setting as it stands; `undefined` for one that is not set. */
export function findWrongSettings(
  schemas: Readonly<Record<string, SettingSchema>>,
  read: (key: string) => unknown,
): WrongSetting[] {
  return Object.entries(schemas).flatMap(([key, schema]) => {
    const value = read(key);
    const expected = value === undefined ? null : mismatch(schema, value);
    if (expected === null) return [];
    return [
      { key, value: JSON.stringify(value), expected, fallback: JSON.stringify(schema.default) },
    ];
  });
}

function mismatch(schema: SettingSchema, value: unknown): Expected | null {
  if (Array.isArray(schema.enum))
    return schema.enum.includes(value)
      ? null
      : { kind: 'choice', choices: schema.enum.map(String) };
  const { type } = schema;
  if (typeof type !== 'string') return null;
  if (typeName(value) !== (type === 'integer' ? 'number' : type)) return { kind: 'type', type };
  if (typeof value !== 'number') return null;
  const minimum = typeof schema.minimum === 'number' ? schema.minimum : -Infinity;
  const maximum = typeof schema.maximum === 'number' ? schema.maximum : Infinity;
  return value < minimum || value > maximum ? { kind: 'range', minimum, maximum } : null;
}

/** As JSON schemas call it. */
function typeName(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
