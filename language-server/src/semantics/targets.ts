/** Assignment: names, unpacking, `s["x"] = value`, attributes. */
import type { Expression } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import { elementOf } from './iteration.ts';
import type { Machine } from './machine.ts';
import { stateIdsOf } from './reads.ts';
import { assignVariable } from './state-methods.ts';
import {
  constantText,
  joinValues,
  listOf,
  tuple,
  unknown,
  withEntry,
  type Members,
  type Value,
} from './value.ts';

export function assignTarget(
  machine: Machine,
  env: Environment,
  target: Expression,
  value: Value,
): void {
  if (target.kind === 'Name') {
    const isShared = machine.sharedNames.has(target.id) && !machine.frame.declared.has(target.id);
    const kept = isShared ? unknown : value;
    env.assign(target.id, kept);
    machine.recorder.binding(machine.unit, target, kept);
    if (machine.frame.owner === null) machine.noteGlobal(target.id, kept);
    return;
  }
  if (target.kind === 'Tuple' || target.kind === 'List') {
    assignParts(machine, env, target.elements, value);
    return;
  }
  if (target.kind === 'Subscript') {
    assignSubscript(machine, env, target, value);
    return;
  }
  if (target.kind === 'Attribute') {
    const object = machine.evaluate(target.object, env);
    if (object.kind === 'object') assignMember(machine, object.members, target.attribute.id, value);
    return;
  }
  machine.evaluate(target, env);
}

/** `first, *others, last = values` */
function assignParts(
  machine: Machine,
  env: Environment,
  targets: readonly Expression[],
  value: Value,
): void {
  const items = value.kind === 'list' ? value.items : null;
  const star = targets.findIndex(({ kind }) => kind === 'Starred');
  // Behind the star places count from the end.
  const shift = star === -1 ? 0 : (items?.length ?? 0) - targets.length;
  targets.forEach((target, i) => {
    if (target.kind === 'Starred') {
      const element = elementOf(value, env);
      const rest = items ? tuple(items.slice(i, i + shift + 1)) : listOf(element);
      assignTarget(machine, env, target.value, rest);
      return;
    }
    const place = star !== -1 && i > star ? i + shift : i;
    assignTarget(machine, env, target, items?.[place] ?? elementOf(value, env));
  });
}

/** Members are seen by all instances and at all times: only what never changes is known of them. */
function assignMember(machine: Machine, members: Members, name: string, value: Value): void {
  const known = machine.member(members, name);
  const isSame = known === undefined || joinValues(known, value) === known;
  machine.setMember(members, name, isSame ? value : unknown);
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
  if (target.object.kind !== 'Name') return;
  const { id } = target.object;
  const anyDict: Value = { kind: 'dict', entries: null };
  const anyList: Value = { kind: 'list', items: null, element: unknown };
  if (object.kind === 'dict')
    machine.change(env, id, withEntry(object, constantText(key), value), anyDict);
  if (object.kind === 'list') machine.change(env, id, anyList, anyList);
}
