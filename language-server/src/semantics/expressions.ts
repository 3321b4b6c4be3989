/** Values of expressions. */
import type {
  Binary,
  Compare,
  Comprehension,
  Conditional,
  Expression,
  Lambda,
  Str,
  Subscript,
} from '../syntax/ast.ts';
import { lastName, walkExpression } from '../syntax/walk.ts';
import { eventsOf } from './api-calls.ts';
import { buildsExpression, checkAppendable, checkField, checkFormatted } from './appendable.ts';
import { attributeOf } from './attributes.ts';
import { checkCompare, checkNumber, evaluateCondition, needNumber } from './comparisons.ts';
import { joinEnvironments, lookupName, type Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import { normalise } from './name-pattern.ts';
import { narrow } from './narrowing.ts';
import { elementOf, itemsOf } from './iteration.ts';
import { readVariable, refine, stateIdsOf } from './reads.ts';
import { assignTarget } from './targets.ts';
import { childSchema, describedKeys, schemaKeys } from './json-schema.ts';
import {
  bool,
  constantText,
  instance,
  joinValues,
  listOf,
  none,
  truthOf,
  tuple,
  unknown,
  type FunctionRef,
  type ListValue,
  type Value,
} from './value.ts';

const builtins: ReadonlySet<string> = new Set([
  'print',
  'range',
  'len',
  'int',
  'float',
  'str',
  'bool',
  'list',
  'tuple',
  'dict',
  'set',
  'enumerate',
  'zip',
  'sorted',
  'reversed',
  'min',
  'max',
  'sum',
  'abs',
  'round',
  'isinstance',
  'type',
  'repr',
  'any',
  'all',
  'map',
  'filter',
  'open',
  'input',
  'hasattr',
  'getattr',
  'id',
  'hash',
  'iter',
  'next',
  'display',
  'bytes',
  'ord',
  'chr',
  'eval',
  'exec',
  'super',
  'print_highlight',
  'format',
  'vars',
  'dir',
  'divmod',
  'pow',
  'frozenset',
  'slice',
  'callable',
  'issubclass',
  'help',
]);

export function evaluateExpression(machine: Machine, node: Expression, env: Environment): Value {
  switch (node.kind) {
    case 'Name':
      return nameValue(machine, node.id, env);
    case 'Constant':
      return constantValue(node.type, node.raw);
    case 'Str':
      return stringValue(machine, node, env);
    case 'Binary':
      return binaryValue(machine, node, env);
    case 'Unary': {
      if (node.operator === 'not')
        return unaryValue('not', evaluateCondition(machine, node.operand, env));
      const operand = machine.evaluate(node.operand, env);
      needNumber(machine, operand, node.operand, 'used in arithmetic');
      return unaryValue(node.operator, operand);
    }
    case 'BoolOp':
      return shortCircuit(machine, node.left, node.right, node.operator === 'and', env);
    case 'Compare': {
      const values = node.operands.map((operand) => machine.evaluate(operand, env));
      checkMembershipRead(machine, node.operators, values, node.operands, env);
      checkCompare(machine, node, values);
      return isOneOfThese(node, values) ?? comparisonValue(node.operators, values);
    }
    case 'Call':
      return machine.call(node, env);
    case 'Attribute':
      return attributeOf(machine, machine.evaluate(node.object, env), node.attribute.id, env);
    case 'Subscript':
      return subscriptValue(machine, node, env);
    case 'Slice':
      for (const part of node.parts) if (part) machine.evaluate(part, env);
      return unknown;
    case 'Tuple':
    case 'List':
    case 'Set':
      return sequenceValue(machine, node.elements, env);
    case 'Dict':
      return dictValue(machine, node, env);
    case 'Comprehension':
      return comprehensionValue(machine, node, env);
    case 'Lambda':
      return lambdaValue(machine, node, env);
    case 'Conditional':
      return conditionalValue(machine, node, env);
    case 'Await':
    case 'Starred':
      return machine.evaluate(node.value, env);
    case 'Yield':
      if (node.value) machine.evaluate(node.value, env);
      return unknown;
    case 'Walrus': {
      const value = machine.evaluate(node.value, env);
      assignTarget(machine, env, node.target, value);
      return value;
    }
    case 'Missing':
      return unknown;
  }
}

/** Its body is looked at on its own, as that of a function, if nobody calls it here. */
function lambdaValue(machine: Machine, node: Lambda, env: Environment): Value {
  const { unit } = machine;
  const ref: FunctionRef = {
    name: 'lambda',
    node,
    unit,
    closure: env,
    isProgram: false,
    isMethod: false,
  };
  machine.enqueue(ref);
  return { kind: 'function', ref };
}

function nameValue(machine: Machine, name: string, env: Environment): Value {
  const found = env.lookup(name) ?? machine.hoisted.get(name);
  if (found) return refine(env, found);
  if (builtins.has(name)) return { kind: 'builtin', name };
  return lookupName(env, name, machine.hoisted);
}

function constantValue(type: string, raw: string): Value {
  if (type === 'None') return none;
  if (type === 'bool') return { kind: 'bool', value: raw === 'True' };
  if (type === 'int' || type === 'float')
    return { kind: 'number', value: Number(raw.replaceAll('_', '')) };
  return unknown;
}

function stringValue(machine: Machine, node: Str, env: Environment): Value {
  if (node.bytes) return instance('bytes');
  if (node.value !== null) return { kind: 'text', parts: node.value === '' ? [] : [node.value] };
  const parts = node.parts.map((part): string | null => {
    if (part.kind === 'text') return part.value;
    const value = machine.evaluate(part.value, env);
    checkField(machine, node, part.value, value);
    if (part.conversion !== null) return null;
    return value.kind === 'number' ? String(value.value) : constantText(value);
  });
  return { kind: 'text', parts: normalise(parts) };
}

/* ------------------------------------------------------------------ operators */

function binaryValue(machine: Machine, node: Binary, env: Environment): Value {
  const left = machine.evaluate(node.left, env);
  const right = machine.evaluate(node.right, env);
  if (node.operator === '+') return sum(machine, node, left, right);
  if (left.kind === 'number' && right.kind === 'number')
    return arithmetic(node.operator, left.value, right.value);
  if (node.operator === '%' && left.kind === 'text') {
    for (const value of right.kind === 'list' ? (right.items ?? []) : [right])
      checkFormatted(machine, node.right, value);
    return { kind: 'text', parts: [null] };
  }
  if (node.operator === '*' && left.kind === 'text') return { kind: 'text', parts: [null] };
  if (node.operator === '*' && left.kind === 'list') return listOf(left.element);
  if (
    ['-', '/', '//', '**', '%'].includes(node.operator) ||
    (node.operator === '*' && [left, right].some(isFraction))
  ) {
    checkNumber(machine, left, node.left, right, 'calculate');
    checkNumber(machine, right, node.right, left, 'calculate');
  }
  return numeric(left) && numeric(right) ? instance('float') : unknown;
}

/** Text times a whole number is repeated text; times another it fails. */
function isFraction(value: Value): boolean {
  return value.kind === 'number'
    ? !Number.isInteger(value.value)
    : value.kind === 'instance' && value.type === 'float';
}

function numeric(value: Value): boolean {
  return (
    value.kind === 'number' || (value.kind === 'instance' && ['int', 'float'].includes(value.type))
  );
}

function arithmetic(operator: string, a: number, b: number): Value {
  if (operator === '-') return { kind: 'number', value: a - b };
  if (operator === '*') return { kind: 'number', value: a * b };
  if (operator === '//' && b !== 0) return { kind: 'number', value: Math.floor(a / b) };
  if (operator === '%' && b !== 0) return { kind: 'number', value: ((a % b) + b) % b };
  return instance(operator === '/' ? 'float' : 'int');
}

function sum(machine: Machine, node: Binary, left: Value, right: Value): Value {
  if (left.kind === 'expression' || right.kind === 'expression') {
    if (buildsExpression(left)) checkSummand(machine, node.right, right);
    if (buildsExpression(right)) checkSummand(machine, node.left, left);
    return { kind: 'expression', events: [...eventsOf(left), ...eventsOf(right)] };
  }
  if (left.kind === 'union' || right.kind === 'union') {
    const events = [...eventsOf(left), ...eventsOf(right)];
    if (events.length > 0) return { kind: 'expression', events };
  }
  if (left.kind === 'list' && right.kind === 'list') {
    if (left.items && right.items) return tuple([...left.items, ...right.items]);
    return listOf(
      left.items?.length === 0
        ? right.element
        : right.items?.length === 0
          ? left.element
          : joinValues(left.element, right.element),
    );
  }
  if (left.kind === 'number' && right.kind === 'number')
    return { kind: 'number', value: left.value + right.value };
  if (left.kind === 'text' || right.kind === 'text') {
    return { kind: 'text', parts: normalise([...partsOf(left), ...partsOf(right)]) };
  }
  checkNumber(machine, left, node.left, right, 'calculate');
  checkNumber(machine, right, node.right, left, 'calculate');
  if (left.kind === 'gen' || right.kind === 'gen') return instance('str');
  return numeric(left) && numeric(right) ? instance('int') : unknown;
}

function partsOf(value: Value): readonly (string | null)[] {
  return value.kind === 'text' ? value.parts : [null];
}

function checkSummand(machine: Machine, node: Expression, value: Value): void {
  if (value.kind === 'none')
    machine.report('invalid-append', node, 'None cannot be added to an SGLang expression.');
  else checkAppendable(machine, node, value, 'added to an expression');
}

function unaryValue(operator: string, operand: Value): Value {
  if (operator === 'not') {
    const truth = truthOf(operand);
    return truth === null ? instance('bool') : bool(!truth);
  }
  if (operator === '-' && operand.kind === 'number')
    return { kind: 'number', value: -operand.value };
  return operand.kind === 'number' ? operand : unknown;
}

/** `a < b` and the like for values that are completely known, else any bool. */
function comparisonValue(operators: readonly string[], values: readonly Value[]): Value {
  const [left, right] = values;
  const [operator = ''] = operators;
  if (!left || !right || operators.length !== 1) return instance('bool');
  if (operator === 'is' || operator === 'is not') {
    const same = isNone(left, right) ?? isNone(right, left);
    return same === null ? instance('bool') : bool(same === (operator === 'is'));
  }
  const [a, b] = [comparable(left), comparable(right)];
  if (a === null || b === null || typeof a !== typeof b) return instance('bool');
  const outcomes: Readonly<Record<string, boolean>> = {
    '==': a === b,
    '!=': a !== b,
    '<': a < b,
    '<=': a <= b,
    '>': a > b,
    '>=': a >= b,
  };
  const outcome = outcomes[operator];
  return outcome === undefined ? instance('bool') : bool(outcome);
}

/** `name in ("a", "b")`, for a name that is known and a list that is written right there. */
function isOneOfThese({ operators, operands }: Compare, [left, right]: readonly Value[]) {
  const [operator] = operators;
  const isMembership = operators.length === 1 && (operator === 'in' || operator === 'not in');
  const isWritten = ['List', 'Tuple', 'Set'].includes(operands[1]?.kind ?? '');
  if (!isMembership || !isWritten || !left || right?.kind !== 'list') return null;
  const one = comparable(left);
  const all = right.items?.map(comparable);
  if (one === null || all?.every((item) => item !== null) !== true) return null;
  return bool(all.includes(one) === (operator === 'in'));
}

const neverNone: ReadonlySet<Value['kind']> = new Set([
  'text',
  'number',
  'bool',
  'state',
  'forks',
  'program',
  'function',
]);

/** Is `value` None, given that the other side is; `null` when not known. */
function isNone(value: Value, other: Value): boolean | null {
  if (other.kind !== 'none') return null;
  return value.kind === 'none' ? true : neverNone.has(value.kind) ? false : null;
}

function comparable(value: Value): string | number | null {
  return value.kind === 'number' ? value.value : constantText(value);
}

/** The right side runs only when the left one allows it. */
function shortCircuit(
  machine: Machine,
  left: Expression,
  right: Expression,
  isAnd: boolean,
  env: Environment,
): Value {
  const first = isAnd ? evaluateCondition(machine, left, env) : machine.evaluate(left, env);
  const inner = env.fork();
  narrow(machine, inner, left, isAnd);
  const second = machine.evaluate(right, inner);
  const merged = joinEnvironments(env.fork(), inner);
  if (merged) {
    merged.pathFacts = env.pathFacts;
    env.become(merged);
  }
  const truth = truthOf(first);
  if (truth !== null) return truth === isAnd ? second : first;
  return joinValues(first, second);
}

function conditionalValue(machine: Machine, node: Conditional, env: Environment): Value {
  evaluateCondition(machine, node.test, env);
  const other = env.fork();
  const facts = env.pathFacts;
  const body = env.fork();
  narrow(machine, body, node.test, true);
  narrow(machine, other, node.test, false);
  const value = joinValues(machine.evaluate(node.body, body), machine.evaluate(node.orElse, other));
  const merged = joinEnvironments(body, other);
  if (merged) {
    merged.pathFacts = facts;
    env.become(merged);
  }
  return value;
}

/** The key of `"x" in state` is recorded as a read of its own. */
function checkMembershipRead(
  machine: Machine,
  operators: readonly string[],
  values: readonly Value[],
  nodes: readonly Expression[],
  env: Environment,
): void {
  operators.forEach((operator, i) => {
    const key = values[i];
    const node = nodes[i];
    const container = values[i + 1];
    if ((operator !== 'in' && operator !== 'not in') || !key || !node || !container) return;
    const ids = stateIdsOf(container);
    if (ids.length > 0) readVariable(machine, env, ids, key, node, { tolerant: true });
  });
}

/* ------------------------------------------------------------------ containers */

function sequenceValue(machine: Machine, elements: readonly Expression[], env: Environment): Value {
  const items: Value[] = [];
  let isExact = true;
  for (const element of elements) {
    const value = machine.evaluate(element, env);
    const spread = element.kind === 'Starred' ? itemsOf(value) : [value];
    if (spread) items.push(...spread);
    else {
      isExact = false;
      items.push(elementOf(value, env));
    }
  }
  if (isExact && items.length <= 200) return tuple(items);
  return listOf(items.length === 0 ? unknown : items.reduce(joinValues));
}

function dictValue(
  machine: Machine,
  node: Extract<Expression, { kind: 'Dict' }>,
  env: Environment,
): Value {
  const entries = new Map<string, Value>();
  let isExact = true;
  for (const { key, value } of node.entries) {
    const keyValue = key ? machine.evaluate(key, env) : unknown;
    const name = constantText(keyValue);
    const item = machine.evaluate(value, env);
    if (name === null) isExact = false;
    else entries.set(name, item);
  }
  return { kind: 'dict', entries: isExact ? entries : null };
}

function comprehensionValue(machine: Machine, node: Comprehension, env: Environment): Value {
  const inner = env.fork();
  for (const clause of node.clauses) {
    const iterable = machine.evaluate(clause.iterable, inner);
    assignTarget(machine, inner, clause.target, elementOf(iterable, inner));
    for (const condition of clause.conditions) {
      evaluateCondition(machine, condition, inner);
      narrow(machine, inner, condition, true);
    }
  }
  const element = machine.evaluate(node.element, inner);
  const value = node.value ? machine.evaluate(node.value, inner) : unknown;
  env.states = inner.states;
  if (node.type === 'dict') return { kind: 'dict', entries: null, element: value };
  return (mayBeText(element) ? exactItems(machine, node, env) : null) ?? listOf(element);
}

const maximumExactItems = 50;

/** `[x.lower() for x in LABELS if x]`: each item, where all of them are texts or numbers that are known. */
function exactItems(machine: Machine, node: Comprehension, env: Environment): Value | null {
  const [clause, ...others] = node.clauses;
  // Inside each other they would be followed in exponentially many ways.
  if (!clause || others.length > 0 || hasComprehension(node.element)) return null;
  machine.recorder.quiet++;
  const items = itemsOf(machine.evaluate(clause.iterable, env));
  const isKnown = items && items.length <= maximumExactItems && items.every(isPlain);
  const results: Value[] = [];
  for (const item of isKnown ? items : []) {
    const inner = env.fork();
    assignTarget(machine, inner, clause.target, item);
    const tests = clause.conditions.map((test) => truthOf(machine.evaluate(test, inner)));
    if (tests.includes(false)) continue;
    results.push(tests.includes(null) ? unknown : machine.evaluate(node.element, inner));
    // Calls in the element cost as much every time: one unknown item is enough to know.
    if (!results.slice(-1).every(isPlain)) break;
  }
  machine.recorder.quiet--;
  return isKnown && results.every(isPlain) ? tuple(results) : null;
}

function mayBeText(value: Value): boolean {
  return (
    value.kind === 'text' ||
    value.kind === 'instance' ||
    value.kind === 'union' ||
    value.kind === 'unknown' ||
    value.kind === 'number'
  );
}

function hasComprehension(node: Expression): boolean {
  let isFound = false;
  walkExpression(node, { expression: ({ kind }) => void (isFound ||= kind === 'Comprehension') });
  return isFound;
}

function isPlain(value: Value): boolean {
  if (value.kind === 'list') return value.items?.every(isPlain) ?? false;
  return value.kind === 'text' || value.kind === 'number';
}

function subscriptValue(machine: Machine, node: Subscript, env: Environment): Value {
  const alias = literalAlias(node);
  if (alias) return alias;
  const object = machine.evaluate(node.object, env);
  const index = machine.evaluate(node.index, env);
  const ids = stateIdsOf(object);
  if (ids.length > 0) return readVariable(machine, env, ids, index, node.index);
  const isSlice = node.index.kind === 'Slice';
  if (object.kind === 'forks') {
    return isSlice
      ? listOf({ kind: 'state', id: object.child })
      : { kind: 'state', id: object.child };
  }
  if (object.kind === 'list') {
    needNumber(machine, index, node.index, 'used as an index');
    return node.index.kind === 'Slice'
      ? slice(machine, object, node.index, env)
      : listItem(object, index);
  }
  if (object.kind === 'dict') {
    const { entries, element } = object;
    return (entries ? entries.get(constantText(index) ?? '') : element) ?? unknown;
  }
  if (object.kind === 'json') {
    return jsonItem(machine, node, object.schema, index);
  }
  if (object.kind === 'gen') {
    if (object.type.kind === 'list') {
      return isSlice ? object : { kind: 'gen', type: object.type.element, origin: null };
    }
    return instance('str');
  }
  if (object.kind === 'union') {
    return elementOf(object, env);
  }
  return unknown;
}

/** `Literal["a", "b"]`, for `get_args`. */
function literalAlias({ object, index }: Subscript): Value | null {
  if (lastName(object) !== 'Literal') return null;
  const parts = index.kind === 'Tuple' ? index.elements : [index];
  const texts = parts.map((part) => (part.kind === 'Str' ? part.value : null));
  return texts.every((part) => part !== null) ? { kind: 'json', schema: { enum: texts } } : null;
}

/** Known items between known bounds. */
function slice(
  machine: Machine,
  { items, element }: ListValue,
  { parts }: Extract<Expression, { kind: 'Slice' }>,
  env: Environment,
): Value {
  machine.recorder.quiet++;
  const bounds = parts.map((part) => (part ? machine.evaluate(part, env) : none));
  machine.recorder.quiet--;
  const [start, end, step] = bounds.map((bound) =>
    bound.kind === 'number' ? bound.value : bound.kind === 'none' ? undefined : null,
  );
  if (!items || start === null || end === null || step !== undefined) return listOf(element);
  return tuple(items.slice(start, end));
}

function listItem(list: Extract<Value, { kind: 'list' }>, index: Value): Value {
  if (index.kind !== 'number' || !list.items) return list.element;
  return list.items.at(index.value) ?? unknown;
}

function jsonItem(
  machine: Machine,
  node: Subscript,
  schema: Extract<Value, { kind: 'json' }>['schema'],
  index: Value,
): Value {
  const key = constantText(index);
  const keys = describedKeys(schema);
  if (keys.length > 0 && node.index.kind === 'Str') {
    const isComplete = schemaKeys(schema) !== null;
    machine.recorder.jsonRead({ unit: machine.unit, node: node.index, keys, isComplete });
  }
  if (index.kind === 'number' || (key === null && index.kind === 'instance')) {
    const item = childSchema(schema, null);
    return item === null ? unknown : { kind: 'json', schema: item };
  }
  const child = key === null ? null : childSchema(schema, key);
  return child === null ? unknown : { kind: 'json', schema: child };
}
