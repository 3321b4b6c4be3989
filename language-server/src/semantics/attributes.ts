/** `object.name`. */
import type { Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import { apiConstants, apiNames, programMethods, stateMethods } from './sglang-api.ts';
import type { JsonSchema } from './json-schema.ts';
import { instance, listOf, text, unknown, type ObjectValue, type Value } from './value.ts';

export function attributeOf(
  machine: Machine,
  object: Value,
  name: string,
  env: Environment,
): Value {
  if (object.kind === 'module') {
    return moduleMember(machine, object.path, name);
  }
  if (object.kind === 'state') {
    if (stateMethods.has(name) || name === 'result') return { kind: 'method', object, name };
    if (name !== 'ret_value' && name !== 'stream_executor') return unknown;
    // Whoever reaches into the executor may use any variable.
    markConsumed(machine, env, object.id);
    return unknown;
  }
  if (object.kind === 'forks') {
    if (name === 'states') return listOf({ kind: 'state', id: object.child });
    return name === 'src_state'
      ? { kind: 'state', id: object.parent }
      : { kind: 'method', object, name };
  }
  if (object.kind === 'program') {
    return programMethods.has(name) ? { kind: 'method', object, name } : unknown;
  }
  if (object.kind === 'object') {
    return memberOf(machine, object, name);
  }
  // Members of enumerations are known by their values.
  if (object.kind === 'text' && name === 'value') return object;
  if (
    object.kind === 'text' ||
    object.kind === 'gen' ||
    object.kind === 'list' ||
    object.kind === 'dict' ||
    object.kind === 'json' ||
    object.kind === 'instance'
  ) {
    return { kind: 'method', object, name };
  }
  if (object.kind === 'union') {
    const members = object.members.filter((member) => member.kind !== 'none');
    if (
      members.length > 0 &&
      members.every(({ kind }) => kind === 'state' || kind === 'program' || kind === 'forks')
    ) {
      return { kind: 'method', object, name };
    }
    return unknown;
  }
  return unknown;
}

function markConsumed(machine: Machine, env: Environment, id: number): void {
  const program = env.state(id)?.program;
  if (program !== null && program !== undefined) machine.recorder.consume(program);
}

/** Members of the `sglang` package and of modules of the workspace. */
export function moduleMember(machine: Machine, path: string, name: string): Value {
  if (path === 'sglang' || path.startsWith('sglang.')) {
    const constant = apiConstants.get(name);
    if (constant !== undefined) return text(constant);
    if (apiNames.has(name)) return { kind: 'api', name };
    if (
      ['lang', 'utils', 'api', 'test', 'srt', 'ir', 'backend', 'interpreter', 'choices'].includes(
        name,
      )
    ) {
      return { kind: 'module', path: `${path}.${name}` };
    }
    return knownUtilities.has(name) ? { kind: 'builtin', name } : unknown;
  }
  if (path === 'json' || path === 'functools') return { kind: 'builtin', name: `${path}.${name}` };
  return machine.importedModule(path, 0)?.get(name) ?? unknown;
}

const knownUtilities: ReadonlySet<string> = new Set([
  'print_highlight',
  'execute_shell_command',
  'launch_server_cmd',
  'wait_for_server',
  'terminate_process',
]);

/** Methods of pydantic models that return their schema. */
const schemaMethods: ReadonlySet<string> = new Set(['model_json_schema', 'schema', 'schema_json']);

export function memberOf(machine: Machine, object: ObjectValue, name: string): Value {
  const member = findMember(machine, object, name);
  if (!member) {
    const isOfModel = schemaOf(object) !== undefined && schemaMethods.has(name);
    return isOfModel ? { kind: 'method', object, name } : unknown;
  }
  if (!object.isInstance) return member;
  // Of an instance's plain values only what they started with is known.
  if (member.kind === 'none' || member.kind === 'bool') return unknown;
  if (member.kind === 'number') return instance(Number.isInteger(member.value) ? 'int' : 'float');
  return member.kind === 'function' && member.ref.isMethod && object.base
    ? { ...member, ref: { ...member.ref, self: object } }
    : member;
}

export function findMember(
  machine: Machine,
  { members, base }: ObjectValue,
  name: string,
): Value | undefined {
  return machine.member(members, name) ?? (base ? findMember(machine, base, name) : undefined);
}

function schemaOf({ schema, base }: ObjectValue): JsonSchema | undefined {
  return schema ?? (base ? schemaOf(base) : undefined);
}
