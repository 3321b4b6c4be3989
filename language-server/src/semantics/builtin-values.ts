/** What Python's builtins make of values that are known. */
import type { Environment } from './environment.ts';
import { eventsOf } from './api-calls.ts';
import { elementOf, itemsOf } from './iteration.ts';
import type { CallArguments } from './machine.ts';
import {
  constantText,
  instance,
  listOf,
  text,
  tuple,
  unknown,
  type ListValue,
  type Value,
} from './value.ts';

export function rangeValue(args: CallArguments): Value {
  const bounds = args.positional.map(({ value }) => (value.kind === 'number' ? value.value : null));
  const [a = 0, b = null, step = 1] = bounds;
  const start = bounds.length < 2 ? 0 : a;
  const any: ListValue = {
    ...listOf(instance('int')),
    ...(start === null ? {} : { first: { kind: 'number', value: start } }),
  };
  if (start === null || bounds.length === 0 || bounds.some((bound) => bound === null)) return any;
  const end = b === null ? (a ?? 0) : b;
  const count = Math.max(0, Math.ceil((end - start) / (step ?? 1)));
  if (count > 16 || !Number.isFinite(count)) return any;
  return tuple(
    Array.from({ length: count }, (_, i): Value => ({
      kind: 'number',
      value: start + i * (step ?? 1),
    })),
  );
}

export function keywordEntries(args: CallArguments): ReadonlyMap<string, Value> {
  return new Map([...args.keywords].map(([name, argument]) => [name, argument.value]));
}

export function enumerateValue(args: CallArguments, env: Environment): Value {
  const iterable = args.positional[0]?.value ?? unknown;
  const given = args.positional[1]?.value ?? args.keywords.get('start')?.value;
  const start = given === undefined ? 0 : given.kind === 'number' ? given.value : null;
  const count = (i: number): Value =>
    start === null ? instance('int') : { kind: 'number', value: start + i };
  if (iterable.kind === 'list' && iterable.items) {
    return tuple(iterable.items.map((item, i) => tuple([count(i), item])));
  }
  const element = elementOf(iterable, env);
  return {
    ...listOf(tuple([instance('int'), element])),
    first: tuple([count(0), element]),
  };
}

export function zipValue(args: CallArguments, env: Environment): Value {
  const lists = args.positional.map(({ value }) => value);
  const exact = lists.map((list) => (list.kind === 'list' ? list.items : null));
  if (exact.length > 0 && exact.every((items) => items !== null)) {
    const length = Math.min(...exact.map((items) => items.length));
    return tuple(
      Array.from({ length }, (_, i) => tuple(exact.map((items) => items[i] ?? unknown))),
    );
  }
  return listOf(tuple(lists.map((list) => elementOf(list, env))));
}

export function jsonValue(value: Value): Value {
  if (value.kind === 'gen' && value.type.kind === 'json')
    return { kind: 'json', schema: value.type.schema };
  return unknown;
}

/** `json.dumps` of literals is known text, so that schemas written as dicts are checked, too. */
export function dumped(value: Value): Value {
  const plain = toPlain(value, 0);
  return plain === undefined ? instance('str') : text(JSON.stringify(plain));
}

function toPlain(value: Value, depth: number): unknown {
  if (depth > 30) return undefined;
  if (value.kind === 'none') {
    return null;
  }
  if (value.kind === 'bool' || value.kind === 'number') {
    return value.value;
  }
  if (value.kind === 'text') {
    return constantText(value) ?? undefined;
  }
  if (value.kind === 'list') {
    const items = value.items?.map((item) => toPlain(item, depth + 1));
    return items?.every((item) => item !== undefined) === true ? items : undefined;
  }
  if (value.kind === 'dict') {
    if (!value.entries) return undefined;
    const entries = [...value.entries].map(
      ([key, item]) => [key, toPlain(item, depth + 1)] as const,
    );
    return entries.every(([, item]) => item !== undefined)
      ? Object.fromEntries(entries)
      : undefined;
  }
  return undefined;
}

/** Texts in the order of their code points, which is Python's. */
export function sortedTexts(value: Value, args: CallArguments): Value | null {
  const texts = itemsOf(value)?.map(constantText);
  if (args.keywords.size > 0 || !texts?.every((item) => item !== null)) return null;
  return tuple(texts.toSorted((a, b) => (a < b ? -1 : 1)).map(text));
}

export function textOf(value: Value): Value | null {
  if (value.kind === 'number')
    return Number.isSafeInteger(value.value) ? text(String(value.value)) : null;
  return value.kind === 'text' ? value : null;
}

export function character(code: number): Value {
  return Number.isInteger(code) && code >= 0 && code <= 0x10ffff
    ? text(String.fromCodePoint(code))
    : unknown;
}

/** Also of expressions: `sum([user("a"), user("b")], "")`. */
export function sumOf(list: Value, { positional }: CallArguments): Value {
  const items = list.kind === 'list' ? (list.items ?? [list.element]) : [];
  const events = items.flatMap(eventsOf);
  if (events.length > 0) return { kind: 'expression', events };
  return positional.length > 1 || items.length === 0 ? unknown : instance('int');
}
