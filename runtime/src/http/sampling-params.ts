import { closest } from '../closest-name.ts';
import { ConstraintError } from '../constraints/constraint.ts';
import type { ConstraintSource } from '../constraints/constraint.ts';
import { StopPattern } from '../constraints/stop-pattern.ts';
import type { SamplingParams } from '../scheduler/messages.ts';
import { nativeError } from './errors.ts';
import { Fields } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

const KNOWN = [
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
  'repetition_penalty',
  'logit_bias',
  'sampling_seed',
  'ignore_eos',
  'no_stop_trim',
  'skip_special_tokens',
  'spaces_between_special_tokens',
  'regex',
  'json_schema',
  'ebnf',
  'structural_tag',
  'custom_params',
  'stream_interval',
] as const;

/** Below this, SGLang samples greedily. */
const GREEDY_BELOW = 1e-6;
/** "As many as fit"; the context clips it. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

export interface SamplingRequest {
  readonly params: SamplingParams;
  /** Answers wanted. */
  readonly n: number;
}

/**
 * Reads `sampling_params`; what SGLang's server refuses is refused with its words, and a key that it
 * does not know, which it answers with 500, is a 400 here that names the key.
 */
export function parseSamplingParams(json: JsonObject): SamplingRequest {
  refuseUnknownKeys(json);
  const fields = new Fields(json, 'sampling_params.', invalid);
  const params: SamplingParams = {
    maxNewTokens:
      json['max_new_tokens'] === null ? UNLIMITED : fields.integer('max_new_tokens', 128),
    minNewTokens: fields.integer('min_new_tokens', 0),
    stop: fields.strings('stop').filter((text) => text.length > 0),
    stopTokenIds: fields.integers('stop_token_ids'),
    stopRegex: fields.strings('stop_regex').map(checkedStopRegex),
    temperature: greedyIfTiny(fields.number('temperature', 1)),
    topP: fields.number('top_p', 1),
    topK: fields.integer('top_k', -1),
    minP: fields.number('min_p', 0),
    frequencyPenalty: fields.number('frequency_penalty', 0),
    presencePenalty: fields.number('presence_penalty', 0),
    repetitionPenalty: fields.number('repetition_penalty', 1),
    logitBias: logitBias(fields.object('logit_bias')),
    seed: fields.get('sampling_seed') === null ? null : fields.integer('sampling_seed', 0),
    ignoreEos: fields.boolean('ignore_eos', false),
    noStopTrim: fields.boolean('no_stop_trim', false),
    skipSpecialTokens: fields.boolean('skip_special_tokens', true),
    constraint: constraintOf(fields),
  };
  checkRanges(params);
  const n = fields.integer('n', 1);
  require(n >= 1 && n <= 128, `n must be in [1, 128], got ${n}.`);
  return { params, n };
}

function refuseUnknownKeys(json: JsonObject): void {
  for (const key of Object.keys(json)) {
    if (KNOWN.some((known) => known === key)) continue;
    const guess = closest(key, KNOWN);
    const hint = guess === null ? '' : `; did you mean ${guess}?`;
    throw invalid(`Unknown sampling parameter: ${key}${hint}`);
  }
}

/** The checks and texts of SGLang's `SamplingParams.verify`. */
function checkRanges(p: SamplingParams): void {
  require(p.temperature >= 0, `temperature must be non-negative, got ${p.temperature}.`);
  require(p.topP > 0 && p.topP <= 1, `top_p must be in (0, 1], got ${p.topP}.`);
  require(p.minP >= 0 && p.minP <= 1, `min_p must be in [0, 1], got ${p.minP}.`);
  require(p.topK === -1 ||
    p.topK >= 1, `top_k must be -1 (disable), or at least 1, got ${p.topK}.`);
  requirePenalty('frequency_penalty', p.frequencyPenalty, -2);
  requirePenalty('presence_penalty', p.presencePenalty, -2);
  requirePenalty('repetition_penalty', p.repetitionPenalty, 0);
  require(p.maxNewTokens >= 0, `max_new_tokens must be at least 0, got ${p.maxNewTokens}.`);
  require(p.minNewTokens >= 0 &&
    p.minNewTokens <=
      p.maxNewTokens, `min_new_tokens must be in [0, max_new_tokens(${p.maxNewTokens})], got ${p.minNewTokens}.`);
}

function requirePenalty(name: string, value: number, least: number): void {
  require(value >= least && value <= 2, `${name} must be in [${least}, 2], got ${value}.`);
}

function greedyIfTiny(temperature: number): number {
  return temperature >= 0 && temperature < GREEDY_BELOW ? 0 : temperature;
}

function constraintOf(fields: Fields): ConstraintSource | null {
  require(fields.get('structural_tag') === null &&
    fields.get('custom_params') ===
      null, 'structural_tag and custom_params are not supported by this runtime');
  const regex = fields.string('regex');
  const schema = schemaText(fields.get('json_schema'));
  const grammar = fields.string('ebnf');
  const given = [regex, schema, grammar].filter((source) => source !== null);
  require(given.length <= 1, 'Only one of regex, json_schema, or ebnf can be set.');
  require(given.every(
    (source) => source.length > 0,
  ), 'regex, json_schema and ebnf must not be empty: only the empty text would match');
  if (regex !== null) return { kind: 'regex', pattern: regex };
  if (schema !== null) return { kind: 'json_schema', schema };
  return grammar === null ? null : { kind: 'ebnf', grammar };
}

/** SGLang takes a JSON text; an object is understood as well. */
function schemaText(value: unknown): string | null {
  return value === null || typeof value === 'string' ? value : JSON.stringify(value);
}

function logitBias(json: JsonObject | null): SamplingParams['logitBias'] {
  return Object.entries(json ?? {}).map(([key, bias]) => {
    const token = Number(key);
    require(/^\d+$/.test(key) &&
      typeof bias === 'number' &&
      Math.abs(bias) <=
        100, `sampling_params.logit_bias must map token ids to numbers in [-100, 100]; "${key}" does not`);
    return [token, bias] as const;
  });
}

function checkedStopRegex(pattern: string): string {
  try {
    return new StopPattern(pattern).source;
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    const where = `position ${error.position}`;
    const hint = error.position === null || error.message.includes(where) ? '' : ` at ${where}`;
    throw invalid(`stop_regex: ${error.message}${hint}`);
  }
}

function require(condition: boolean, message: string): asserts condition {
  if (!condition) throw invalid(message);
}

function invalid(message: string): Error {
  return nativeError(400, message);
}
