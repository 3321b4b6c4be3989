/** What a loop over a value gives. */
import type { Environment } from './environment.ts';
import { childSchema, isJsonObject, type JsonSchema, type JsonValue } from './json-schema.ts';
import { constantText, instance, joinValues, text, tuple, unknown, type Value } from './value.ts';

export function elementOf(value: Value, env: Environment): Value {
  if (value.kind === 'list') {
    return value.element;
  }
  if (value.kind === 'forks') {
    return { kind: 'state', id: value.child };
  }
  if (value.kind === 'gen') {
    return value.type.kind === 'list'
      ? { kind: 'gen', type: value.type.element, origin: null }
      : instance('str');
  }
  if (value.kind === 'json') {
    const item = childSchema(value.schema, null);
    return item === null ? unknown : { kind: 'json', schema: item };
  }
  if (value.kind === 'dict') {
    const keys = [...(value.entries?.keys() ?? [])].map((key): Value => ({
      kind: 'text',
      parts: [key],
    }));
    return keys.length === 0 ? unknown : keys.reduce(joinValues);
  }
  if (value.kind === 'union') {
    return value.members.map((member) => elementOf(member, env)).reduce(joinValues);
  }
  if (value.kind === 'text') {
    return instance('str');
  }
  return itemsOf(value)?.reduce(joinValues) ?? unknown;
}

/** All that a loop over the value gives, where that is known: of lists, dicts, texts and enumerations. */
export function itemsOf(value: Value): readonly Value[] | null {
  if (value.kind === 'list') return value.items;
  if (value.kind === 'dict') return value.entries ? [...value.entries.keys()].map(text) : null;
  if (value.kind === 'text') {
    const known = constantText(value);
    return known === null ? null : Array.from(known, text);
  }
  if (value.kind === 'object') return value.isInstance ? null : textsOf(value.schema);
  // What `Literal["a", "b"]` stands for.
  return value.kind === 'json' ? textsOf(value.schema) : null;
}

export function exactList(value: Value): Value | null {
  const items = itemsOf(value);
  return items ? tuple(items) : null;
}

function textsOf(schema: JsonSchema | undefined): readonly Value[] | null {
  const values = isJsonObject(schema) ? schema['enum'] : undefined;
  if (!Array.isArray(values) || values.length === 0) return null;
  const texts = values.flatMap((item: JsonValue) => (typeof item === 'string' ? [text(item)] : []));
  return texts.length === values.length ? texts : null;
}

const maximumItems = 12;

/** The items one by one, if they are known and few enough to follow each turn of the loop. */
export function unrolledItems(value: Value): readonly Value[] | null {
  if (value.kind !== 'list' || !value.items || value.items.length > maximumItems) return null;
  const isPlain = (item: Value): boolean =>
    ['text', 'number', 'bool', 'program', 'function'].includes(item.kind) ||
    (item.kind === 'list' && (item.items?.every(isPlain) ?? false));
  return value.items.every(isPlain) ? value.items : null;
}
