/** Assignment: names, unpacking, `s["x"] = value`, attributes. */
import type { Expression } from '../syntax/ast.ts';
import type { Environment } from './environment.ts';
import { elementOf } from './iteration.ts';
import type { Machine } from './machine.ts';
import { stateIdsOf } from './reads.ts';
import { assignVariable } from './state-methods.ts';
import { constantText, joinValues, unknown, type Value } from './value.ts';

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
    if (object.kind === 'object') assignMember(object.members, target.attribute.id, value);
    return;
  }
  machine.evaluate(target, env);
}

function withEntry(dict: Extract<Value, { kind: 'dict' }>, key: Value, value: Value): Value {
  const name = constantText(key);
  if (name === null || !dict.entries) return { kind: 'dict', entries: null };
  return { kind: 'dict', entries: new Map(dict.entries).set(name, value) };
}

/** Members are seen by all instances and at all times: only what never changes is known of them. */
function assignMember(members: Map<string, Value>, name: string, value: Value): void {
  const known = members.get(name);
  const isSame = known === undefined || joinValues(known, value) === known;
  members.set(name, isSame ? value : unknown);
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
  if (object.kind === 'dict') env.change(id, withEntry(object, key, value), anyDict);
  if (object.kind === 'list') env.change(id, anyList, anyList);
}
