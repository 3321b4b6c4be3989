/** What a program would send: a preview's expressions as text in the model's chat template. */
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  JsonObject,
  JsonValue,
  PreviewAnswer,
  PreviewText,
} from '../protocol/kernel-protocol.ts';
import { sentTo, TunnelError, type LocalServerState } from './backends/local-servers.ts';
import { chooseTemplate } from './guest/choose-template.ts';
import { isLoopback, loopbackUrl } from './loopback.ts';
import { ChatTemplateRegistry, type ChatTemplate } from './sglang/chat-template.ts';
import { parseExpressions, type Expression } from './sglang/ir.ts';
import { ProgramState } from './sglang/program-state.ts';

/** A server is asked for this long; the preview then says that it estimates. Milliseconds. */
const PATIENCE = 2_000;
/** Characters of English text per token in the vocabularies of today's models, roughly. */
const CHARACTERS_PER_TOKEN = 4;

/** How the preview reaches servers; `endpoint` is the kernel's default. */
export interface PreviewServer {
  readonly endpoint: string | null;
  readonly apiKey: string | undefined;
  /** Of a server that the kernel knows: one of this machine, or behind ssh. */
  readonly stateOf: (url: string) => Promise<LocalServerState | null>;
}

interface Access {
  readonly apiKey?: string;
}

interface Counter {
  text: string;
}

/** The program or its arguments cannot be previewed; the message is for the user. */
export class PreviewError extends Error {
  readonly code = 'PREVIEW';
}

/** `found` is the answer of Python's `preview`. @throws PreviewError */
export async function previewAnswer(
  found: JsonValue,
  server: PreviewServer,
): Promise<PreviewAnswer> {
  const answer = record(found);
  const refused = text(answer['refused']);
  if (refused !== null) throw new PreviewError(refused);
  const { url, access } = await target(text(answer['url']), server);
  const remote = url === null ? null : await askModel(url, access);
  const model = text(answer['model']) ?? text(remote?.['model_path']);
  const info = remote ?? { model_path: model ?? 'starter' };
  const template =
    templateOf(answer['template']) ?? chooseTemplate(new ChatTemplateRegistry(), info).template;
  const counter: Counter = { text: '' };
  const prompt = render(answer, counter, new ProgramState(template, null));
  return {
    prompt,
    template: template.name,
    model,
    tokens: await countTokens(counter.text, url, access),
    assumed: pairs(answer['assumed']),
    ended: text(answer['ended']),
  };
}

/**
 * Runs the expressions of one state. `counter` collects what the program itself writes, forks
 * included, without placeholders: the text whose tokens are known before a run.
 */
function render(source: JsonObject, counter: Counter, state: ProgramState): PreviewText {
  const start = state.text.length;
  const expressions = parseExpressions(source['exprs'] ?? []);
  const groups = list(source['forks']).map(record);
  const forks: PreviewText[] = [];
  for (let position = 0; position <= expressions.length; position += 1) {
    for (const group of groups.filter(({ after }) => after === position)) {
      for (const child of list(group['states'])) {
        forks.push(render(record(child), counter, new ProgramState(state.template, state)));
      }
    }
    const expression = expressions[position];
    if (expression !== undefined) apply(expression, counter, state);
  }
  return { text: state.text.slice(start), forks };
}

function apply(expression: Expression, counter: Counter, state: ProgramState): void {
  const before = state.text.length;
  switch (expression.kind) {
    case 'text':
      state.fill(expression.text);
      break;
    case 'role_begin':
      state.beginRole(expression.role);
      break;
    case 'role_end':
      state.endRole();
      break;
    case 'image':
    case 'video':
      state.text += state.template.imageToken;
      break;
    case 'gen':
    case 'select':
      state.fill(placeholder(expression));
      return;
    case 'scope_begin':
    case 'scope_end':
    case 'commit':
    case 'bad':
      return;
    default:
      expression satisfies never;
  }
  counter.text += state.text.slice(before);
}

function placeholder(expression: Expression & { readonly kind: 'gen' | 'select' }): string {
  const name = expression.name ?? 'unnamed';
  if (expression.kind === 'select') return `⟨${name}: one of ${expression.choices.join(' | ')}⟩`;
  const most = expression.sampling['max_new_tokens'];
  return typeof most === 'number' ? `⟨${name}: up to ${most} tokens⟩` : `⟨${name}⟩`;
}

/** By the server's own tokenizer, else estimated, and said so. */
async function countTokens(
  prompt: string,
  url: string | null,
  server: Access,
): Promise<PreviewAnswer['tokens']> {
  const body = { prompt, add_special_tokens: true };
  const answer = url === null ? null : await ask(`${base(url)}/tokenize`, server, body);
  const count = answer === null ? undefined : record(answer)['count'];
  if (typeof count === 'number') return { count, exact: true };
  return { count: Math.ceil(prompt.length / CHARACTERS_PER_TOKEN), exact: false };
}

async function askModel(url: string, server: Access): Promise<JsonObject | null> {
  const info = await ask(`${base(url)}/get_model_info`, server);
  return info === null ? null : record(info);
}

/** `null` when the server has no such route, or does not answer. */
async function ask(url: string, { apiKey }: Access, body?: JsonObject): Promise<JsonValue | null> {
  try {
    const response = await fetch(url, {
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      headers: {
        'content-type': 'application/json',
        ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
      },
      signal: AbortSignal.timeout(PATIENCE),
    });
    // SAFETY: a body that parses is a JSON value.
    return response.ok ? ((await response.json()) as JsonValue) : null;
  } catch {
    return null;
  }
}

function base(url: string): string {
  return loopbackUrl(url).replace(/\/+$/, '');
}

/**
 * As for runs: with an endpoint set, servers of this machine are that one; the key is for it alone. `url` is `null`
 * when there is none, or its tunnel is not open yet.
 */
async function target(
  url: string | null,
  { endpoint, apiKey, stateOf }: PreviewServer,
): Promise<{ readonly url: string | null; readonly access: Access }> {
  const [first = null] = endpoint?.split(',') ?? [];
  const isEndpoint = first !== null && (url === null || isLoopback(url));
  const server = isEndpoint ? first.trim() : url;
  if (server === null) return { url: null, access: {} };
  const state = await Promise.race([stateOf(server), sleep(PATIENCE, null, { ref: false })]);
  const key = (isEndpoint ? apiKey : undefined) ?? state?.key ?? null;
  const access = key === null ? {} : { apiKey: key };
  try {
    return { url: sentTo(server, state), access };
  } catch (error) {
    if (!(error instanceof TunnelError)) throw error;
    return { url: null, access };
  }
}

function templateOf(value: JsonValue | undefined): ChatTemplate | null {
  // SAFETY: Python sends back the template that this kernel gave it.
  return value === null || value === undefined ? null : (value as unknown as ChatTemplate);
}

function pairs(value: JsonValue | undefined): PreviewAnswer['assumed'] {
  return list(value).flatMap((pair) => {
    const [name, assumed] = list(pair);
    return typeof name === 'string' && typeof assumed === 'string' ? [[name, assumed]] : [];
  });
}

function list(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

function record(value: JsonValue): JsonObject {
  // SAFETY: an object that is no array is a record.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}

function text(value: JsonValue | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
