/** Following a function's body: parameters, returns, and what happens to the states it was given. */
import type { Expression, Parameter } from '../syntax/ast.ts';
import { joinEnvironments, type Environment } from './environment.ts';
import type { CallArguments, Frame, Machine } from './machine.ts';
import { emptyState } from './program-state.ts';
import { openStates } from './reads.ts';
import {
  instance,
  joinValues,
  listOf,
  none,
  text,
  unknown,
  type FunctionRef,
  type Value,
} from './value.ts';

const maximumDepth = 8;

export function invokeFunction(
  machine: Machine,
  ref: FunctionRef,
  args: CallArguments,
  env: Environment,
  given: ReadonlyMap<string, Value>,
  context: number,
): Value {
  const isTooMuch = machine.frame.depth >= maximumDepth || machine.budget <= 0;
  const { owner } = machine.frame;
  const isPlain = owner && !machine.isRelevant(owner) && !machine.isRelevant(ref.node);
  if (isTooMuch || isPlain || isRunning(machine.frame, ref)) {
    for (const argument of [...args.positional, ...args.keywords.values()])
      openStates(machine, env, argument.value);
    for (const value of given.values()) openStates(machine, env, value);
    return unknown;
  }
  machine.budget--;
  const inner = env.enter(ref.closure);
  bindParameters(machine, ref, args, inner, given);
  const frame = calledFrame(machine, ref, context);
  machine.recorder.visit(ref.node, context);
  const value = runBody(machine, ref, frame, inner);
  env.adopt(value.env);
  return value.value;
}

interface RunningFrame extends Frame {
  readonly parent: Frame;
}

function calledFrame(machine: Machine, ref: FunctionRef, context: number): RunningFrame {
  const { frame } = machine;
  const isProgram = ref.isProgram && ref.node.kind === 'FunctionDef';
  return {
    owner: ref.node,
    program: ref.isProgram ? ref.name : frame.program,
    programNode: isProgram && ref.node.kind === 'FunctionDef' ? ref.node : frame.programNode,
    context,
    depth: frame.depth + 1,
    returns: [],
    loops: [],
    unrolling: 0,
    declared: new Set(),
    parent: frame,
  };
}

function isRunning(frame: Frame, ref: FunctionRef): boolean {
  for (let at: Frame | undefined = frame; at; at = parentOf(at))
    if (at.owner === ref.node) return true;
  return false;
}

function parentOf(frame: Frame): Frame | undefined {
  // SAFETY: only frames made by `calledFrame` have a parent, and they are all of this type.
  return 'parent' in frame ? (frame as RunningFrame).parent : undefined;
}

/** Runs the body in its own frame; the result is where all returns meet. */
export function runBody(
  machine: Machine,
  ref: FunctionRef,
  frame: Frame,
  inner: Environment,
): { readonly env: Environment; readonly value: Value } {
  const callerFrame = machine.frame;
  const callerUnit = machine.unit;
  machine.frame = frame;
  machine.unit = ref.unit;
  let value: Value = none;
  let end: Environment | null = inner;
  if (ref.node.kind === 'Lambda') value = machine.evaluate(ref.node.body, inner);
  else {
    const reachesEnd = machine.execute(ref.node.body, inner);
    const ends = frame.returns.map((entry) => entry.value);
    value =
      [...(reachesEnd ? [none] : []), ...ends].reduce<Value | null>(
        (a, b) => (a ? joinValues(a, b) : b),
        null,
      ) ?? unknown;
    end = [reachesEnd ? inner : null, ...frame.returns.map((entry) => entry.env)].reduce(
      joinEnvironments,
      null,
    );
  }
  machine.frame = callerFrame;
  machine.unit = callerUnit;
  return { env: end ?? inner, value };
}

function bindParameters(
  machine: Machine,
  ref: FunctionRef,
  args: CallArguments,
  inner: Environment,
  given: ReadonlyMap<string, Value>,
): void {
  let position = 0;
  for (const parameter of ref.node.parameters) {
    const name = parameter.name?.id;
    if (name === undefined) continue;
    if (parameter.star !== '') {
      inner.assign(name, parameter.star === '*' ? listOf(unknown) : otherKeywords(ref, args));
      continue;
    }
    const isInstance = ref.isMethod && parameter === ref.node.parameters[0] && isSelf(name);
    const known = given.get(name) ?? (isInstance ? ref.self : undefined);
    const positional = known || isInstance ? undefined : args.positional[position++];
    const argument = positional?.value ?? args.keywords.get(name)?.value;
    inner.assign(name, known ?? argument ?? defaultOf(machine, parameter, args, inner));
  }
}

/** What `**options` holds. */
function otherKeywords(ref: FunctionRef, args: CallArguments): Value {
  if (args.hasUnpacking) return { kind: 'dict', entries: null };
  const own = new Set(ref.node.parameters.map(({ name }) => name?.id));
  const rest = [...args.keywords].filter(([name]) => !own.has(name));
  return { kind: 'dict', entries: new Map(rest.map(([name, { value }]) => [name, value])) };
}

const isSelf = (name: string): boolean => name === 'self' || name === 'cls';

function defaultOf(
  machine: Machine,
  parameter: Parameter,
  args: CallArguments,
  inner: Environment,
): Value {
  if (!parameter.defaultValue || args.hasUnpacking) return parameterValue(parameter);
  machine.recorder.quiet++;
  const value = machine.evaluate(parameter.defaultValue, inner);
  machine.recorder.quiet--;
  return value;
}

/* ------------------------------------------------------------------ bodies on their own */

/** Values of the parameters when the caller is not known. */
export function bindUnknown(
  machine: Machine,
  ref: FunctionRef,
  inner: Environment,
  skip: ReadonlySet<string>,
): void {
  for (const parameter of ref.node.parameters) {
    const name = parameter.name?.id;
    if (name === undefined || skip.has(name)) continue;
    if (ref.self && parameter === ref.node.parameters[0] && isSelf(name))
      inner.assign(name, ref.self);
    else if (parameter.star !== '')
      inner.assign(
        name,
        parameter.star === '*' ? listOf(unknown) : { kind: 'dict', entries: null },
      );
    else if (takesState(parameter)) inner.assign(name, openState(machine, parameter, inner));
    else inner.assign(name, parameterValue(parameter));
  }
}

/** By SGLang's convention `s` is a state, wherever it comes from. */
function takesState(parameter: Parameter): boolean {
  const { annotation } = parameter;
  if (annotation?.kind === 'Name') return annotation.id === 'ProgramState';
  if (annotation?.kind === 'Attribute') return annotation.attribute.id === 'ProgramState';
  return !annotation && parameter.name?.id === 's';
}

function openState(machine: Machine, parameter: Parameter, inner: Environment): Value {
  const id = machine.stateIdFor(parameter);
  inner.setState(id, { ...emptyState(null, true), role: '?' });
  return { kind: 'state', id };
}

function parameterValue(parameter: Parameter): Value {
  const annotated = parameter.annotation ? annotationValue(parameter.annotation) : null;
  if (annotated) return annotated;
  const { defaultValue } = parameter;
  if (defaultValue?.kind === 'Str') return instance('str');
  if (defaultValue?.kind === 'Constant' && ['int', 'float', 'bool'].includes(defaultValue.type)) {
    return instance(defaultValue.type);
  }
  return unknown;
}

function annotationValue(annotation: Expression): Value | null {
  if (annotation.kind === 'Name') {
    return ['str', 'int', 'float', 'bool', 'bytes', 'dict'].includes(annotation.id)
      ? instance(annotation.id)
      : null;
  }
  if (annotation.kind !== 'Subscript' || annotation.object.kind !== 'Name') return null;
  if (annotation.object.id === 'Literal') {
    const elements =
      annotation.index.kind === 'Tuple' ? annotation.index.elements : [annotation.index];
    const texts = elements.map((element) => (element.kind === 'Str' ? element.value : null));
    if (texts.every((value) => value !== null)) return texts.map(text).reduce(joinValues);
  }
  if (['list', 'List', 'Sequence', 'Iterable'].includes(annotation.object.id)) {
    return listOf(annotationValue(annotation.index) ?? unknown);
  }
  return null;
}
