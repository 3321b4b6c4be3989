/** Request bodies of OpenAI's API, chat and completions, for its models and for compatible servers. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import { UnsupportedByBackendError, type GenerateParams, type Prompt } from './backend.ts';
import { chatMessages, isObject, refuseGrammars, refuseTools, schemaOf } from './chat-prompt.ts';
import { leftOut, type ParameterName } from './left-out.ts';
import { typedCompletion } from './typed-completion.ts';

export interface OpenAiModel {
  readonly name: string;
  readonly chat: boolean;
  /** OpenAI's own service, Azure's included; it refuses the parameters of other servers. */
  readonly official: boolean;
  /** A program without roles sends its text as one message of the user. */
  readonly wholeText?: boolean;
}

/** Reasoning models take fewer parameters than the others: o1, o3-mini, o4-mini, gpt-5 … */
export function isReasoningModel(name: string): boolean {
  return /^(?:.*\/)?(?:o\d|gpt-5(?!.*chat))/.test(name);
}

/** @throws UnsupportedByBackendError for what the service cannot do, before anything is sent. */
export function openAiBody(
  model: OpenAiModel,
  prompt: Prompt,
  params: GenerateParams,
  stream: boolean,
): JsonObject {
  const typed = stream ? null : typedCompletion(model, params);
  if (typed === null) refuseGrammars(params, 'The OpenAI API');
  if (stream || !model.chat) refuseTools(params, stream ? 'A stream' : 'The completions API');
  const extra = model.official ? withoutKey(params.extra, 'repetition_penalty') : params.extra;
  return {
    model: model.name,
    ...(model.chat
      ? { messages: chatMessages(prompt, model.wholeText) }
      : { prompt: prompt.text + (typed?.quote ?? '') }),
    ...(isReasoningModel(model.name) ? reasoningSampling(params, model) : sampling(params)),
    ...(params.n === null ? {} : { n: params.n }),
    ...(model.official ? {} : serverSampling(params)),
    ...logprobs(params, model.chat),
    ...responseFormat(model, schemaOf(params.jsonSchema)),
    ...typed?.fields,
    ...extra,
    ...(stream ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
}

const OFFICIALLY_REFUSED: readonly ParameterName[] = [
  'topK',
  'minP',
  'minNewTokens',
  'ignoreEos',
  'stopTokenIds',
  'repetitionPenalty',
];
const REFUSED_BY_REASONING: readonly ParameterName[] = [
  'temperature',
  'topP',
  'frequencyPenalty',
  'presencePenalty',
];

/** What the program sets and `openAiBody` cannot send. */
export function leftOutOf(model: OpenAiModel, params: GenerateParams): string[] {
  return leftOut(params, [
    ...(isReasoningModel(model.name) ? REFUSED_BY_REASONING : []),
    ...(model.official ? OFFICIALLY_REFUSED : []),
    'stopRegex',
  ]);
}

/** The schema in the form that constrained decoding takes. */
export function schemaFormat(schema: JsonObject): JsonObject {
  const closed = closedSchema(schema);
  const strict = isStrict(closed);
  return { type: 'json_schema', json_schema: { name: 'answer', schema: closed, strict } };
}

function sampling(params: GenerateParams): JsonObject {
  return {
    ...limit('max_tokens', params),
    ...(params.stop.length === 0 ? {} : { stop: params.stop }),
    temperature: params.temperature,
    top_p: params.topP,
    frequency_penalty: params.frequencyPenalty,
    presence_penalty: params.presencePenalty,
  };
}

/** Their hidden reasoning counts too, and they take neither a temperature nor stop strings. */
function reasoningSampling(params: GenerateParams, model: OpenAiModel): JsonObject {
  if (params.stop.length > 0) {
    throw new UnsupportedByBackendError(`The model ${model.name} takes no stop strings (stop=).`);
  }
  return limit('max_completion_tokens', params);
}

function limit(name: string, { maxNewTokens }: GenerateParams): JsonObject {
  return maxNewTokens === null ? {} : { [name]: maxNewTokens };
}

/** What vLLM, SGLang and llama.cpp's server take besides; only what differs from their defaults. */
function serverSampling(params: GenerateParams): JsonObject {
  return {
    ...(params.topK === -1 ? {} : { top_k: params.topK }),
    ...(params.minP === 0 ? {} : { min_p: params.minP }),
    ...(params.minNewTokens === 0 ? {} : { min_tokens: params.minNewTokens }),
    ...(params.ignoreEos === true ? { ignore_eos: true } : {}),
    ...(isEmpty(params.stopTokenIds) ? {} : { stop_token_ids: params.stopTokenIds }),
  };
}

function logprobs(params: GenerateParams, chat: boolean): JsonObject {
  if (params.returnLogprob !== true) return {};
  const top = typeof params.topLogprobsNum === 'number' ? params.topLogprobsNum : 0;
  if (!chat) return { logprobs: top };
  return { logprobs: true, ...(top > 0 ? { top_logprobs: top } : {}) };
}

function responseFormat(model: OpenAiModel, schema: JsonObject | null): JsonObject {
  if (schema === null) return {};
  if (model.chat) return { response_format: schemaFormat(schema) };
  throw new UnsupportedByBackendError(
    `The completion model ${model.name} cannot follow a json_schema: use a chat model, or a RuntimeEndpoint.`,
  );
}

/** Objects closed against other properties, as strict decoding requires, unless the schema says otherwise. */
function closedSchema(schema: JsonObject): JsonObject {
  const parts = Object.entries(schema).map(([name, value]) => [name, closedValue(value)] as const);
  const object = schema['type'] === 'object' && schema['additionalProperties'] === undefined;
  return { ...Object.fromEntries(parts), ...(object ? { additionalProperties: false } : {}) };
}

function closedValue(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(closedValue);
  return isObject(value) ? closedSchema(value) : value;
}

/** Whether every object requires all of its properties and allows no others. */
function isStrict(value: JsonValue | undefined): boolean {
  if (Array.isArray(value)) return value.every(isStrict);
  if (!isObject(value)) return true;
  if (value['type'] === 'object') {
    const names = isObject(value['properties']) ? Object.keys(value['properties']) : [];
    const required = Array.isArray(value['required']) ? value['required'] : [];
    if (value['additionalProperties'] !== false) return false;
    if (!names.every((name) => required.includes(name))) return false;
  }
  return Object.values(value).every(isStrict);
}

function isEmpty(value: JsonValue): boolean {
  return value === null || (Array.isArray(value) && value.length === 0);
}

function withoutKey(fields: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key));
}
