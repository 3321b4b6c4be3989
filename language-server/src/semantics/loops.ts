/** `for` and `while`. */
import type { Block, Expression, For, While } from '../syntax/ast.ts';
import { evaluateCondition } from './comparisons.ts';
import { continueWith, joinEnvironments, type Environment } from './environment.ts';
import { elementOf, unrolledItems } from './iteration.ts';
import type { LoopFrame, Machine } from './machine.ts';
import { narrow } from './narrowing.ts';
import { assignTarget } from './targets.ts';
import { truthOf, type Value } from './value.ts';

/** One turn of a loop body; the path that goes on to the next turn. */
function turn(
  machine: Machine,
  body: Block,
  env: Environment,
  loop: LoopFrame,
): Environment | null {
  machine.frame.loops.push(loop);
  const ends = machine.execute(body, env);
  machine.frame.loops.pop();
  const continues = loop.continues.splice(0);
  return [ends ? env : null, ...continues].reduce(joinEnvironments, null);
}

const maximumUnrolling = 1;

/** Loops nested deeper are followed once: two turns each would double the work at every level. */
const maximumPreciseNesting = 4;

export function executeFor(machine: Machine, node: For, env: Environment): boolean {
  const iterable = machine.evaluate(node.iterable, env);
  const items = machine.frame.unrolling < maximumUnrolling ? unrolledItems(iterable) : null;
  const loop: LoopFrame = { breaks: [], continues: [] };
  const end =
    items && items.length > 0
      ? forEachItem(machine, node, items, env, loop)
      : forAny(machine, node, iterable, env, loop);
  const normal = end && machine.execute(node.orElse, end) ? end : null;
  return continueWith(env, [normal, ...loop.breaks]);
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
  const firstItem = iterable.kind === 'list' ? iterable.first : undefined;
  assignTarget(machine, first, node.target, firstItem ?? element);
  const afterFirst = turn(machine, node.body, first, loop);
  // A loop that always breaks in its first turn has no other way out.
  if (!afterFirst) return loop.breaks.length > 0 ? null : env.fork();
  if (machine.frame.loops.length >= maximumPreciseNesting) return afterFirst;
  const second = nextTurn(env, afterFirst);
  // Each turn has its own fork: what the first turn did to one is not seen by the next.
  for (const id of statesIn(element)) {
    const before = env.state(id);
    if (before) second.setState(id, before);
  }
  assignTarget(machine, second, node.target, element);
  return joinEnvironments(turn(machine, node.body, second, loop), afterFirst);
}

/** Further turns find what the first one did to the states; names may hold anything since then. */
function nextTurn(before: Environment, afterFirst: Environment): Environment {
  const next = joinEnvironments(before.fork(), afterFirst.fork()) ?? afterFirst.fork();
  next.states = afterFirst.states.fork();
  return next;
}

function statesIn(value: Value): readonly number[] {
  if (value.kind === 'state') return [value.id];
  return value.kind === 'list' ? (value.items ?? [value.element]).flatMap(statesIn) : [];
}

export function executeWhile(machine: Machine, node: While, env: Environment): boolean {
  const loop: LoopFrame = { breaks: [], continues: [] };
  const isForever =
    node.test.kind === 'Constant' && (node.test.raw === 'True' || node.test.raw === '1');
  const runs =
    truthOf(evaluateCondition(machine, node.test, env)) ??
    startsBelowLimit(machine, node.test, env);
  const first = env.fork();
  narrow(machine, first, node.test, true);
  const afterFirst = turn(machine, node.body, first, loop);
  let last: Environment | null = afterFirst;
  const isDeep = machine.frame.loops.length >= maximumPreciseNesting;
  const second = afterFirst && !isDeep ? nextTurn(env, afterFirst) : null;
  if (second) {
    machine.evaluate(node.test, second);
    narrow(machine, second, node.test, true);
    last = joinEnvironments(turn(machine, node.body, second, loop), afterFirst);
  }
  const exits: (Environment | null)[] = [...loop.breaks];
  if (!isForever) {
    const never = env.fork();
    narrow(machine, never, node.test, false);
    const after = runs && last ? last : joinEnvironments(never, last);
    if (machine.execute(node.orElse, after ?? never) && after) exits.push(after);
  }
  return continueWith(env, exits);
}

/** A counter with a known start and an unknown limit: as for `for`, one turn is taken for granted. */
function startsBelowLimit(machine: Machine, test: Expression, env: Environment): boolean {
  if (test.kind === 'BoolOp' && test.operator === 'and')
    return [test.left, test.right].every((part) => {
      machine.recorder.quiet++;
      const truth = truthOf(machine.evaluate(part, env));
      machine.recorder.quiet--;
      return truth ?? startsBelowLimit(machine, part, env);
    });
  if (test.kind !== 'Compare' || test.operands.length !== 2) return false;
  const isUpwards = ['<', '<='].includes(test.operators[0] ?? '');
  const isDownwards = ['>', '>='].includes(test.operators[0] ?? '');
  if (!isUpwards && !isDownwards) return false;
  const [left, right] = isUpwards ? test.operands : test.operands.toReversed();
  if (left?.kind !== 'Name' || right?.kind === 'Constant') return false;
  return env.lookup(left.id)?.kind === 'number';
}
