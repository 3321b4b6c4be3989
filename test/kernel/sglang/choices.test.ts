import { describe, expect, test } from 'vitest';
import type { ChoiceEvidence, TokenLogprob } from '../../../extension/kernel/backends/backend.ts';
import { choiceScores } from '../../../extension/kernel/sglang/choice-scores.ts';
import { decide } from '../../../extension/kernel/sglang/choices.ts';
import type { ChoicesMethod } from '../../../extension/protocol/output-payloads.ts';

const CHOICES = ['organ', 'organism', 'antidisestablishmentarianism'];

function rows(...logprobs: (number | null)[][]): TokenLogprob[][] {
  return logprobs.map((row) => row.map((logprob, index) => [logprob, index, `t${index}`]));
}

function check(method: ChoicesMethod, evidence: Partial<ChoiceEvidence>, expected: string) {
  const full = { tokens: [], outputTokens: [], unconditional: null, ...evidence };
  const decision = decide(method, full);
  expect(CHOICES[decision.chosen]).toBe(expected);
  return decision;
}

// The example of SGLang's own test: a short word that every token likes, a longer one that the
// prompt makes likely, and a long one whose rest is certain once it has begun.
const TOKENS = rows([-0.1], [-0.1, -0.3], [-0.4, -0.25, -0.1, -0.01, -0.01, -0.01, -0.01, -0.01]);

describe('token_length_normalized', () => {
  test('the mean over tokens decides, so a certain rest makes up for a doubtful beginning', () => {
    const tokens = rows(
      [-0.1],
      [-0.1, -0.3],
      [-0.2, -0.1, -0.05, -0.01, -0.01, -0.01, -0.01, -0.01],
    );
    const { normalized } = check(
      'token_length_normalized',
      { tokens },
      'antidisestablishmentarianism',
    );
    expect(normalized).toEqual([-0.1, -0.2, expect.closeTo(-0.05, 6)]);
  });

  test('the first of equals wins', () => {
    check('token_length_normalized', { tokens: rows([-1], [-1], [-1, -1]) }, 'organ');
  });

  test('a token of probability one counts like any other', () => {
    const tokens = rows([-0.2], [-0.3, 0], [-1]);
    check('token_length_normalized', { tokens }, 'organism');
  });
});

test('greedy_token_selection goes token by token; short rows go on with their mean', () => {
  const { meta } = check('greedy_token_selection', { tokens: TOKENS }, 'organ');
  expect(meta['greedy_logprob_matrix']).toEqual([
    Array.from({ length: 8 }, () => -0.1),
    [-0.1, -0.3, ...Array.from({ length: 6 }, () => -0.2)],
    [-0.4, -0.25, -0.1, -0.01, -0.01, -0.01, -0.01, -0.01],
  ]);
});

test('unconditional_likelihood_normalized: the prompt must make the choice likelier', () => {
  const unconditional = rows(
    [null],
    [null, -1.4],
    [null, -0.05, -0.05, -0.05, -0.05, -0.05, -0.05, -0.1],
  );
  const { meta } = check(
    'unconditional_likelihood_normalized',
    { tokens: TOKENS, unconditional },
    'organism',
  );
  const close = [-0.1, 0.5, -0.05].map((value) => expect.closeTo(value, 2));
  expect(meta['normalized_unconditional_prompt_logprobs']).toEqual(close);
});

describe('what people see of a select', () => {
  const evidence = { tokens: TOKENS, outputTokens: [], unconditional: null };
  const scored = (found: ChoiceEvidence) =>
    choiceScores(CHOICES, found, decide('token_length_normalized', found));

  test('each choice under each way to decide, and its share among them', () => {
    const [first, second, third] = scored(evidence);
    expect(first).toMatchObject({ text: 'organ', chosen: true, score: -0.1, greedyLoss: null });
    // At the second token -0.3 loses against the mean of the choice that has ended, -0.1.
    expect(second).toMatchObject({ chosen: false, greedyLoss: 2 });
    expect(third).toMatchObject({ chosen: false, greedyLoss: 1 });
    const shares = [first, second, third].map((each) => each?.probability ?? 0);
    expect(shares.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(first?.gain).toBeUndefined();
    expect(second?.tokens).toEqual([
      { text: 't0', logprob: -0.1 },
      { text: 't1', logprob: -0.3 },
    ]);
  });

  test('what the prompt gains where that was measured', () => {
    const unconditional = rows([null], [null, -1.4], [null, -1, -1, -1, -1, -1, -1, -1]);
    const [first, second] = scored({ ...evidence, unconditional });
    expect(first?.gain).toBeCloseTo(-0.1, 9);
    expect(second?.gain).toBeCloseTo((-0.1 + 1.1) / 2, 9);
    expect(second?.tokens).toEqual([
      { text: 't0', logprob: -0.1, without: null },
      { text: 't1', logprob: -0.3, without: -1.4 },
    ]);
  });

  test('equals: the first is kept, the others are given up at the last token', () => {
    const found = { ...evidence, tokens: rows([-1], [-1], [-1]) };
    expect(scored(found).map(({ greedyLoss }) => greedyLoss)).toEqual([null, 1, 1]);
    expect(decide('greedy_token_selection', found).chosen).toBe(0);
  });

  test('no tokens of a list that is too long to be saved', () => {
    const long = rows(...CHOICES.map(() => Array.from({ length: 1000 }, () => -0.1)));
    expect(scored({ ...evidence, tokens: long }).every(({ tokens }) => tokens === undefined)).toBe(
      true,
    );
  });
});
