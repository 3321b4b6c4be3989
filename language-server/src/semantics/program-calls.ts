/** `program.run(...)`, `run_batch`, `bind` and direct calls: the state that comes out. */
import type { Dict, FunctionDef, Parameter, Sequence } from '../syntax/ast.ts';
import {
  bindArguments,
  reportTwice,
  reportUnknownKeyword,
  type BoundArguments,
} from './argument-binding.ts';
import { checkRanges, noteBackend } from './api-calls.ts';
import type { Environment } from './environment.ts';
import type { ArgumentValue, CallArguments, Machine } from './machine.ts';
import { surround } from './fixes.ts';
import { emptyState } from './program-state.ts';
import {
  laterParameters,
  runBatchParameters,
  samplingKeywords,
  type ApiParameter,
} from './sglang-api.ts';
import { joinValues, listOf, unknown, type FunctionRef, type Value } from './value.ts';

type Program = Extract<Value, { kind: 'program' }>;

/** Parameters after `s`. */
export function programParameters(ref: FunctionRef): readonly Parameter[] {
  return ref.node.parameters.filter((parameter) => parameter.separator === '').slice(1);
}

export function callProgramMethod(
  machine: Machine,
  env: Environment,
  program: Program,
  method: string,
  args: CallArguments,
): Value {
  switch (method) {
    case 'run':
    case 'run_async':
      return runProgram(machine, env, program, args);
    case 'run_batch':
    case 'run_batch_async':
      return runBatch(machine, env, program, args);
    case 'bind':
      return bind(machine, program, args);
    case 'trace':
    case 'cache':
    case 'compile':
      machine.recorder.trace(program.ref.name);
      return unknown;
    default:
      return unknown;
  }
}

export function runProgram(
  machine: Machine,
  env: Environment,
  program: Program,
  args: CallArguments,
): Value {
  checkProgramArguments(machine, program, args);
  noteBackend(machine, args);
  recordEdge(machine, program, args);
  return resultState(machine, env, program, args);
}

function recordEdge(machine: Machine, program: Program, args: CallArguments): void {
  machine.recorder.execute(program.ref.name);
  if (program.ref.node.kind !== 'FunctionDef') return;
  const { owner } = machine.frame;
  machine.recorder.edge({
    unit: machine.unit,
    node: args.node,
    caller: owner?.kind === 'FunctionDef' ? owner : null,
    callee: program.ref.node,
    calleeUnit: program.ref.unit,
  });
}

function resultState(
  machine: Machine,
  env: Environment,
  program: Program,
  args: CallArguments,
): Value {
  const id = machine.runIdFor(args.node, program.ref.node);
  env.setState(id, emptyState(program.ref.name));
  const state: Value = { kind: 'state', id };
  const given = new Map<string, Value>(program.bound);
  const stateName = program.ref.node.parameters[0]?.name?.id;
  if (stateName !== undefined) given.set(stateName, state);
  machine.recorder.quiet++;
  machine.invoke(program.ref, programArguments(program, args), env, given);
  machine.recorder.quiet--;
  const after = env.state(id);
  if (after) {
    const done = { ...after, role: null, roleSite: null };
    env.setState(id, done);
    machine.keepRun(id, done);
  }
  return state;
}

/** The call's arguments as the program's function sees them: without `run`'s own keywords. */
function programArguments(program: Program, args: CallArguments): CallArguments {
  const own = new Set(programParameters(program.ref).map((parameter) => parameter.name?.id));
  const keywords = [...args.keywords].filter(([name]) => own.has(name));
  return { ...args, keywords: new Map(keywords) };
}

function checkProgramArguments(machine: Machine, program: Program, args: CallArguments): void {
  const parameters = programParameters(program.ref);
  const plain = parameters.filter((parameter) => parameter.star === '');
  const names = plain.flatMap((parameter) => parameter.name?.id ?? []);
  const takesAny = parameters.some((parameter) => parameter.star === '**');
  const takesMany = parameters.some((parameter) => parameter.star === '*');
  const what = `${program.ref.name}.run`;
  const places = positionalNames(program.ref);
  const extra = args.positional[places.length];
  if (extra && !takesMany && !args.hasUnpacking)
    machine.report(
      'call-arguments',
      extra.span,
      `\`${program.ref.name}\` takes ${countText(places.length)}${places.length < names.length ? ' by position' : ''}.`,
    );
  for (const name of places.slice(0, args.positional.length)) {
    const again = args.keywords.get(name);
    if (again) reportTwice(machine, what, name, again);
  }
  const known = [...names, ...samplingKeywords];
  for (const [name, argument] of args.keywords) {
    const isKnown =
      known.includes(name) || laterParameters.some((parameter) => parameter.name === name);
    if (!takesAny && !isKnown) reportUnknownKeyword(machine, what, name, argument, known);
  }
  checkSampling(machine, names, args);
  if (args.hasUnpacking) return;
  reportMissing(
    machine,
    program,
    plain,
    args,
    new Set([...args.keywords.keys(), ...program.bound.keys()]),
    args.positional.length,
  );
}

function checkSampling(machine: Machine, own: readonly string[], args: CallArguments): void {
  const bound = new Map(
    [...args.keywords].filter(([name]) => samplingKeywords.has(name) && !own.includes(name)),
  );
  checkRanges(machine, bound satisfies BoundArguments);
}

/** Parameters after `s` that a call may fill by position. */
function positionalNames(ref: FunctionRef): readonly string[] {
  const named = ref.node.parameters.slice(1);
  const end = named.findIndex(({ star, separator }) => star !== '' || separator === '*');
  return named.slice(0, end === -1 ? undefined : end).flatMap(({ name }) => name?.id ?? []);
}

const countText = (count: number): string => (count === 1 ? 'one argument' : `${count} arguments`);

function reportMissing(
  machine: Machine,
  program: Program,
  parameters: readonly Parameter[],
  args: CallArguments,
  given: ReadonlySet<string>,
  positional: number,
): void {
  const missing = parameters
    .filter(
      (parameter, i) =>
        i >= positional &&
        !parameter.defaultValue &&
        parameter.name &&
        !given.has(parameter.name.id),
    )
    .flatMap((parameter) => parameter.name?.id ?? []);
  if (missing.length === 0) return;
  const names = missing.map((name) => `\`${name}\``).join(', ');
  const at = args.node.close === -1 ? args.node.end : args.node.close;
  const separator = args.node.args.length > 0 ? ', ' : '';
  const insertion = `${separator}${missing.map((name) => `${name}=...`).join(', ')}`;
  machine.report(
    'call-arguments',
    args.node.callee,
    `\`${program.ref.name}\` is called without ${names}.`,
    [{ title: `Add ${missing.join(', ')}`, edits: [{ start: at, end: at, text: insertion }] }],
  );
}

function runBatch(
  machine: Machine,
  env: Environment,
  program: Program,
  args: CallArguments,
): Value {
  const parameters: readonly ApiParameter[] = [
    { name: 'batch_kwargs', type: 'list', defaultText: null, doc: '' },
    ...runBatchParameters,
  ];
  const bound = bindArguments(
    machine,
    `${program.ref.name}.run_batch`,
    parameters,
    args,
    laterParameters,
  );
  checkRanges(machine, bound);
  const batch = bound.get('batch_kwargs');
  if (batch) checkBatch(machine, program, batch);
  noteBackend(machine, args);
  recordEdge(machine, program, args);
  const keywords = batch ? rowKeywords(batch) : null;
  const state = resultState(machine, env, program, {
    ...args,
    positional: [],
    keywords: keywords ?? new Map(),
    hasUnpacking: keywords === null,
  });
  return listOf(state);
}

/**
 * What all runs of a batch have in common, if each is a dict with the same keys, written right there:
 * one with a name may be changed in ways that are not seen.
 */
function rowKeywords({ node, ...batch }: ArgumentValue): Map<string, ArgumentValue> | null {
  const { value } = batch;
  const written =
    node.kind === 'List' ? node.elements : node.kind === 'Comprehension' ? [node.element] : [node];
  if (value.kind !== 'list' || !written.every(({ kind }) => kind === 'Dict')) return null;
  const rows = (value.items ?? [value.element]).map((row) =>
    row.kind === 'dict' ? row.entries : null,
  );
  const [first, ...others] = rows;
  if (!first || first.size === 0) return null;
  const names = [...first.keys()];
  if (others.some((row) => row?.size !== names.length || !names.every((name) => row.has(name))))
    return null;
  return new Map(
    names.map((name) => {
      const values = rows.map((row) => row?.get(name) ?? unknown);
      return [name, { ...batch, node, value: values.reduce(joinValues) }];
    }),
  );
}

function checkBatch(machine: Machine, program: Program, batch: ArgumentValue): void {
  const { node, value, span } = batch;
  if (value.kind === 'dict' || value.kind === 'text')
    machine.report(
      'call-arguments',
      span,
      '`run_batch` takes a list with the arguments of each run, one dict or tuple each.',
      node.kind === 'Dict' ? [surround(node, '[', ']', 'Make it a list')] : [],
    );
  if (node.kind !== 'List' && node.kind !== 'Tuple') return;
  if (programParameters(program.ref).some((parameter) => parameter.star !== '')) return;
  for (const row of node.elements) {
    if (row.kind === 'Tuple' || row.kind === 'List') checkRow(machine, program, row);
    if (row.kind === 'Dict') checkNamedRow(machine, program, row);
  }
}

/** One run's arguments by name. */
function checkNamedRow(machine: Machine, program: Program, row: Dict): void {
  const keys = row.entries.flatMap(({ key }) => (key?.kind === 'Str' ? [key] : []));
  const given = new Set(keys.map(({ value }) => value));
  if (keys.length < row.entries.length || given.has(null)) return;
  const names = programParameters(program.ref).flatMap(({ name }) => name?.id ?? []);
  for (const key of keys) {
    const { value: name } = key;
    if (name === null || names.includes(name) || samplingKeywords.has(name)) continue;
    const span = { start: key.start + 1, end: key.end - 1 };
    const argument = { value: unknown, node: key, span, keyword: span };
    reportUnknownKeyword(machine, program.ref.name, name, argument, names);
  }
  const missing = neededNames(program).filter((name) => !given.has(name));
  if (missing.length === 0) return;
  const at = row.entries.at(-1)?.value.end ?? row.start + 1;
  const added = missing.map((name) => `"${name}": ...`).join(', ');
  const text = row.entries.length > 0 ? `, ${added}` : added;
  machine.report(
    'call-arguments',
    row,
    `\`${program.ref.name}\` is called without ${missing.map((name) => `\`${name}\``).join(', ')}.`,
    [{ title: `Add ${missing.join(', ')}`, edits: [{ start: at, end: at, text }] }],
  );
}

/** Parameters that neither the definition nor `bind` gives a value. */
function neededNames(program: Program): readonly string[] {
  return programParameters(program.ref).flatMap(({ name, defaultValue }) =>
    name && !defaultValue && !program.bound.has(name.id) ? [name.id] : [],
  );
}

/** One run's arguments by position. */
function checkRow(machine: Machine, program: Program, row: Sequence): void {
  const places = positionalNames(program.ref);
  const count = row.elements.length;
  if (row.elements.some(({ kind }) => kind === 'Starred')) return;
  const needed = neededNames(program).length;
  if (count >= needed && count <= places.length) return;
  const takes =
    needed === places.length ? countText(needed) : `${needed} to ${countText(places.length)}`;
  machine.report(
    'call-arguments',
    row,
    `\`${program.ref.name}\` takes ${takes}, and here ${count === 1 ? 'is' : 'are'} ${count}.`,
  );
}

function bind(machine: Machine, program: Program, args: CallArguments): Value {
  const names = programParameters(program.ref).flatMap((parameter) => parameter.name?.id ?? []);
  const takesAny = programParameters(program.ref).some((parameter) => parameter.star === '**');
  for (const [name, argument] of args.keywords) {
    if (!names.includes(name) && !takesAny)
      reportUnknownKeyword(machine, `${program.ref.name}.bind`, name, argument, names);
  }
  const given = [...args.keywords].map(([name, argument]) => [name, argument.value] as const);
  return { ...program, bound: new Map([...program.bound, ...given]) };
}

/** Rules about the definition itself. */
export function checkDefinition(machine: Machine, node: FunctionDef): void {
  const named = node.parameters.filter((parameter) => parameter.separator === '');
  const first = named[0];
  if (first?.name?.id !== 's' || first.star !== '') {
    const span = first?.name ?? node.name;
    const isMethod = first?.name?.id === 'self';
    const fixes = first?.name && !isMethod ? [renameStateFix(machine, node, first.name.id)] : [];
    machine.report(
      'first-parameter',
      span,
      isMethod
        ? 'A program cannot take `self`: its first parameter must be called `s`. Define it inside a method to use the instance.'
        : 'The first parameter of a program must be called `s`.',
      fixes,
    );
  }
  for (const parameter of named.slice(1)) {
    if (!parameter.name || !samplingKeywords.has(parameter.name.id)) continue;
    machine.report(
      'shadowed-sampling-parameter',
      parameter.name,
      `\`run\` takes \`${parameter.name.id}\` for itself: with stock SGLang this parameter never gets a value. Choose another name.`,
    );
  }
}

/** Renames the first parameter within the function; plain text search is enough for one scope. */
function renameStateFix(machine: Machine, node: FunctionDef, from: string) {
  const { text } = machine.unit;
  const pattern = new RegExp(`(?<![\\w.])${from}(?!\\w)`, 'g');
  const edits = [...text.slice(node.headStart, node.end).matchAll(pattern)].map((match) => {
    const start = node.headStart + match.index;
    return { start, end: start + from.length, text: 's' };
  });
  return { title: "Rename to 's'", edits };
}
