import { objectError } from './errors.ts';
import { CHAT_IMAGE_MARK } from './image-prompts.ts';
import type { ChatMessage } from './chat-template.ts';
import { Fields, isJsonObject, kindOf } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** What an OpenAI request means in terms of `/generate`, and how it is to be answered. */
export interface OpenAiCall {
  /** A `/generate` body without its prompt. */
  readonly body: JsonObject;
  readonly stream: boolean;
  readonly usage: UsageReports;
  readonly echo: boolean;
}

/** `stream_options`: whether the last event, or every one, tells the number of tokens. */
export interface UsageReports {
  readonly atEnd: boolean;
  readonly always: boolean;
}

export const badOpenAiRequest = (message: string): Error =>
  objectError(400, message, 'BadRequestError');

export const openAiFields = (json: JsonObject): Fields => new Fields(json, '', badOpenAiRequest);

/** Parameters with the same name in both APIs. */
const SAME_NAME = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'n',
  'stop',
  'stop_token_ids',
  'stop_regex',
  'frequency_penalty',
  'presence_penalty',
  'repetition_penalty',
  'logit_bias',
  'regex',
  'ebnf',
  'json_schema',
  'ignore_eos',
  'no_stop_trim',
  'skip_special_tokens',
] as const;

interface OpenAiDefaults {
  readonly temperature: number;
  /** Null: as many as fit. */
  readonly maxTokens: number | null;
}

/** Reads what completions and chat completions have in common. */
export function openAiCall(json: JsonObject, defaults: OpenAiDefaults): OpenAiCall {
  const fields = openAiFields(json);
  refuseUnsupported(fields);
  const logprobs = logprobCount(fields);
  const shared = SAME_NAME.filter((name) => fields.get(name) !== null);
  const maxTokens = optionalInteger(fields, 'max_completion_tokens', 'max_tokens');
  const sampling = {
    temperature: defaults.temperature,
    ...Object.fromEntries(shared.map((name) => [name, fields.get(name)])),
    max_new_tokens: maxTokens ?? defaults.maxTokens,
    min_new_tokens: optionalInteger(fields, 'min_tokens'),
    sampling_seed: optionalInteger(fields, 'seed'),
    ...responseFormat(fields.object('response_format')),
  };
  const stream = fields.boolean('stream', false);
  const echo = fields.boolean('echo', false);
  const streamOptions = fields.object('stream_options');
  const always = streamOptions?.['continuous_usage_stats'] === true;
  const usage = { atEnd: always || streamOptions?.['include_usage'] === true, always };
  const body = {
    sampling_params: sampling,
    stream,
    rid: fields.get('rid'),
    return_logprob: logprobs !== null,
    top_logprobs_num: logprobs ?? 0,
    logprob_start_len: echo && logprobs !== null ? 0 : -1,
    return_text_in_logprobs: true,
  };
  return { body, stream, usage, echo };
}

/** The first of these fields that is given. */
function optionalInteger(fields: Fields, ...names: readonly string[]): number | null {
  const name = names.find((candidate) => fields.get(candidate) !== null);
  return name === undefined ? null : fields.integer(name, 0);
}

function refuseUnsupported(fields: Fields): void {
  const n = fields.integer('n', 1);
  if (fields.integer('best_of', n) !== n) {
    throw badOpenAiRequest(
      'best_of is not supported: ask for n answers with logprobs and choose among them',
    );
  }
  if ((fields.string('suffix') ?? '') !== '') {
    throw badOpenAiRequest('suffix is not supported: the model continues the prompt');
  }
  for (const name of ['functions', 'function_call', 'audio', 'prediction', 'web_search_options']) {
    if (fields.get(name) === null) continue;
    const hint = name.startsWith('function') ? '; use tools and tool_choice' : '';
    throw badOpenAiRequest(`${name} is not supported${hint}`);
  }
}

/** Chat says `logprobs: true, top_logprobs: 3`, completions `logprobs: 3`. */
function logprobCount(fields: Fields): number | null {
  const value = fields.get('logprobs');
  if (value === null || value === false) return null;
  return value === true ? fields.integer('top_logprobs', 0) : fields.integer('logprobs', 0);
}

function responseFormat(format: JsonObject | null): JsonObject {
  if (format === null || format['type'] === 'text') return {};
  if (format['type'] === 'json_object') return { json_schema: '{"type":"object"}' };
  const wrapper = format['json_schema'];
  if (format['type'] === 'json_schema') {
    const schema = isJsonObject(wrapper) ? (wrapper['schema'] ?? null) : null;
    if (schema === null) {
      throw badOpenAiRequest('response_format.json_schema.schema is missing: put the schema there');
    }
    return { json_schema: JSON.stringify(schema) };
  }
  throw badOpenAiRequest(
    `response_format must be text, json_object or json_schema, not ${kindOf(format['type'])}`,
  );
}

/** Messages of a chat request with their images; contents given in parts are joined. */
export function chatMessages(json: JsonObject): {
  readonly messages: ChatMessage[];
  /** Sources, in the order of their marks in the messages. */
  readonly images: string[];
} {
  const messages = json['messages'];
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badOpenAiRequest('messages must be a list with at least one message');
  }
  const images: string[] = [];
  const read = messages.map((message: unknown): ChatMessage => {
    if (!isJsonObject(message) || typeof message['role'] !== 'string') {
      throw badOpenAiRequest('each message must be an object with a role and a content');
    }
    const { role, content, tool_calls: calls, ...extra } = message;
    return {
      role,
      content: contentText(content, images),
      extra: Array.isArray(calls)
        ? { ...extra, tool_calls: calls.map(withParsedArguments) }
        : extra,
    };
  });
  return { messages: read, images };
}

/** Clients send a call's arguments as JSON text; chat templates print an object. */
function withParsedArguments(call: unknown): unknown {
  const made = isJsonObject(call) ? call['function'] : null;
  if (!isJsonObject(call) || !isJsonObject(made)) {
    throw badOpenAiRequest(
      'each of tool_calls must be {"id": …, "function": {"name", "arguments"}}',
    );
  }
  return { ...call, function: { ...made, arguments: parsed(made['arguments']) } };
}

function parsed(text: unknown): unknown {
  if (typeof text !== 'string') return text ?? {};
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : text;
  } catch {
    return text;
  }
}

/** Text with a mark for each image, whose sources are added to `images`. */
function contentText(content: unknown, images: string[]): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content))
    throw badOpenAiRequest('content must be a string or a list of parts');
  return content
    .map((part: unknown) => {
      if (isJsonObject(part) && typeof part['text'] === 'string') return part['text'];
      const url = imageUrl(part);
      if (url !== null) {
        images.push(url);
        return CHAT_IMAGE_MARK;
      }
      throw badOpenAiRequest(
        'parts of a content must be {"type": "text"} or {"type": "image_url"}',
      );
    })
    .join('');
}

/** `{"type": "image_url", "image_url": {"url": …}}`; some clients send the URL alone. */
function imageUrl(part: unknown): string | null {
  if (!isJsonObject(part) || part['type'] !== 'image_url') return null;
  const given = part['image_url'];
  const url = isJsonObject(given) ? given['url'] : given;
  if (typeof url === 'string' && url !== '') return url;
  throw badOpenAiRequest('image_url must be {"url": "data:image/png;base64,…"} or another URL');
}
