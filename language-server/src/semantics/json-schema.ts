import { quote } from './gen-type.ts';
import { jsonErrorOffset } from './json-error.ts';
import { checkRegex } from './python-regex.ts';

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

/** SGLang's way to ask for any JSON at all. */
const anyJson = '$$ANY$$';

export function parseSchema(text: string): SchemaResult {
  if (text.trim() === anyJson) return { ok: true, schema: true };
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
  const message = schemaError(schema, { path: '#', depth: 0, root: schema });
  return message === null
    ? { ok: true, schema: withoutReferences(schema) }
    : { ok: false, problem: { message, offset: null } };
}

export function isJsonObject(
  value: JsonValue | undefined,
): value is { readonly [key: string]: JsonValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

interface Place {
  readonly path: string;
  readonly depth: number;
  readonly root: JsonSchema;
}

const below = (at: Place, path: string): Place => ({
  ...at,
  path: `${at.path}/${path}`,
  depth: at.depth + 1,
});

function schemaError(schema: JsonSchema, at: Place): string | null {
  if (at.depth > 100 || typeof schema === 'boolean') return null;
  if (!isJsonObject(schema)) return `a schema must be an object or a boolean, at ${at.path}`;
  return (
    keywordError(schema, at.path) ??
    limitError(schema, at.path) ??
    referenceError(schema, at) ??
    childError(schema, at)
  );
}

type SchemaObject = { readonly [key: string]: JsonValue };

function keywordError(schema: SchemaObject, path: string): string | null {
  const { type, required, properties, enum: values, pattern } = schema;
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
  if (typeof pattern !== 'string') return null;
  const { problem } = checkRegex(pattern);
  // Patterns of a schema are JavaScript's: what only Python refuses is fine.
  if (problem?.type === 'invalid' && !isJavaScriptRegex(pattern))
    return `"pattern" is not a regular expression at ${path}: ${problem.message} at position ${problem.position}`;
  return null;
}

function isJavaScriptRegex(pattern: string): boolean {
  try {
    return RegExp(pattern, 'u') instanceof RegExp;
  } catch {
    return false;
  }
}

const limits: readonly (readonly [least: string, most: string])[] = [
  ['minimum', 'maximum'],
  ['minLength', 'maxLength'],
  ['minItems', 'maxItems'],
  ['minProperties', 'maxProperties'],
];

function limitError(schema: SchemaObject, path: string): string | null {
  for (const [least, most] of limits) {
    const [from, to] = [schema[least], schema[most]];
    if (typeof from === 'number' && typeof to === 'number' && from > to)
      return `"${least}" is above "${most}" at ${path}: nothing can be generated`;
  }
  return null;
}

function referenceError(schema: SchemaObject, { path, root }: Place): string | null {
  const { $ref: reference } = schema;
  if (typeof reference !== 'string')
    return reference === undefined ? null : `"$ref" must be a string at ${path}`;
  const isFound = !reference.startsWith('#/') || target(root, reference) !== undefined;
  return isFound ? null : `"$ref" leads nowhere at ${path}: ${reference}`;
}

/** What `#/$defs/x` names. */
function target(root: JsonSchema, reference: string): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const part of reference.slice(2).split('/')) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (Array.isArray(value)) value = value[Number(key)];
    else value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  }
  return value;
}

/** Definitions that refer to themselves have no end. */
const deepestReference = 4;
const mostReferences = 500;

/** The schema with the definitions in place of the references to them, as far as that goes. */
function withoutReferences(schema: JsonSchema): JsonSchema {
  let left = mostReferences;
  const resolved = (value: JsonValue, depth: number): JsonValue => {
    if (Array.isArray(value)) return value.map((item: JsonValue) => resolved(item, depth));
    if (!isJsonObject(value)) return value;
    const { $ref: reference, ...own } = value;
    const rest: Record<string, JsonValue> = {};
    for (const [key, item] of Object.entries(own))
      rest[key] = key === '$defs' || key === 'definitions' ? item : resolved(item, depth);
    if (typeof reference !== 'string') return reference === undefined ? rest : value;
    if (!reference.startsWith('#/') || depth === deepestReference || left === 0) return {};
    left--;
    const found = resolved(target(schema, reference) ?? {}, depth + 1);
    return isJsonObject(found) ? { ...found, ...rest } : found;
  };
  return resolved(schema, 0);
}

function childError(schema: SchemaObject, at: Place): string | null {
  for (const [key, value] of Object.entries(schema)) {
    if (key === 'properties' || key === '$defs' || key === 'definitions') {
      for (const [name, child] of Object.entries(isJsonObject(value) ? value : {})) {
        const found = schemaError(child, below(at, `${key}/${name}`));
        if (found !== null) return found;
      }
    } else if (key === 'items' && !Array.isArray(value)) {
      const found = schemaError(value, below(at, 'items'));
      if (found !== null) return found;
    } else if (['anyOf', 'oneOf', 'allOf'].includes(key)) {
      if (!Array.isArray(value)) return `"${key}" must be a list of schemas at ${at.path}`;
      for (const child of value) {
        const found = schemaError(child, below(at, key));
        if (found !== null) return found;
      }
    }
  }
  return null;
}

/** `Optional[X]`, and pydantic's `{"allOf": [X], "description": …}`, are looked into as X. */
function core(schema: JsonSchema): JsonSchema {
  if (!isJsonObject(schema) || schema['properties'] !== undefined) return schema;
  const parts = schema['anyOf'] ?? schema['allOf'];
  if (!Array.isArray(parts)) return schema;
  const [only, ...more] = parts.filter((part) => !isJsonObject(part) || part['type'] !== 'null');
  return only !== undefined && more.length === 0 ? core(only) : schema;
}

/** Keys that an object of this schema can have; `null` if any key is possible. */
export function schemaKeys(of: JsonSchema): readonly string[] | null {
  const schema = core(of);
  if (!isJsonObject(schema) || !isJsonObject(schema['properties'])) return null;
  const extra = schema['additionalProperties'];
  if (extra !== undefined && extra !== false) return null;
  if (['anyOf', 'oneOf', 'allOf', 'patternProperties', '$ref'].some((key) => key in schema))
    return null;
  return Object.keys(schema['properties']);
}

/** Keys with what the schema says of them, whether or not there may be others. */
export function describedKeys(of: JsonSchema): readonly DescribedKey[] {
  const schema = core(of);
  if (!isJsonObject(schema) || !isJsonObject(schema['properties'])) return [];
  const source = typeof schema['title'] === 'string' ? schema['title'] : null;
  return Object.entries(schema['properties']).map(([name, property]) => {
    const description = isJsonObject(property) ? property['description'] : null;
    return {
      name,
      type: schemaTypeName(property),
      description: typeof description === 'string' ? description : '',
      source,
    };
  });
}

/** The schema below a key or, with `key: null`, of the elements of an array. */
export function childSchema(of: JsonSchema, key: string | null): JsonSchema | null {
  const schema = core(of);
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
