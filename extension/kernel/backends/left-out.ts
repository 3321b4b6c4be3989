/** Sampling parameters that a program sets and a service does not take. */
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { GenerateParams } from './backend.ts';

interface Parameter {
  /** As programs write it. */
  readonly name: string;
  readonly read: (params: GenerateParams) => JsonValue | undefined;
  /** With this value it changes nothing, so that nobody misses it. */
  readonly neutral: JsonValue;
}

const PARAMETERS = {
  temperature: { name: 'temperature', read: (of) => of.temperature, neutral: 1 },
  topP: { name: 'top_p', read: (of) => of.topP, neutral: 1 },
  topK: { name: 'top_k', read: (of) => of.topK, neutral: -1 },
  minP: { name: 'min_p', read: (of) => of.minP, neutral: 0 },
  frequencyPenalty: { name: 'frequency_penalty', read: (of) => of.frequencyPenalty, neutral: 0 },
  presencePenalty: { name: 'presence_penalty', read: (of) => of.presencePenalty, neutral: 0 },
  minNewTokens: { name: 'min_tokens', read: (of) => of.minNewTokens, neutral: 0 },
  ignoreEos: { name: 'ignore_eos', read: (of) => of.ignoreEos, neutral: false },
  stopTokenIds: { name: 'stop_token_ids', read: (of) => of.stopTokenIds, neutral: [] },
  stopRegex: { name: 'stop_regex', read: (of) => of.stopRegex, neutral: null },
  returnLogprob: { name: 'return_logprob', read: (of) => of.returnLogprob, neutral: false },
  seed: { name: 'seed', read: (of) => of.extra['seed'], neutral: null },
  repetitionPenalty: {
    name: 'repetition_penalty',
    read: (of) => of.extra['repetition_penalty'],
    neutral: 1,
  },
} as const satisfies Record<string, Parameter>;

export type ParameterName = keyof typeof PARAMETERS;

/** Those of `refused` that the gen sets to something, under the names that programs use. */
export function leftOut(params: GenerateParams, refused: readonly ParameterName[]): string[] {
  return refused
    .map((name): Parameter => PARAMETERS[name])
    .filter(({ read, neutral }) => isSet(read(params), neutral))
    .map(({ name }) => name);
}

function isSet(value: JsonValue | undefined, neutral: JsonValue): boolean {
  if (value === undefined || value === null || value === neutral) return false;
  return !(Array.isArray(value) && value.length === 0);
}
