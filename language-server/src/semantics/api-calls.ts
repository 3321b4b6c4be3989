/** Calls of `sgl.*`: what expression they build. */
import { checkAppendable } from './appendable.ts';
import { bindArguments, type BoundArguments } from './argument-binding.ts';
import { constrainedType } from './constraints.ts';
import { listType, strType } from './gen-type.ts';
import type { Span } from '../syntax/ast.ts';
import {
  backendKind,
  isOlderThan,
  type ArgumentValue,
  type CallArguments,
  type Machine,
} from './machine.ts';
import type { NamePattern } from './name-pattern.ts';
import { apiFunctions } from './sglang-api.ts';
import {
  constantText,
  membersOfValue,
  none,
  unknown,
  type BackendKind,
  type SglEvent,
  type Value,
} from './value.ts';

export function callApi(machine: Machine, name: string, args: CallArguments): Value {
  const api = apiFunctions.get(name);
  if (!api) return backendOf(machine, name, args);
  if (name === 'function') return decorate(machine, args);
  const bound = bindArguments(machine, name, api.parameters, args, api.keywords ?? []);
  switch (name) {
    case 'gen':
    case 'gen_int':
    case 'gen_string':
    case 'select':
      return { kind: 'expression', events: genEvents(machine, name, args, bound) };
    case 'image':
    case 'video':
      return {
        kind: 'expression',
        events: [{ kind: 'image', unit: machine.unit, node: args.node }],
      };
    case 'system':
    case 'user':
    case 'assistant':
      return roleBlock(machine, name, bound.get('expr'), args);
    case 'separate_reasoning':
      reportVersion(machine, '`separate_reasoning`', '0.4.7.post1', args.node.callee);
      return {
        kind: 'expression',
        events: reasoningEvents(eventsOf(bound.get('expr')?.value ?? none)),
      };
    case 'set_default_backend':
      return setBackend(machine, bound.get('backend')?.value ?? unknown);
    case 'RuntimeEndpoint':
      return { kind: 'backend', backend: 'sglang' };
    default:
      return roleEdge(machine, name, args) ?? unknown;
  }
}

/** `function` with keywords only is a decorator again. */
function decorate(machine: Machine, args: CallArguments): Value {
  const target = args.positional[0]?.value;
  if (target?.kind === 'function') {
    const ref = { ...target.ref, isProgram: true };
    machine.enqueue(ref);
    return { kind: 'program', ref, bound: new Map() };
  }
  return target ? unknown : { kind: 'api', name: 'function' };
}

/** Events of a value that is appended or wrapped in a role. */
export function eventsOf(value: Value): readonly SglEvent[] {
  if (value.kind === 'expression') return value.events;
  if (value.kind === 'union') {
    const expressions = value.members.filter((member) => member.kind === 'expression');
    return expressions.flatMap((member, i) =>
      i === 0 ? member.events : alternatives(member.events),
    );
  }
  return [];
}

function alternatives(events: readonly SglEvent[]): readonly SglEvent[] {
  return events.map((event) => (event.kind === 'gen' ? { ...event, isAlternative: true } : event));
}

function namesOf(value: Value): {
  readonly names: readonly NamePattern[];
  readonly unknownName: boolean;
} {
  const names: NamePattern[] = [];
  let unknownName = false;
  for (const member of membersOfValue(value)) {
    if (member.kind === 'text') names.push(member.parts.length === 0 ? [''] : member.parts);
    else if (member.kind === 'gen' || member.kind === 'instance') names.push([null]);
    else if (member.kind !== 'none') unknownName = true;
  }
  return { names, unknownName };
}

function genEvents(
  machine: Machine,
  api: string,
  args: CallArguments,
  bound: BoundArguments,
): SglEvent[] {
  const nameArgument = bound.get('name');
  const { names, unknownName } = namesOf(nameArgument?.value ?? none);
  if (api === 'select' && !bound.has('choices') && !args.hasUnpacking) {
    machine.report('call-arguments', args.node.callee, '`select` needs `choices`.');
  }
  checkRanges(machine, bound);
  checkVersion(machine, bound, args);
  const single = constrainedType(machine, api, args, bound);
  const count = args.keywords.get('n')?.value;
  // Newer versions of SGLang: several samples make a list.
  const type = count?.kind === 'number' && count.value > 1 ? listType(single) : single;
  const isSelect = api === 'select' || (single.kind === 'literal' && bound.has('choices'));
  return [
    {
      kind: 'gen',
      site: {
        unit: machine.unit,
        call: args.node,
        nameNode: nameArgument?.node ?? null,
        kind: isSelect ? 'select' : 'gen',
        program: machine.frame.program,
      },
      names,
      type,
      unknownName: unknownName || (args.hasUnpacking && !nameArgument),
    },
  ];
}

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly text: string;
}
const ranges: Readonly<Record<string, Range>> = {
  temperature: { minimum: 0, maximum: Infinity, text: 'must be 0 or more' },
  top_p: { minimum: Number.MIN_VALUE, maximum: 1, text: 'must be above 0 and at most 1' },
  min_p: { minimum: 0, maximum: 1, text: 'must be between 0 and 1' },
  max_tokens: { minimum: 0, maximum: Infinity, text: 'must be 0 or more' },
  min_tokens: { minimum: 0, maximum: Infinity, text: 'must be 0 or more' },
  frequency_penalty: { minimum: -2, maximum: 2, text: 'must be between -2 and 2' },
  presence_penalty: { minimum: -2, maximum: 2, text: 'must be between -2 and 2' },
};

/** The server refuses these values (reference, section 4.1). */
export function checkRanges(machine: Machine, bound: BoundArguments): void {
  for (const [name, argument] of bound) {
    const range = ranges[name];
    if (!range || argument.value.kind !== 'number') continue;
    const { value } = argument.value;
    if (value < range.minimum || value > range.maximum) {
      machine.report(
        'invalid-sampling-value',
        argument.node,
        `\`${name}\` ${range.text}, not ${value}.`,
        nearest(argument, value > range.maximum ? range.maximum : range.minimum),
      );
    }
  }
}

function nearest({ node: { start, end } }: ArgumentValue, value: number) {
  const isUsable = Number.isInteger(value);
  const text = String(value);
  return isUsable ? [{ title: `Change to ${text}`, edits: [{ start, end, text }] }] : [];
}

/** The first versions of SGLang that have what came later. */
const keywordVersions: Readonly<Record<string, string>> = {
  n: '0.4.4.post2',
  stop_regex: '0.5.3.post1',
};

function checkVersion(machine: Machine, bound: BoundArguments, args: CallArguments): void {
  if (machine.backend.version === null) return;
  for (const [name, version] of Object.entries(keywordVersions)) {
    const argument = bound.get(name) ?? args.keywords.get(name);
    if (argument) reportVersion(machine, `\`${name}\``, version, argument.span);
  }
}

function reportVersion(machine: Machine, what: string, needed: string, span: Span): void {
  const { backend } = machine;
  if (!['sglang', 'unknown'].includes(backendKind(backend)) || !isOlderThan(backend, needed))
    return;
  machine.report(
    'unsupported-on-backend',
    span,
    `${what} needs SGLang ${needed} or newer; the setting says ${backend.version ?? ''}.`,
  );
}

export const reasoningSuffix = '_reasoning_content';

/** Reasoning models answer twice: the answer and `<name>_reasoning_content`. */
function reasoningEvents(events: readonly SglEvent[]): readonly SglEvent[] {
  return events.flatMap((event): SglEvent[] => {
    if (event.kind !== 'gen') return [event];
    const names = event.names.map((name) => [...name, reasoningSuffix]);
    const joined = names.map((parts) =>
      typeof parts[0] === 'string' && parts.length === 2 ? [parts.join('')] : parts,
    );
    return [
      event,
      { ...event, site: { ...event.site, kind: 'reasoning' }, names: joined, type: strType },
    ];
  });
}

export function roleBlock(
  machine: Machine,
  role: string,
  content: ArgumentValue | undefined,
  args: CallArguments,
): Value {
  const { unit } = machine;
  if (content) checkAppendable(machine, content.node, content.value, 'put into a message');
  const node = args.node;
  return {
    kind: 'expression',
    events: [
      { kind: 'role', role, begin: true, unit, node },
      ...eventsOf(content?.value ?? none),
      { kind: 'role', role, begin: false, unit, node },
    ],
  };
}

function roleEdge(machine: Machine, name: string, args: CallArguments): Value | null {
  const match = /^(system|user|assistant)_(begin|end)$/.exec(name);
  if (!match) return null;
  const event: SglEvent = {
    kind: 'role',
    role: match[1] ?? '',
    begin: match[2] === 'begin',
    unit: machine.unit,
    node: args.node,
  };
  return { kind: 'expression', events: [event] };
}

/* ------------------------------------------------------------------ backends */

function backendOf(machine: Machine, name: string, args: CallArguments): Value {
  const kinds: Readonly<Record<string, BackendKind>> = {
    Anthropic: 'anthropic',
    VertexAI: 'vertexai',
    LiteLLM: 'litellm',
    Runtime: 'sglang',
    Engine: 'sglang',
  };
  const model = constantText(
    args.keywords.get('model_path')?.value ??
      args.keywords.get('model_name')?.value ??
      args.positional[0]?.value ??
      unknown,
  );
  const backend = name === 'OpenAI' ? openAiKind(model, args) : kinds[name];
  if (backend === undefined) return unknown;
  if (model !== null) machine.addModel(model);
  return { kind: 'backend', backend };
}

function openAiKind(model: string | null, args: CallArguments): BackendKind {
  const given = args.keywords.get('is_chat_model')?.value;
  if (given?.kind === 'bool') return given.value ? 'openai-chat' : 'openai-completion';
  if (model === null) return 'unknown';
  return model.endsWith('-instruct') ? 'openai-completion' : 'openai-chat';
}

/** `run(backend=…)` counts as much as the default: a program's body does not know which it gets. */
export function noteBackend(machine: Machine, args: CallArguments): void {
  const given = args.keywords.get('backend')?.value;
  if (given && given.kind !== 'none') setBackend(machine, given);
}

function setBackend(machine: Machine, value: Value): Value {
  machine.addBackend(value.kind === 'backend' ? value.backend : 'unknown');
  return none;
}
