/** `try`: what has happened when a handler runs. */
import type { ExceptHandler, Expression, Statement, Try } from '../syntax/ast.ts';
import { lastName, walkExpression } from '../syntax/walk.ts';
import { continueWith, joinEnvironments, type Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import { unknown } from './value.ts';

export function executeTry(machine: Machine, node: Try, env: Environment): boolean {
  let interrupted: Environment | null = env.fork();
  const body = env.fork();
  const catches = node.handlers.some(catchesKeyError) ? 1 : 0;
  machine.recorder.catching += catches;
  let alive = true;
  let isFirst = true;
  for (const statement of node.body) {
    if (!alive) break;
    const before = interrupted;
    alive = machine.execute([statement], body);
    // What cannot fail has happened whenever a handler runs behind it.
    if (isFirst && isHarmless(statement)) interrupted = body.fork();
    else interrupted = joinEnvironments(before, body.fork());
    isFirst &&= isHarmless(statement);
  }
  machine.recorder.catching -= catches;
  if (alive) alive = machine.execute(node.orElse, body);
  const paths: (Environment | null)[] = [alive ? body : null];
  for (const handler of node.handlers) {
    const path = (interrupted ?? env).fork();
    if (handler.type) machine.evaluate(handler.type, path);
    if (handler.name) path.assign(handler.name.id, unknown);
    paths.push(machine.execute(handler.body, path) ? path : null);
  }
  const ends = continueWith(env, paths);
  if (!ends && interrupted) env.become(interrupted);
  return machine.execute(node.finallyBody, env) && ends;
}

/** Appending text and expressions never fails: what goes wrong is raised where values are read. */
function isHarmless(node: Statement): boolean {
  if (node.kind === 'Pass') return true;
  if (node.kind !== 'AugmentedAssign' && node.kind !== 'Expression') return false;
  let isSafe = true;
  walkExpression(node.value, {
    expression: (part) => {
      if (part.kind === 'Name' || part.kind === 'Constant' || part.kind === 'Str') return;
      if (part.kind === 'Binary' || part.kind === 'Tuple' || part.kind === 'List') return;
      if (part.kind === 'Attribute') return;
      const name = part.kind === 'Call' ? lastName(part.callee) : '';
      isSafe &&= harmlessCalls.has(name);
    },
  });
  return isSafe && (node.kind === 'Expression' || node.operator === '+');
}

const harmlessCalls: ReadonlySet<string> = new Set([
  'gen',
  'gen_int',
  'gen_string',
  'select',
  'system',
  'user',
  'assistant',
  ...['system', 'user', 'assistant'].flatMap((role) => [`${role}_begin`, `${role}_end`]),
]);

function catchesKeyError({ type }: ExceptHandler): boolean {
  if (!type) return true;
  return (type.kind === 'Tuple' ? type.elements : [type]).some(namesKeyError);
}

/** `KeyError` or what it derives from. */
export function namesKeyError(type: Expression): boolean {
  return (
    type.kind === 'Name' &&
    ['KeyError', 'LookupError', 'Exception', 'BaseException'].includes(type.id)
  );
}
