/**
 * Everything known at one program point: names of the running scope, all program states, and facts
 * about conditions that hold on the paths to here. Straight-line code changes it in place; branches
 * work on copies that are joined again.
 */
import { joinTypes } from './gen-type.ts';
import { LayeredMap, type Root } from './layered-map.ts';
import { isAmong, isNoneOf } from './path-fact.ts';
import {
  mergeSites,
  withPattern,
  type Guard,
  type ProgramStateInfo,
  type VariableInfo,
} from './program-state.ts';
import { joinValues, unknown, type Value } from './value.ts';

/** Possible outcomes of a condition, e.g. `state["type"]` ∈ {a, b} or `use_cot` ∈ {true}. */
export type PathFacts = LayeredMap<string, ReadonlySet<string>>;

let nextVersion = 1;

/** All versions given from now on are greater. */
export function latestVersion(): number {
  return nextVersion - 1;
}

/** A number never given before; tells values of one name apart. */
export function freshVersion(): number {
  return nextVersion++;
}

export class Environment {
  names: LayeredMap<string, Value> = new LayeredMap();
  readonly closure: Environment | null;
  states: LayeredMap<number, ProgramStateInfo> = new LayeredMap();
  pathFacts: PathFacts = new LayeredMap();
  versions: LayeredMap<string, number> = new LayeredMap();
  /** Greater than all versions given before. */
  readonly born = freshVersion();

  constructor(closure: Environment | null) {
    this.closure = closure;
  }

  /** An independent copy for one branch. */
  fork(): Environment {
    const copy = new Environment(this.closure);
    copy.names = this.names.fork();
    copy.states = this.states.fork();
    copy.pathFacts = this.pathFacts.fork();
    copy.versions = this.versions.fork();
    return copy;
  }

  /** Scope of a called function: own names, the same states. */
  enter(closure: Environment): Environment {
    const inner = new Environment(closure);
    inner.states = this.states.fork();
    inner.pathFacts = this.pathFacts.fork();
    return inner;
  }

  /** Takes over what happened to the states in a called function. */
  adopt(inner: Environment): void {
    this.states = inner.states;
    this.pathFacts = inner.pathFacts;
  }

  /** Continues as `other`, keeping this object: closures refer to it. */
  become(other: Environment): void {
    if (other === this) return;
    this.names = other.names;
    this.states = other.states;
    this.pathFacts = other.pathFacts;
    this.versions = other.versions;
  }

  lookup(name: string): Value | undefined {
    return this.names.get(name) ?? this.closure?.lookup(name);
  }

  assign(name: string, value: Value): void {
    this.names.set(name, value);
    this.versions.set(name, freshVersion());
  }

  /** For `Machine.change`, which must know the scope that was changed. */
  change(name: string, value: Value, laterValue: Value): Environment {
    if (!this.names.has(name) && this.closure)
      return this.closure.change(name, laterValue, laterValue);
    this.assign(name, value);
    return this;
  }

  versionOf(name: string): number {
    return this.versions.get(name) ?? this.closure?.versionOf(name) ?? 0;
  }

  state(id: number): ProgramStateInfo | undefined {
    return this.states.get(id);
  }

  setState(id: number, info: ProgramStateInfo): void {
    this.states.set(id, info);
  }

  /** Is a guarded variable certainly set here? */
  isGuardMet(guard: Guard | null): boolean {
    if (!guard) return false;
    const facts = this.pathFacts.get(guard.key);
    return facts !== undefined && [...facts].every((fact) => isAmong(fact, guard.values));
  }

  /** Is a guarded variable certainly unset here? */
  isGuardExcluded(guard: Guard | null): boolean {
    if (!guard) return false;
    const facts = this.pathFacts.get(guard.key);
    return facts !== undefined && [...facts].every((fact) => isNoneOf(fact, guard.values));
  }
}

/** Where two paths meet. `null` is a path that does not get here. */
export function joinEnvironments(a: Environment | null, b: Environment | null): Environment | null {
  if (!a || !b || a === b) return a ?? b;
  const result = new Environment(a.closure);
  // A name that only one path assigns keeps that value: reading it elsewhere is Python's own error.
  result.names = LayeredMap.join(a.names, b.names, (x, y) =>
    x && y ? joinValues(x, y) : (x ?? y),
  );
  result.versions = LayeredMap.joinOrRenew(a.versions, b.versions, freshVersion);
  result.pathFacts = LayeredMap.join(a.pathFacts, b.pathFacts, (x, y) => {
    if (!x || !y) return undefined;
    return x === y ? x : new Set([...x, ...y]);
  });
  const paths = new Paths(a.pathFacts, b.pathFacts);
  result.states = LayeredMap.join(a.states, b.states, (x, y) =>
    x && y ? joinStates(x, y, paths) : (x ?? y),
  );
  return result;
}

/** Continues `env` with whichever of the paths are alive; false if none is. */
export function continueWith(env: Environment, paths: readonly (Environment | null)[]): boolean {
  const joined = paths.reduce(joinEnvironments, null);
  if (!joined) return false;
  env.become(joined);
  return true;
}

/** What tells two paths apart, found out once for all variables of a join. */
class Paths {
  readonly a: PathFacts;
  readonly b: PathFacts;
  #tellingKeys: readonly string[] | null = null;

  constructor(a: PathFacts, b: PathFacts) {
    this.a = a;
    this.b = b;
  }

  /** Conditions that have another outcome on the way `a` than on `b`. */
  get tellingKeys(): readonly string[] {
    this.#tellingKeys ??= [...LayeredMap.differingKeys(this.a, this.b)].filter((key) => {
      const [values, others] = [this.a.get(key), this.b.get(key)];
      if (!values || !others) return false;
      return others.size > values.size || [...values].some((value) => !others.has(value));
    });
    return this.#tellingKeys;
  }
}

function joinStates(a: ProgramStateInfo, b: ProgramStateInfo, paths: Paths): ProgramStateInfo {
  if (a === b) return a;
  const variables = new Map<string, VariableInfo>();
  for (const name of new Set([...a.variables.keys(), ...b.variables.keys()])) {
    const merged = joinVariable(a.variables.get(name), b.variables.get(name), paths);
    if (merged) variables.set(name, merged);
  }
  let result: ProgramStateInfo = {
    ...a,
    variables,
    open: a.open || b.open,
    role: a.role === b.role ? a.role : '?',
    rolesUsed: a.rolesUsed && b.rolesUsed,
    roleSite: a.roleSite ?? b.roleSite,
    joined: a.joined && b.joined,
  };
  for (const pattern of b.patterns) result = withPattern(result, pattern);
  return result;
}

function joinVariable(
  a: VariableInfo | undefined,
  b: VariableInfo | undefined,
  paths: Paths,
): VariableInfo | undefined {
  const any = a ?? b;
  if (!any || a === b) return any;
  const both = a?.presence === 'set' && b?.presence === 'set';
  const guard = both ? null : joinGuards(a, b, paths);
  return {
    presence: both || guard === 'always' ? 'set' : 'maybe',
    type: a && b ? joinTypes(a.type, b.type) : any.type,
    sites: a && b ? mergeSites(a.sites, b.sites) : any.sites,
    guard: guard === 'always' ? null : guard,
    version: a?.version === b?.version ? any.version : a && b ? freshVersion() : any.version,
    wasRead: any.wasRead && (b?.wasRead ?? true),
    fork: any.fork,
  };
}

/** A condition that tells on which side of the join the variable was set. */
function joinGuards(
  a: VariableInfo | undefined,
  b: VariableInfo | undefined,
  paths: Paths,
): Guard | 'always' | null {
  const guards = [a?.guard?.key, b?.guard?.key].filter((key) => key !== undefined);
  for (const key of new Set([...guards, ...paths.tellingKeys])) {
    const factsA = paths.a.get(key);
    const factsB = paths.b.get(key);
    if (!factsA || !factsB) continue;
    const all = new Set([...factsA, ...factsB]);
    const values = [...all].filter(
      (value) =>
        (!factsA.has(value) || isSetWhen(a, key, value)) &&
        (!factsB.has(value) || isSetWhen(b, key, value)),
    );
    if (values.length === all.size) return 'always';
    if (values.length > 0) return { key, values: new Set(values) };
  }
  return null;
}

function isSetWhen(info: VariableInfo | undefined, key: string, value: string): boolean {
  if (!info) return false;
  return info.presence === 'set' || (info.guard?.key === key && info.guard.values.has(value));
}

/** The value of a name, with what other cells define as the last resort. */
export function lookupName(env: Environment, name: string, hoisted: Root<string, Value>): Value {
  return env.lookup(name) ?? hoisted.get(name) ?? unknown;
}
