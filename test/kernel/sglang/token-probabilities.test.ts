import { describe, expect, it } from 'vitest';
import {
  choiceProbability,
  textProbability,
  tokenProbabilities,
} from '../../../extension/kernel/sglang/token-probabilities.ts';

describe('tokenProbabilities', () => {
  it('names tokens by their text, or by their number where no text was asked for', () => {
    const meta = {
      output_token_logprobs: [
        [-0.5, 7, null],
        [null, 8, 'b'],
      ],
      output_top_logprobs: [
        [
          [-0.5, 7, null],
          [-1, 9, null],
        ],
        null,
      ],
    };
    expect(tokenProbabilities(meta)).toEqual([
      {
        text: null,
        id: 7,
        logprob: -0.5,
        top: [
          { text: null, id: 7, logprob: -0.5 },
          { text: null, id: 9, logprob: -1 },
        ],
      },
      { text: 'b', logprob: null, top: [] },
    ]);
  });
  it('are unknown where the gen asked for none, and where a token has neither name', () => {
    expect(tokenProbabilities({})).toBeNull();
    expect(tokenProbabilities({ output_token_logprobs: [] })).toBeNull();
    expect(tokenProbabilities({ output_token_logprobs: [[-1, -1, null]] })).toBeNull();
  });
});

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
