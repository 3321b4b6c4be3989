/** Reading a variable of a state: what it finds, and the fact that it was read. */
import type { Expression } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import type { ReadFact } from './facts.ts';
import { joinTypes, literalType, literalValues, unknownType, type GenType } from './gen-type.ts';
import type { Machine } from './machine.ts';
import { formatPattern, type NamePattern } from './name-pattern.ts';
import {
  lookup,
  lookupPattern,
  mergeSites,
  withVariable,
  type Lookup,
  type ProgramStateInfo,
} from './program-state.ts';
import { constantText, unknown, type Value } from './value.ts';

/** Key of the path fact "which of its choices this variable has". */
export function variableKey(name: string, version: number): string {
  return `["${name}"]@${version}`;
}

/** The value with what conditions on this path say about it. */
export function refine(env: Environment, value: Value): Value {
  if (value.kind !== 'gen' || !value.origin) return value;
  const values = literalValues(value.type);
  if (!values) return value;
  const facts = env.pathFacts.get(variableKey(value.origin.name, value.origin.version));
  if (!facts) return value;
  const left = values.filter((candidate) => facts.has(candidate));
  if (left.length === values.length || left.length === 0) return value;
  return { ...value, type: literalType(left) };
}

function onThisPath(env: Environment, found: Lookup): Lookup {
  if (found.presence !== 'maybe') return found;
  if (env.isGuardMet(found.guard)) return { ...found, presence: 'set' };
  if (env.isGuardExcluded(found.guard)) return { ...found, presence: 'unset' };
  return found;
}

function combine(found: readonly Lookup[]): Lookup {
  const [first, ...rest] = found;
  if (!first) return { presence: 'unset', type: unknownType, sites: [], version: 0, guard: null };
  return rest.reduce<Lookup>((a, b) => {
    const present = [a, b].filter((entry) => entry.presence !== 'unset');
    return {
      presence: a.presence === b.presence ? a.presence : 'maybe',
      type:
        present.length === 0 ? unknownType : present.map((entry) => entry.type).reduce(joinTypes),
      sites: mergeSites(a.sites, b.sites),
      version: a.version,
      guard: null,
    };
  }, first);
}

/** `state[0]`: a state is no list. */
function reportNumber(machine: Machine, node: Expression, read: ReadFact): void {
  const [first = 'name'] = read.available().keys();
  machine.report(
    'unknown-variable',
    node,
    `A state has no items by number: read a variable by its name, as in ["${first}"].`,
    read.available().size === 0
      ? []
      : [
          {
            title: `Change to "${first}"`,
            edits: [{ start: node.start, end: node.end, text: `"${first}"` }],
          },
        ],
  );
}

/** Texts of which the key is one, `null` if it may be another. */
function namesOf(key: Value): readonly string[] | null {
  if (key.kind !== 'union') return null;
  const names = key.members.map(constantText);
  return names.every((name) => name !== null) ? names : null;
}

/** Which of the names is read is not known: what some path sets is taken to be set on that one. */
function oneOf(found: readonly Lookup[]): Lookup {
  const present = found.filter(({ presence }) => presence !== 'unset');
  const all = combine(present);
  return present.length === 0 ? all : { ...all, presence: 'set' };
}

export interface ReadOptions {
  /** A test or a write: never a mistake. */
  readonly tolerant?: boolean;
}

/** `key` is the value of the subscript, `node` its expression. */
export function readVariable(
  machine: Machine,
  env: Environment,
  stateIds: readonly number[],
  key: Value,
  node: Expression,
  options: ReadOptions = {},
): Value {
  const name = constantText(key);
  const names = namesOf(key);
  const pattern: NamePattern = key.kind === 'text' ? key.parts : [null];
  const here = stateIds.map((id) => env.state(id)).filter((state) => state !== undefined);
  const elsewhere = () =>
    stateIds.map((id) => machine.finishedRun(id)).filter((state) => state !== undefined);
  const states = here.length > 0 ? here : elsewhere();
  const find = (known: string) =>
    combine(states.map((state) => onThisPath(env, lookup(state, known))));
  const found =
    name !== null
      ? find(name)
      : names
        ? oneOf(names.map(find))
        : combine(states.map((state) => onThisPath(env, lookupPattern(state, pattern))));
  for (const site of found.sites) machine.recorder.readSite(site.call);
  const type = name === null ? found.type : narrowedType(env, name, found);
  if (machine.recorder.quiet === 0) {
    const read: ReadFact = {
      unit: machine.unit,
      node,
      name,
      pattern,
      presence: found.presence,
      type,
      sites: found.sites,
      available: () => availableNames(states),
      program: states[0]?.program ?? null,
      reader: machine.frame.programNode,
      inProgram: machine.frame.program !== null && states[0]?.program === machine.frame.program,
      tolerant: (options.tolerant ?? false) || machine.recorder.catching > 0,
      certain: here.length > 0 && here.every((state) => !state.open),
      when: found.guard ? describeGuard(found.guard.key, found.guard.values) : null,
    };
    machine.recorder.read(read);
    if (key.kind === 'number' && read.certain) reportNumber(machine, node, read);
    const { owner, programNode, unrolling } = machine.frame;
    const isOwn = owner === null || owner === programNode;
    const single = name !== null && unrolling > 0 ? [name] : [];
    if (isOwn && read.certain && !read.tolerant)
      for (const other of names ?? single)
        if (find(other).presence === 'unset') machine.recorder.missing({ read, name: other });
  }
  if (name !== null) markRead(env, stateIds, name);
  if (found.presence === 'unset' || type.kind === 'unknown') return unknown;
  const origin = name === null || stateIds.length !== 1 ? null : { name, version: found.version };
  return { kind: 'gen', type, origin };
}

function narrowedType(env: Environment, name: string, found: Lookup): GenType {
  if (literalValues(found.type) === null) return found.type;
  const value = refine(env, {
    kind: 'gen',
    type: found.type,
    origin: { name, version: found.version },
  });
  return value.kind === 'gen' ? value.type : found.type;
}

function describeGuard(key: string, values: ReadonlySet<string>): string | null {
  const variable = /^\["(.*)"\]@\d+$/.exec(key)?.[1];
  if (variable === undefined) return null;
  return `${variable} is ${[...values].map((value) => `"${value}"`).join(' or ')}`;
}

function availableNames(states: readonly ProgramStateInfo[]): ReadonlyMap<string, GenType> {
  const names = new Map<string, GenType>();
  for (const { variables, patterns } of states) {
    for (const [name, info] of variables) names.set(name, info.type);
    for (const info of patterns) names.set(formatPattern(info.pattern), info.type);
  }
  return names;
}

function markRead(env: Environment, stateIds: readonly number[], name: string): void {
  for (const id of stateIds) {
    const state = env.state(id);
    const info = state?.variables.get(name);
    if (state && info && !info.wasRead)
      env.setState(id, withVariable(state, name, { ...info, wasRead: true }));
  }
}

/** Ids of the states a value stands for; empty if it is something else. */
export function stateIdsOf(value: Value): readonly number[] {
  if (value.kind === 'state') return [value.id];
  if (value.kind !== 'union') return [];
  const ids = value.members.flatMap(stateIdsOf);
  return ids.length === value.members.filter((member) => member.kind !== 'none').length ? ids : [];
}

/** Unseen code may do anything with the state from here on. */
export function openStates(machine: Machine, env: Environment, value: Value): void {
  for (const member of value.kind === 'union' ? value.members : [value]) {
    const ids =
      member.kind === 'state'
        ? [member.id]
        : member.kind === 'forks'
          ? [member.parent, member.child]
          : [];
    for (const id of ids) {
      const state = env.state(id);
      if (!state) continue;
      if (state.program !== null) machine.recorder.consume(state.program);
      if (!state.open) env.setState(id, { ...state, open: true });
    }
    // `pool.submit(program.run, …)`: what reads the states of these runs is out of sight.
    if (member.kind === 'method' && member.object.kind === 'program')
      machine.recorder.consume(member.object.ref.name);
    if (member.kind === 'list') openStates(machine, env, member.element);
  }
}
