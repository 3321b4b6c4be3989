/** Methods of Python's own values: lists, dicts, texts and what was parsed from JSON. */
import type { Environment } from './environment.ts';
import { elementOf, exactList } from './iteration.ts';
import { childSchema, describedKeys } from './json-schema.ts';
import type { CallArguments, Machine } from './machine.ts';
import { openStates } from './reads.ts';
import { forgetItems } from './targets.ts';
import {
  constantText,
  instance,
  joinValues,
  listOf,
  none,
  text,
  tuple,
  unknown,
  type Value,
} from './value.ts';

/** States handed to code that is not seen. */
export function giveAway(machine: Machine, args: CallArguments, env: Environment): void {
  for (const argument of [...args.positional, ...args.keywords.values()])
    openStates(machine, env, argument.value);
}

export function listMethod(
  machine: Machine,
  list: Extract<Value, { kind: 'list' }>,
  name: string,
  args: CallArguments,
  env: Environment,
): Value {
  const value = args.positional[0]?.value ?? unknown;
  const owner = ownerName(args);
  const { callee } = args.node;
  const isItem = callee.kind === 'Attribute' && callee.object.kind === 'Subscript';
  if (isItem && (listGrowth.has(name) || listChanges.has(name)))
    forgetItems(machine, env, callee.object.object);
  if (listGrowth.has(name)) {
    const added =
      name === 'extend'
        ? elementOf(value, env)
        : name === 'insert'
          ? (args.positional[1]?.value ?? unknown)
          : value;
    const any = listOf(list.items?.length === 0 ? added : joinValues(list.element, added));
    const isExact = name === 'append' && list.items && list.items.length < maximumExactList;
    if (owner === null) giveAway(machine, args, env);
    else machine.change(env, owner, isExact ? tuple([...(list.items ?? []), value]) : any, any);
    return none;
  }
  if (listChanges.has(name) && owner !== null) {
    const any = listOf(list.element);
    machine.change(env, owner, any, any);
  }
  if (name === 'pop') return list.element;
  return name === 'copy' ? list : unknown;
}

/** Longer lists are known by what their elements have in common. */
const maximumExactList = 100;

const listGrowth: ReadonlySet<string> = new Set(['append', 'extend', 'insert']);
const listChanges: ReadonlySet<string> = new Set(['pop', 'remove', 'clear', 'sort', 'reverse']);

/** `x` of `x.method(...)`. */
function ownerName({ node: { callee } }: CallArguments): string | null {
  return callee.kind === 'Attribute' && callee.object.kind === 'Name' ? callee.object.id : null;
}

const anyDict: Value = { kind: 'dict', entries: null };

const dictChanges: ReadonlySet<string> = new Set([
  'update',
  'pop',
  'popitem',
  'setdefault',
  'clear',
]);

export function dictMethod(
  machine: Machine,
  dict: Extract<Value, { kind: 'dict' }>,
  name: string,
  args: CallArguments,
  env: Environment,
): Value {
  const owner = ownerName(args);
  if (dictChanges.has(name) && owner !== null) machine.change(env, owner, anyDict, anyDict);
  const values = [...(dict.entries?.values() ?? [])];
  const { element } = dict;
  if (name === 'get') {
    const key = constantText(args.positional[0]?.value ?? unknown);
    return (key === null ? undefined : dict.entries?.get(key)) ?? element ?? unknown;
  }
  if (name === 'keys') return exactList(dict) ?? unknown;
  if (name === 'values' && element) return listOf(element);
  if (name === 'values') return values.length === 0 ? unknown : tuple(values);
  if (name === 'items' && element) return listOf(tuple([unknown, element]));
  if (name !== 'items' || !dict.entries) return unknown;
  return tuple([...dict.entries].map(([key, value]) => tuple([text(key), value])));
}

/** `data.get("key")`: a key that the schema does not have gives the default. */
export function jsonMethod(
  machine: Machine,
  { schema }: Extract<Value, { kind: 'json' }>,
  name: string,
  args: CallArguments,
): Value {
  const [key] = args.positional;
  if ((name !== 'get' && name !== 'pop') || key?.node.kind !== 'Str') return unknown;
  const keys = describedKeys(schema);
  if (keys.length > 0)
    machine.recorder.jsonRead({ unit: machine.unit, node: key.node, keys, isComplete: false });
  const child = childSchema(schema, constantText(key.value) ?? '');
  return child === null ? unknown : { kind: 'json', schema: child };
}

const textResults: ReadonlySet<string> = new Set([
  'strip',
  'lstrip',
  'rstrip',
  'lower',
  'upper',
  'format',
  'replace',
  'title',
  'capitalize',
  'join',
  'removeprefix',
  'removesuffix',
]);

export function textMethod(object: Value, name: string, args: CallArguments): Value {
  const isText = object.kind !== 'instance' || object.type === 'str';
  if (!isText) return unknown;
  const known = constantText(object);
  const exact = known === null ? null : exactMethod(known, name, args);
  if (exact) return exact;
  if (textResults.has(name)) return instance('str');
  if (['split', 'splitlines', 'rsplit'].includes(name)) return listOf(instance('str'));
  if (['startswith', 'endswith', 'isdigit', 'isalpha', 'isnumeric'].includes(name))
    return instance('bool');
  return ['count', 'find', 'index', 'rfind'].includes(name) ? instance('int') : unknown;
}

/** What the commonest methods make of a text that is known. */
function exactMethod(known: string, name: string, { positional, keywords }: CallArguments) {
  const [separator] = positional;
  if (keywords.size > 0 || positional.length > 1) return null;
  if (name === 'split') {
    const by = separator ? constantText(separator.value) : null;
    if (separator && !by) return null;
    return tuple((by ? known.split(by) : (known.match(/\S+/g) ?? [])).map(text));
  }
  if (separator) return null;
  if (name === 'splitlines') {
    const lines = known.split(/\r\n|[\r\n]/);
    return tuple((lines.at(-1) === '' ? lines.slice(0, -1) : lines).map(text));
  }
  if (name === 'strip') return text(known.trim());
  if (name === 'lower') return text(known.toLowerCase());
  return name === 'upper' ? text(known.toUpperCase()) : null;
}
