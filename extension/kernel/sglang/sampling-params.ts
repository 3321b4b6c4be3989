/** Sampling parameters: what a run gives by default, what a gen overrides, what is sent. */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import { ProgramError } from './program-error.ts';

/**
 * One gen's parameters after resolution, under the names of SGLang's frontend. Lists are this
 * object's own: resolving never changes a list that the user's program holds.
 */
export interface SamplingParams {
  /** `null`: as many as the model's context takes. */
  readonly maxNewTokens: JsonValue;
  readonly minNewTokens: JsonValue;
  readonly n: number | null;
  readonly stop: readonly string[];
  readonly stopTokenIds: JsonValue;
  readonly stopRegex: JsonValue;
  readonly temperature: JsonValue;
  readonly topP: JsonValue;
  readonly topK: JsonValue;
  readonly minP: JsonValue;
  readonly frequencyPenalty: JsonValue;
  readonly presencePenalty: JsonValue;
  readonly ignoreEos: JsonValue;
  readonly returnLogprob: JsonValue;
  readonly logprobStartLen: JsonValue;
  readonly topLogprobsNum: JsonValue;
  readonly returnTextInLogprobs: JsonValue;
  readonly regex: string | null;
  readonly dtype: string | null;
  readonly jsonSchema: JsonValue;
  /** Parameters that are not SGLang v0.4.3's; sent only when the program sets them. */
  readonly extra: JsonObject;
}

/** SGLang's regular expressions for `dtype` (`sglang.lang.ir.REGEX_*`). */
export const DTYPE_REGEX: Readonly<Record<string, string>> = {
  int: '[-+]?[0-9]+[ \\n]*',
  float: '[-+]?[0-9]*\\.?[0-9]+[ \\n]*',
  bool: '(True|False)',
  str: '\\"[\\w\\d\\s]*\\"',
};

/** Numbers end at a blank or a line end, so that the model cannot go on after them. */
const NUMBER_STOPS = [' ', '\n'];

const FRONTEND_FIELDS = new Set([
  'max_new_tokens',
  'min_new_tokens',
  'n',
  'stop',
  'stop_token_ids',
  'stop_regex',
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'frequency_penalty',
  'presence_penalty',
  'ignore_eos',
  'return_logprob',
  'logprob_start_len',
  'top_logprobs_num',
  'return_text_in_logprobs',
  'dtype',
  'regex',
  'json_schema',
]);

/**
 * Resolution order of SGLang: the gen's own value, else the run's, else SGLang's default; a gen's
 * `stop` replaces the run's. Then the template's stop strings are added, then those of `dtype`, whose
 * regex wins over the gen's.
 * @throws ProgramError for an unknown `dtype` or a `stop` that is not text.
 */
export function resolveSampling(
  defaults: JsonObject,
  own: JsonObject,
  templateStops: readonly string[],
): SamplingParams {
  const pick = (name: string, fallback: JsonValue): JsonValue =>
    own[name] ?? defaults[name] ?? fallback;
  const dtype = own['dtype'] ?? null;
  const regex = dtype === null ? (own['regex'] ?? null) : dtypeRegex(dtype);
  const numberStops = dtype === 'int' || dtype === 'float' ? NUMBER_STOPS : [];
  const n = pick('n', null);
  const stopRegex = pick('stop_regex', null);
  return {
    maxNewTokens: own['max_new_tokens'] ?? { max_new_tokens: 128, ...defaults }.max_new_tokens,
    minNewTokens: pick('min_new_tokens', 0),
    n: typeof n === 'number' && n !== 1 ? n : null,
    stop: [...stopList(pick('stop', [])), ...templateStops, ...numberStops],
    stopTokenIds: pick('stop_token_ids', []),
    stopRegex: Array.isArray(stopRegex) && stopRegex.length === 0 ? null : stopRegex,
    temperature: pick('temperature', 1),
    topP: pick('top_p', 1),
    topK: pick('top_k', -1),
    minP: pick('min_p', 0),
    frequencyPenalty: pick('frequency_penalty', 0),
    presencePenalty: pick('presence_penalty', 0),
    ignoreEos: pick('ignore_eos', false),
    returnLogprob: pick('return_logprob', null),
    logprobStartLen: pick('logprob_start_len', null),
    topLogprobsNum: pick('top_logprobs_num', null),
    returnTextInLogprobs: pick('return_text_in_logprobs', null),
    regex: typeof regex === 'string' ? regex : null,
    dtype: typeof dtype === 'string' ? dtype : null,
    jsonSchema: own['json_schema'] ?? null,
    extra: { ...extraFields(defaults), ...extraFields(own) },
  };
}

/** Human-readable constraint of a gen for renderers; `null` when it is free. */
export function describeConstraint(own: JsonObject): string | null {
  const dtype = own['dtype'];
  if (typeof dtype === 'string') return `dtype ${dtype}`;
  if (own['json_schema'] !== undefined && own['json_schema'] !== null) return 'json schema';
  const regex = own['regex'];
  return typeof regex === 'string' ? `regex ${regex}` : null;
}

function dtypeRegex(dtype: JsonValue): string {
  const regex =
    typeof dtype === 'string' && Object.hasOwn(DTYPE_REGEX, dtype) ? DTYPE_REGEX[dtype] : undefined;
  if (regex !== undefined) return regex;
  throw new ProgramError(
    'RuntimeError',
    `Invalid dtype: ${typeof dtype === 'string' ? dtype : JSON.stringify(dtype)}`,
  );
}

function stopList(stop: JsonValue): readonly string[] {
  if (typeof stop === 'string') return [stop];
  if (Array.isArray(stop)) {
    const strings = stop.filter((item): item is string => typeof item === 'string');
    if (strings.length === stop.length) return strings;
  }
  throw new ProgramError(
    'TypeError',
    `stop must be a string or a list of strings, not ${JSON.stringify(stop)}`,
  );
}

function extraFields(fields: JsonObject): JsonObject {
  const entries = Object.entries(fields).filter(([name]) => !FRONTEND_FIELDS.has(name));
  return Object.fromEntries(entries);
}
