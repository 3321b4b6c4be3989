import { quote } from './gen-type.ts';
import { jsonErrorOffset } from './json-error.ts';

/** The part of JSON Schema that tells which keys `json.loads(state["x"])` has. */

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };
export type JsonSchema = JsonValue;

export interface SchemaProblem {
  readonly message: string;
  /** Offset into the schema's text, if the text is not JSON at all. */
  readonly offset: number | null;
}

export interface DescribedKey {
  readonly name: string;
  /** As Python writes it. */
  readonly type: string;
  readonly description: string;
  /** Title of the schema. */
  readonly source: string | null;
}

export type SchemaResult =
  | { readonly ok: true; readonly schema: JsonSchema }
  | { readonly ok: false; readonly problem: SchemaProblem };

const typeNames = new Set(['object', 'array', 'string', 'number', 'integer', 'boolean', 'null']);

export function parseSchema(text: string): SchemaResult {
  let schema: JsonSchema;
  try {
    schema = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : 'not JSON';
    return {
      ok: false,
      problem: { message: `not valid JSON: ${message}`, offset: jsonErrorOffset(text) },
    };
  }
  const message = schemaError(schema, '#', 0);
  return message === null
    ? { ok: true, schema }
    : { ok: false, problem: { message, offset: null } };
}

export function isJsonObject(
  value: JsonValue | undefined,
): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function schemaError(schema: JsonSchema, path: string, depth: number): string | null {
  if (depth > 100 || typeof schema === 'boolean') return null;
  if (!isJsonObject(schema)) return `a schema must be an object or a boolean, at ${path}`;
  return keywordError(schema, path) ?? childError(schema, path, depth);
}

function keywordError(schema: { readonly [key: string]: JsonValue }, path: string): string | null {
  const { type, required, properties, enum: values } = schema;
  for (const name of Array.isArray(type) ? type : type === undefined ? [] : [type]) {
    if (typeof name !== 'string' || !typeNames.has(name)) {
      return `unknown type ${JSON.stringify(name)} at ${path}; use one of ${[...typeNames].join(', ')}`;
    }
  }
  if (required !== undefined && !Array.isArray(required))
    return `"required" must be a list of names at ${path}`;
  if (properties !== undefined && !isJsonObject(properties))
    return `"properties" must be an object at ${path}`;
  if (values !== undefined && (!Array.isArray(values) || values.length === 0)) {
    return `"enum" must be a list with at least one value at ${path}`;
  }
  return null;
}

function childError(
  schema: { readonly [key: string]: JsonValue },
  path: string,
  depth: number,
): string | null {
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties' || key === '$defs' || key === 'definitions') {
      for (const [name, child] of Object.entries(isJsonObject(value) ? value : {})) {
        const found = schemaError(child, `${path}/${key}/${name}`, depth + 1);
        if (found !== null) return found;
      }
    } else if (key === 'items' && !Array.isArray(value)) {
      const found = schemaError(value, `${path}/items`, depth + 1);
      if (found !== null) return found;
    } else if (['anyOf', 'oneOf', 'allOf'].includes(key)) {
      if (!Array.isArray(value)) return `"${key}" must be a list of schemas at ${path}`;
      for (const child of value) {
        const found = schemaError(child, `${path}/${key}`, depth + 1);
        if (found !== null) return found;
      }
    }
  }
  return null;
}

/** Keys that an object of this schema can have; `null` if any key is possible. */
export function schemaKeys(schema: JsonSchema): readonly string[] | null {
  if (!isJsonObject(schema) || !isJsonObject(schema['properties'])) return null;
  const extra = schema['additionalProperties'];
  if (extra !== undefined && extra !== false) return null;
  if (['anyOf', 'oneOf', 'allOf', 'patternProperties', '$ref'].some((key) => key in schema))
    return null;
  return Object.keys(schema['properties']);
}

/** Keys with what the schema says of them, whether or not there may be others. */
export function describedKeys(schema: JsonSchema): readonly DescribedKey[] {
  if (!isJsonObject(schema) || !isJsonObject(schema['properties'])) return [];
  const source = typeof schema['title'] === 'string' ? schema['title'] : null;
  return Object.entries(schema['properties']).map(([name, of]) => {
    const description = isJsonObject(of) ? of['description'] : null;
    return {
      name,
      type: schemaTypeName(of),
      description: typeof description === 'string' ? description : '',
      source,
    };
  });
}

/** The schema below a key or, with `key: null`, of the elements of an array. */
export function childSchema(schema: JsonSchema, key: string | null): JsonSchema | null {
  if (!isJsonObject(schema)) return null;
  if (key === null) return schema['items'] ?? null;
  const properties = schema['properties'];
  return isJsonObject(properties) ? (properties[key] ?? null) : null;
}

const pythonNames: Readonly<Record<string, string>> = {
  object: 'dict',
  array: 'list',
  string: 'str',
  number: 'float',
  integer: 'int',
  boolean: 'bool',
  null: 'None',
};

function pythonLiteral(value: JsonValue): string {
  if (typeof value === 'string') return quote(value);
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  return value === null ? 'None' : JSON.stringify(value);
}

/** Python type of a value of this schema, e.g. `dict` or `Literal['a', 'b']`. */
export function schemaTypeName(schema: JsonSchema): string {
  if (!isJsonObject(schema)) return 'Any';
  const { type, enum: values, items, anyOf } = schema;
  if (Array.isArray(values)) return `Literal[${values.map(pythonLiteral).join(', ')}]`;
  if (Array.isArray(anyOf)) return [...new Set(anyOf.map(schemaTypeName))].join(' | ');
  if (typeof type !== 'string') return 'Any';
  if (type === 'array' && items !== undefined) return `list[${schemaTypeName(items)}]`;
  return pythonNames[type] ?? 'Any';
}
