/** Calls: of programs, states, `sgl.*`, helpers of the user, and what is known of Python's own. */
import type { Argument, Call, Expression } from '../syntax/ast.ts';
import { lastName } from '../syntax/walk.ts';
import { callApi } from './api-calls.ts';
import { checkFormatted } from './appendable.ts';
import {
  character,
  dumped,
  enumerateValue,
  jsonValue,
  keywordEntries,
  rangeValue,
  sortedTexts,
  sumOf,
  textOf,
  zipValue,
} from './builtin-values.ts';
import { memberOf } from './attributes.ts';
import { needNumber, needNumbers } from './comparisons.ts';
import { appendEvents } from './append.ts';
import type { Environment } from './environment.ts';
import { elementOf, exactList, itemsOf } from './iteration.ts';
import type { ArgumentValue, CallArguments, Machine } from './machine.ts';
import { callProgramMethod, runProgram } from './program-calls.ts';
import { stateIdsOf } from './reads.ts';
import { schemaValue } from './model-schema.ts';
import { assignMember } from './targets.ts';
import { dictMethod, giveAway, jsonMethod, listMethod, textMethod } from './value-methods.ts';
import { callForksMethod, callStateMethod, innermostFirst } from './state-methods.ts';
import {
  constantText,
  instance,
  joinValues,
  listOf,
  none,
  text,
  tuple,
  unknown,
  type ListValue,
  type ObjectValue,
  type Value,
} from './value.ts';

export function evaluateCall(machine: Machine, node: Call, env: Environment): Value {
  const callee = machine.evaluate(node.callee, env);
  const args = evaluateArguments(machine, node, env);
  if (isWorthRecording(callee)) machine.recorder.call({ unit: machine.unit, node, callee });
  return callValue(machine, callee, args, env);
}

function isWorthRecording(callee: Value): boolean {
  if (callee.kind === 'method')
    return ['state', 'program', 'forks', 'union'].includes(callee.object.kind);
  return ['api', 'program', 'function'].includes(callee.kind);
}

function evaluateArguments(machine: Machine, node: Call, env: Environment): CallArguments {
  const positional: ArgumentValue[] = [];
  const keywords = new Map<string, ArgumentValue>();
  let hasUnpacking = false;
  for (const argument of node.args) {
    const value = machine.evaluate(argument.value, env);
    const entry = argumentValue(argument, value);
    if (argument.star !== '') {
      hasUnpacking = true;
      for (const [name, known] of unpacked(argument, value))
        if (!keywords.has(name)) keywords.set(name, { ...entry, value: known });
    } else if (argument.name) keywords.set(argument.name.id, entry);
    else if (argument.value.kind !== 'Missing') positional.push(entry);
  }
  return { node, positional, keywords, hasUnpacking };
}

/** What `**options` certainly gives a gen: its name and what it is constrained to. */
function unpacked({ star }: Argument, value: Value): readonly (readonly [string, Value])[] {
  if (star !== '**' || value.kind !== 'dict' || !value.entries) return [];
  return [...value.entries].filter(([name]) => constrainingKeywords.has(name));
}

const constrainingKeywords: ReadonlySet<string> = new Set(['choices', 'dtype', 'json_schema', 'n']);

function argumentValue(argument: Argument, value: Value): ArgumentValue {
  return {
    value,
    node: argument.value,
    span: { start: argument.start, end: argument.end },
    keyword: argument.name ? { start: argument.name.start, end: argument.name.end } : null,
  };
}

function callValue(machine: Machine, callee: Value, args: CallArguments, env: Environment): Value {
  if (callee.kind === 'api') {
    return callApi(machine, callee.name, args);
  }
  if (callee.kind === 'program') {
    return runProgram(machine, env, callee, args);
  }
  if (callee.kind === 'method') {
    return callMethod(machine, callee, args, env);
  }
  if (callee.kind === 'function') {
    return callFunction(machine, callee, args, env);
  }
  if (callee.kind === 'builtin') {
    return callBuiltin(machine, callee.name, args, env);
  }
  if (callee.kind === 'object') {
    return callObject(machine, callee, args, env);
  }
  if (callee.kind === 'union') {
    return callee.members.map((member) => callValue(machine, member, args, env)).reduce(joinValues);
  }
  const ran = runElsewhere(machine, args, env) ?? literalArguments(args);
  if (ran) return ran;
  giveAway(machine, args, env);
  return mayBuildExpressions(args.node.callee, env) ? opaque : unknown;
}

/** A class makes an instance; an instance may have `__call__`. */
function callObject(
  machine: Machine,
  callee: ObjectValue,
  args: CallArguments,
  env: Environment,
): Value {
  if (callee.isInstance) {
    const method = memberOf(machine, callee, '__call__');
    if (method.kind === 'function') return callFunction(machine, method, args, env);
    giveAway(machine, args, env);
    return unknown;
  }
  const { type } = callee;
  const members = machine.instanceMembers(args.node);
  const made: ObjectValue = { kind: 'object', type, members, isInstance: true, base: callee };
  const constructor = memberOf(machine, made, '__init__');
  if (constructor.kind === 'function') machine.invoke(constructor.ref, args, env);
  else {
    giveAway(machine, args, env);
    setFields(machine, env, made, args);
  }
  return callee.schema === undefined ? made : { ...made, schema: callee.schema };
}

/** Of dataclasses and models: what is not given has the default of the class. */
function setFields(
  machine: Machine,
  env: Environment,
  made: ObjectValue,
  args: CallArguments,
): void {
  fieldsOf(made).forEach((name, i) => {
    const given = args.keywords.get(name) ?? args.positional[i];
    if (given) assignMember(machine, env, made, name, given.value);
    else if (args.hasUnpacking) assignMember(machine, env, made, name, unknown);
  });
}

/** A field that a class declares again stays at its place. */
function fieldsOf({ base, fields = [] }: ObjectValue): readonly string[] {
  return [...new Set([...(base ? fieldsOf(base) : []), ...fields])];
}

const opaque: Value = { kind: 'expression', events: [{ kind: 'opaque' }] };

/**
 * A function that was not found may return gens: a plain one, one of a module that cannot be seen, or
 * of the instance. Other methods (`template.render(...)`, `row.get(...)`) are taken to return text.
 */
function mayBuildExpressions(callee: Expression, env: Environment): boolean {
  let root = callee;
  while (root.kind === 'Attribute') root = root.object;
  if (root.kind !== 'Name') return false;
  if (callee.kind === 'Name') return true;
  const value = env.lookup(root.id);
  if (value?.kind === 'module') return !textModules.has(value.path.split('.')[0] ?? '');
  return root.id === 'self' || root.id === 'cls';
}

/** Well-known modules whose functions know nothing of SGLang. */
const textModules: ReadonlySet<string> = new Set(
  (
    'base64 collections copy csv datetime functools glob hashlib html io itertools json math ' +
    'operator os pathlib pprint random re shutil statistics string struct subprocess sys textwrap time ' +
    'typing urllib uuid zlib numpy pandas requests httpx PIL jinja2 tqdm torch transformers datasets'
  ).split(' '),
);

/** Functions of the standard library that call the one they are given, with the place of that argument. */
const callers: ReadonlyMap<string, number> = new Map([
  ['to_thread', 0],
  ['run_in_executor', 1],
  ['submit', 0],
]);

/** Those that give back what they wait for; coroutines and futures are taken as their results. */
const waiters: ReadonlySet<string> = new Set([
  'create_task',
  'ensure_future',
  'wait_for',
  'shield',
  'run_until_complete',
  'as_completed',
]);

/** Those that give the elements of what they are given, and those that give it as it is. */
const passers: ReadonlySet<string> = new Set([
  'tqdm',
  'track',
  'islice',
  'sample',
  'choices',
  'copy',
  'deepcopy',
]);

/**
 * `await asyncio.to_thread(program.run, topic="x")` is a call like any other; `gather`, `submit` and
 * `map` hand on what the calls give.
 */
function runElsewhere(machine: Machine, args: CallArguments, env: Environment): Value | null {
  const { callee } = args.node;
  const name = lastName(callee);
  const [first] = args.positional;
  if (waiters.has(name) || (name === 'run' && isAsyncio(callee)))
    return first && first.value.kind !== 'unknown' ? first.value : null;
  if (passers.has(name) && first && isStates(first.value)) return first.value;
  if (name === 'choice' && first && isStates(first.value)) return elementOf(first.value, env);
  if (name === 'gather') return gathered(machine, args, env);
  if (name === 'map' && callee.kind === 'Attribute' && args.positional.length > 1)
    return first && isCallable(first.value) ? mapped(machine, first.value, args, env) : null;
  const place = callers.get(name);
  const called = place === undefined ? undefined : args.positional[place];
  if (place === undefined || !called || !isCallable(called.value)) return null;
  return callValue(
    machine,
    called.value,
    { ...args, positional: args.positional.slice(place + 1) },
    env,
  );
}

function isStates(value: Value): boolean {
  return value.kind === 'list' ? isStates(value.element) : stateIdsOf(value).length > 0;
}

function isAsyncio(callee: Expression): boolean {
  return (
    callee.kind === 'Attribute' && callee.object.kind === 'Name' && callee.object.id === 'asyncio'
  );
}

/** `a, b = await asyncio.gather(one(), two())`, `gather(*[one(q) for q in questions])`. */
function gathered(machine: Machine, args: CallArguments, env: Environment): Value | null {
  if (!args.hasUnpacking) return tuple(args.positional.map(({ value }) => value));
  const [only, ...more] = args.node.args.filter(({ name }) => name === null);
  if (!only || more.length > 0) return null;
  machine.recorder.quiet++;
  const value = machine.evaluate(only.value, env);
  machine.recorder.quiet--;
  return value.kind === 'list' ? value : null;
}

/** `executor.map(ask, questions, models)`. */
function mapped(machine: Machine, callee: Value, args: CallArguments, env: Environment): Value {
  const items = args.positional.slice(1).map((argument) => ({
    ...argument,
    value: elementOf(argument.value, env),
  }));
  return listOf(
    callValue(machine, callee, { ...args, positional: items, keywords: new Map() }, env),
  );
}

/** `get_args(Label)` of an alias of `Literal["a", "b"]`. */
function literalArguments({ node, positional }: CallArguments): Value | null {
  const [alias] = positional;
  return lastName(node.callee) === 'get_args' && alias?.value.kind === 'json'
    ? exactList(alias.value)
    : null;
}

const isCallable = ({ kind }: Value): boolean => ['function', 'program', 'method'].includes(kind);

function callFunction(
  machine: Machine,
  callee: Extract<Value, { kind: 'function' }>,
  args: CallArguments,
  env: Environment,
): Value {
  if (callee.ref.node.kind === 'FunctionDef') {
    const { owner } = machine.frame;
    machine.recorder.edge({
      unit: machine.unit,
      node: args.node,
      caller: owner?.kind === 'FunctionDef' ? owner : null,
      callee: callee.ref.node,
      calleeUnit: callee.ref.unit,
    });
  }
  return machine.invoke(callee.ref, args, env);
}

function callMethod(
  machine: Machine,
  method: Extract<Value, { kind: 'method' }>,
  args: CallArguments,
  env: Environment,
): Value {
  const { object, name } = method;
  // Futures are taken as their results.
  if (name === 'result' && object.kind !== 'object') return object;
  if (object.kind === 'state') {
    const result = callStateMethod(machine, env, object.id, name, args);
    if (result.kind !== 'method' || result.object.kind !== 'expression') return result;
    appendEvents(machine, env, object.id, result.object.events);
    return result.object;
  }
  if (object.kind === 'forks') {
    return callForksMethod(machine, env, object, name, args);
  }
  if (object.kind === 'program') {
    return callProgramMethod(machine, env, object, name, args);
  }
  if (object.kind === 'union') {
    const results = innermostFirst(object.members.filter((member) => member.kind !== 'none')).map(
      (member) => callMethod(machine, { kind: 'method', object: member, name }, args, env),
    );
    return results.length === 0 ? none : results.reduce(joinValues);
  }
  if (object.kind === 'list') {
    if (name === 'sort') followSort(machine, object, args, env);
    return listMethod(machine, object, name, args, env);
  }
  if (object.kind === 'object' && object.schema !== undefined) {
    return name === 'schema_json'
      ? text(JSON.stringify(object.schema))
      : schemaValue(object.schema);
  }
  if (object.kind === 'dict') {
    return dictMethod(machine, object, name, args, env);
  }
  if (object.kind === 'json') {
    return jsonMethod(machine, object, name, args);
  }
  if (object.kind === 'text' || object.kind === 'gen' || object.kind === 'instance') {
    if (object.kind === 'text' && name === 'format')
      for (const { node, value } of [...args.positional, ...args.keywords.values()])
        checkFormatted(machine, node, value);
    return textMethod(object, name, args);
  }
  giveAway(machine, args, env);
  return unknown;
}

/* ------------------------------------------------------------------ builtins */

function callBuiltin(machine: Machine, name: string, args: CallArguments, env: Environment): Value {
  const first = args.positional[0]?.value ?? unknown;
  if (sorters.has(name)) followKey(machine, args, env);
  const what = numberBuiltins.get(name);
  if (what !== undefined)
    for (const { value, node } of args.positional) needNumber(machine, value, node, what);
  switch (name) {
    case 'range':
      return rangeValue(args);
    case 'int':
    case 'float':
    case 'str':
    case 'bool':
      useWhole(machine, args, env);
      return (name === 'str' ? textOf(first) : null) ?? instance(name);
    case 'iter':
      return first;
    case 'chr':
      return first.kind === 'number' ? character(first.value) : instance('str');
    case 'len':
      return first.kind === 'list' && first.items
        ? { kind: 'number', value: first.items.length }
        : instance('int');
    case 'list':
    case 'tuple':
      if (args.positional.length === 0) return tuple([]);
      if (first.kind === 'list') return first;
      return exactList(first) ?? listOf(elementOf(first, env));
    case 'sorted':
      return sortedTexts(first, args) ?? listOf(elementOf(first, env));
    case 'reversed':
      return listOf(elementOf(first, env));
    case 'dict':
      return {
        kind: 'dict',
        entries: args.hasUnpacking || args.positional.length > 0 ? null : keywordEntries(args),
      };
    case 'enumerate':
      return enumerateValue(args, env);
    case 'zip':
      return zipValue(args, env);
    case 'json.loads':
      return jsonValue(first);
    case 'json.dumps':
      return dumped(first);
    case 'min':
    case 'max':
    case 'next':
      return elementOf(first, env);
    case 'sum':
      if (args.positional[0]) needNumbers(machine, first, args.positional[0].node);
      return sumOf(first, args);
    case 'getattr':
      return unknown;
    case 'execute_shell_command':
    case 'launch_server_cmd':
      noteModel(machine, first);
      return unknown;
    case 'map':
      return mapValue(machine, args, env);
    case 'filter':
      mapValue(machine, args, env);
      return listOf(elementOf(args.positional[1]?.value ?? unknown, env));
    case 'functools.partial':
      return partial(machine, args, env);
    default:
      useWhole(machine, args, env);
      if (name.startsWith('functools.')) giveAway(machine, args, env);
      return unknown;
  }
}

/** Builtins that take numbers only. */
const numberBuiltins: ReadonlyMap<string, string> = new Map([
  ['range', 'given to `range`'],
  ['abs', 'used in arithmetic'],
  ['round', 'used in arithmetic'],
  ['divmod', 'used in arithmetic'],
  ['pow', 'used in arithmetic'],
]);

/** `partial(program.run, temperature=0)`: the program with these arguments bound. */
function partial(machine: Machine, args: CallArguments, env: Environment): Value {
  const [first] = args.positional;
  if (first?.value.kind !== 'method' || first.value.object.kind !== 'program') {
    giveAway(machine, args, env);
    return unknown;
  }
  const { object } = first.value;
  if (args.positional.length > 1 || args.hasUnpacking) return unknown;
  const bound = new Map([
    ...object.bound,
    ...[...args.keywords].map(([name, { value }]) => [name, value] as const),
  ]);
  return { ...first.value, object: { ...object, bound } };
}

/** Printing or converting a state uses its whole text. */
function useWhole(machine: Machine, args: CallArguments, env: Environment): void {
  for (const { value } of [...args.positional, ...args.keywords.values()]) {
    for (const id of stateIdsOf(value)) {
      const program = env.state(id)?.program;
      if (program !== null && program !== undefined) machine.recorder.consume(program);
    }
  }
}

const sorters: ReadonlySet<string> = new Set(['sorted', 'min', 'max']);

/** `max(states, key=lambda state: state["score"])` reads a variable of each. */
function followKey(machine: Machine, args: CallArguments, env: Environment): void {
  const [items] = args.positional;
  const key = args.keywords.get('key');
  if (!items || args.positional.length > 1 || key?.value.kind !== 'function') return;
  const item = { ...items, value: elementOf(items.value, env) };
  callValue(machine, key.value, { ...args, positional: [item], keywords: new Map() }, env);
}

/** `states.sort(key=lambda state: state["score"])`. */
function followSort(
  machine: Machine,
  list: ListValue,
  args: CallArguments,
  env: Environment,
): void {
  const { callee } = args.node;
  const items = { value: list, node: callee, span: callee, keyword: null };
  followKey(machine, { ...args, positional: [items] }, env);
}

function mapValue(machine: Machine, args: CallArguments, env: Environment): Value {
  const [callee, items] = args.positional;
  if (callee?.value.kind === 'builtin' && callee.value.name === 'str' && items) {
    const texts = itemsOf(items.value)?.map(textOf);
    return texts?.every((item) => item !== null) ? tuple(texts) : listOf(instance('str'));
  }
  if (!callee || !items || (callee.value.kind !== 'function' && callee.value.kind !== 'program'))
    return unknown;
  const item: ArgumentValue = { ...items, value: elementOf(items.value, env) };
  return listOf(
    callValue(machine, callee.value, { ...args, positional: [item], keywords: new Map() }, env),
  );
}

function noteModel(machine: Machine, command: Value): void {
  noteLaunch(machine, constantText(command) ?? '');
}

/** The model of a command line that launches a server, also of `!python -m sglang.launch_server …`. */
export function noteLaunch(machine: Machine, command: string): void {
  const model = /launch_server[^]*?--model(?:-path)?[ =](\S+)/.exec(command)?.[1];
  if (model !== undefined) machine.addModel(model);
}
