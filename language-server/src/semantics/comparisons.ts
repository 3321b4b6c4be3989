/** Comparisons and arithmetic that a generated value cannot satisfy. */
import type { Compare, Expression, Span } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import { closest } from './edit-distance.ts';
import { surround } from './fixes.ts';
import { formatType, literalValues, membersOf, quote, type GenType } from './gen-type.ts';
import type { Machine } from './machine.ts';
import { constantText, type Value } from './value.ts';

export function checkCompare(machine: Machine, node: Compare, values: readonly Value[]): void {
  node.operators.forEach((operator, i) => {
    const left = values[i];
    const right = values[i + 1];
    const leftNode = node.operands[i];
    const rightNode = node.operands[i + 1];
    if (!left || !right || !leftNode || !rightNode) return;
    if (operator === '==' || operator === '!=') {
      checkPair(machine, operator, left, leftNode, right, rightNode);
      checkPair(machine, operator, right, rightNode, left, leftNode);
    } else if (operator === 'in' || operator === 'not in')
      checkMembership(machine, left, leftNode, right, rightNode);
    else if (['<', '>', '<=', '>='].includes(operator)) {
      checkNumber(machine, left, leftNode, right, 'compare');
      checkNumber(machine, right, rightNode, left, 'compare');
    }
  });
}

function checkPair(
  machine: Machine,
  operator: string,
  value: Value,
  valueNode: Expression,
  other: Value,
  otherNode: Expression,
): void {
  if (value.kind !== 'gen') return;
  const text = constantText(other);
  if (text !== null) {
    checkText(machine, value.type, text, otherNode, operator);
    return;
  }
  if (other.kind === 'bool' || other.kind === 'number')
    checkNumber(machine, value, valueNode, other, 'compare');
}

/** The text that a comparison or case names, against what the variable can be. */
export function checkText(
  machine: Machine,
  type: GenType,
  text: string,
  node: Span & Partial<Expression>,
  operator: string,
): void {
  const outcome = operator === '!=' ? 'always true' : 'never true';
  if (membersOf(type).every((member) => member.kind === 'list')) {
    machine.report(
      'impossible-comparison',
      node,
      `After \`join\` this is a \`${formatType(type)}\`, one value per fork: comparing it with a string is ${outcome}.`,
    );
    return;
  }
  const values = literalValues(type);
  if (!values || values.includes(text)) {
    machine.recorder.fine(machine.unit, 'impossible-comparison', node);
    return;
  }
  const meant =
    closest(text, values) ?? values.find((value) => value.trim() === text.trim()) ?? null;
  const fixes = (meant === null ? values.slice(0, 5) : [meant]).map((value) => ({
    title: `Change to ${quote(value)}`,
    edits: [{ start: node.start, end: node.end, text: JSON.stringify(value) }],
  }));
  const choices = values.map((value) => JSON.stringify(value)).join(', ');
  machine.report(
    'impossible-comparison',
    node,
    `No choice equals ${JSON.stringify(text)}: this is ${outcome}. Here it is ${values.length === 1 ? '' : 'one of '}${choices}.`,
    fixes,
  );
}

function checkMembership(
  machine: Machine,
  left: Value,
  leftNode: Expression,
  right: Value,
  rightNode: Expression,
): void {
  if (left.kind !== 'gen' || right.kind !== 'list' || !right.items) return;
  const [first] = right.items;
  if (first && right.items.every(({ kind }) => kind === 'number'))
    checkNumber(machine, left, leftNode, first, 'compare');
  if (rightNode.kind !== 'List' && rightNode.kind !== 'Tuple' && rightNode.kind !== 'Set') return;
  right.items.forEach((item, i) => {
    const text = constantText(item);
    const node = rightNode.elements[i];
    if (text !== null && node) checkText(machine, left.type, text, node, '==');
  });
}

/** Numbers meet text: `state["age"] > 5`, `state["age"] + 1`. */
export function checkNumber(
  machine: Machine,
  value: Value,
  node: Expression,
  other: Value,
  what: 'compare' | 'calculate',
): void {
  if (value.kind !== 'gen') return;
  const isNumber =
    other.kind === 'number' ||
    other.kind === 'bool' ||
    (other.kind === 'instance' && ['int', 'float'].includes(other.type));
  if (!isNumber || !isText(value.type)) return;
  const verb = what === 'compare' ? 'compared with a number' : 'used in arithmetic';
  reportText(machine, node, verb, converterFor(value.type, other));
}

/** A number is needed: `range(state["n"])`, `-state["n"]`, `items[state["i"]]`. */
export function needNumber(machine: Machine, value: Value, node: Expression, what: string): void {
  if (value.kind !== 'gen' || !isText(value.type)) return;
  const { type } = value;
  const isFloat = type.kind === 'dtype' && type.dtype === 'float';
  reportText(machine, node, what, isFloat ? 'float' : 'int');
}

/** `sum(state["score"])` after `join`: a list of texts. */
export function needNumbers(machine: Machine, value: Value, node: Expression): void {
  if (value.kind !== 'gen') return;
  const isOfText = membersOf(value.type).every(
    (member) => member.kind === 'list' && isText(member.element),
  );
  if (isOfText) reportText(machine, node, 'a list of them, given to `sum`', 'int', 'map(int, ');
}

/** The value of what decides on its truth: `if`, `while`, `not`, `and`, `assert`. */
export function evaluateCondition(machine: Machine, node: Expression, env: Environment): Value {
  const value = machine.evaluate(node, env);
  checkCondition(machine, value, node);
  return value;
}

/** `if state["ok"]:` with `dtype=bool` or yes and no as choices: any text counts as true. */
function checkCondition(machine: Machine, value: Value, node: Expression): void {
  if (value.kind !== 'gen') return;
  const { type } = value;
  const values = literalValues(type) ?? [];
  const isOneOf = (words: ReadonlySet<string>) => (text: string) =>
    words.has(text.trim().toLowerCase());
  const yes = values.find(isOneOf(yesWords));
  if (yes === undefined || !values.every(isOneOf(new Set([...yesWords, ...noWords])))) return;
  const comparison = `== ${JSON.stringify(yes)}`;
  machine.report(
    'value-is-str',
    node,
    `Generated values are \`str\` at run time, and any text counts as true: compare it, as in \`${comparison}\`.`,
    [
      {
        title: `Compare with ${quote(yes)}`,
        edits: [{ start: node.end, end: node.end, text: ` ${comparison}` }],
      },
    ],
  );
}

const yesWords: ReadonlySet<string> = new Set(['true', 'yes', 'y']);
const noWords: ReadonlySet<string> = new Set(['false', 'no', 'n']);

function reportText(
  machine: Machine,
  node: Expression,
  what: string,
  converter: string | null,
  before = `${converter ?? ''}(`,
): void {
  const fixes = converter ? [surround(node, before, ')', `Wrap in ${before}...)`)] : [];
  machine.report(
    'value-is-str',
    node,
    `Generated values are \`str\` at run time, also with \`dtype\`: this one is ${what}.`,
    fixes,
  );
}

function isText(type: GenType): boolean {
  return membersOf(type).every((member) =>
    ['str', 'literal', 'dtype', 'regex', 'json'].includes(member.kind),
  );
}

function converterFor(type: GenType, other: Value): string | null {
  if (type.kind === 'dtype' && (type.dtype === 'int' || type.dtype === 'float')) return type.dtype;
  if (other.kind === 'number') return Number.isInteger(other.value) ? 'int' : 'float';
  return other.kind === 'instance' ? other.type : null;
}
