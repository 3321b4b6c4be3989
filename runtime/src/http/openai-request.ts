import { objectError } from './errors.ts';
import type { ChatMessage } from './chat-template.ts';
import { Fields, isJsonObject, kindOf } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

/** What an OpenAI request means in terms of `/generate`, and how it is to be answered. */
export interface OpenAiCall {
  /** A `/generate` body without its prompt. */
  readonly body: JsonObject;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly echo: boolean;
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
  const logprobs = logprobCount(fields);
  const shared = SAME_NAME.filter((name) => fields.get(name) !== null);
  const maxTokens = fields.get('max_completion_tokens') ?? fields.get('max_tokens');
  const sampling = {
    temperature: defaults.temperature,
    ...Object.fromEntries(shared.map((name) => [name, fields.get(name)])),
    max_new_tokens: maxTokens ?? defaults.maxTokens,
    min_new_tokens: fields.get('min_tokens'),
    sampling_seed: fields.get('seed'),
    ...responseFormat(fields.object('response_format')),
  };
  const stream = fields.boolean('stream', false);
  const echo = fields.boolean('echo', false);
  const includeUsage = fields.object('stream_options')?.['include_usage'] === true;
  const body = {
    sampling_params: sampling,
    stream,
    rid: fields.get('rid'),
    return_logprob: logprobs !== null,
    top_logprobs_num: logprobs ?? 0,
    logprob_start_len: echo && logprobs !== null ? 0 : -1,
    return_text_in_logprobs: true,
  };
  return { body, stream, includeUsage, echo };
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
  if (format['type'] === 'json_schema' && isJsonObject(wrapper)) {
    return { json_schema: JSON.stringify(wrapper['schema'] ?? {}) };
  }
  throw badOpenAiRequest(
    `response_format must be text, json_object or json_schema, not ${kindOf(format['type'])}`,
  );
}

/** Messages of a chat request; contents given in parts are joined. */
export function chatMessages(json: JsonObject): ChatMessage[] {
  const messages = json['messages'];
  if (!Array.isArray(messages) || messages.length === 0) {
    throw badOpenAiRequest('messages must be a list with at least one message');
  }
  return messages.map((message: unknown) => {
    if (!isJsonObject(message) || typeof message['role'] !== 'string') {
      throw badOpenAiRequest('each message must be an object with a role and a content');
    }
    return { role: message['role'], content: contentText(message['content']) };
  });
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  if (content === null || content === undefined) return '';
  if (!Array.isArray(content))
    throw badOpenAiRequest('content must be a string or a list of parts');
  return content
    .map((part: unknown) => {
      if (isJsonObject(part) && typeof part['text'] === 'string') return part['text'];
      throw badOpenAiRequest('the model that is running reads text only; send text parts');
    })
    .join('');
}
