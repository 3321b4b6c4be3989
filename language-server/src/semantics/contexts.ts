/** `with`: roles, scopes and copies of states. */
import type { Expression, With } from '../syntax/ast.ts';
import { lastName } from '../syntax/walk.ts';
import { appendEvents } from './append.ts';
import type { Environment } from './environment.ts';
import { namesKeyError } from './exceptions.ts';
import type { Machine } from './machine.ts';
import { openStates } from './reads.ts';
import { joinForks } from './state-methods.ts';
import { assignTarget } from './targets.ts';
import { unknown, type ContextExit } from './value.ts';

export function executeWith(machine: Machine, node: With, env: Environment): boolean {
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
  const catches = node.items.some(({ context }) => suppressesKeyError(context)) ? 1 : 0;
  machine.recorder.catching += catches;
  const ends = machine.execute(node.body, env);
  machine.recorder.catching -= catches;
  if (ends) for (const exit of exits.reverse()) leaveContext(machine, exit, env);
  return ends;
}

/** `with suppress(KeyError):` */
function suppressesKeyError(context: Expression): boolean {
  if (context.kind !== 'Call') return false;
  const { callee, args } = context;
  return lastName(callee) === 'suppress' && args.some(({ value }) => namesKeyError(value));
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
