/**
 * What an analysis of a notebook leaves for the next one: a keystroke changes one cell, and the others
 * mostly find everything as it was.
 */
import { Environment, latestVersion } from './environment.ts';
import { LayeredMap } from './layered-map.ts';
import type { Machine } from './machine.ts';
import { sameValue, TracedRoot, TracedScope, type Trace, type Tracer } from './trace.ts';
import type { Value } from './value.ts';

/** Followed code: what it depends on, and how to do it again. */
export interface Memo {
  readonly scope: TracedScope;
  readonly trace: Trace;
  readonly write: (env: Environment) => void;
  /** Calls that were followed. */
  readonly calls: number;
  /** What is compared as a whole. */
  readonly guard: readonly unknown[];
}

export type Memos = WeakMap<object, Memo>;

const noMemos = (): Record<'definitions' | 'cells' | 'bodies', Memos> => ({
  definitions: new WeakMap(),
  cells: new WeakMap(),
  bodies: new WeakMap(),
});

/** Numbers by node and context, from 1. */
export class Numbers {
  readonly #known = new WeakMap<object, Map<number, number>>();
  #next = 1;

  of(node: object, context: number): number {
    const inner = this.#known.get(node) ?? new Map<number, number>();
    this.#known.set(node, inner);
    const number = inner.get(context) ?? this.#next++;
    inner.set(context, number);
    return number;
  }
}

/** Contexts of calls add up: now and then all is followed anew. */
const maximumRuns = 200;

export class AnalysisMemory {
  readonly tracer: Tracer = { trace: null };
  /** Top level of the module. */
  readonly top = new Environment(null);
  /** What its cells define to the ones above them. */
  readonly definitions = new Environment(null);
  /** The same for code that is followed: its questions are noted. */
  readonly hoisted = new TracedRoot<string, Value>(new LayeredMap(), this.tracer, sameValue);
  readonly #hoistedVersions = new TracedRoot<string, number>(new LayeredMap(), this.tracer);
  #memos: Record<'definitions' | 'cells' | 'bodies', Memos> = noMemos();
  /** By the node that makes a state, or reaches a function, and the context around it. */
  #stateIds = new Numbers();
  #contexts = new Numbers();
  #runs = 0;
  #isSpoilt = false;
  #traced: Environment | null = null;
  #startOfTrace = 0;
  #sharedNames = '';

  get memos(): Record<'definitions' | 'cells' | 'bodies', Memos> {
    return this.#memos;
  }

  get stateIds(): Numbers {
    return this.#stateIds;
  }

  get contexts(): Numbers {
    return this.#contexts;
  }

  /** `sharedNames`: names whose values are not followed; with others everything is another matter. */
  begin(sharedNames: ReadonlySet<string>): void {
    const names = [...sharedNames].toSorted().join();
    if (this.#isSpoilt || this.#runs === maximumRuns || this.#sharedNames !== names) {
      this.#memos = noMemos();
      this.#stateIds = new Numbers();
      this.#contexts = new Numbers();
      this.#runs = 0;
      this.#isSpoilt = false;
    }
    this.#runs++;
    this.#sharedNames = names;
    this.tracer.trace = null;
    for (const env of [this.top, this.definitions]) env.become(new Environment(null));
    this.hoisted.source = new LayeredMap();
  }

  /** All definitions are known. Functions among them find each other, which is noted from here on. */
  hoist(): void {
    const { names, versions } = this.definitions;
    this.hoisted.source = names;
    this.#hoistedVersions.source = versions;
    this.definitions.names = new LayeredMap(this.hoisted);
    this.definitions.versions = new LayeredMap(this.#hoistedVersions);
  }

  /** Follows code and notes everything that it asks and does. */
  record(env: Environment, machine: Machine, follow: () => void): Omit<Memo, 'calls' | 'guard'> {
    const scope = new TracedScope(env, this.tracer);
    scope.settle();
    const trace: Trace = { checks: [], effects: [], facts: [] };
    this.#traced = env;
    this.#startOfTrace = latestVersion();
    this.tracer.trace = trace;
    machine.recorder.tape = trace.facts;
    const write = scope.take(follow);
    this.tracer.trace = null;
    machine.recorder.tape = null;
    write(env);
    return { scope, trace, write };
  }

  /** Does again what the code did; false if it would do something else. */
  repeat(memo: Memo, env: Environment, machine: Machine): boolean {
    const { scope, trace, write } = memo;
    scope.settle();
    if (!trace.checks.every((check) => check(machine))) return false;
    for (const add of trace.facts) add(machine.recorder);
    for (const act of trace.effects) act(machine);
    write(env);
    return true;
  }

  /** An environment was changed in place: if an earlier cell made it, the change cannot be repeated. */
  changed(env: Environment): void {
    if (env !== this.#traced && env.born <= this.#startOfTrace) this.#isSpoilt = true;
  }
}
