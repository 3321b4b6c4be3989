import { isAnnotation } from './keywords.ts';
import {
  isEqual,
  isList,
  isObject,
  without,
  type JsonObject,
  type JsonValue,
} from './json-value.ts';
import { asSchema, type Schema, type SchemaDocument } from './schema-document.ts';
import { invalidSchema, unsupportedSchema, type Pointer } from './schema-error.ts';

/** References followed one inside the other; a chain this long refers to itself. */
const MAXIMUM_CHAIN = 64;
/** Pairs of alternatives made when two schemas with `anyOf` are combined. */
const MAXIMUM_PAIRS = 256;

type Combine = (left: JsonValue, right: JsonValue, pointer: Pointer) => JsonValue;

/** The schema of values that are valid against two schemas: what `allOf` means. */
export class SchemaMerger {
  readonly #document: SchemaDocument;

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  merge(left: Schema, right: Schema, pointer: Pointer): Schema {
    const first = this.flatten(left, pointer);
    const second = this.flatten(right, pointer);
    if (first === false || second === false) return false;
    if (first === true) return second;
    if (second === true) return first;
    return this.#mergeObjects(first, second, pointer);
  }

  /** The schema with its own `$ref` and `allOf` worked in. */
  flatten(schema: Schema, pointer: Pointer, depth = 0): Schema {
    if (!isObject(schema)) return schema;
    if (depth > MAXIMUM_CHAIN) {
      throw unsupportedSchema(pointer, '$ref and allOf lead back to themselves');
    }
    const reference = schema['$ref'];
    const all = schema['allOf'];
    if (reference === undefined && all === undefined) return schema;
    const parts: Schema[] = [without(schema, '$ref', 'allOf')];
    if (reference !== undefined) {
      if (typeof reference !== 'string') throw invalidSchema(pointer, '$ref must be a string');
      parts.push(this.#document.resolve(reference, pointer));
    }
    if (all !== undefined) {
      if (!isList(all)) throw invalidSchema(pointer, 'allOf must be a list');
      parts.push(...all.map((part) => asSchema(part, pointer)));
    }
    return parts
      .map((part) => this.flatten(part, pointer, depth + 1))
      .reduce((merged, part) => this.merge(merged, part, pointer));
  }

  #mergeObjects(left: JsonObject, right: JsonObject, pointer: Pointer): Schema {
    const shapes = this.#mergeShapes(left, right, pointer);
    const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
    const entries: [string, JsonValue][] = [];
    for (const key of keys) {
      if (key in shapes) continue;
      const first = left[key];
      const second = right[key];
      if (first === undefined || second === undefined) entries.push([key, first ?? second ?? null]);
      else entries.push([key, this.#mergeKeyword(key, first, second, pointer)]);
    }
    const constant = [left, right].map((schema) => schema['const']);
    if (constant[0] !== undefined && constant[1] !== undefined) {
      if (!isEqual(constant[0], constant[1])) return false;
    }
    return { ...Object.fromEntries(entries), ...shapes };
  }

  #mergeKeyword(key: string, left: JsonValue, right: JsonValue, pointer: Pointer): JsonValue {
    if (isAnnotation(key) || isEqual(left, right)) return left;
    const combine = COMBINATIONS.get(key);
    if (combine !== undefined) return combine(left, right, pointer);
    if (key === 'anyOf' || key === 'oneOf')
      return this.#mergeAlternatives(key, left, right, pointer);
    if (key === 'propertyNames') {
      return this.merge(asSchema(left, pointer), asSchema(right, pointer), pointer);
    }
    throw unsupportedSchema(pointer, `two different values of ${key} cannot be combined`);
  }

  #mergeAlternatives(key: string, left: JsonValue, right: JsonValue, pointer: Pointer): JsonValue {
    if (!isList(left) || !isList(right)) throw invalidSchema(pointer, `${key} must be a list`);
    if (left.length * right.length > MAXIMUM_PAIRS) {
      throw unsupportedSchema(pointer, `too many alternatives of ${key} to combine`);
    }
    return left.flatMap((first) =>
      right.map((second) =>
        this.merge(asSchema(first, pointer), asSchema(second, pointer), pointer),
      ),
    );
  }

  /** Keywords whose meaning depends on each other: properties and items. */
  #mergeShapes(left: JsonObject, right: JsonObject, pointer: Pointer): JsonObject {
    return {
      ...this.#mergeProperties(left, right, pointer),
      ...this.#mergeItems(left, right, pointer),
    };
  }

  /** A name that only one side declares falls under the other side's `additionalProperties`. */
  #mergeProperties(left: JsonObject, right: JsonObject, pointer: Pointer): JsonObject {
    const sides = [left, right].map((schema) => ({
      declared: objectOf(schema['properties'], pointer),
      patterns: schema['patternProperties'],
      additional: schema['additionalProperties'],
    }));
    const [first, second] = sides;
    if (first === undefined || second === undefined) return {};
    const isMixed =
      (first.patterns !== undefined && second.additional !== undefined) ||
      (second.patterns !== undefined && first.additional !== undefined);
    if (isMixed) {
      throw unsupportedSchema(
        pointer,
        'patternProperties cannot be combined with additionalProperties',
      );
    }
    const names = new Set([...Object.keys(first.declared), ...Object.keys(second.declared)]);
    const properties = Array.from(names, (name): [string, Schema] => [
      name,
      this.merge(
        schemaOf(first.declared, name, first.additional, pointer),
        schemaOf(second.declared, name, second.additional, pointer),
        pointer,
      ),
    ]);
    const result: Record<string, JsonValue> = {};
    if (names.size > 0) result['properties'] = Object.fromEntries(properties);
    if (first.additional !== undefined && second.additional !== undefined) {
      result['additionalProperties'] = this.merge(
        asSchema(first.additional, pointer),
        asSchema(second.additional, pointer),
        pointer,
      );
    }
    return result;
  }

  #mergeItems(left: JsonObject, right: JsonObject, pointer: Pointer): JsonObject {
    const hasItems = [left, right].every(
      (schema) => schema['items'] !== undefined || schema['prefixItems'] !== undefined,
    );
    if (!hasItems) return {};
    if (isList(left['items']) || isList(right['items'])) {
      throw unsupportedSchema(pointer, 'lists of items (use prefixItems) cannot be combined');
    }
    const prefixes = [left, right].map((schema) => listOf(schema['prefixItems'], pointer));
    const length = Math.max(...prefixes.map((prefix) => prefix.length));
    const at = (side: number, index: number): Schema => {
      const schema = side === 0 ? left : right;
      return asSchema(prefixes[side]?.[index] ?? schema['items'] ?? true, pointer);
    };
    const items = this.merge(at(0, length), at(1, length), pointer);
    if (length === 0) return { items };
    const prefixItems = Array.from({ length }, (_, index) =>
      this.merge(at(0, index), at(1, index), pointer),
    );
    return { prefixItems, items };
  }
}

const COMBINATIONS: ReadonlyMap<string, Combine> = new Map<string, Combine>([
  ['type', commonTypes],
  ['enum', commonValues],
  [
    'required',
    (left, right, pointer) => [...new Set([...listOf(left, pointer), ...listOf(right, pointer)])],
  ],
  ['minimum', extreme(Math.max)],
  ['exclusiveMinimum', extreme(Math.max)],
  ['minLength', extreme(Math.max)],
  ['minItems', extreme(Math.max)],
  ['minProperties', extreme(Math.max)],
  ['maximum', extreme(Math.min)],
  ['exclusiveMaximum', extreme(Math.min)],
  ['maxLength', extreme(Math.min)],
  ['maxItems', extreme(Math.min)],
  ['maxProperties', extreme(Math.min)],
  ['multipleOf', leastCommonMultiple],
  ['uniqueItems', (left, right) => left === true || right === true],
  ['nullable', (left, right) => left === true && right === true],
  ['const', (left) => left],
]);

function extreme(choose: (left: number, right: number) => number): Combine {
  return (left, right, pointer) => {
    if (typeof left === 'number' && typeof right === 'number') return choose(left, right);
    throw unsupportedSchema(pointer, 'limits that are not numbers cannot be combined');
  };
}

function commonTypes(left: JsonValue, right: JsonValue): JsonValue {
  const first = isList(left) ? left : [left];
  const second = isList(right) ? right : [right];
  const common = first.flatMap((type) => {
    if (second.includes(type)) return [type];
    const isIntegerOfNumber =
      (type === 'integer' && second.includes('number')) ||
      (type === 'number' && second.includes('integer'));
    return isIntegerOfNumber ? ['integer'] : [];
  });
  return [...new Set(common)];
}

function commonValues(left: JsonValue, right: JsonValue, pointer: Pointer): JsonValue {
  const others = listOf(right, pointer);
  return listOf(left, pointer).filter((value) => others.some((other) => isEqual(value, other)));
}

function leastCommonMultiple(left: JsonValue, right: JsonValue, pointer: Pointer): JsonValue {
  if (!Number.isInteger(left) || !Number.isInteger(right)) {
    throw unsupportedSchema(pointer, 'two values of multipleOf cannot be combined');
  }
  let [greater, rest] = [Number(left), Number(right)];
  while (rest > 0) [greater, rest] = [rest, greater % rest];
  return (Number(left) / greater) * Number(right);
}

function objectOf(value: JsonValue | undefined, pointer: Pointer): JsonObject {
  if (value === undefined) return {};
  if (isObject(value)) return value;
  throw invalidSchema(pointer, 'properties must be an object');
}

function listOf(value: JsonValue | undefined, pointer: Pointer): readonly JsonValue[] {
  if (value === undefined) return [];
  if (isList(value)) return value;
  throw invalidSchema(pointer, 'expected a list');
}

function schemaOf(
  declared: JsonObject,
  name: string,
  additional: JsonValue | undefined,
  pointer: Pointer,
): Schema {
  return asSchema(Object.hasOwn(declared, name) ? declared[name] : (additional ?? true), pointer);
}
