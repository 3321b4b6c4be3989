/**
 * The three ways of `sglang.lang.choices` to decide between choices from the log probabilities of
 * their tokens. Pure; natural logarithms throughout. Ties go to the first choice.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { ChoiceEvidence, TokenLogprob } from '../backends/backend.ts';

export type ChoicesMethod =
  | 'token_length_normalized'
  | 'greedy_token_selection'
  | 'unconditional_likelihood_normalized';

export interface Decision {
  /** Index of the chosen one. */
  readonly chosen: number;
  /** Mean log probability per token of each choice. */
  readonly normalized: readonly number[];
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

/** Keeps, token by token, the choices whose token is the likeliest; shorter rows go on with their mean. */
function greedy(
  evidence: ChoiceEvidence,
  normalized: readonly number[],
  meta: JsonObject,
): Decision {
  const width = Math.max(0, ...evidence.tokens.map((tokens) => tokens.length));
  const matrix = evidence.tokens.map((tokens) => {
    const row = logprobs(tokens);
    return [...row, ...Array.from({ length: width - row.length }, () => mean(row))];
  });
  let remaining = matrix.map((_, index) => index);
  for (let column = 0; column < width && remaining.length > 1; column++) {
    const at = (row: number): number => matrix[row]?.[column] ?? -Infinity;
    const best = Math.max(...remaining.map(at));
    remaining = remaining.filter((row) => at(row) === best);
  }
  return {
    chosen: remaining[0] ?? 0,
    normalized,
    meta: { ...meta, greedy_logprob_matrix: matrix },
  };
}

/** Mean gain of each token's log probability over the one it has without the prompt. */
function unconditional(
  evidence: ChoiceEvidence,
  normalized: readonly number[],
  meta: JsonObject,
): Decision {
  const without = evidence.unconditional ?? [];
  const scores = evidence.tokens.map((tokens, index) => {
    const base = logprobs(without[index] ?? []);
    return mean(logprobs(tokens).map((value, position) => value - (base[position] ?? 0)));
  });
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
