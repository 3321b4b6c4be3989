/** Statements: how they change what is known. */
import type {
  AugmentedAssign,
  Block,
  ClassDef,
  Expression,
  FunctionDef,
  Import,
  ImportFrom,
  Statement,
} from '../syntax/ast.ts';
import { lastName } from '../syntax/walk.ts';
import { eventsOf } from './api-calls.ts';
import { checkAppendable, checkStatement } from './appendable.ts';
import { appendEvents } from './append.ts';
import { moduleMember } from './attributes.ts';
import { executeIf, readOnly } from './branches.ts';
import { noteLaunch } from './calls.ts';
import { checkNumber, evaluateCondition } from './comparisons.ts';
import { executeWith } from './contexts.ts';
import type { Environment } from './environment.ts';
import { executeTry } from './exceptions.ts';
import { executeFor, executeWhile } from './loops.ts';
import type { Machine } from './machine.ts';
import { executeMatch } from './matching.ts';
import { classSchema } from './model-schema.ts';
import { narrow } from './narrowing.ts';
import { stateIdsOf } from './reads.ts';
import { apiConstants, apiNames } from './sglang-api.ts';
import { appendToForks } from './state-methods.ts';
import { assignTarget, deleteTarget } from './targets.ts';
import { none, text, unknown, type FunctionRef, type Value } from './value.ts';

/** Runs a block; false when no path reaches its end. What stands behind a `return` is only read. */
export function executeBlock(machine: Machine, block: Block, env: Environment): boolean {
  for (const [i, statement] of block.entries()) {
    if (execute(machine, statement, env)) continue;
    const isWatched = machine.recorder.quiet === 0;
    if (isWatched && i < block.length - 1) readOnly(machine, block.slice(i + 1), env.fork());
    return false;
  }
  return true;
}

function execute(machine: Machine, node: Statement, env: Environment): boolean {
  switch (node.kind) {
    case 'Expression': {
      const value = machine.evaluate(node.value, env);
      checkStatement(machine, node.value, value, (callee) => isApi(machine, callee, env));
      return !endsProgram(machine, node.value);
    }
    case 'Assign': {
      const value = machine.evaluate(node.value, env);
      for (const target of node.targets) assignTarget(machine, env, target, value);
      return true;
    }
    case 'AugmentedAssign':
      augmentedAssign(machine, node, env);
      return true;
    case 'AnnotatedAssign':
      if (node.value) assignTarget(machine, env, node.target, machine.evaluate(node.value, env));
      return true;
    case 'FunctionDef':
      define(machine, node, env);
      return true;
    case 'ClassDef':
      defineClass(machine, node, env);
      return true;
    case 'Return':
      machine.frame.returns.push({
        env,
        value: node.value ? machine.evaluate(node.value, env) : none,
      });
      return false;
    case 'Raise':
      if (node.exception) machine.evaluate(node.exception, env);
      return false;
    case 'Assert':
      evaluateCondition(machine, node.test, env);
      if (node.message) {
        const failed = env.fork();
        narrow(machine, failed, node.test, false);
        machine.evaluate(node.message, failed);
      }
      narrow(machine, env, node.test, true);
      return true;
    case 'Delete':
      for (const target of node.targets) deleteTarget(machine, env, target);
      return true;
    case 'Break':
      machine.frame.loops.at(-1)?.breaks.push(env);
      return false;
    case 'Continue':
      machine.frame.loops.at(-1)?.continues.push(env);
      return false;
    case 'Import':
      importModules(node, env);
      return true;
    case 'ImportFrom':
      importNames(machine, node, env);
      return true;
    case 'If':
      return executeIf(machine, node, env);
    case 'While':
      return executeWhile(machine, node, env);
    case 'For':
      return executeFor(machine, node, env);
    case 'Try':
      return executeTry(machine, node, env);
    case 'With':
      return executeWith(machine, node, env);
    case 'Match':
      return executeMatch(machine, node, env);
    case 'Magic':
      noteLaunch(machine, machine.unit.text.slice(node.start, node.end));
      if (node.target) assignTarget(machine, env, node.target, unknown);
      return true;
    case 'Global':
    case 'Nonlocal':
      for (const { id } of node.names) machine.frame.declared.add(id);
      return true;
    case 'TypeAlias':
    case 'Pass':
    case 'Invalid':
      return true;
  }
}

function isApi(machine: Machine, callee: Expression, env: Environment): boolean {
  machine.recorder.quiet++;
  const { kind } = machine.evaluate(callee, env);
  machine.recorder.quiet--;
  return kind === 'api';
}

/** `sys.exit()`, `exit()`, `quit()`, `os._exit()`. */
function endsProgram(machine: Machine, node: Expression): boolean {
  if (node.kind !== 'Call') return false;
  const { callee } = node;
  const name = machine.unit.text.slice(callee.start, callee.end);
  return ['sys.exit', 'exit', 'quit', 'os._exit', 'os.abort'].includes(name);
}

/* ------------------------------------------------------------------ appending */

function augmentedAssign(machine: Machine, node: AugmentedAssign, env: Environment): void {
  const target = machine.evaluate(node.target, env);
  const value = machine.evaluate(node.value, env);
  if (node.operator === '+' && append(machine, node, target, value, env)) return;
  const isNumeric = ['-', '*', '/', '//', '+'].includes(node.operator);
  if (isNumeric && target.kind === 'number') {
    checkNumber(machine, value, node.value, target, 'calculate');
  }
  const result = accumulated(node.operator, target, value);
  if (node.target.kind === 'Name') env.assign(node.target.id, result);
  else if (node.target.kind === 'Subscript' || node.target.kind === 'Attribute')
    assignTarget(machine, env, node.target, result);
}

function accumulated(operator: string, target: Value, value: Value): Value {
  if (operator === '+' && (target.kind === 'expression' || value.kind === 'expression')) {
    return { kind: 'expression', events: [...eventsOf(target), ...eventsOf(value)].slice(0, 300) };
  }
  if (operator === '+' && target.kind === 'text') return { kind: 'text', parts: [null] };
  return target.kind === 'list'
    ? { ...target, items: null }
    : target.kind === 'number'
      ? { kind: 'instance', type: 'int' }
      : unknown;
}

/** `state += …` and `forks += …`; false if the target is neither. */
function append(
  machine: Machine,
  node: AugmentedAssign,
  target: Value,
  value: Value,
  env: Environment,
): boolean {
  if (target.kind === 'forks') {
    const call =
      node.value.kind === 'Lambda' || node.value.kind === 'Name' ? callOf(node.value) : null;
    appendToForks(machine, env, target, value, call, node.value);
    return true;
  }
  const ids = stateIdsOf(target);
  if (ids.length === 0) return false;
  checkAppended(machine, node, value);
  const fork = machine.unit.text.slice(node.target.start, node.target.end);
  for (const id of ids) appendEvents(machine, env, id, eventsOf(value), fork);
  return true;
}

function callOf(callee: Expression) {
  return {
    kind: 'Call',
    callee,
    args: [],
    open: callee.start,
    close: callee.end,
    start: callee.start,
    end: callee.end,
  } as const;
}

function checkAppended(machine: Machine, node: AugmentedAssign, value: Value): void {
  if (value.kind === 'none') {
    machine.report('invalid-append', node.value, 'None cannot be appended to a state.');
  } else if (isAppendingMethod(machine, node)) {
    machine.report(
      'appended-twice',
      node.value,
      '`s.user(...)` appends by itself: with `+=` the message is appended twice.',
      [{ title: "Remove '+='", edits: [{ start: node.start, end: node.value.start, text: '' }] }],
    );
  } else {
    checkAppendable(machine, node.value, value, 'appended to a state');
  }
}

function isAppendingMethod(machine: Machine, { target, value }: AugmentedAssign): boolean {
  if (value.kind !== 'Call' || value.callee.kind !== 'Attribute' || value.args.length === 0)
    return false;
  const source = (node: Expression) => machine.unit.text.slice(node.start, node.end);
  return (
    ['system', 'user', 'assistant'].includes(value.callee.attribute.id) &&
    source(value.callee.object) === source(target)
  );
}

/* ------------------------------------------------------------------ definitions */

function define(
  machine: Machine,
  node: FunctionDef,
  env: Environment,
  self: Value | null = null,
): Value {
  for (const parameter of node.parameters)
    if (parameter.defaultValue) machine.evaluate(parameter.defaultValue, env);
  const decorators = node.decorators.map((decorator) => machine.evaluate(decorator, env));
  const isProgram = decorators.some((value) => value.kind === 'api' && value.name === 'function');
  const isStatic = node.decorators.some(
    (decorator) => decorator.kind === 'Name' && decorator.id === 'staticmethod',
  );
  const ref: FunctionRef = {
    name: node.name.id,
    node,
    unit: machine.unit,
    closure: env,
    isProgram,
    isMethod: self !== null && !isProgram && !isStatic,
    ...(self !== null && !isProgram && !isStatic ? { self } : {}),
  };
  machine.enqueue(ref);
  const isPlain = node.decorators.every(isTransparent);
  const value: Value = isProgram
    ? { kind: 'program', ref, bound: new Map() }
    : isPlain
      ? { kind: 'function', ref }
      : unknown;
  env.assign(node.name.id, value);
  return value;
}

/** Decorators that leave what a call gives as it is. */
const transparent: ReadonlySet<string> = new Set([
  'staticmethod',
  'classmethod',
  'cache',
  'lru_cache',
  'wraps',
  'override',
  'retry',
]);

function isTransparent(decorator: Expression): boolean {
  return transparent.has(lastName(decorator.kind === 'Call' ? decorator.callee : decorator));
}

/** What the constructor of a dataclass takes: not `x: ClassVar[int]`, nor `field(init=False)`. */
function fieldOf(statement: Statement): readonly string[] {
  if (statement.kind !== 'AnnotatedAssign' || statement.target.kind !== 'Name') return [];
  const { target, annotation, value } = statement;
  const type = annotation.kind === 'Subscript' ? annotation.object : annotation;
  const isLeftOut =
    value?.kind === 'Call' &&
    value.args.some(
      (argument) =>
        argument.name?.id === 'init' &&
        argument.value.kind === 'Constant' &&
        argument.value.raw === 'False',
    );
  return isLeftOut || lastName(type) === 'ClassVar' ? [] : [target.id];
}

function defineClass(machine: Machine, node: ClassDef, env: Environment): void {
  const bases = node.bases.map(({ value }) => machine.evaluate(value, env));
  const [base] = bases;
  const fields = node.body.flatMap(fieldOf);
  const scope = env.enter(env);
  const members = machine.newMembers();
  const schema = classSchema(machine, node, env);
  const self: Value = {
    kind: 'object',
    type: node.name.id,
    members,
    isInstance: true,
    ...(schema === null ? {} : { schema }),
    ...(bases.length === 1 && base?.kind === 'object' ? { base } : {}),
    fields,
  };
  for (const statement of node.body) {
    if (statement.kind === 'FunctionDef')
      machine.setMember(members, statement.name.id, define(machine, statement, scope, self));
    else execute(machine, statement, scope);
  }
  for (const [name, value] of scope.names.toMap())
    if (!members.has(name)) machine.setMember(members, name, value);
  env.adopt(scope);
  env.assign(node.name.id, { ...self, isInstance: false });
}

/* ------------------------------------------------------------------ imports */

function importModules(node: Import, env: Environment): void {
  for (const { path, name, alias } of node.names) {
    const value: Value = { kind: 'module', path: alias ? path : (path.split('.')[0] ?? path) };
    env.assign((alias ?? name).id, value);
  }
}

function importNames(machine: Machine, node: ImportFrom, env: Environment): void {
  const isSglang =
    node.level === 0 && (node.module === 'sglang' || node.module.startsWith('sglang.'));
  const members = isSglang ? null : machine.importedModule(node.module, node.level);
  for (const { path, name, alias } of node.names) {
    if (path !== '*') {
      const value =
        isSglang || !members
          ? moduleMember(machine, node.module, path)
          : (members.get(path) ?? unknown);
      env.assign((alias ?? name).id, value);
    } else if (isSglang) {
      for (const api of apiNames) env.assign(api, { kind: 'api', name: api });
      if (node.module.endsWith('.ir'))
        for (const [constant, value] of apiConstants) env.assign(constant, text(value));
    } else for (const [member, value] of members ?? []) env.assign(member, value);
  }
}
