import { randomUUID } from 'node:crypto';
import type { SamplingParams } from '../scheduler/messages.ts';
import { malformed, nativeError } from './errors.ts';
import { Fields, isJsonObject, kindOf } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';
import { readImageData } from './image-data.ts';
import { parseSamplingParams } from './sampling-params.ts';

export type Prompt =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ids'; readonly ids: readonly number[] };

export interface LogprobRequest {
  /** First prompt token to report; −1: generated tokens only. */
  readonly start: number;
  readonly top: number;
  /** Tokens to score at every position; absent: none were asked for. */
  readonly tokenIds?: readonly number[];
  readonly withText: boolean;
}

/** One answer to generate. */
export interface GenerateItem {
  readonly rid: string;
  readonly prompt: Prompt;
  /** Base64, URLs or paths, in the order of their places in the prompt. */
  readonly images: readonly string[];
  readonly sampling: SamplingParams;
  readonly logprobs: LogprobRequest | null;
}

/** A `/generate` request; `items` in the order of the answer, batch first, then `n`. */
export interface GenerateCall {
  readonly items: readonly GenerateItem[];
  readonly isList: boolean;
  readonly stream: boolean;
}

/** Fields that the server knows; unknown ones are ignored as pydantic does there. */
export function parseGenerateRequest(json: JsonObject): GenerateCall {
  const fields = new Fields(json);
  refuseUnsupported(fields);
  const { prompts, isBatch } = readPrompts(fields);
  const perItem = new PerItem(fields, prompts.length, isBatch);
  const images = readImageData(fields.get('image_data'), prompts.length, isBatch);
  const items = prompts.flatMap((prompt, index) => {
    const { params, n } = parseSamplingParams(perItem.samplingParams(index));
    const logprobs = perItem.logprobs(index);
    return Array.from({ length: n }, (_, copy) => ({
      rid: perItem.rid(index, n > 1 ? copy : null),
      prompt,
      images: images[index] ?? [],
      sampling:
        copy === 0 || params.seed === null ? params : { ...params, seed: params.seed + copy },
      logprobs,
    }));
  });
  const isList = isBatch || items.length > 1;
  return { items, isList, stream: fields.boolean('stream', false) };
}

function refuseUnsupported(fields: Fields): void {
  for (const name of [
    'video_data',
    'audio_data',
    'input_embeds',
    'lora_path',
    'session_params',
    'custom_logit_processor',
  ]) {
    if (isPresent(fields.get(name)))
      throw nativeError(400, `${name} is not supported by this runtime`);
  }
}

function isPresent(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isPresent);
  return value !== null && value !== '';
}

function readPrompts(fields: Fields): { prompts: Prompt[]; isBatch: boolean } {
  const text = fields.get('text');
  const ids = fields.get('input_ids');
  if ((text === null) === (ids === null)) {
    const problem = text === null ? 'should be provided' : 'should be provided, not both';
    throw nativeError(400, `Either text, input_ids or input_embeds ${problem}.`);
  }
  return text === null ? idPrompts(ids) : textPrompts(text);
}

function textPrompts(text: unknown): { prompts: Prompt[]; isBatch: boolean } {
  if (typeof text === 'string') return { prompts: [{ kind: 'text', text }], isBatch: false };
  if (Array.isArray(text) && text.length > 0 && text.every((one) => typeof one === 'string')) {
    return { prompts: text.map((one) => ({ kind: 'text', text: one })), isBatch: true };
  }
  throw malformed(`text must be a string or a list of strings, not ${describeList(text)}`);
}

function idPrompts(ids: unknown): { prompts: Prompt[]; isBatch: boolean } {
  if (isIdList(ids)) return { prompts: [{ kind: 'ids', ids }], isBatch: false };
  if (Array.isArray(ids) && ids.length > 0 && ids.every(isIdList)) {
    return { prompts: ids.map((one) => ({ kind: 'ids', ids: one })), isBatch: true };
  }
  throw malformed(
    `input_ids must be a list of token ids, or a list of such lists, none empty; got ${describeList(ids)}`,
  );
}

function describeList(value: unknown): string {
  return Array.isArray(value) && value.length === 0 ? 'an empty list' : kindOf(value);
}

function isIdList(value: unknown): value is number[] {
  return Array.isArray(value) && value.length > 0 && value.every((id) => Number.isSafeInteger(id));
}

/** Fields that are one value for all prompts or a list with one for each. */
class PerItem {
  readonly #fields: Fields;
  readonly #count: number;
  readonly #isBatch: boolean;

  constructor(fields: Fields, count: number, isBatch: boolean) {
    this.#fields = fields;
    this.#count = count;
    this.#isBatch = isBatch;
  }

  samplingParams(index: number): JsonObject {
    const value = this.#at('sampling_params', index) ?? {};
    if (!isJsonObject(value)) {
      throw malformed(`sampling_params must be an object, not ${kindOf(value)}`);
    }
    return value;
  }

  logprobs(index: number): LogprobRequest | null {
    const item = new Fields({
      return_logprob: this.#at('return_logprob', index),
      logprob_start_len: this.#at('logprob_start_len', index),
      top_logprobs_num: this.#at('top_logprobs_num', index),
    });
    const wanted = item.boolean('return_logprob', false);
    const start = item.integer('logprob_start_len', -1);
    const top = item.integer('top_logprobs_num', 0);
    if (start < -1) throw nativeError(400, `logprob_start_len must be at least -1, got ${start}.`);
    if (top < 0) throw nativeError(400, `top_logprobs_num must be at least 0, got ${top}.`);
    const withText = this.#fields.boolean('return_text_in_logprobs', false);
    const tokenIds = this.#tokenIds(index);
    return wanted ? { start, top, ...(tokenIds === null ? {} : { tokenIds }), withText } : null;
  }

  /** One list for all prompts, or a list of lists with one for each. */
  #tokenIds(index: number): readonly number[] | null {
    const value = this.#fields.get('token_ids_logprob');
    const isNested =
      Array.isArray(value) && value.some((one) => Array.isArray(one) || one === null);
    const own = isNested ? this.#at('token_ids_logprob', index) : value;
    if (own === null) return null;
    return new Fields({ token_ids_logprob: own }).integers('token_ids_logprob');
  }

  rid(index: number, copy: number | null): string {
    const value = this.#at('rid', index);
    if (value === null) return randomUUID().replaceAll('-', '');
    if (typeof value !== 'string') throw malformed(`rid must be a string, not ${kindOf(value)}`);
    const shared = this.#isBatch && !Array.isArray(this.#fields.get('rid'));
    return `${value}${shared ? `_${index}` : ''}${copy === null ? '' : `_${copy}`}`;
  }

  #at(name: string, index: number): unknown {
    const value = this.#fields.get(name);
    if (!Array.isArray(value)) return value;
    if (!this.#isBatch || value.length !== this.#count) {
      throw nativeError(
        400,
        `The length of ${name} (${value.length}) must match the batch size (${this.#count}).`,
      );
    }
    return value[index] ?? null;
  }
}
