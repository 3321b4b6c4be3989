/** What a condition tells about the path behind it. */
import type { BoolOp, Compare, Expression } from '../syntax/ast.ts';
import { allows, anythingBut } from './path-fact.ts';
import { freshVersion, type Environment } from './environment.ts';
import { literalValues, unknownType } from './gen-type.ts';
import type { Machine } from './machine.ts';
import { withVariable } from './program-state.ts';
import { refine, stateIdsOf, variableKey } from './reads.ts';
import { constantText, truthOf, type Value } from './value.ts';

export function narrow(machine: Machine, env: Environment, test: Expression, holds: boolean): void {
  if (test.kind === 'Unary' && test.operator === 'not') {
    narrow(machine, env, test.operand, !holds);
    return;
  }
  if (test.kind === 'BoolOp' && (test.operator === 'and') === holds) {
    narrow(machine, env, test.left, holds);
    narrow(machine, env, test.right, holds);
    return;
  }
  if (test.kind === 'BoolOp' && narrowOneSide(machine, env, test, holds)) return;
  if (test.kind === 'Compare' && narrowVariable(machine, env, test, holds)) return;
  if (test.kind === 'Compare' && narrowName(machine, env, test, holds)) return;
  const key = conditionKey(env, machine.unit.text, test);
  if (key !== null) env.pathFacts.set(key, new Set([String(holds)]));
}

/** `a and b` is false: where one of them is known to be true, the other is false. */
function narrowOneSide(machine: Machine, env: Environment, test: BoolOp, holds: boolean): boolean {
  machine.recorder.quiet++;
  const [left, right] = [test.left, test.right].map((side) => truthOf(machine.evaluate(side, env)));
  machine.recorder.quiet--;
  if (left === !holds) narrow(machine, env, test.right, holds);
  else if (right === !holds) narrow(machine, env, test.left, holds);
  else return false;
  return true;
}

/** `state["x"] == "a"`, `!=`, `in [...]`, for variables with known choices. */
function narrowVariable(
  machine: Machine,
  env: Environment,
  test: Compare,
  holds: boolean,
): boolean {
  const [left, right] = test.operands;
  const [operator = ''] = test.operators;
  if (!left || !right || test.operands.length !== 2) return false;
  machine.recorder.quiet++;
  const value = machine.evaluate(left, env);
  const other = machine.evaluate(right, env);
  machine.recorder.quiet--;
  const positive = (operator === '==' || operator === 'in') === holds;
  const ids = operator === 'in' || operator === 'not in' ? stateIdsOf(other) : [];
  if (ids.length > 0) {
    if (positive) markPresent(env, ids, constantText(value));
    return true;
  }
  const texts = ['==', '!='].includes(operator) ? textsOf(other) : listTexts(other, operator);
  if (!texts) return false;
  return keepValues(env, value, new Set(texts), positive);
}

/** `"x" in state`: on this path it can be read. */
function markPresent(env: Environment, ids: readonly number[], name: string | null): void {
  for (const id of ids) {
    const state = env.state(id);
    if (!state || name === null) continue;
    const known = state.variables.get(name);
    const base = known ?? {
      type: unknownType,
      sites: [],
      version: freshVersion(),
      wasRead: false,
      fork: null,
    };
    env.setState(id, withVariable(state, name, { ...base, presence: 'set', guard: null }));
  }
}

/** Keeps (or drops) these values of a variable on this path. */
export function keepValues(
  env: Environment,
  value: Value,
  texts: ReadonlySet<string>,
  keep: boolean,
): boolean {
  const refined = refine(env, value);
  if (refined.kind !== 'gen' || !refined.origin) return false;
  const values = literalValues(refined.type);
  if (!values) return false;
  const left = values.filter((candidate) => texts.has(candidate) === keep);
  if (left.length > 0)
    env.pathFacts.set(variableKey(refined.origin.name, refined.origin.version), new Set(left));
  return true;
}

/** `mode == "a"`, `mode in ("a", "b")` for a plain name: which texts it can be on this path. */
function narrowName(machine: Machine, env: Environment, test: Compare, holds: boolean): boolean {
  const [left, right] = test.operands;
  const [operator = ''] = test.operators;
  if (left?.kind !== 'Name' || !right || test.operands.length !== 2) return false;
  machine.recorder.quiet++;
  const other = machine.evaluate(right, env);
  machine.recorder.quiet--;
  const texts = ['==', '!='].includes(operator) ? textsOf(other) : listTexts(other, operator);
  if (!texts || texts.length === 0) return false;
  const key = `${left.id}@${env.versionOf(left.id)}`;
  const known = env.pathFacts.get(key);
  if ((operator === '==' || operator === 'in') === holds) {
    const possible = known
      ? texts.filter((text) => [...known].some((fact) => allows(fact, text)))
      : texts;
    if (possible.length > 0) env.pathFacts.set(key, new Set(possible));
    return true;
  }
  const rest = [...(known ?? [])].filter((fact) => !texts.includes(fact));
  if (known && rest.length > 0) env.pathFacts.set(key, new Set(rest));
  else if (!known && texts.length === 1)
    env.pathFacts.set(key, new Set([anythingBut(texts[0] ?? '')]));
  else if (!known) return false;
  return true;
}

function textsOf(value: Value): readonly string[] | null {
  const known = constantText(value);
  return known === null ? null : [known];
}

function listTexts(value: Value, operator: string): readonly string[] | null {
  if ((operator !== 'in' && operator !== 'not in') || value.kind !== 'list' || !value.items)
    return null;
  const texts = value.items.map(constantText);
  return texts.every((item) => item !== null) ? texts : null;
}

/** The text of a condition with the versions of its names, if it has the same outcome every time. */
function conditionKey(env: Environment, text: string, test: Expression): string | null {
  const names: string[] = [];
  if (!isStable(test, names)) return null;
  const versions = [...new Set(names)].map((name) => `${name}@${env.versionOf(name)}`);
  return `${text.slice(test.start, test.end).replaceAll(/\s+/g, ' ')} ${versions.join(' ')}`;
}

function isStable(node: Expression, names: string[]): boolean {
  if (node.kind === 'Name') {
    names.push(node.id);
    return true;
  }
  if (node.kind === 'Constant' || node.kind === 'Str') {
    return node.kind === 'Constant' || node.value !== null;
  }
  if (node.kind === 'Attribute') {
    return isStable(node.object, names);
  }
  if (node.kind === 'Subscript') {
    return isStable(node.object, names) && isStable(node.index, names);
  }
  if (node.kind === 'Unary') {
    return isStable(node.operand, names);
  }
  if (node.kind === 'BoolOp' || node.kind === 'Binary') {
    return isStable(node.left, names) && isStable(node.right, names);
  }
  if (node.kind === 'Compare') {
    return node.operands.every((operand) => isStable(operand, names));
  }
  if (node.kind === 'Call') {
    return (
      node.callee.kind === 'Name' &&
      ['len', 'isinstance', 'bool', 'hasattr'].includes(node.callee.id) &&
      node.args.every((argument) => isStable(argument.value, names))
    );
  }
  return false;
}
