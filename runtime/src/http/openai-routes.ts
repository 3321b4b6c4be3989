import { randomUUID } from 'node:crypto';
import { json } from './answer.ts';
import type { Answer, RouteRequest, Routes } from './answer.ts';
import type { ChatTemplate } from './chat-template.ts';
import { HttpError, objectError } from './errors.ts';
import { parseGenerateRequest } from './generate-request.ts';
import type { GenerateCall } from './generate-request.ts';
import type { GenerateParts } from './generate-route.ts';
import { Generation } from './generation.ts';
import { Fields, parseJsonObject } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';
import { badOpenAiRequest, chatMessages, openAiCall } from './openai-request.ts';
import type { OpenAiCall } from './openai-request.ts';
import { chatDialect, completionDialect, finish, usage } from './openai-response.ts';
import type { OpenAiDialect, OpenAiHead } from './openai-response.ts';

export interface OpenAiParts extends GenerateParts {
  readonly template: ChatTemplate;
  readonly servedModelName: string;
  readonly cacheReport: boolean;
}

/** `/v1/completions` and `/v1/chat/completions`, on top of what `/generate` does. */
export function openAiRoutes(parts: OpenAiParts): Routes {
  return {
    '/v1/completions': {
      POST: withOpenAiErrors((request) => {
        const body = parseJsonObject(request.body);
        const call = openAiCall(body, { temperature: 1, maxTokens: 16 });
        const dialect = completionDialect(parts.format, call.echo);
        return answer(parts, request, { call, body, prompt: promptField(body), dialect });
      }),
    },
    '/v1/chat/completions': {
      POST: withOpenAiErrors((request) => {
        const body = parseJsonObject(request.body);
        refuseTools(body);
        const call = openAiCall(body, { temperature: 0.7, maxTokens: null });
        const extra = new Fields(body).object('chat_template_kwargs') ?? {};
        const text = parts.template.render(chatMessages(body), extra);
        const dialect = chatDialect(parts.format);
        return answer(parts, request, { call, body, prompt: { text }, dialect });
      }),
    },
  };
}

interface Work {
  readonly call: OpenAiCall;
  readonly body: JsonObject;
  readonly prompt: JsonObject;
  readonly dialect: OpenAiDialect;
}

async function answer(parts: OpenAiParts, request: RouteRequest, work: Work): Promise<Answer> {
  const call = parseGenerateRequest({ ...work.call.body, ...work.prompt });
  const generations = call.items.map(
    (item) => new Generation(parts.preparer.prepare(item, call.stream)),
  );
  const rids = call.items.map((item) => item.rid);
  const model = new Fields(work.body).string('model') ?? parts.servedModelName;
  const head: OpenAiHead = {
    id: rids[0] ?? randomUUID(),
    model,
    created: Math.floor(Date.now() / 1000),
    cacheReport: parts.cacheReport,
  };
  const changes = parts.running.run(generations, rids, request.signal);
  if (call.stream) return stream(work, head, generations, changes);
  for await (const index of changes) void index;
  return json({
    id: head.id,
    object: work.dialect.object,
    created: head.created,
    model: head.model,
    choices: choices(work.dialect, call, generations),
    usage: usage(generations, head),
  });
}

function choices(
  dialect: OpenAiDialect,
  call: GenerateCall,
  generations: readonly Generation[],
): unknown[] {
  return call.items.flatMap((item, index) => {
    const generation = generations[index];
    return generation === undefined ? [] : [dialect.choice(index, generation, item)];
  });
}

async function stream(
  work: Work,
  head: OpenAiHead,
  generations: readonly Generation[],
  changes: AsyncGenerator<number>,
): Promise<Answer> {
  const first = await changes.next();
  const chunk = (rest: object): string =>
    JSON.stringify({
      id: head.id,
      object: work.dialect.chunkObject,
      created: head.created,
      model: head.model,
      ...rest,
    });
  const sent = new Map<number, number>();
  const choice = (index: number): string => {
    const generation = generations[index];
    if (generation === undefined) throw new RangeError('no such choice');
    const before = sent.get(index);
    sent.set(index, generation.text.length);
    const delta = work.dialect.chunk(generation, before ?? 0, before === undefined);
    return chunk({ choices: [{ index, ...delta, ...finish(generation) }] });
  };
  async function* events(): AsyncGenerator<string> {
    try {
      if (!first.done) yield choice(first.value);
      for await (const index of changes) yield choice(index);
      if (work.call.includeUsage) yield chunk({ choices: [], usage: usage(generations, head) });
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      yield JSON.stringify(asOpenAi(error).body);
    } finally {
      await changes.return(undefined);
    }
  }
  return { kind: 'events', events: events() };
}

function promptField(body: JsonObject): JsonObject {
  const prompt = body['prompt'];
  if (prompt === undefined || prompt === null) throw badOpenAiRequest('prompt should be provided');
  const first: unknown = Array.isArray(prompt) ? prompt[0] : prompt;
  return typeof first === 'string' ? { text: prompt } : { input_ids: prompt };
}

function refuseTools(body: JsonObject): void {
  const { tools } = body;
  if (Array.isArray(tools) && tools.length > 0 && body['tool_choice'] !== 'none') {
    throw badOpenAiRequest('tools are not supported by this runtime; constrain the answer instead');
  }
}

type Handler = (request: RouteRequest) => Promise<Answer>;

function withOpenAiErrors(handler: Handler): Handler {
  return async (request) => {
    try {
      return await handler(request);
    } catch (error) {
      throw error instanceof HttpError ? asOpenAi(error) : error;
    }
  };
}

/** The same error in the shape that OpenAI clients read. */
function asOpenAi(error: HttpError): HttpError {
  const type = error.status < 500 ? 'BadRequestError' : 'InternalServerError';
  return objectError(error.status, error.message, type);
}
