/** What a loop over a value gives. */
import type { Environment } from './environment.ts';
import { childSchema } from './json-schema.ts';
import { instance, joinValues, unknown, type Value } from './value.ts';

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
  return unknown;
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
