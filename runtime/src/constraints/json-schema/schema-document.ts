import { ConstraintError } from '../constraint.ts';
import { isList, isObject, type JsonObject, type JsonValue } from './json-value.ts';
import { invalidSchema, unsupportedSchema, type Pointer } from './schema-error.ts';

/** SGLang's way to ask for any JSON at all. */
const ANY_JSON = '$$ANY$$';

export type Schema = boolean | JsonObject;

/** A parsed schema with its internal references. */
export class SchemaDocument {
  readonly root: Schema;

  constructor(source: string) {
    this.root = asSchema(source.trim() === ANY_JSON ? true : parse(source), '#');
  }

  /** The schema that `reference` names: `#`, `#/$defs/x`, `#anchor`, or the document's `$id`. */
  resolve(reference: string, pointer: Pointer): Schema {
    const id = isObject(this.root) ? this.root['$id'] : undefined;
    const fragment =
      typeof id === 'string' && reference.startsWith(id) ? reference.slice(id.length) : reference;
    if (fragment === '' || fragment === '#') return this.root;
    if (!fragment.startsWith('#')) {
      throw unsupportedSchema(pointer, `$ref ${reference} leads outside of the schema`);
    }
    const found = fragment.startsWith('#/')
      ? this.#follow(fragment.slice(2))
      : findAnchor(this.root, fragment.slice(1));
    if (found === undefined) throw invalidSchema(pointer, `$ref ${reference} leads nowhere`);
    return asSchema(found, fragment);
  }

  #follow(path: string): JsonValue | undefined {
    let value: JsonValue | undefined = this.root;
    for (const part of path.split('/')) {
      const key = decode(part).replaceAll('~1', '/').replaceAll('~0', '~');
      if (isList(value)) value = value[Number(key)];
      else if (isObject(value) && Object.hasOwn(value, key)) value = value[key];
      else return undefined;
    }
    return value;
  }
}

export function asSchema(value: JsonValue | undefined, pointer: Pointer): Schema {
  if (typeof value === 'boolean' || isObject(value)) return value;
  throw invalidSchema(pointer, `expected a schema (an object or a boolean)`);
}

function parse(source: string): JsonValue {
  try {
    // SAFETY: JSON.parse returns exactly the values JsonValue describes.
    return JSON.parse(source) as JsonValue;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const position = /position (\d+)/.exec(message)?.[1];
    throw new ConstraintError(
      'INVALID',
      `the JSON schema is not JSON: ${message}`,
      position === undefined ? null : Number(position),
    );
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function findAnchor(root: JsonValue, name: string): JsonValue | undefined {
  const pending: JsonValue[] = [root];
  for (let value = pending.pop(); value !== undefined; value = pending.pop()) {
    if (isObject(value)) {
      if (value['$anchor'] === name) return value;
      pending.push(...Object.values(value));
    } else if (isList(value)) pending.push(...value);
  }
  return undefined;
}
