/**
 * The three ways of `sglang.lang.choices` to decide between choices from the log probabilities of
 * their tokens. Pure; natural logarithms throughout. Ties go to the first choice.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { ChoicesMethod } from '../../protocol/output-payloads.ts';
import type { ChoiceEvidence, TokenLogprob } from '../backends/backend.ts';

export interface Decision {
  /** Index of the chosen one; -1 where a program decided for something else. */
  readonly chosen: number;
  /** Mean log probability per token of each choice. */
  readonly normalized: readonly number[];
  /** What is appended, where it need not be one of the choices. */
  readonly value?: string;
  /** What `get_meta_info` answers, under SGLang's names. */
  readonly meta: JsonObject;
}

export function decide(method: ChoicesMethod, evidence: ChoiceEvidence): Decision {
  const normalized = evidence.tokens.map((tokens) => mean(logprobs(tokens)));
  const meta: JsonObject = {
    normalized_prompt_logprobs: normalized,
    input_token_logprobs: evidence.tokens,
    output_token_logprobs: evidence.outputTokens,
  };
  return DECIDERS[method](evidence, normalized, meta);
}

type Decider = (
  evidence: ChoiceEvidence,
  normalized: readonly number[],
  meta: JsonObject,
) => Decision;

const DECIDERS: Readonly<Record<ChoicesMethod, Decider>> = {
  token_length_normalized: (_, normalized, meta) => ({
    chosen: indexOfMax(normalized),
    normalized,
    meta,
  }),
  greedy_token_selection: greedy,
  unconditional_likelihood_normalized: unconditional,
};

function greedy(
  evidence: ChoiceEvidence,
  normalized: readonly number[],
  meta: JsonObject,
): Decision {
  const { matrix, losses } = greedySelection(evidence.tokens);
  return {
    chosen: losses.indexOf(null),
    normalized,
    meta: { ...meta, greedy_logprob_matrix: matrix },
  };
}

/**
 * Keeps, token by token, the choices whose token is the likeliest; shorter rows go on with their mean.
 * `losses`: the number of the token, from 1, at which each choice was given up; `null` for the one left.
 */
export function greedySelection(choices: ChoiceEvidence['tokens']): {
  readonly matrix: readonly (readonly number[])[];
  readonly losses: readonly (number | null)[];
} {
  const width = Math.max(0, ...choices.map((tokens) => tokens.length));
  const matrix = choices.map((tokens) => {
    const row = logprobs(tokens);
    return [...row, ...Array.from({ length: width - row.length }, () => mean(row))];
  });
  const losses: (number | null)[] = matrix.map(() => null);
  let remaining = matrix.map((_, index) => index);
  const keep = (kept: readonly number[], column: number): void => {
    for (const row of remaining) if (!kept.includes(row)) losses[row] = column + 1;
    remaining = [...kept];
  };
  for (let column = 0; column < width && remaining.length > 1; column++) {
    const at = (row: number): number => matrix[row]?.[column] ?? -Infinity;
    const best = Math.max(...remaining.map(at));
    keep(
      remaining.filter((row) => at(row) === best),
      column,
    );
  }
  keep(remaining.slice(0, 1), width - 1);
  return { matrix, losses };
}

/** Decides by the mean gain over the log probabilities without the prompt. */
function unconditional(
  evidence: ChoiceEvidence,
  normalized: readonly number[],
  meta: JsonObject,
): Decision {
  const without = evidence.unconditional ?? [];
  const scores = gains(evidence.tokens, without);
  const unconditionalTokens: readonly JsonValue[] = without;
  return {
    chosen: indexOfMax(scores),
    normalized,
    meta: {
      ...meta,
      unconditional_token_logprobs: unconditionalTokens,
      normalized_unconditional_prompt_logprobs: scores,
    },
  };
}

/** Mean gain of each choice's tokens; a token without a base counts whole. */
export function gains(
  choices: ChoiceEvidence['tokens'],
  without: ChoiceEvidence['tokens'],
): number[] {
  return choices.map((tokens, index) => {
    const base = logprobs(without[index] ?? []);
    return mean(logprobs(tokens).map((value, position) => value - (base[position] ?? 0)));
  });
}

/** The first token of an unconditional list has no probability: it counts as 0. */
function logprobs(tokens: readonly TokenLogprob[]): number[] {
  return tokens.map(([logprob]) => logprob ?? 0);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function indexOfMax(values: readonly number[]): number {
  return values.reduce(
    (best, value, index) => (value > (values[best] ?? -Infinity) ? index : best),
    0,
  );
}
