import { randomUUID } from 'node:crypto';
import { json } from './answer.ts';
import type { Answer, RouteRequest, Routes } from './answer.ts';
import type { ChatTemplate } from './chat-template.ts';
import { HttpError, objectError } from './errors.ts';
import { parseGenerateRequest } from './generate-request.ts';
import type { GenerateCall } from './generate-request.ts';
import type { GenerateParts } from './generate-route.ts';
import type { Generation } from './generation.ts';
import { Fields, isJsonObject, parseJsonObject } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';
import { badOpenAiRequest, chatMessages, openAiCall } from './openai-request.ts';
import type { OpenAiCall } from './openai-request.ts';
import { chatDialect, completionDialect, usage } from './openai-response.ts';
import type { ChoiceStream, OpenAiDialect, OpenAiHead } from './openai-response.ts';
import { JSON_LIST } from './tool-call-format.ts';
import type { ToolCallFormat } from './tool-call-format.ts';
import { readToolUse, toolSchema } from './tools.ts';
import type { ToolUse } from './tools.ts';

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
        return answer(parts, request, chatWork(parts, body));
      }),
    },
  };
}

function chatWork(parts: OpenAiParts, body: JsonObject): Work {
  const tools = readToolUse(body, badOpenAiRequest);
  const call = withTools(openAiCall(body, { temperature: 0.7, maxTokens: null }), tools);
  const extra = new Fields(body, '', badOpenAiRequest).object('chat_template_kwargs') ?? {};
  const { messages, images } = chatMessages(body);
  const text = parts.template.render(messages, extra, tools?.tools);
  return {
    call,
    body,
    prompt: { text, image_data: images },
    dialect: chatDialect(parts.format, callFormat(parts, tools)),
  };
}

function callFormat({ template }: OpenAiParts, tools: ToolUse | null): ToolCallFormat | null {
  if (tools === null) return null;
  return tools.choice.kind === 'auto' ? template.toolCallFormat : JSON_LIST;
}

/** Required calls constrain the answer; marks of calls can be control tokens, so they stay in the text. */
function withTools(call: OpenAiCall, tools: ToolUse | null): OpenAiCall {
  if (tools === null) return call;
  const { sampling_params: sampling } = call.body;
  const schema = toolSchema(tools);
  const given = isJsonObject(sampling) ? sampling : {};
  const taken = ['regex', 'json_schema', 'ebnf'].some((name) => (given[name] ?? null) !== null);
  if (schema !== null && taken) {
    throw badOpenAiRequest(
      'tool_choice decides the form of the answer; leave response_format, regex and ebnf out',
    );
  }
  const shape =
    schema === null ? { skip_special_tokens: false } : { json_schema: JSON.stringify(schema) };
  return { ...call, body: { ...call.body, sampling_params: { ...given, ...shape } } };
}

interface Work {
  readonly call: OpenAiCall;
  readonly body: JsonObject;
  readonly prompt: JsonObject;
  readonly dialect: OpenAiDialect;
}

async function answer(parts: OpenAiParts, request: RouteRequest, work: Work): Promise<Answer> {
  const call = parseGenerateRequest({ ...work.call.body, ...work.prompt });
  const generations = await parts.preparer.prepareAll(call, request.signal);
  const rids = call.items.map((item) => item.rid);
  const model = new Fields(work.body).string('model') ?? parts.servedModelName;
  const head: OpenAiHead = {
    id: rids[0] ?? randomUUID(),
    model,
    created: Math.floor(Date.now() / 1000),
    cacheReport: parts.cacheReport,
  };
  const changes = parts.running.run(generations, rids, request.signal);
  const perPrompt = new Fields(work.body).integer('n', 1);
  const usageNow = (): unknown => usage(generations, perPrompt, head);
  if (call.stream) return stream({ work, call, head, generations, changes, usageNow });
  for await (const index of changes) void index;
  return json({
    id: head.id,
    object: work.dialect.object,
    created: head.created,
    model: head.model,
    choices: choices(work.dialect, call, generations),
    usage: usageNow(),
  });
}

function choices(
  dialect: OpenAiDialect,
  call: GenerateCall,
  generations: readonly Generation[],
): unknown[] {
  return call.items.flatMap((item, index) => {
    const generation = generations[index];
    return generation === undefined ? [] : [{ index, ...dialect.choice(generation, item) }];
  });
}

interface Streaming {
  readonly work: Work;
  readonly call: GenerateCall;
  readonly head: OpenAiHead;
  readonly generations: readonly Generation[];
  readonly changes: AsyncGenerator<number>;
  readonly usageNow: () => unknown;
}

/** Waits for the first progress: what fails before it is answered with its status. */
async function stream(streaming: Streaming): Promise<Answer> {
  const first = await streaming.changes.next();
  return { kind: 'events', events: chunks(streaming, first) };
}

async function* chunks(
  { work, call, head, generations, changes, usageNow }: Streaming,
  first: IteratorResult<number>,
): AsyncGenerator<string> {
  const streams = call.items.map((item): ChoiceStream => work.dialect.stream(item));
  const { usage: reports } = work.call;
  const chunk = (rest: object): string =>
    JSON.stringify({
      id: head.id,
      object: work.dialect.chunkObject,
      created: head.created,
      model: head.model,
      ...rest,
    });
  const news = (index: number): string[] => {
    const generation = generations[index];
    const parts = generation === undefined ? [] : (streams[index]?.next(generation) ?? []);
    const extra = reports.always ? { usage: usageNow() } : {};
    return parts.map((part) => chunk({ choices: [{ index, ...part }], ...extra }));
  };
  try {
    if (!first.done) yield* news(first.value);
    for await (const index of changes) yield* news(index);
    if (reports.atEnd) yield chunk({ choices: [], usage: usageNow() });
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    yield JSON.stringify(asOpenAi(error).body);
  } finally {
    await changes.return(undefined);
  }
}

function promptField(body: JsonObject): JsonObject {
  const prompt = body['prompt'];
  if (prompt === undefined || prompt === null) throw badOpenAiRequest('prompt should be provided');
  const first: unknown = Array.isArray(prompt) ? prompt[0] : prompt;
  return typeof first === 'string' ? { text: prompt } : { input_ids: prompt };
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
  return objectError(error.status, error.message.replaceAll('sampling_params.', ''), type);
}
