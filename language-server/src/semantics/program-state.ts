/**
 * What is known of a `ProgramState` at one program point. Immutable: every change makes a new state.
 *
 * | presence | meaning |
 * |----------|------------------------------------------------------------|
 * | set      | generated on every path to here                            |
 * | maybe    | on some paths; with a guard: exactly when `key` ∈ `values` |
 */
import { joinTypes, listType, unknownType, type GenType } from './gen-type.ts';
import { matchesPattern, patternsOverlap, type NamePattern } from './name-pattern.ts';
import type { GenSite } from './value.ts';

/** A condition on a path fact (`Environment.pathFacts`). */
export interface Guard {
  readonly key: string;
  readonly values: ReadonlySet<string>;
}

export interface VariableInfo {
  readonly presence: 'set' | 'maybe';
  readonly type: GenType;
  readonly sites: readonly GenSite[];
  readonly guard: Guard | null;
  /** Changes with each generation, so that facts about an old value are not used for a new one. */
  readonly version: number;
  readonly wasRead: boolean;
  /** The fork that generated it, as the code says it, e.g. `forks[0]`; `null` outside of forks. */
  readonly fork: string | null;
}

export interface PatternInfo {
  readonly pattern: NamePattern;
  readonly type: GenType;
  readonly sites: readonly GenSite[];
}

export interface ProgramStateInfo {
  readonly program: string | null;
  readonly variables: ReadonlyMap<string, VariableInfo>;
  readonly patterns: readonly PatternInfo[];
  /** Variables that cannot be seen may exist: the state was given to code that is not known. */
  readonly open: boolean;
  /** Role block the text is in; `'?'` when paths differ. */
  readonly role: string | null;
  /** Roles begun inside another one: their ends do not end it. */
  readonly nestedRoles: number;
  readonly rolesUsed: boolean;
  /** Where the open role began, for "never ended". */
  readonly roleSite: { readonly unit: GenSite['unit']; readonly node: GenSite['call'] } | null;
  /** Names that existed when this fork was made; join leaves them alone. */
  readonly forkedFrom: ReadonlySet<string> | null;
  readonly joined: boolean;
}

export function emptyState(program: string | null, open = false): ProgramStateInfo {
  return {
    program,
    variables: new Map(),
    patterns: [],
    open,
    role: null,
    nestedRoles: 0,
    rolesUsed: false,
    roleSite: null,
    forkedFrom: null,
    joined: false,
  };
}

export function withVariable(
  state: ProgramStateInfo,
  name: string,
  info: VariableInfo,
): ProgramStateInfo {
  return { ...state, variables: new Map(state.variables).set(name, info) };
}

const maximumPatterns = 40;

export function withPattern(state: ProgramStateInfo, info: PatternInfo): ProgramStateInfo {
  const key = JSON.stringify(info.pattern);
  const existing = state.patterns.find((known) => JSON.stringify(known.pattern) === key);
  if (existing) {
    const merged = {
      pattern: info.pattern,
      type: joinTypes(existing.type, info.type),
      sites: mergeSites(existing.sites, info.sites),
    };
    return {
      ...state,
      patterns: state.patterns.map((known) => (known === existing ? merged : known)),
    };
  }
  if (state.patterns.length >= maximumPatterns) return { ...state, open: true };
  return { ...state, patterns: [...state.patterns, info] };
}

export function mergeSites(a: readonly GenSite[], b: readonly GenSite[]): readonly GenSite[] {
  if (a === b) return a;
  const added = b.filter(
    (site) => !a.some((known) => known.call === site.call && known.nameNode === site.nameNode),
  );
  return added.length === 0 ? a : [...a, ...added];
}

/** What reading a name finds. */
export interface Lookup {
  readonly presence: 'set' | 'maybe' | 'unset';
  readonly type: GenType;
  readonly sites: readonly GenSite[];
  readonly version: number;
  readonly guard: Guard | null;
}

const nothing: Lookup = {
  presence: 'unset',
  type: unknownType,
  sites: [],
  version: 0,
  guard: null,
};

export function lookup(state: ProgramStateInfo, name: string): Lookup {
  const info = state.variables.get(name);
  if (info) return info;
  const pattern = state.patterns.find((candidate) => matchesPattern(name, candidate.pattern));
  if (pattern) return { ...nothing, presence: 'set', type: pattern.type, sites: pattern.sites };
  return state.open ? { ...nothing, presence: 'set' } : nothing;
}

/** Everything that a name of this pattern may read. */
export function lookupPattern(state: ProgramStateInfo, pattern: NamePattern): Lookup {
  const types: GenType[] = [];
  let sites: readonly GenSite[] = [];
  for (const [name, info] of state.variables) {
    if (!matchesPattern(name, pattern)) continue;
    types.push(info.type);
    sites = mergeSites(sites, info.sites);
  }
  for (const info of state.patterns) {
    if (!patternsOverlap(pattern, info.pattern)) continue;
    types.push(info.type);
    sites = mergeSites(sites, info.sites);
  }
  if (state.open) types.push(unknownType);
  if (types.length === 0) return nothing;
  return { ...nothing, presence: 'set', type: types.reduce(joinTypes), sites };
}

/** `forks.join()`: names that the children made become lists in the parent. */
export function gather(
  parent: ProgramStateInfo,
  child: ProgramStateInfo,
  version: () => number,
): ProgramStateInfo {
  let result = parent;
  for (const [name, info] of child.variables) {
    if (parent.variables.has(name) || (child.forkedFrom?.has(name) ?? false)) continue;
    result = withVariable(result, name, {
      ...info,
      type: listType(info.type),
      version: version(),
      wasRead: false,
      fork: null,
    });
  }
  const inherited = new Set(parent.patterns.map((info) => JSON.stringify(info.pattern)));
  for (const info of child.patterns) {
    if (inherited.has(JSON.stringify(info.pattern))) continue;
    result = withPattern(result, { ...info, type: listType(info.type) });
  }
  return child.open && !parent.open ? { ...result, open: true } : result;
}
