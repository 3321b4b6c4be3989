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
  type ObjectValue,
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
    if (object.kind === 'object') assignMember(machine, env, object, target.attribute.id, value);
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

/**
 * Members are seen at all times, those of classes by all instances: only what never changes is known of
 * them. `None` stands for what comes later; all states of one program are alike.
 */
export function assignMember(
  machine: Machine,
  env: Environment,
  object: ObjectValue,
  name: string,
  value: Value,
): void {
  const known = machine.member(object.members, name);
  const joined = known ? joinValues(known, value) : value;
  const isAlike =
    known === undefined ||
    joined === known ||
    known.kind === 'none' ||
    value.kind === 'none' ||
    isOfOneProgram(env, [...stateIdsOf(known), ...stateIdsOf(value)], known, value);
  const kept = joined === known && known.kind !== 'unknown' ? value : joined;
  machine.setMember(object.members, name, isAlike ? kept : unknown);
}

function isOfOneProgram(env: Environment, ids: readonly number[], ...values: readonly Value[]) {
  const programs = new Set(ids.map((id) => env.state(id)?.program));
  return programs.size === 1 && values.every((value) => stateIdsOf(value).length > 0);
}

export function deleteTarget(machine: Machine, env: Environment, target: Expression): void {
  if (target.kind === 'Name') return;
  machine.evaluate(target, env);
  if (target.kind === 'Subscript') forgetItems(machine, env, target.object);
}

/** Which items a list or dict with a name has is no longer known. */
export function forgetItems(machine: Machine, env: Environment, owner: Expression): void {
  if (owner.kind !== 'Name') return;
  const { kind } = machine.evaluate(owner, env);
  const any: Value | null = kind === 'dict' ? anyDict : kind === 'list' ? anyList : null;
  if (any) machine.change(env, owner.id, any, any);
}

const anyDict: Value = { kind: 'dict', entries: null };
const anyList: Value = { kind: 'list', items: null, element: unknown };

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
  if (object.kind === 'dict')
    machine.change(env, id, withEntry(object, constantText(key), value), anyDict);
  if (object.kind === 'list') machine.change(env, id, anyList, anyList);
}
