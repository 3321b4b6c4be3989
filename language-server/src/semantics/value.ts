/** What the analysis knows of a Python value: enough to follow programs, states and names. */
import type { Call, Expression, FunctionDef, Lambda } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import { joinTypes, type GenType } from './gen-type.ts';
import type { JsonSchema } from './json-schema.ts';
import type { NamePattern } from './name-pattern.ts';
import type { SourceUnit } from './source-unit.ts';

/** A Python function, lambda or `@function` program, with the scope it was made in. */
export interface FunctionRef {
  readonly name: string;
  readonly node: FunctionDef | Lambda;
  readonly unit: SourceUnit;
  readonly closure: Environment;
  readonly isProgram: boolean;
  /** A function of a class that is not a program: its first parameter is the instance. */
  readonly isMethod: boolean;
  /** What is known of that instance. */
  readonly self?: Value;
}

export type BackendKind =
  | 'sglang'
  | 'openai-chat'
  | 'openai-completion'
  | 'anthropic'
  | 'vertexai'
  | 'litellm'
  | 'unknown';

export interface GenSite {
  readonly unit: SourceUnit;
  readonly call: Call | Expression;
  /** The expression of the variable's name; `null` for unnamed gens. */
  readonly nameNode: Expression | null;
  readonly kind: 'gen' | 'select' | 'var_scope' | 'assign' | 'reasoning';
  readonly program: string | null;
}

/** One step of an SGLang expression, in the order it runs. */
export type SglEvent =
  | {
      readonly kind: 'gen';
      readonly site: GenSite;
      /** Known names (several: any of them); empty when the gen has no name. */
      readonly names: readonly NamePattern[];
      readonly type: GenType;
      /** The name could not be worked out at all. */
      readonly unknownName: boolean;
      /** Runs instead of a gen before it, as in `gen("a") if q else gen("a", n=2)`. */
      readonly isAlternative?: boolean;
    }
  | {
      readonly kind: 'role';
      readonly role: string;
      readonly begin: boolean;
      readonly unit: SourceUnit;
      readonly node: Expression;
    }
  | { readonly kind: 'image'; readonly unit: SourceUnit; readonly node: Expression }
  | { readonly kind: 'opaque' };

/** Where a value was read, so that comparing it narrows the variable. */
export interface Origin {
  readonly name: string;
  readonly version: number;
}

export type Value =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'none' }
  | { readonly kind: 'text'; readonly parts: NamePattern }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /** An object of a known class and unknown content. */
  | { readonly kind: 'instance'; readonly type: string }
  | { readonly kind: 'gen'; readonly type: GenType; readonly origin: Origin | null }
  /** A list or tuple; `items: null` when only the elements' kind is known. */
  | {
      readonly kind: 'list';
      readonly items: readonly Value[] | null;
      readonly element: Value;
      /** What a loop finds first, where that is known and the rest is not. */
      readonly first?: Value;
    }
  | {
      readonly kind: 'dict';
      readonly entries: ReadonlyMap<string, Value> | null;
      /** What any key gives, where keys are not known and values are. */
      readonly element?: Value;
    }
  | { readonly kind: 'json'; readonly schema: JsonSchema }
  /** A class or an instance of one: its members by name, filled as they are assigned. */
  | {
      readonly kind: 'object';
      readonly type: string;
      readonly members: Members;
      readonly isInstance: boolean;
      /** Of pydantic models, and of enumerations. */
      readonly schema?: JsonSchema;
      /** Where other members are: the class of an instance, the base of a class. */
      readonly base?: ObjectValue;
      /** Names that the class annotates, in order: arguments of a constructor that is not written out. */
      readonly fields?: readonly string[];
    }
  | { readonly kind: 'builtin'; readonly name: string }
  | { readonly kind: 'module'; readonly path: string }
  | { readonly kind: 'api'; readonly name: string }
  | { readonly kind: 'function'; readonly ref: FunctionRef }
  | {
      readonly kind: 'program';
      readonly ref: FunctionRef;
      readonly bound: ReadonlyMap<string, Value>;
    }
  | { readonly kind: 'expression'; readonly events: readonly SglEvent[] }
  | { readonly kind: 'state'; readonly id: number }
  | { readonly kind: 'forks'; readonly parent: number; readonly child: number }
  | { readonly kind: 'method'; readonly object: Value; readonly name: string }
  | { readonly kind: 'backend'; readonly backend: BackendKind }
  | { readonly kind: 'context'; readonly enter: Value; readonly exit: ContextExit }
  | { readonly kind: 'union'; readonly members: readonly Value[] };

export type ObjectValue = Extract<Value, { kind: 'object' }>;

/** Changed in place, by `Machine.setMember` only. */
export type Members = Map<string, Value>;

/** What leaving a `with` block does. */
export type ContextExit =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'role';
      readonly state: number;
      readonly role: string;
      readonly unit: SourceUnit;
      readonly node: Expression;
    }
  | {
      readonly kind: 'var_scope';
      readonly state: number;
      readonly event: SglEvent & { kind: 'gen' };
    }
  | { readonly kind: 'join'; readonly parent: number; readonly child: number };

export const unknown: Value = { kind: 'unknown' };
export const none: Value = { kind: 'none' };

export function text(value: string): Value {
  return { kind: 'text', parts: [value] };
}

export function instance(type: string): Value {
  return { kind: 'instance', type };
}

export function listOf(element: Value): ListValue {
  return { kind: 'list', items: null, element };
}

export function tuple(items: readonly Value[]): Value {
  return { kind: 'list', items, element: items.length === 0 ? unknown : items.reduce(joinValues) };
}

/** The string, if it is completely known. */
export function constantText(value: Value): string | null {
  if (value.kind !== 'text') return null;
  if (value.parts.length === 0) return '';
  return value.parts.length === 1 ? (value.parts[0] ?? null) : null;
}

/**
 * How the value counts as a condition, `null` if that is not known. Lists and dicts are not decided:
 * others may change them through another name.
 */
export function truthOf(value: Value): boolean | null {
  if (value.kind === 'none') return false;
  if (value.kind === 'bool') return value.value;
  if (value.kind === 'number') return value.value !== 0;
  const known = constantText(value);
  return known === null ? null : known !== '';
}

export function bool(value: boolean): Value {
  return { kind: 'bool', value };
}

export function membersOfValue(value: Value): readonly Value[] {
  return value.kind === 'union' ? value.members : [value];
}

const maximumUnion = 16;

/** Are the two the same for everyone who asks? False says nothing. */
export function sameKnowledge(a: Value, b: Value): boolean {
  const isFunction = a.kind === 'program' || a.kind === 'function';
  return a === b || (!isFunction && sameSimple(a, b));
}

function sameSimple(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case 'unknown':
    case 'none':
      return true;
    case 'text':
      return b.kind === 'text' && JSON.stringify(a.parts) === JSON.stringify(b.parts);
    case 'number':
      return b.kind === 'number' && a.value === b.value;
    case 'bool':
      return b.kind === 'bool' && a.value === b.value;
    case 'instance':
      return b.kind === 'instance' && a.type === b.type;
    case 'state':
      return b.kind === 'state' && a.id === b.id;
    case 'forks':
      return b.kind === 'forks' && a.child === b.child;
    case 'program':
    case 'function':
      return (b.kind === 'program' || b.kind === 'function') && a.ref.node === b.ref.node;
    case 'builtin':
    case 'api':
      return (b.kind === 'builtin' || b.kind === 'api') && a.name === b.name;
    case 'module':
      return b.kind === 'module' && a.path === b.path;
    case 'backend':
      return b.kind === 'backend' && a.backend === b.backend;
    case 'object':
      // One call may make instances of several classes.
      return b.kind === 'object' && a.members === b.members && a.base?.members === b.base?.members;
    case 'gen':
    case 'list':
    case 'dict':
    case 'json':
    case 'expression':
    case 'method':
    case 'context':
    case 'union':
      return false;
  }
}

export function joinValues(a: Value, b: Value): Value {
  if (sameSimple(a, b)) return a;
  if (a.kind === 'unknown' || b.kind === 'unknown') return unknown;
  if (a.kind === 'gen' && b.kind === 'gen') {
    const sameOrigin =
      a.origin !== null &&
      a.origin.version === b.origin?.version &&
      a.origin.name === b.origin.name;
    return { kind: 'gen', type: joinTypes(a.type, b.type), origin: sameOrigin ? a.origin : null };
  }
  if (a.kind === 'list' && b.kind === 'list') return joinLists(a, b);
  if (a.kind === 'dict' && b.kind === 'dict') return joinDicts(a, b);
  if (a.kind === 'json' && b.kind === 'json') return a.schema === b.schema ? a : instance('dict');
  const members = [...membersOfValue(a)];
  for (const member of membersOfValue(b)) {
    const at = members.findIndex((known) => sameSimple(known, member) || mergeable(known, member));
    const existing = members[at];
    if (existing) members[at] = joinValues(existing, member);
    else members.push(member);
  }
  return members.length > maximumUnion ? unknown : { kind: 'union', members };
}

function mergeable(a: Value, b: Value): boolean {
  return a.kind === b.kind && ['gen', 'list', 'dict', 'json'].includes(a.kind);
}

export type DictValue = Extract<Value, { kind: 'dict' }>;

/** What any key of the dict gives; `null` if that is not known. */
function dictElement({ entries, element }: DictValue): Value | null {
  if (!entries || entries.size === 0) return element ?? null;
  return [...entries.values()].reduce(joinValues);
}

/** Of an empty dict nothing is lost: it is filled later. */
function joinDicts(a: DictValue, b: DictValue): Value {
  if (a.entries?.size === 0) return { kind: 'dict', entries: null, ...elementPart(dictElement(b)) };
  if (b.entries?.size === 0) return joinDicts(b, a);
  const [one, other] = [dictElement(a), dictElement(b)];
  return { kind: 'dict', entries: null, ...elementPart(one && other && joinValues(one, other)) };
}

const elementPart = (element: Value | null): Pick<DictValue, 'element'> =>
  element === null ? {} : { element };

/** The dict after `dict[key] = value`; `null`: any key. */
export function withEntry(dict: DictValue, key: string | null, value: Value): Value {
  if (key !== null && dict.entries)
    return { kind: 'dict', entries: new Map(dict.entries).set(key, value) };
  const known = dictElement(dict);
  if (known === null && dict.entries?.size !== 0) return { kind: 'dict', entries: null };
  return { kind: 'dict', entries: null, element: known ? joinValues(known, value) : value };
}

export type ListValue = Extract<Value, { kind: 'list' }>;

function joinLists(a: ListValue, b: ListValue): Value {
  if (a.items && b.items && a.items.length === b.items.length) {
    return tuple(a.items.map((item, i) => joinValues(item, b.items?.[i] ?? unknown)));
  }
  if (a.items?.length === 0) return listOf(b.element);
  if (b.items?.length === 0) return listOf(a.element);
  return listOf(joinValues(a.element, b.element));
}
