/** Statements: how they change what is known. */
import type {
  AugmentedAssign,
  Block,
  ClassDef,
  ExceptHandler,
  Expression,
  For,
  FunctionDef,
  If,
  Import,
  ImportFrom,
  Match,
  Pattern,
  Statement,
  Try,
  While,
  With,
} from '../syntax/ast.ts';
import { eventsOf } from './api-calls.ts';
import { appendEvents } from './append.ts';
import { moduleMember } from './attributes.ts';
import { checkNumber, checkText } from './comparisons.ts';
import { joinEnvironments, type Environment } from './environment.ts';
import { elementOf, unrolledItems } from './iteration.ts';
import type { LoopFrame, Machine } from './machine.ts';
import { keepValues, narrow } from './narrowing.ts';
import { openStates, stateIdsOf } from './reads.ts';
import { apiConstants, apiNames } from './sglang-api.ts';
import { appendToForks, joinForks } from './state-methods.ts';
import { assignTarget } from './targets.ts';
import {
  constantText,
  none,
  text,
  unknown,
  type ContextExit,
  type FunctionRef,
  type Value,
} from './value.ts';

/** Runs a block; false when no path reaches its end. */
export function executeBlock(machine: Machine, block: Block, env: Environment): boolean {
  for (const statement of block) if (!execute(machine, statement, env)) return false;
  return true;
}

function execute(machine: Machine, node: Statement, env: Environment): boolean {
  switch (node.kind) {
    case 'Expression':
      machine.evaluate(node.value, env);
      return true;
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
      define(machine, node, env, false);
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
      machine.evaluate(node.test, env);
      narrow(machine, env, node.test, true);
      return true;
    case 'Delete':
      for (const target of node.targets) if (target.kind !== 'Name') machine.evaluate(target, env);
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
      if (node.target) assignTarget(machine, env, node.target, unknown);
      return true;
    case 'TypeAlias':
    case 'Global':
    case 'Nonlocal':
    case 'Pass':
    case 'Invalid':
      return true;
  }
}

/** Continues `env` with whichever of the paths are alive. */
function merge(env: Environment, paths: readonly (Environment | null)[]): boolean {
  const joined = paths.reduce(joinEnvironments, null);
  if (!joined) return false;
  env.become(joined);
  return true;
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
  if (node.target.kind === 'Name')
    env.assign(node.target.id, accumulated(node.operator, target, value));
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
  for (const id of ids) appendEvents(machine, env, id, eventsOf(value));
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
  } else if (
    value.kind === 'number' ||
    value.kind === 'bool' ||
    value.kind === 'list' ||
    value.kind === 'dict'
  ) {
    machine.report(
      'invalid-append',
      node.value,
      'Only text and SGLang expressions can be appended to a state.',
      [
        {
          title: 'Wrap in str(...)',
          edits: [
            { start: node.value.start, end: node.value.start, text: 'str(' },
            { start: node.value.end, end: node.value.end, text: ')' },
          ],
        },
      ],
    );
  } else if (isAppendingMethod(machine, node)) {
    machine.report(
      'appended-twice',
      node.value,
      '`s.user(...)` appends by itself: with `+=` the message is appended twice.',
      [{ title: "Remove '+='", edits: [{ start: node.start, end: node.value.start, text: '' }] }],
    );
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

function define(machine: Machine, node: FunctionDef, env: Environment, isMember: boolean): Value {
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
    isMethod: isMember && !isProgram && !isStatic,
  };
  machine.enqueue(ref);
  const isPlain = decorators.length === 0 || isStatic;
  const value: Value = isProgram
    ? { kind: 'program', ref, bound: new Map() }
    : isPlain
      ? { kind: 'function', ref }
      : unknown;
  env.assign(node.name.id, value);
  return value;
}

function defineClass(machine: Machine, node: ClassDef, env: Environment): void {
  for (const base of node.bases) machine.evaluate(base.value, env);
  const scope = env.enter(env);
  const members = new Map<string, Value>();
  for (const statement of node.body) {
    if (statement.kind === 'FunctionDef')
      members.set(statement.name.id, define(machine, statement, scope, true));
    else execute(machine, statement, scope);
  }
  for (const [name, value] of scope.names.toMap()) if (!members.has(name)) members.set(name, value);
  env.adopt(scope);
  env.assign(node.name.id, { kind: 'object', type: node.name.id, members, isInstance: false });
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

/* ------------------------------------------------------------------ branches */

function executeIf(machine: Machine, node: If, env: Environment): boolean {
  machine.evaluate(node.test, env);
  const other = env.fork();
  const body = env.fork();
  narrow(machine, body, node.test, true);
  narrow(machine, other, node.test, false);
  const bodyEnds = executeBlock(machine, node.body, body);
  const otherEnds = executeBlock(machine, node.orElse, other);
  return merge(env, [bodyEnds ? body : null, otherEnds ? other : null]);
}

function executeTry(machine: Machine, node: Try, env: Environment): boolean {
  let interrupted: Environment | null = env.fork();
  const body = env.fork();
  const catches = node.handlers.some(catchesKeyError) ? 1 : 0;
  machine.recorder.catching += catches;
  let alive = true;
  for (const statement of node.body) {
    if (!alive) break;
    alive = execute(machine, statement, body);
    interrupted = joinEnvironments(interrupted, body.fork());
  }
  machine.recorder.catching -= catches;
  if (alive) alive = executeBlock(machine, node.orElse, body);
  const paths: (Environment | null)[] = [alive ? body : null];
  for (const handler of node.handlers) {
    const path = (interrupted ?? env).fork();
    if (handler.type) machine.evaluate(handler.type, path);
    if (handler.name) path.assign(handler.name.id, unknown);
    paths.push(executeBlock(machine, handler.body, path) ? path : null);
  }
  const ends = merge(env, paths);
  if (!ends && interrupted) env.become(interrupted);
  return executeBlock(machine, node.finallyBody, env) && ends;
}

function catchesKeyError({ type }: ExceptHandler): boolean {
  if (!type) return true;
  const types = type.kind === 'Tuple' ? type.elements : [type];
  return types.some(
    (each) =>
      each.kind === 'Name' &&
      ['KeyError', 'LookupError', 'Exception', 'BaseException'].includes(each.id),
  );
}

function executeMatch(machine: Machine, node: Match, env: Environment): boolean {
  const subject = machine.evaluate(node.subject, env);
  const paths: (Environment | null)[] = [];
  let rest: Environment | null = env.fork();
  for (const item of node.cases) {
    const path: Environment = (rest ?? env).fork();
    const texts = patternTexts(machine, item.pattern, path, subject);
    bindPattern(machine, item.pattern, path, subject);
    if (texts) keepValues(path, subject, texts, true);
    if (item.guard) machine.evaluate(item.guard, path);
    paths.push(executeBlock(machine, item.body, path) ? path : null);
    if (item.guard || !rest) continue;
    if (texts) keepValues(rest, subject, texts, false);
    else if (isCatchAll(item.pattern)) rest = null;
  }
  if (rest && isExhausted(node, subject)) rest = null;
  return merge(env, [...paths, rest]);
}

function isCatchAll(pattern: Pattern): boolean {
  return pattern.kind === 'CapturePattern';
}

/** Every choice has a case: nothing falls through. */
function isExhausted(node: Match, subject: Value): boolean {
  if (subject.kind !== 'gen' || subject.type.kind !== 'literal') return false;
  const covered = new Set(
    node.cases.flatMap((item) => (item.guard ? [] : literalPatterns(item.pattern))),
  );
  return subject.type.values.every((value) => covered.has(value));
}

function literalPatterns(pattern: Pattern): readonly string[] {
  if (pattern.kind === 'OrPattern') return pattern.children.flatMap(literalPatterns);
  if (pattern.kind === 'AsPattern') return literalPatterns(pattern.pattern);
  return pattern.kind === 'ValuePattern' &&
    pattern.value.kind === 'Str' &&
    pattern.value.value !== null
    ? [pattern.value.value]
    : [];
}

/** Strings that a pattern stands for, `null` if it can match anything else. */
function patternTexts(
  machine: Machine,
  pattern: Pattern,
  env: Environment,
  subject: Value,
): ReadonlySet<string> | null {
  if (pattern.kind === 'OrPattern') {
    const sets = pattern.children.map((child) => patternTexts(machine, child, env, subject));
    return sets.every((set) => set !== null) ? new Set(sets.flatMap((set) => [...set])) : null;
  }
  if (pattern.kind === 'AsPattern') return patternTexts(machine, pattern.pattern, env, subject);
  if (pattern.kind !== 'ValuePattern') return null;
  const known = constantText(machine.evaluate(pattern.value, env));
  if (known === null) return null;
  if (subject.kind === 'gen') checkText(machine, subject.type, known, pattern.value, '==');
  return new Set([known]);
}

function bindPattern(machine: Machine, pattern: Pattern, env: Environment, subject: Value): void {
  switch (pattern.kind) {
    case 'CapturePattern':
      if (pattern.name) assignTarget(machine, env, pattern.name, subject);
      return;
    case 'AsPattern':
      assignTarget(machine, env, pattern.name, subject);
      bindPattern(machine, pattern.pattern, env, subject);
      return;
    case 'ValuePattern':
      return;
    case 'OrPattern':
    case 'SequencePattern':
    case 'MappingPattern':
    case 'ClassPattern':
      for (const child of pattern.children) bindPattern(machine, child, env, unknown);
  }
}

/* ------------------------------------------------------------------ loops */

/** One turn of a loop body; the path that goes on to the next turn. */
function turn(
  machine: Machine,
  body: Block,
  env: Environment,
  loop: LoopFrame,
): Environment | null {
  machine.frame.loops.push(loop);
  const ends = executeBlock(machine, body, env);
  machine.frame.loops.pop();
  const continues = loop.continues.splice(0);
  return [ends ? env : null, ...continues].reduce(joinEnvironments, null);
}

const maximumUnrolling = 1;

/** Loops nested deeper are followed once: two turns each would double the work at every level. */
const maximumPreciseNesting = 4;

function executeFor(machine: Machine, node: For, env: Environment): boolean {
  const iterable = machine.evaluate(node.iterable, env);
  const items = machine.frame.unrolling < maximumUnrolling ? unrolledItems(iterable) : null;
  const loop: LoopFrame = { breaks: [], continues: [] };
  const end =
    items && items.length > 0
      ? forEachItem(machine, node, items, env, loop)
      : forAny(machine, node, iterable, env, loop);
  const normal = end && executeBlock(machine, node.orElse, end) ? end : null;
  return merge(env, [normal, ...loop.breaks]);
}

function forEachItem(
  machine: Machine,
  node: For,
  items: readonly Value[],
  env: Environment,
  loop: LoopFrame,
): Environment | null {
  let current: Environment | null = env.fork();
  machine.frame.unrolling++;
  for (const item of items) {
    if (!current) break;
    assignTarget(machine, current, node.target, item);
    current = turn(machine, node.body, current.fork(), loop);
  }
  machine.frame.unrolling--;
  return current;
}

/**
 * Two turns with an unknown element. The loop is taken to run at least once: an empty list is rarely
 * what a program is written for, and warning about it everywhere would hide real mistakes.
 */
function forAny(
  machine: Machine,
  node: For,
  iterable: Value,
  env: Environment,
  loop: LoopFrame,
): Environment | null {
  const element = elementOf(iterable, env);
  const first = env.fork();
  assignTarget(machine, first, node.target, element);
  const afterFirst = turn(machine, node.body, first, loop);
  if (!afterFirst) return env.fork();
  if (machine.frame.loops.length >= maximumPreciseNesting) return afterFirst;
  const second = joinEnvironments(env.fork(), afterFirst.fork());
  if (!second) return afterFirst;
  // Each turn has its own fork: what the first turn did to one is not seen by the next.
  for (const id of statesIn(element)) {
    const before = env.state(id);
    if (before) second.setState(id, before);
  }
  assignTarget(machine, second, node.target, element);
  return turn(machine, node.body, second, loop) ?? afterFirst;
}

function statesIn(value: Value): readonly number[] {
  if (value.kind === 'state') return [value.id];
  return value.kind === 'list' ? (value.items ?? [value.element]).flatMap(statesIn) : [];
}

function executeWhile(machine: Machine, node: While, env: Environment): boolean {
  const loop: LoopFrame = { breaks: [], continues: [] };
  const isForever =
    node.test.kind === 'Constant' && (node.test.raw === 'True' || node.test.raw === '1');
  machine.evaluate(node.test, env);
  const first = env.fork();
  narrow(machine, first, node.test, true);
  const afterFirst = turn(machine, node.body, first, loop);
  let last: Environment | null = afterFirst;
  const isDeep = machine.frame.loops.length >= maximumPreciseNesting;
  const second = afterFirst && !isDeep ? joinEnvironments(env.fork(), afterFirst.fork()) : null;
  if (second) {
    machine.evaluate(node.test, second);
    narrow(machine, second, node.test, true);
    last = joinEnvironments(turn(machine, node.body, second, loop), afterFirst);
  }
  const exits: (Environment | null)[] = [...loop.breaks];
  if (!isForever) {
    const never = env.fork();
    narrow(machine, never, node.test, false);
    const after = joinEnvironments(never, last);
    if (after && executeBlock(machine, node.orElse, after)) exits.push(after);
  }
  return merge(env, exits);
}

/* ------------------------------------------------------------------ with */

function executeWith(machine: Machine, node: With, env: Environment): boolean {
  const exits: ContextExit[] = [];
  for (const { context, target } of node.items) {
    const value = machine.evaluate(context, env);
    const entered =
      value.kind === 'context' ? value.enter : value.kind === 'backend' ? value : unknown;
    if (value.kind === 'context') {
      enterContext(machine, value.exit, env);
      exits.push(value.exit);
    } else openStates(machine, env, value);
    if (target) assignTarget(machine, env, target, entered);
  }
  const ends = executeBlock(machine, node.body, env);
  if (ends) for (const exit of exits.reverse()) leaveContext(machine, exit, env);
  return ends;
}

function enterContext(machine: Machine, exit: ContextExit, env: Environment): void {
  if (exit.kind !== 'role') return;
  const { state, role, unit, node } = exit;
  appendEvents(machine, env, state, [{ kind: 'role', role, begin: true, unit, node }]);
}

function leaveContext(machine: Machine, exit: ContextExit, env: Environment): void {
  switch (exit.kind) {
    case 'role': {
      const { state, role, unit, node } = exit;
      appendEvents(machine, env, state, [{ kind: 'role', role, begin: false, unit, node }]);
      return;
    }
    case 'var_scope':
      appendEvents(machine, env, exit.state, [exit.event]);
      return;
    case 'join':
      joinForks(env, exit.parent, exit.child, true);
      return;
    case 'none':
  }
}
