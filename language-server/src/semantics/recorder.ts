/** Collects facts while code is followed. The same code may be followed several times. */
import type { Call, Expression, FunctionDef, Lambda, Name, Span, Str } from '../syntax/ast.ts';
import type {
  BindingFact,
  CallEdge,
  CallFact,
  Facts,
  Fix,
  GenFact,
  JsonReadFact,
  MissingName,
  Problem,
  ProgramFact,
  ReadFact,
} from './facts.ts';
import { joinTypes, type GenType } from './gen-type.ts';
import { mergeSites } from './program-state.ts';
import type { SourceUnit } from './source-unit.ts';
import { joinValues, type Value } from './value.ts';

interface PendingProblem {
  readonly problem: Problem;
  /** Function whose callers matter: the problem counts only if every way into it shows it. */
  readonly owner: FunctionDef | Lambda | null;
  readonly contexts: Set<number>;
  /** Seen on a path that can run. */
  isReal: boolean;
  readonly unlessRead: Set<Expression>;
}

export interface ProblemDetails {
  readonly fixes?: readonly Fix[];
  /** It is no problem if the value of one of these is read on any path. */
  readonly unlessRead?: readonly Expression[];
}

const presenceRank = { unset: 0, maybe: 1, set: 2 } as const;

export class Recorder {
  /** While positive, code is followed for its effects only. */
  quiet = 0;
  /** While positive, a `KeyError` would be caught: reads are attempts. */
  catching = 0;
  /** While positive, code is followed that does not run with the values known here. */
  dead = 0;
  /** When set, all that is recorded is also written down here, to be recorded again. */
  tape: ((recorder: Recorder) => void)[] | null = null;
  readonly #gens = new Map<Expression, GenFact>();
  readonly #reads = new Map<Expression, ReadFact>();
  /** Reads that were only seen in branches not taken. */
  readonly #deadReads = new Set<Expression>();
  readonly #missing = new Map<string, MissingName>();
  readonly #calls = new Map<Call, CallFact>();
  readonly #bindings = new Map<Name, BindingFact>();
  readonly #jsonReads = new Map<Str, JsonReadFact>();
  readonly #programs = new Map<FunctionDef, ProgramFact>();
  readonly #edges = new Map<Call, CallEdge>();
  readonly #problems = new Map<string, PendingProblem>();
  /** Problems that do not show every time the code runs, as in another turn of a loop. */
  readonly #fine = new Set<string>();
  readonly #visits = new Map<FunctionDef | Lambda, Set<number>>();
  readonly #consumed = new Set<string>();
  readonly #executed = new Set<string>();
  readonly #traced = new Set<string>();
  readonly #readSites = new Set<Expression>();

  /** Programs whose text is used as a whole, so that no gen is useless. */
  get consumed(): ReadonlySet<string> {
    return this.#consumed;
  }

  get executed(): ReadonlySet<string> {
    return this.#executed;
  }

  get traced(): ReadonlySet<string> {
    return this.#traced;
  }

  /** Sites that were read, also by code followed quietly. */
  get readSites(): ReadonlySet<Expression> {
    return this.#readSites;
  }

  consume(program: string): void {
    this.#consumed.add(program);
    this.tape?.push((again) => again.consume(program));
  }

  execute(program: string): void {
    this.#executed.add(program);
    this.tape?.push((again) => again.execute(program));
  }

  trace(program: string): void {
    this.#traced.add(program);
    this.tape?.push((again) => again.trace(program));
  }

  readSite(site: Expression): void {
    this.#readSites.add(site);
    this.tape?.push((again) => again.readSite(site));
  }

  visit(node: FunctionDef | Lambda, context: number): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.visit(node, context));
    const contexts = this.#visits.get(node) ?? new Set();
    this.#visits.set(node, contexts.add(context));
  }

  wasVisited(node: FunctionDef | Lambda): boolean {
    return this.#visits.has(node);
  }

  gen(fact: GenFact): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.gen(fact));
    const known = this.#gens.get(fact.site.call);
    if (!known) {
      this.#gens.set(fact.site.call, fact);
      return;
    }
    const names = [...known.names];
    for (const name of fact.names) {
      if (!names.some((other) => JSON.stringify(other) === JSON.stringify(name))) names.push(name);
    }
    this.#gens.set(fact.site.call, { ...known, names, type: joinTypes(known.type, fact.type) });
  }

  read(fact: ReadFact): void {
    if (this.quiet > 0) return;
    this.#tapeAsRun((again) => again.read(fact));
    const known = this.#reads.get(fact.node);
    if (this.dead > 0) {
      if (known && !this.#deadReads.has(fact.node)) return;
      this.#deadReads.add(fact.node);
      this.#reads.set(fact.node, { ...(known ? mergeReads(known, fact) : fact), tolerant: true });
      return;
    }
    const isFirst = !known || this.#deadReads.delete(fact.node);
    this.#reads.set(fact.node, isFirst ? fact : mergeReads(known, fact));
  }

  missing(fact: MissingName): void {
    if (this.quiet > 0 || this.dead > 0) return;
    this.tape?.push((again) => again.missing(fact));
    const { unit, node } = fact.read;
    this.#missing.set(`${unit.uri}:${node.start}:${fact.name}`, fact);
  }

  call(fact: CallFact): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.call(fact));
    this.#calls.set(fact.node, fact);
  }

  binding(unit: SourceUnit, node: Name, value: Value): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.binding(unit, node, value));
    const known = this.#bindings.get(node);
    this.#bindings.set(node, { unit, node, value: known ? joinValues(known.value, value) : value });
  }

  jsonRead(fact: JsonReadFact): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.jsonRead(fact));
    this.#jsonReads.set(fact.node, fact);
  }

  program(fact: ProgramFact): void {
    this.tape?.push((again) => again.program(fact));
    this.#programs.set(fact.node, fact);
  }

  edge(edge: CallEdge): void {
    if (this.quiet > 0) return;
    this.tape?.push((again) => again.edge(edge));
    this.#edges.set(edge.node, edge);
  }

  problem(
    where: {
      readonly unit: SourceUnit;
      readonly owner: FunctionDef | Lambda | null;
      readonly context: number;
    },
    code: string,
    span: Span,
    message: string,
    { fixes = [], unlessRead = [] }: ProblemDetails = {},
  ): void {
    if (this.quiet > 0) return;
    this.#tapeAsRun((again) => again.problem(where, code, span, message, { fixes, unlessRead }));
    const { unit, owner, context } = where;
    const key = problemKey(unit, span, code);
    const known = this.#problems.get(key);
    const isReal = this.dead === 0;
    if (known) {
      known.contexts.add(context);
      known.isReal ||= isReal;
      for (const site of unlessRead) known.unlessRead.add(site);
      return;
    }
    const problem: Problem = {
      unit,
      code,
      span: { start: span.start, end: span.end },
      message,
      fixes,
    };
    const excuses = new Set(unlessRead);
    const contexts = new Set([context]);
    this.#problems.set(key, { problem, owner, contexts, isReal, unlessRead: excuses });
  }

  /** The code is right at least this time. */
  fine(unit: SourceUnit, code: string, span: Span): void {
    if (this.quiet > 0 || this.dead > 0) return;
    this.tape?.push((again) => again.fine(unit, code, span));
    this.#fine.add(problemKey(unit, span, code));
  }

  /** Code that does not run must not count as code that does. */
  #tapeAsRun(add: (recorder: Recorder) => void): void {
    const { dead } = this;
    this.tape?.push((again) => {
      again.dead += dead;
      add(again);
      again.dead -= dead;
    });
  }

  finish(): Facts {
    const problems = [...this.#problems]
      .filter(
        ([key, { owner, contexts, isReal, unlessRead }]) =>
          isReal &&
          !this.#fine.has(key) &&
          (!owner || contexts.size >= (this.#visits.get(owner)?.size ?? 0)) &&
          ![...unlessRead].some((site) => this.#readSites.has(site)),
      )
      .map(([, { problem }]) => problem);
    return {
      gens: [...this.#gens.values()],
      reads: [...this.#reads.values()],
      missing: [...this.#missing.values()],
      calls: [...this.#calls.values()],
      bindings: [...this.#bindings.values()],
      jsonReads: [...this.#jsonReads.values()],
      programs: [...this.#programs.values()],
      edges: [...this.#edges.values()],
      problems,
    };
  }
}

const problemKey = (unit: SourceUnit, span: Span, code: string): string =>
  `${unit.uri}:${span.start}:${span.end}:${code}`;

function mergeReads(a: ReadFact, b: ReadFact): ReadFact {
  const better = presenceRank[a.presence] >= presenceRank[b.presence] ? a : b;
  const found = [a, b].filter((read) => read.presence !== 'unset');
  const type = found.length === 0 ? a.type : found.map((read) => read.type).reduce(joinTypes);
  return {
    ...better,
    available: () => joinNames(a.available(), b.available()),
    type,
    sites: mergeSites(a.sites, b.sites),
    certain: a.certain && b.certain,
    tolerant: a.tolerant || b.tolerant,
  };
}

function joinNames(
  a: ReadonlyMap<string, GenType>,
  b: ReadonlyMap<string, GenType>,
): ReadonlyMap<string, GenType> {
  const joined = new Map(a);
  for (const [name, type] of b) {
    const known = joined.get(name);
    joined.set(name, known ? joinTypes(known, type) : type);
  }
  return joined;
}
