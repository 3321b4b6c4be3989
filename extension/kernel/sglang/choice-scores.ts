/** What people see of a select: every choice under each way to decide, token by token. */
import type { ChoiceScore, ChoiceToken } from '../../protocol/output-payloads.ts';
import type { ChoiceEvidence } from '../backends/backend.ts';
import { gains, greedySelection, type Decision } from './choices.ts';
import { choiceProbability } from './token-probabilities.ts';

/** Tokens of all choices together that are kept: they are saved with the notebook. */
const MOST_TOKENS = 2_000;

export function choiceScores(
  choices: readonly string[],
  evidence: ChoiceEvidence,
  { chosen, normalized }: Decision,
): ChoiceScore[] {
  const { tokens, unconditional } = evidence;
  const { losses } = greedySelection(tokens);
  const gained = unconditional === null ? null : gains(tokens, unconditional);
  const keepsTokens = tokens.reduce((sum, each) => sum + each.length, 0) <= MOST_TOKENS;
  return choices.map((text, index) => {
    const probability = choiceProbability(tokens, index);
    const gain = gained?.[index];
    return {
      text,
      score: normalized[index] ?? 0,
      chosen: index === chosen,
      ...(probability === null ? {} : { probability }),
      greedyLoss: losses[index] ?? null,
      ...(gain === undefined ? {} : { gain }),
      ...(keepsTokens ? { tokens: choiceTokens(evidence, index) } : {}),
    };
  });
}

function choiceTokens({ tokens, unconditional }: ChoiceEvidence, index: number): ChoiceToken[] {
  const without = unconditional?.[index];
  return (tokens[index] ?? []).map(([logprob, , text], position) => ({
    text,
    logprob: logprob ?? 0,
    ...(without === undefined ? {} : { without: without[position]?.[0] ?? null }),
  }));
}
