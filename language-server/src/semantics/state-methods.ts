/** Methods of `ProgramState` and of fork groups. */
import { roleBlock, eventsOf } from './api-calls.ts';
import { appendEvents, setVariable } from './append.ts';
import { freshVersion, type Environment } from './environment.ts';
import { strType, unknownType } from './gen-type.ts';
import type { CallArguments, Machine } from './machine.ts';
import { metaInfo } from './meta-info.ts';
import { gather, type ProgramStateInfo } from './program-state.ts';
import { openStates, readVariable } from './reads.ts';
import { joinModes } from './sglang-api.ts';
import {
  constantText,
  instance,
  listOf,
  none,
  unknown,
  type SglEvent,
  type Value,
} from './value.ts';

const wholeTextMethods: ReadonlySet<string> = new Set([
  'text',
  'messages',
  'text_iter',
  'text_async_iter',
]);

export function callStateMethod(
  machine: Machine,
  env: Environment,
  stateId: number,
  method: string,
  args: CallArguments,
): Value {
  const first = args.positional[0];
  const key = first ?? args.keywords.get('name') ?? args.keywords.get('var_name');
  if (wholeTextMethods.has(method) && !key) consume(machine, env.state(stateId));
  switch (method) {
    case 'system':
    case 'user':
    case 'assistant':
      return roleMethod(machine, stateId, method, args);
    case 'get_var':
      return key ? readVariable(machine, env, [stateId], key.value, key.node) : unknown;
    case 'set_var':
      if (key) assignVariable(machine, env, stateId, key.value, args);
      return none;
    case 'get_meta_info':
      if (key) readVariable(machine, env, [stateId], key.value, key.node);
      return { kind: 'json', schema: metaInfo };
    case 'text_iter':
    case 'text_async_iter':
      if (key) readVariable(machine, env, [stateId], key.value, key.node);
      return listOf(instance('str'));
    case 'fork':
      return { kind: 'forks', parent: stateId, child: forkState(machine, env, stateId, args) };
    case 'copy': {
      const child = forkState(machine, env, stateId, args);
      return {
        kind: 'context',
        enter: { kind: 'state', id: child },
        exit: { kind: 'join', parent: stateId, child },
      };
    }
    case 'var_scope':
      return varScope(machine, stateId, args);
    case 'text':
      return instance('str');
    case 'messages':
      return listOf({
        kind: 'dict',
        entries: new Map<string, Value>([
          ['role', instance('str')],
          ['content', instance('str')],
        ]),
      });
    case 'error':
      return unknown;
    case 'sync':
      return none;
    default:
      return unknown;
  }
}

function consume(machine: Machine, state: ProgramStateInfo | undefined): void {
  if (state && state.program !== null) machine.recorder.consume(state.program);
}

/** `s.user(x)` appends at once and returns the expression; without `x` it is a context manager. */
function roleMethod(machine: Machine, stateId: number, role: string, args: CallArguments): Value {
  const { unit } = machine;
  const content = args.positional[0] ?? args.keywords.get('expr');
  if (content)
    return { kind: 'method', object: roleBlock(machine, role, content, args), name: 'appended' };
  return {
    kind: 'context',
    enter: { kind: 'state', id: stateId },
    exit: { kind: 'role', state: stateId, role, unit, node: args.node },
  };
}

function varScope(machine: Machine, stateId: number, args: CallArguments): Value {
  const name = args.positional[0] ?? args.keywords.get('name');
  const parts = name?.value.kind === 'text' ? name.value.parts : [null];
  const event: SglEvent & { kind: 'gen' } = {
    kind: 'gen',
    site: {
      unit: machine.unit,
      call: args.node,
      nameNode: name?.node ?? null,
      kind: 'var_scope',
      program: machine.frame.program,
    },
    names: [parts],
    type: strType,
    unknownName: false,
  };
  return {
    kind: 'context',
    enter: { kind: 'state', id: stateId },
    exit: { kind: 'var_scope', state: stateId, event },
  };
}

export function assignVariable(
  machine: Machine,
  env: Environment,
  stateId: number,
  key: Value,
  args: CallArguments | null,
  stored?: { readonly value: Value; readonly node: SglEvent & { kind: 'gen' } },
): void {
  const state = env.state(stateId);
  const name = constantText(key);
  if (!state) return;
  const value = stored?.value ?? args?.positional[1]?.value ?? unknown;
  if (name === null || (!stored && !args)) {
    env.setState(stateId, { ...state, open: true });
    return;
  }
  const type =
    value.kind === 'gen'
      ? value.type
      : value.kind === 'instance'
        ? ({ kind: 'python', name: value.type } as const)
        : unknownType;
  const node = stored?.node.site.call ?? args?.node;
  if (!node) return;
  const event: SglEvent & { kind: 'gen' } = {
    kind: 'gen',
    site: {
      unit: machine.unit,
      call: node,
      nameNode: stored?.node.site.nameNode ?? null,
      kind: 'assign',
      program: state.program,
    },
    names: [[name]],
    type,
    unknownName: false,
  };
  machine.recorder.gen({ site: event.site, names: event.names, type, role: state.role });
  env.setState(stateId, setVariable(machine, state, name, event));
}

function forkState(
  machine: Machine,
  env: Environment,
  stateId: number,
  args: CallArguments,
): number {
  const child = machine.stateIdFor(args.node);
  const parent = env.state(stateId);
  if (parent)
    env.setState(child, { ...parent, forkedFrom: new Set(parent.variables.keys()), joined: false });
  return child;
}

/* ------------------------------------------------------------------ groups of forks */

type Forks = Extract<Value, { kind: 'forks' }>;

export function callForksMethod(
  machine: Machine,
  env: Environment,
  forks: Forks,
  method: string,
  args: CallArguments,
): Value {
  if (method !== 'join') return unknown;
  const mode = args.positional[0] ?? args.keywords.get('mode');
  const name = constantText(mode?.value ?? unknown);
  if (mode && name !== null && !joinModes.includes(name)) {
    machine.report(
      'invalid-join-mode',
      mode.node,
      'The mode is "gather_variable" or "concate_and_append".',
      joinModes.map((known) => ({
        title: `Change to "${known}"`,
        edits: [{ start: mode.node.start, end: mode.node.end, text: `"${known}"` }],
      })),
    );
  }
  joinForks(env, forks.parent, forks.child, name !== 'concate_and_append');
  return none;
}

export function joinForks(
  env: Environment,
  parentId: number,
  childId: number,
  gathers: boolean,
): void {
  const parent = env.state(parentId);
  const child = env.state(childId);
  if (!parent || !child) return;
  if (gathers) env.setState(parentId, gather(parent, child, freshVersion));
  env.setState(childId, { ...child, joined: true });
}

/** Of several groups the ones inside others first, as programs join them: what is gathered is gathered again. */
export function innermostFirst(values: readonly Value[]): readonly Value[] {
  const groups = values.filter((value) => value.kind === 'forks');
  const depth = ({ parent }: Forks, seen: ReadonlySet<number> = new Set()): number => {
    const outer = groups.find(({ child }) => child === parent && !seen.has(child));
    return outer ? 1 + depth(outer, new Set([...seen, parent])) : 0;
  };
  const depthOf = (value: Value) => (value.kind === 'forks' ? depth(value) : 0);
  return values.toSorted((a, b) => depthOf(b) - depthOf(a));
}

/** `forks += x`: an expression for all, a function of the index, or one element each. */
export function appendToForks(
  machine: Machine,
  env: Environment,
  forks: Forks,
  value: Value,
  node: CallArguments['node'] | null,
  span: { start: number; end: number },
): void {
  if (value.kind === 'function' && node) {
    const result = machine.invoke(
      value.ref,
      { node, positional: [], keywords: new Map(), hasUnpacking: true },
      env,
    );
    appendEvents(machine, env, forks.child, eventsOf(result));
  } else if (value.kind === 'list') {
    for (const item of value.items ?? [value.element])
      appendEvents(machine, env, forks.child, eventsOf(item));
  } else if (value.kind === 'text') {
    machine.report(
      'invalid-append',
      span,
      'A plain string cannot be appended to all forks at once: use `forks += lambda i: "..."` or a loop.',
      [
        {
          title: 'Append to each fork',
          edits: [{ start: span.start, end: span.start, text: 'lambda i: ' }],
        },
      ],
    );
  } else if (value.kind === 'expression' || value.kind === 'union') {
    appendEvents(machine, env, forks.child, eventsOf(value));
  } else {
    openStates(machine, env, forks);
  }
}
