/** `s += expression`: what each step of the expression does to a state. */
import type { Environment } from './environment.ts';
import { freshVersion } from './environment.ts';
import { qualifierOf, surround } from './fixes.ts';
import { joinTypes } from './gen-type.ts';
import { backendKind, backendModel, reportAt, type Machine } from './machine.ts';
import { formatPattern } from './name-pattern.ts';
import { mergeSites, withPattern, withVariable, type ProgramStateInfo } from './program-state.ts';
import type { GenSite, SglEvent } from './value.ts';

type GenEvent = Extract<SglEvent, { kind: 'gen' }>;
type RoleEvent = Extract<SglEvent, { kind: 'role' }>;

export function appendEvents(
  machine: Machine,
  env: Environment,
  stateId: number,
  events: readonly SglEvent[],
  /** Which of several forks is meant, as the code says it: all are one state here. */
  fork: string | null = null,
): void {
  for (const event of events) {
    const state = env.state(stateId);
    if (!state) return;
    env.setState(stateId, apply(machine, state, event, fork));
  }
}

function apply(
  machine: Machine,
  state: ProgramStateInfo,
  event: SglEvent,
  fork: string | null,
): ProgramStateInfo {
  switch (event.kind) {
    case 'gen':
      return applyGen(machine, state, event, fork);
    case 'role':
      return event.begin ? beginRole(machine, state, event) : endRole(machine, state, event);
    case 'image':
      reportImage(machine, event);
      return state;
    case 'opaque':
      return { ...state, open: true };
  }
}

function applyGen(
  machine: Machine,
  state: ProgramStateInfo,
  event: GenEvent,
  fork: string | null,
): ProgramStateInfo {
  const { site, names, type } = event;
  machine.recorder.gen({
    site: { ...site, program: state.program ?? site.program },
    names,
    type,
    role: state.role,
  });
  if (site.kind === 'gen' || site.kind === 'select') checkPlace(machine, state, event);
  if (event.unknownName) return { ...state, open: true };
  const [only] = names;
  const exact = names.length === 1 && only?.length === 1 ? only[0] : null;
  if (typeof exact === 'string') return setVariable(machine, state, exact, event, fork);
  return names.reduce(
    (next, pattern) => withPattern(next, { pattern, type, sites: [site] }),
    state,
  );
}

export function setVariable(
  machine: Machine,
  state: ProgramStateInfo,
  name: string,
  event: GenEvent,
  fork: string | null = null,
): ProgramStateInfo {
  const { site, type } = event;
  const known = state.variables.get(name);
  const other = event.isAlternative === true ? known : undefined;
  const isOther =
    known !== undefined &&
    !other &&
    known.sites.every((before) => before.call !== site.call) &&
    (state.forkedFrom === null || known.fork === fork);
  if (
    known &&
    isOther &&
    known.presence === 'set' &&
    !known.wasRead &&
    site.kind !== 'assign' &&
    !state.forkedFrom?.has(name)
  ) {
    reportAt(
      machine,
      site.unit,
      'duplicate-name',
      site.nameNode ?? site.call,
      `"${name}" was generated before and never read: this overwrites it.`,
      { unlessRead: known.sites.map(({ call }) => call) },
    );
  }
  return withVariable(state, name, {
    presence: 'set',
    type: other ? joinTypes(other.type, type) : type,
    sites: other ? mergeSites(other.sites, [site]) : [site],
    guard: null,
    version: freshVersion(),
    wasRead: false,
    fork: state.forkedFrom === null ? null : fork,
  });
}

/* ------------------------------------------------------------------ roles */

function beginRole(machine: Machine, state: ProgramStateInfo, event: RoleEvent): ProgramStateInfo {
  if (state.role !== null && state.role !== '?') {
    reportAt(
      machine,
      event.unit,
      'nested-role',
      event.node,
      `A ${event.role} message cannot begin inside the ${state.role} message: roles do not nest.`,
    );
    return { ...state, nestedRoles: state.nestedRoles + 1 };
  }
  return {
    ...state,
    role: event.role,
    rolesUsed: true,
    roleSite: { unit: event.unit, node: event.node },
  };
}

function endRole(machine: Machine, state: ProgramStateInfo, event: RoleEvent): ProgramStateInfo {
  if (state.nestedRoles > 0) return { ...state, nestedRoles: state.nestedRoles - 1 };
  if (state.role === null && !state.open) {
    reportAt(
      machine,
      event.unit,
      'unbalanced-role',
      event.node,
      `No ${event.role} message is open here.`,
    );
  } else if (state.role !== null && state.role !== '?' && state.role !== event.role) {
    reportAt(
      machine,
      event.unit,
      'unbalanced-role',
      event.node,
      `This ends a ${event.role} message, but the ${state.role} message is open.`,
    );
  }
  return { ...state, role: null, roleSite: null };
}

export function checkRolesEnded(machine: Machine, state: ProgramStateInfo): void {
  if (state.role === null || state.role === '?' || !state.roleSite || state.open) return;
  const { unit, node } = state.roleSite;
  reportAt(
    machine,
    unit,
    'unbalanced-role',
    node,
    `This ${state.role} message is never ended on some path: add \`${state.role}_end()\`.`,
  );
}

/* ------------------------------------------------------------------ place and backend */

function checkPlace(machine: Machine, state: ProgramStateInfo, event: GenEvent): void {
  const { site } = event;
  const label =
    event.names.length === 0 ? 'This gen' : `"${event.names.map(formatPattern).join('", "')}"`;
  const kind = backendKind(machine.backend);
  const isChat = ['openai-chat', 'anthropic', 'vertexai'].includes(kind);
  // The others take the whole text of a program without roles.
  const isOutside = state.role === null && (state.rolesUsed || kind === 'openai-chat');
  const isWrongRole = isChat && (state.role === 'user' || state.role === 'system');
  if ((isOutside || isWrongRole) && !state.open) {
    reportAt(
      machine,
      site.unit,
      'gen-outside-assistant',
      site.call,
      `${label} is generated outside an assistant message: chat models answer only there.`,
      { fixes: isOutside ? wrapInAssistant(site) : [] },
    );
  }
  reportBackend(machine, event);
}

function wrapInAssistant({ unit, call }: GenSite) {
  if (call.kind !== 'Call') return [];
  const before = `${qualifierOf(call.callee, unit.text)}assistant(`;
  return [surround(call, before, ')', 'Wrap in assistant(...)')];
}

function reportBackend(machine: Machine, event: GenEvent): void {
  const kind = backendKind(machine.backend);
  const { site, type } = event;
  const say = (message: string) =>
    reportAt(machine, site.unit, 'unsupported-on-backend', site.call, message);
  if (kind === 'sglang' || kind === 'unknown') return;
  const isCompletion = kind === 'openai-completion';
  if (type.kind === 'regex') {
    say('API models cannot follow a `regex`: use `json_schema`, or an SGLang server.');
  } else if (type.kind === 'json' && isCompletion) {
    say('Completion models cannot follow a `json_schema`: use a chat model, or an SGLang server.');
  } else if (type.kind === 'dtype') {
    const known = isCompletion && (type.dtype === 'int' || type.dtype === 'str');
    if (!known) say(`This backend cannot follow \`dtype=${type.dtype}\`: use an SGLang server.`);
  }
}

/** Families that are known to read text only; of all others nothing is said. */
const textModel =
  /gpt-3\.5|gpt-4(?![\w.]|-turbo|-vision|-1106-vision)|gpt-4-(?:0314|0613|32k)|o1-mini|o3-mini|claude-(?:instant|2)|llama-?[23](?:\.[13])?-\d+b|code-?llama|vicuna|tinyllama|smollm2?-\d|qwen(?:1\.5|2|2\.5|3)?-(?:chat-)?[\d.]+b|qwq|mistral-7b|mixtral|phi-2|phi-3-mini-4k|gemma-(?:2-)?\d+b|deepseek-(?:r1|v2|v3|coder)|falcon-\d/;
const visionModel = /llava|vl|vision|omni|vlm|multimodal|-v\b/;

function reportImage(machine: Machine, event: Extract<SglEvent, { kind: 'image' }>): void {
  const model = backendModel(machine.backend);
  if (model === null || !textModel.test(model) || visionModel.test(model)) return;
  reportAt(
    machine,
    event.unit,
    'unsupported-on-backend',
    event.node,
    `The model "${model}" does not take images.`,
  );
}
