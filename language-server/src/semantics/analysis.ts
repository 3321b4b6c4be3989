/**
 * Follows a module (all cells of a notebook in order, or one file) and collects facts. Nothing is
 * executed: values are abstract, every path is taken, and unknown code may do anything.
 */
import type { Block, Call, Expression, FunctionDef } from '../syntax/ast.ts';
import { checkRolesEnded } from './append.ts';
import { evaluateCall } from './calls.ts';
import { Environment } from './environment.ts';
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
import { LayeredMap } from './layered-map.ts';
import { emptyState } from './program-state.ts';
import { Recorder } from './recorder.ts';
import type { SourceUnit } from './source-unit.ts';
import { Relevance } from './relevance.ts';
import { declaredNames } from './shared-names.ts';
import { executeBlock } from './statements.ts';
import { joinValues, unknown, type BackendKind, type FunctionRef, type Value } from './value.ts';

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

export function analyzeModule(input: ModuleInput): ModuleAnalysis {
  return new ModuleInterpreter(input).run();
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
  readonly hoisted = new Map<string, Value>();
  readonly backend: BackendInfo;
  readonly #input: ModuleInput;
  readonly #queue: FunctionRef[] = [];
  readonly #queued = new Map<object, number>();
  readonly #stateIds = new Map<object, Map<number, number>>();
  readonly #contexts = new Map<object, Map<number, number>>();
  readonly #globals = new Map<string, Value>();
  /** Names of the module with different values over time: what a function finds depends on when it runs. */
  readonly #reassigned = new Set<string>();
  #unknownNames = { size: 0, names: new LayeredMap<string, Value>() };
  readonly sharedNames: ReadonlySet<string>;
  readonly relevance: Relevance;
  #nextState = 1;
  #nextContext = 1;
  unit: SourceUnit;
  frame: Frame;
  budget = 0;
  #granted = 0;
  #callsLeft = callsPerModule;
  #depth = 0;

  constructor(input: ModuleInput) {
    this.#input = input;
    this.unit = input.units[0] ?? {
      uri: '',
      text: '',
      tree: { text: '', body: [], errors: [], comments: [] },
    };
    this.frame = topFrame();
    this.relevance = new Relevance(input.units);
    this.sharedNames = new Set(input.units.flatMap((unit) => declaredNames(unit)));
    this.backend = {
      kinds: new Set(),
      models: new Set(),
      chosen: input.backend?.kind ?? 'unknown',
      version: input.backend?.version ?? null,
    };
  }

  run(): ModuleAnalysis {
    const { units } = this.#input;
    const env = new Environment(null);
    this.#hoist(units);
    for (const unit of units) {
      this.unit = unit;
      this.#executeCell(unit.tree.body, env);
    }
    this.#checkBodies(env);
    return {
      units,
      facts: this.recorder.finish(),
      exports: env.names.toMap(),
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
    const env = new Environment(null);
    this.recorder.quiet++;
    for (const unit of units) {
      this.unit = unit;
      for (const statement of unit.tree.body) {
        if (['Import', 'ImportFrom', 'FunctionDef', 'ClassDef'].includes(statement.kind))
          this.execute([statement], env);
      }
    }
    this.recorder.quiet--;
    for (const [name, value] of env.names.toMap()) this.hoisted.set(name, value);
    this.#queue.length = 0;
    this.#queued.clear();
  }

  #grant(calls: number): void {
    this.#callsLeft -= this.#granted - this.budget;
    this.#granted = Math.min(calls, Math.max(fewCalls, this.#callsLeft));
    this.budget = this.#granted;
  }

  #checkBodies(env: Environment): void {
    const programs = (): FunctionRef | undefined => this.#take((ref) => ref.isProgram);
    const helpers = (): FunctionRef | undefined => this.#take(() => true);
    for (let ref = programs() ?? helpers(); ref; ref = programs() ?? helpers()) {
      if (ref.isProgram || !this.recorder.wasVisited(ref.node)) this.#checkBody(ref, env);
    }
  }

  #take(fits: (ref: FunctionRef) => boolean): FunctionRef | undefined {
    const at = this.#queue.findIndex(fits);
    return at === -1 ? undefined : this.#queue.splice(at, 1)[0];
  }

  /** Follows a body with unknown arguments. */
  #checkBody(ref: FunctionRef, env: Environment): void {
    const inner = env.fork().enter(ref.closure);
    inner.names = this.#reassignedNames();
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
  #reassignedNames(): LayeredMap<string, Value> {
    if (this.#unknownNames.size !== this.#reassigned.size) {
      const names = new LayeredMap<string, Value>();
      for (const name of this.#reassigned) names.set(name, unknown);
      this.#unknownNames = { size: this.#reassigned.size, names };
    }
    return this.#unknownNames.names.fork();
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
    const inner = this.#contexts.get(node) ?? new Map<number, number>();
    this.#contexts.set(node, inner);
    const known = inner.get(this.frame.context);
    if (known !== undefined) return known;
    const fresh = this.#nextContext++;
    inner.set(this.frame.context, fresh);
    return fresh;
  }

  stateIdFor(node: object): number {
    const inner = this.#stateIds.get(node) ?? new Map<number, number>();
    this.#stateIds.set(node, inner);
    const known = inner.get(this.frame.context);
    if (known !== undefined) return known;
    const fresh = this.#nextState++;
    inner.set(this.frame.context, fresh);
    return fresh;
  }

  enqueue(ref: FunctionRef): void {
    const known = this.#queued.get(ref.node);
    if (known === undefined && this.recorder.quiet === 0) {
      this.#queued.set(ref.node, this.#queue.length);
      this.#queue.push(ref);
    } else if (ref.isProgram) {
      const at = this.#queue.findIndex((queued) => queued.node === ref.node);
      if (at !== -1) this.#queue[at] = ref;
    }
  }

  noteGlobal(name: string, value: Value): void {
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

  importedModule(path: string, level: number): ReadonlyMap<string, Value> | null {
    return this.#input.importModule(path, level, this.unit.uri);
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
