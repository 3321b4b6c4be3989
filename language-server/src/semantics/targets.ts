/** Assignment: names, unpacking, `s["x"] = value`, attributes. */
import type { Expression } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import { elementOf } from './iteration.ts';
import type { Machine } from './machine.ts';
import { stateIdsOf } from './reads.ts';
import { assignVariable } from './state-methods.ts';
import { unknown, type Value } from './value.ts';

export function assignTarget(
  machine: Machine,
  env: Environment,
  target: Expression,
  value: Value,
): void {
  if (target.kind === 'Name') {
    env.assign(target.id, value);
    machine.recorder.binding(machine.unit, target, value);
    return;
  }
  if (target.kind === 'Tuple' || target.kind === 'List') {
    target.elements.forEach((element, i) => {
      const inner = element.kind === 'Starred' ? element.value : element;
      const item = value.kind === 'list' && value.items ? value.items[i] : undefined;
      assignTarget(
        machine,
        env,
        inner,
        element.kind === 'Starred' ? unknown : (item ?? elementOf(value, env)),
      );
    });
    return;
  }
  if (target.kind === 'Subscript') {
    assignSubscript(machine, env, target, value);
    return;
  }
  if (target.kind === 'Attribute') {
    const object = machine.evaluate(target.object, env);
    if (object.kind === 'object') object.members.set(target.attribute.id, value);
    return;
  }
  machine.evaluate(target, env);
}

function assignSubscript(
  machine: Machine,
  env: Environment,
  target: Extract<Expression, { kind: 'Subscript' }>,
  value: Value,
): void {
  const object = machine.evaluate(target.object, env);
  const key = machine.evaluate(target.index, env);
  for (const id of stateIdsOf(object)) {
    assignVariable(machine, env, id, key, null, {
      value,
      node: {
        kind: 'gen',
        site: {
          unit: machine.unit,
          call: target,
          nameNode: target.index,
          kind: 'assign',
          program: null,
        },
        names: [],
        type: { kind: 'unknown' },
        unknownName: false,
      },
    });
  }
  if (object.kind === 'dict' && target.object.kind === 'Name')
    env.assign(target.object.id, { kind: 'dict', entries: null });
  if (object.kind === 'list' && target.object.kind === 'Name') {
    env.assign(target.object.id, { kind: 'list', items: null, element: unknown });
  }
}
