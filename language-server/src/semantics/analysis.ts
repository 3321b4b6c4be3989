/**
 * Follows a module (all cells of a notebook in order, or one file) and collects facts. Nothing is
 * executed: values are abstract, every path is taken, and unknown code may do anything.
 */
import type { Block, Call, Expression, FunctionDef, Lambda } from '../syntax/ast.ts';
import { AnalysisMemory, type Memos } from './analysis-memory.ts';
import { checkRolesEnded } from './append.ts';
import { evaluateCall } from './calls.ts';
import type { Environment } from './environment.ts';
import { evaluateExpression } from './expressions.ts';
import type { Facts, Fix } from './facts.ts';
import { bindUnknown, invokeFunction, runBody } from './functions.ts';
import {
  reportAt,
  type BackendInfo,
  type CallArguments,
  type Frame,
  type Machine,
} from './machine.ts';
import { checkDefinition } from './program-calls.ts';
import { LayeredMap, type Root } from './layered-map.ts';
import { emptyState, type ProgramStateInfo } from './program-state.ts';
import { Recorder } from './recorder.ts';
import type { SourceUnit } from './source-unit.ts';
import { Relevance } from './relevance.ts';
import { declaredNames } from './shared-names.ts';
import { executeBlock } from './statements.ts';
import { sameValue } from './trace.ts';
import {
  joinValues,
  unknown,
  type BackendKind,
  type FunctionRef,
  type Members,
  type Value,
} from './value.ts';

export interface BackendChoice {
  readonly kind: BackendKind;
  readonly version: string | null;
}

export interface ModuleInput {
  readonly units: readonly SourceUnit[];
  /** Members of a module of the workspace; `null` if there is none. */
  readonly importModule: (
    path: string,
    level: number,
    from: string,
  ) => ReadonlyMap<string, Value> | null;
  /** What settings say about the backend, for what the code does not say. */
  readonly backend?: BackendChoice;
}

export interface ModuleAnalysis {
  readonly units: readonly SourceUnit[];
  readonly facts: Facts;
  /** Names of the module's top level after all of it ran. */
  readonly exports: ReadonlyMap<string, Value>;
  readonly consumed: ReadonlySet<string>;
  readonly executed: ReadonlySet<string>;
  readonly traced: ReadonlySet<string>;
  readonly readSites: ReadonlySet<Expression>;
}

/** `memory` of earlier analyses of the same notebook spares what has not changed; the result is the same. */
export function analyzeModule(
  input: ModuleInput,
  memory: AnalysisMemory = new AnalysisMemory(),
): ModuleAnalysis {
  const sharedNames = new Set(input.units.flatMap((unit) => declaredNames(unit)));
  memory.begin(sharedNames);
  return new ModuleInterpreter(input, memory, sharedNames).run();
}

/** Functions that call each other can be reached in exponentially many ways. */
const callsPerBody = 300;
const callsPerStatement = 100;
/** When a module has used up these, each further body gets only a few. */
const callsPerModule = 3000;
const fewCalls = 20;
/** Parts of expressions nested deeper are taken as unknown instead of exhausting the stack. */
const maximumExpressionDepth = 1300;

class ModuleInterpreter implements Machine {
  readonly recorder = new Recorder();
  readonly #backends = new Set<BackendKind>();
  readonly #models = new Set<string>();
  readonly backend: BackendInfo;
  readonly #input: ModuleInput;
  readonly #memory: AnalysisMemory;
  readonly hoisted: Root<string, Value>;
  readonly #queue: FunctionRef[] = [];
  readonly #queued = new Map<object, number>();
  readonly #globals = new Map<string, Value>();
  readonly #instances = new Map<number, Members>();
  readonly #madeBy = new WeakMap<Members, object>();
  readonly #runs = new Map<number, ProgramStateInfo>();
  /** Names of the module with different values over time: what a function finds depends on when it runs. */
  readonly #reassigned = new Set<string>();
  #unknownNames = { key: '', size: 0, names: new LayeredMap<string, Value>() };
  readonly sharedNames: ReadonlySet<string>;
  readonly #relevance: Relevance;
  unit: SourceUnit;
  frame: Frame;
  budget = 0;
  #granted = 0;
  #callsLeft = callsPerModule;
  /** Fewer calls were granted than asked for. */
  #isShort = false;
  #depth = 0;

  constructor(input: ModuleInput, memory: AnalysisMemory, sharedNames: ReadonlySet<string>) {
    this.#input = input;
    this.#memory = memory;
    this.sharedNames = sharedNames;
    this.hoisted = memory.hoisted;
    this.unit = input.units[0] ?? {
      uri: '',
      text: '',
      tree: { text: '', body: [], errors: [], comments: [] },
    };
    this.frame = topFrame();
    this.#relevance = new Relevance(input.units);
    this.backend = {
      kinds: this.#backends,
      models: this.#models,
      chosen: input.backend?.kind ?? 'unknown',
      version: input.backend?.version ?? null,
    };
  }

  run(): ModuleAnalysis {
    const { units } = this.#input;
    const { top, memos } = this.#memory;
    this.#hoist(units);
    for (const unit of units) {
      this.#follow(memos.cells, unit, top, [], callsPerStatement, () => {
        this.unit = unit;
        this.frame = topFrame();
        this.#executeCell(unit.tree.body, top);
      });
    }
    this.#checkBodies(top);
    return {
      units,
      facts: this.recorder.finish(),
      exports: top.names.toMap(),
      consumed: this.recorder.consumed,
      executed: this.recorder.executed,
      traced: this.recorder.traced,
      readSites: this.recorder.readSites,
    };
  }

  /** A `raise` or `return` on top level ends its cell, not the notebook. */
  #executeCell(body: Block, env: Environment): void {
    let rest = body;
    while (rest.length > 0) {
      const [statement, ...others] = rest;
      this.#grant(callsPerStatement);
      if (statement) this.execute([statement], env);
      rest = others;
    }
  }

  /** Cells may be run in any order: what any cell defines is known to the ones above it. */
  #hoist(units: readonly SourceUnit[]): void {
    const { definitions, memos } = this.#memory;
    this.recorder.quiet++;
    for (const unit of units) {
      this.#follow(memos.definitions, unit, definitions, [], 0, () => {
        this.unit = unit;
        for (const statement of unit.tree.body) {
          if (['Import', 'ImportFrom', 'FunctionDef', 'ClassDef'].includes(statement.kind))
            this.execute([statement], definitions);
        }
      });
    }
    this.recorder.quiet--;
    this.#memory.hoist();
    this.#queue.length = 0;
    this.#queued.clear();
  }

  /**
   * Follows code, or repeats what following it did last time if it would find everything as it was
   * then. `guard` must be the same as a whole; `calls` is the most that it asks for at once.
   */
  #follow(
    memos: Memos,
    code: object,
    env: Environment,
    guard: readonly unknown[],
    calls: number,
    follow: () => void,
  ): void {
    if (this.#input.units.length === 1) {
      follow();
      return;
    }
    const guards = [...guard, [...this.#backends].join(), [...this.#models].join()];
    this.#settle();
    const memo = memos.get(code);
    const isAlike =
      memo &&
      this.#callsLeft - memo.calls >= calls &&
      memo.guard.every((value, i) => value === guards[i]);
    if (isAlike && this.#memory.repeat(memo, env, this)) {
      this.#callsLeft -= memo.calls;
      return;
    }
    const left = this.#callsLeft;
    this.#isShort = false;
    const taken = this.#memory.record(env, this, follow);
    this.#settle();
    if (this.#isShort) memos.delete(code);
    else memos.set(code, { ...taken, calls: left - this.#callsLeft, guard: guards });
  }

  #grant(calls: number): void {
    this.#settle();
    this.#granted = Math.min(calls, Math.max(fewCalls, this.#callsLeft));
    this.#isShort ||= this.#granted < calls;
    this.budget = this.#granted;
  }

  #settle(): void {
    this.#callsLeft -= this.#granted - this.budget;
    this.#granted = this.budget;
  }

  #checkBodies(env: Environment): void {
    const programs = (): FunctionRef | undefined => this.#take((ref) => ref.isProgram);
    const helpers = (): FunctionRef | undefined => this.#take(() => true);
    for (let ref = programs() ?? helpers(); ref; ref = programs() ?? helpers()) {
      if (!ref.isProgram && this.recorder.wasVisited(ref.node)) continue;
      const body = ref;
      const guard = [body, this.#reassignedNames().key];
      this.#follow(this.#memory.memos.bodies, ref.node, env, guard, callsPerBody, () =>
        this.#checkBody(body, env),
      );
    }
  }

  #take(fits: (ref: FunctionRef) => boolean): FunctionRef | undefined {
    const at = this.#queue.findIndex(fits);
    return at === -1 ? undefined : this.#queue.splice(at, 1)[0];
  }

  /** Follows a body with unknown arguments. */
  #checkBody(ref: FunctionRef, env: Environment): void {
    const inner = env.fork().enter(ref.closure);
    inner.names = this.#reassignedNames().names.fork();
    this.#grant(callsPerBody);
    const frame: Frame = {
      ...topFrame(),
      owner: ref.node,
      program: ref.isProgram ? ref.name : null,
      programNode: ref.isProgram && ref.node.kind === 'FunctionDef' ? ref.node : null,
      context: this.#context(ref.node),
      depth: 1,
    };
    const parameter = ref.isProgram ? stateParameter(ref) : null;
    const id = this.stateIdFor(ref.node);
    if (parameter) {
      inner.names.set(parameter, { kind: 'state', id });
      inner.setState(id, emptyState(ref.name));
    }
    bindUnknown(this, ref, inner, new Set(parameter ? [parameter] : []));
    this.recorder.visit(ref.node, frame.context);
    if (ref.isProgram && ref.node.kind === 'FunctionDef') this.#checkProgram(ref.node, ref, frame);
    const end = runBody(this, ref, frame, inner);
    const state = end.env.state(id);
    if (ref.isProgram && ref.node.kind === 'FunctionDef') {
      const { unit, node, name } = ref;
      const variables = [...(state?.variables ?? [])].map(
        ([key, { type }]) => [key, type] as const,
      );
      this.recorder.program({ unit, node, name, variables: new Map(variables) });
    }
    if (parameter && state) {
      this.frame = frame;
      checkRolesEnded(this, state);
      this.frame = topFrame();
    }
  }

  /** Made anew only when a name has come: every body starts with them. */
  #reassignedNames(): { readonly key: string; readonly names: LayeredMap<string, Value> } {
    const { size } = this.#reassigned;
    if (this.#unknownNames.size !== size) {
      const names = new LayeredMap<string, Value>();
      for (const name of this.#reassigned) names.set(name, unknown);
      this.#unknownNames = { key: [...this.#reassigned].toSorted().join(), size, names };
    }
    return this.#unknownNames;
  }

  #checkProgram(node: FunctionDef, ref: FunctionRef, frame: Frame): void {
    this.unit = ref.unit;
    this.frame = frame;
    checkDefinition(this, node);
    this.frame = topFrame();
  }

  /* ---------------------------------------------------------------- Machine */

  evaluate(node: Expression, env: Environment): Value {
    if (this.#depth >= maximumExpressionDepth) return unknown;
    this.#depth++;
    const value = evaluateExpression(this, node, env);
    this.#depth--;
    return value;
  }

  execute(block: Block, env: Environment): boolean {
    return executeBlock(this, block, env);
  }

  call(node: Call, env: Environment): Value {
    return evaluateCall(this, node, env);
  }

  invoke(
    ref: FunctionRef,
    args: CallArguments,
    env: Environment,
    given: ReadonlyMap<string, Value> = new Map(),
  ): Value {
    return invokeFunction(this, ref, args, env, given, this.#context(args.node));
  }

  /** A number for "reached through this call from the current context". */
  #context(node: object): number {
    return this.#memory.contexts.of(node, this.frame.context);
  }

  stateIdFor(node: object): number {
    return this.#memory.stateIds.of(node, this.frame.context);
  }

  runIdFor(node: object, program: object): number {
    // Below zero no context has the number.
    return this.#memory.stateIds.of(program, -this.stateIdFor(node));
  }

  enqueue(ref: FunctionRef): void {
    const { quiet } = this.recorder;
    this.#effect((machine) => {
      machine.recorder.quiet += quiet;
      machine.enqueue(ref);
      machine.recorder.quiet -= quiet;
    });
    const known = this.#queued.get(ref.node);
    if (known === undefined && quiet === 0) {
      this.#queued.set(ref.node, this.#queue.length);
      this.#queue.push(ref);
    } else if (ref.isProgram) {
      const at = this.#queue.findIndex((queued) => queued.node === ref.node);
      if (at !== -1) this.#queue[at] = ref;
    }
  }

  noteGlobal(name: string, value: Value): void {
    this.#effect((machine) => machine.noteGlobal(name, value));
    const known = this.#globals.get(name);
    this.#globals.set(name, value);
    if (known && joinValues(known, value) !== known) this.#reassigned.add(name);
  }

  report(
    code: string,
    span: { start: number; end: number },
    message: string,
    fixes: readonly Fix[] = [],
  ): void {
    reportAt(this, this.unit, code, span, message, { fixes });
  }

  importedModule(
    path: string,
    level: number,
    from = this.unit.uri,
  ): ReadonlyMap<string, Value> | null {
    const members = this.#input.importModule(path, level, from);
    this.#check((machine) => machine.importedModule(path, level, from) === members);
    return members;
  }

  isRelevant(node: FunctionDef | Lambda): boolean {
    const isRelevant = this.#relevance.has(node);
    this.#check((machine) => machine.isRelevant(node) === isRelevant);
    return isRelevant;
  }

  addBackend(kind: BackendKind): void {
    this.#backends.add(kind);
    this.#effect((machine) => machine.addBackend(kind));
  }

  addModel(name: string): void {
    this.#models.add(name.toLowerCase());
    this.#effect((machine) => machine.addModel(name));
  }

  newMembers(): Members {
    const members: Members = new Map();
    const { trace } = this.#memory.tracer;
    if (trace) this.#madeBy.set(members, trace);
    this.#effect(() => members.clear());
    return members;
  }

  instanceMembers(node: object): Members {
    const id = this.stateIdFor(node);
    const known = this.#instances.get(id);
    if (known) return known;
    const members = this.newMembers();
    this.keepInstance(id, members);
    return members;
  }

  keepInstance(id: number, members: Members): void {
    this.#instances.set(id, members);
    this.#effect((machine) => machine.keepInstance(id, members));
  }

  finishedRun(id: number): ProgramStateInfo | undefined {
    const state = this.#runs.get(id);
    this.#check((machine) => machine.finishedRun(id) === state);
    return state;
  }

  keepRun(id: number, state: ProgramStateInfo): void {
    this.#runs.set(id, state);
    this.#effect((machine) => machine.keepRun(id, state));
  }

  member(members: Members, name: string): Value | undefined {
    const value = members.get(name);
    // What the same code made is as it makes it.
    const { trace } = this.#memory.tracer;
    if (!trace || this.#madeBy.get(members) !== trace)
      this.#check(() => sameValue(members.get(name), value));
    return value;
  }

  setMember(members: Members, name: string, value: Value): void {
    members.set(name, value);
    this.#effect(() => members.set(name, value));
  }

  change(env: Environment, name: string, value: Value, laterValue: Value): void {
    this.#memory.changed(env.change(name, value, laterValue));
  }

  #check(isSame: (machine: Machine) => boolean): void {
    this.#memory.tracer.trace?.checks.push(isSame);
  }

  #effect(act: (machine: Machine) => void): void {
    this.#memory.tracer.trace?.effects.push(act);
  }
}

function topFrame(): Frame {
  return {
    owner: null,
    program: null,
    programNode: null,
    context: 0,
    depth: 0,
    returns: [],
    loops: [],
    unrolling: 0,
    declared: new Set(),
  };
}

function stateParameter(ref: FunctionRef): string | null {
  const named = ref.node.parameters.filter(
    (parameter) => parameter.separator === '' && parameter.star === '',
  );
  return named[0]?.name?.id ?? null;
}

export const noModules: ModuleInput['importModule'] = () => null;
