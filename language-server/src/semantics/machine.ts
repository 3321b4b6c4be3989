/** What the parts of the abstract interpreter share. The parts call each other through it. */
import type { Block, Call, Expression, FunctionDef, Lambda, Span } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import type { Fix } from './facts.ts';
import type { Root } from './layered-map.ts';
import type { ProgramStateInfo } from './program-state.ts';
import type { ProblemDetails, Recorder } from './recorder.ts';
import type { SourceUnit } from './source-unit.ts';
import type { BackendKind, FunctionRef, Members, Value } from './value.ts';

export interface ArgumentValue {
  readonly value: Value;
  readonly node: Expression;
  /** The whole argument with its keyword. */
  readonly span: Span;
  readonly keyword: Span | null;
}

export interface CallArguments {
  readonly node: Call;
  readonly positional: readonly ArgumentValue[];
  readonly keywords: ReadonlyMap<string, ArgumentValue>;
  /** `*args` or `**kwargs` are there: what they hold is not known. */
  readonly hasUnpacking: boolean;
}

export interface LoopFrame {
  readonly breaks: Environment[];
  readonly continues: Environment[];
}

/** A running function, or the module. */
export interface Frame {
  readonly owner: FunctionDef | Lambda | null;
  /** The program whose body runs here, through any number of helpers. */
  readonly program: string | null;
  readonly programNode: FunctionDef | null;
  /** Identifies how the function was reached; problems of helpers must show in every context. */
  readonly context: number;
  readonly depth: number;
  readonly returns: { readonly env: Environment; readonly value: Value }[];
  readonly loops: LoopFrame[];
  /** Loops being unrolled around this point. */
  unrolling: number;
  /** Names that this function declares `global` or `nonlocal`. */
  readonly declared: Set<string>;
}

/** Every backend and model that the code names; rules apply only when there is exactly one. */
export interface BackendInfo {
  readonly kinds: ReadonlySet<BackendKind>;
  /** Lower case. */
  readonly models: ReadonlySet<string>;
  /** What a setting says, for code that names no backend. */
  readonly chosen: BackendKind;
  /** Version of SGLang that a setting names, e.g. `0.4.3`. */
  readonly version: string | null;
}

export function backendKind(info: BackendInfo): BackendKind {
  const [only] = info.kinds;
  if (only === undefined) return info.chosen;
  return info.kinds.size === 1 ? only : 'unknown';
}

/** Is the version that a setting names older? False without one. */
export function isOlderThan({ version }: BackendInfo, needed: string): boolean {
  if (version === null) return false;
  const numbers = (text: string) => (text.match(/\d+/g) ?? []).map(Number);
  const [given, least] = [numbers(version), numbers(needed)];
  const at = least.findIndex((number, i) => (given[i] ?? 0) !== number);
  return at !== -1 && (given[at] ?? 0) < (least[at] ?? 0);
}

export function backendModel(info: BackendInfo): string | null {
  const [only] = info.models;
  return info.models.size === 1 && only !== undefined ? only : null;
}

export interface Machine {
  readonly recorder: Recorder;
  /** What any cell of the notebook defines. */
  readonly hoisted: Root<string, Value>;
  readonly backend: BackendInfo;
  /** Names that some function declares `global` or `nonlocal`: it may change them at any time. */
  readonly sharedNames: ReadonlySet<string>;
  unit: SourceUnit;
  frame: Frame;
  /** Calls that may still be followed into their function before the rest is taken as unknown. */
  budget: number;
  evaluate(node: Expression, env: Environment): Value;
  /** False when no path reaches the end of the block. */
  execute(block: Block, env: Environment): boolean;
  call(node: Call, env: Environment): Value;
  /** Follows a function's body with these arguments and returns its value. */
  invoke(
    ref: FunctionRef,
    args: CallArguments,
    env: Environment,
    given?: ReadonlyMap<string, Value>,
  ): Value;
  /** The state made by an expression in the current context; the same one in every loop turn. */
  stateIdFor(node: object): number;
  /** Of what a call makes by running a program: one call may run several, in a loop or by a choice. */
  runIdFor(node: object, program: object): number;
  /** Functions found while running; their bodies are checked on their own later. */
  enqueue(ref: FunctionRef): void;
  /** A name of the module got a value. */
  noteGlobal(name: string, value: Value): void;
  /** Can the function have to do with SGLang? */
  isRelevant(node: FunctionDef | Lambda): boolean;
  /** The code names a backend, or a model. */
  addBackend(kind: BackendKind): void;
  addModel(name: string): void;
  /** Members of classes and their instances are changed in place. */
  newMembers(): Members;
  /** Those of the instance that the expression makes in the current context. */
  instanceMembers(node: object): Members;
  keepInstance(id: number, members: Members): void;
  /** What a run left in its state, for code that cannot see the run: other methods of an object. */
  finishedRun(id: number): ProgramStateInfo | undefined;
  keepRun(id: number, state: ProgramStateInfo): void;
  member(members: Members, name: string): Value | undefined;
  setMember(members: Members, name: string, value: Value): void;
  /** Gives a name a value in the scope where it lives; in an outer one that may happen at any time. */
  change(env: Environment, name: string, value: Value, laterValue: Value): void;
  report(code: string, span: Span, message: string, fixes?: readonly Fix[], mild?: boolean): void;
  /** `from`: the importing cell or file, the running one by default. */
  importedModule(path: string, level: number, from?: string): ReadonlyMap<string, Value> | null;
}

/** Like `machine.report`, for a node of another cell or file. */
export function reportAt(
  machine: Machine,
  unit: SourceUnit,
  code: string,
  span: Span,
  message: string,
  more: ProblemDetails = {},
): void {
  const { frame } = machine;
  const owner = frame.owner && frame.owner !== frame.programNode ? frame.owner : null;
  machine.recorder.problem({ unit, owner, context: frame.context }, code, span, message, more);
}
