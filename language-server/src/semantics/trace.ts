/**
 * What following a piece of code asked of its surroundings and did to them. As long as every answer
 * stays the same, doing the same again is as good as following the code once more.
 */
import type { Environment } from './environment.ts';
import { LayeredMap, type Root } from './layered-map.ts';
import type { Machine } from './machine.ts';
import type { ProgramStateInfo } from './program-state.ts';
import type { Recorder } from './recorder.ts';
import { sameKnowledge, type Value } from './value.ts';

export interface Trace {
  /** Each says whether one answer is still the same. In the order of the questions: one decides the next. */
  readonly checks: ((machine: Machine) => boolean)[];
  readonly effects: ((machine: Machine) => void)[];
  readonly facts: ((recorder: Recorder) => void)[];
}

/** The trace that is being taken, if one is. */
export interface Tracer {
  trace: Trace | null;
}

/** Passes questions on to `source` and notes the answers. */
export class TracedRoot<Key, Answer> implements Root<Key, Answer> {
  source: LayeredMap<Key, Answer>;
  readonly #tracer: Tracer;
  readonly #isSame: (a: Answer | undefined, b: Answer | undefined) => boolean;
  /** What the running trace knows already. */
  readonly #noted = new Map<Key, Answer | undefined>();
  #notedBy: Trace | null = null;

  constructor(
    source: LayeredMap<Key, Answer>,
    tracer: Tracer,
    isSame: (a: Answer | undefined, b: Answer | undefined) => boolean = Object.is,
  ) {
    this.source = source;
    this.#tracer = tracer;
    this.#isSame = isSame;
  }

  get(key: Key): Answer | undefined {
    const { trace } = this.#tracer;
    if (!trace) return this.source.get(key);
    if (this.#notedBy !== trace) {
      this.#notedBy = trace;
      this.#noted.clear();
    }
    const known = this.#noted.get(key);
    if (known !== undefined || this.#noted.has(key)) return known;
    const answer = this.source.get(key);
    this.#noted.set(key, answer);
    trace.checks.push(() => this.#isSame(this.source.get(key), answer));
    return answer;
  }
}

export const sameValue = (a: Value | undefined, b: Value | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && sameKnowledge(a, b));

/** An environment whose contents lie behind traced roots: what is written on top is what the code did. */
export class TracedScope {
  readonly #env: Environment;
  readonly #names: TracedRoot<string, Value>;
  readonly #states: TracedRoot<number, ProgramStateInfo>;
  readonly #pathFacts: TracedRoot<string, ReadonlySet<string>>;
  readonly #versions: TracedRoot<string, number>;

  constructor(env: Environment, tracer: Tracer) {
    this.#env = env;
    this.#names = new TracedRoot(env.names, tracer, sameValue);
    this.#states = new TracedRoot(env.states, tracer);
    this.#pathFacts = new TracedRoot(env.pathFacts, tracer);
    this.#versions = new TracedRoot(env.versions, tracer);
  }

  /** Lays the roots over what the environment holds now. Closures made by the traced code see it, too. */
  settle(): void {
    const { names, states, pathFacts, versions } = this.#env;
    this.#names.source = names.fork();
    this.#states.source = states.fork();
    this.#pathFacts.source = pathFacts.fork();
    this.#versions.source = versions.fork();
  }

  /** Follows code on top of the roots, and returns what it wrote. */
  take(follow: () => void): (env: Environment) => void {
    const env = this.#env;
    const { names, states, pathFacts, versions } = env;
    env.names = new LayeredMap(this.#names);
    env.states = new LayeredMap(this.#states);
    env.pathFacts = new LayeredMap(this.#pathFacts);
    env.versions = new LayeredMap(this.#versions);
    follow();
    const written = {
      names: env.names.toMap(),
      states: env.states.toMap(),
      pathFacts: env.pathFacts.toMap(),
      versions: env.versions.toMap(),
    };
    env.names = names;
    env.states = states;
    env.pathFacts = pathFacts;
    env.versions = versions;
    return (target) => {
      for (const [name, value] of written.names) target.names.set(name, value);
      for (const [id, state] of written.states) target.states.set(id, state);
      for (const [key, fact] of written.pathFacts) target.pathFacts.set(key, fact);
      for (const [name, version] of written.versions) target.versions.set(name, version);
    };
  }
}
