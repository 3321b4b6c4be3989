import { describe, expect, it } from 'vitest';
import {
  choiceProbability,
  textProbability,
} from '../../../extension/kernel/sglang/token-probabilities.ts';

describe('textProbability', () => {
  const half = Math.log(0.5);
  it('is the product of the tokens’ probabilities', () => {
    const meta = {
      output_token_logprobs: [
        [half, 1, null],
        [half, 2, null],
      ],
    };
    expect(textProbability(meta)).toBeCloseTo(0.25, 12);
  });
  it('is unknown without log probabilities, or with one missing', () => {
    expect(textProbability({})).toBeNull();
    expect(textProbability({ output_token_logprobs: [] })).toBeNull();
    expect(textProbability({ output_token_logprobs: [[null, 1, null]] })).toBeNull();
  });
});

describe('choiceProbability', () => {
  it('is the share of the chosen option’s probability, however small all of them are', () => {
    const options = [
      [
        [-1000, 1, 'a'],
        [-1, 2, 'b'],
      ],
      [[-1001 + Math.log(3), 3, 'c']],
    ] as const;
    expect(choiceProbability(options, 0)).toBeCloseTo(0.25, 12);
    expect(choiceProbability(options, 1)).toBeCloseTo(0.75, 12);
    expect(choiceProbability(options, 2)).toBeNull();
  });
});
