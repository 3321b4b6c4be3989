/** `if`: both branches, and which of them runs with what is known. */
import type { Block, If } from '../syntax/ast.ts';
import { evaluateCondition } from './comparisons.ts';
import { continueWith, type Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import { narrow } from './narrowing.ts';
import { truthOf } from './value.ts';

export function executeIf(machine: Machine, node: If, env: Environment): boolean {
  const truth = truthOf(evaluateCondition(machine, node.test, env));
  const other = env.fork();
  const body = env.fork();
  narrow(machine, body, node.test, true);
  narrow(machine, other, node.test, false);
  const bodyEnds = executeBranch(machine, node.body, body, truth !== false);
  const otherEnds = executeBranch(machine, node.orElse, other, truth !== true);
  const paths = [bodyEnds ? body : null, otherEnds ? other : null];
  const taken = truth === null ? paths : [paths[truth ? 0 : 1] ?? null];
  if (continueWith(env, taken)) return true;
  // What stands behind `if DEBUG: return` is still code that somebody edits.
  continueWith(env, paths);
  return false;
}

/** A branch that is not taken with the values known here is read for its facts only. */
function executeBranch(
  machine: Machine,
  block: Block,
  env: Environment,
  isTaken: boolean,
): boolean {
  if (isTaken) return machine.execute(block, env);
  return readOnly(machine, block, env);
}

/** Follows code that does not run: its facts are kept, what it returns or breaks is not. */
export function readOnly(machine: Machine, block: Block, env: Environment): boolean {
  const { frame } = machine;
  const loop = frame.loops.at(-1);
  const before = [frame.returns.length, loop?.breaks.length ?? 0, loop?.continues.length ?? 0];
  machine.recorder.dead++;
  const ends = machine.execute(block, env);
  machine.recorder.dead--;
  frame.returns.length = before[0] ?? 0;
  if (loop) {
    loop.breaks.length = before[1] ?? 0;
    loop.continues.length = before[2] ?? 0;
  }
  return ends;
}
