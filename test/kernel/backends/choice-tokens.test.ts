import { expect, test } from 'vitest';
import {
  InvalidAnswerError,
  type TokenLogprob,
} from '../../../extension/kernel/backends/backend.ts';
import {
  choiceStart,
  choiceTokens,
  parseTokenLogprobs,
} from '../../../extension/kernel/backends/choice-tokens.ts';

/** `a|b` are the tokens of the answer; `-` in front of the list is a null log probability. */
function check(prompt: string, promptTokens: number, entries: string, expected: string): void {
  const tokens = entries.split('|').map((text, index): TokenLogprob => {
    return text.startsWith('-') ? [null, index, text.slice(1)] : [-1, index, text];
  });
  const kept = choiceTokens(tokens, prompt, promptTokens).map(([, , text]) => text);
  expect(kept.join('|')).toBe(expected);
}

test('servers of 2024 begin with the last prompt token', () => {
  check('The capital is', 3, ' is| Paris', ' Paris');
});

test('later servers put a null in front, for the token before it', () => {
  check('The capital is', 3, '- capital| is| Paris| now', ' Paris| now');
});

test('a border token that was tokenised together with the choice belongs to the choice', () => {
  check('Answer: ', 4, '-:| Paris', ' Paris');
});

test('a prompt of one token has no unchanged token to drop', () => {
  check('A', 1, '-A| Paris', ' Paris');
  check('A', 1, '-A|A', 'A');
});

test('the request starts two tokens before the end of the prompt, and never before it', () => {
  expect([0, 1, 2, 7].map(choiceStart)).toEqual([0, 0, 0, 5]);
});

test('an answer without log probabilities is refused', () => {
  expect(() => parseTokenLogprobs(undefined)).toThrow(InvalidAnswerError);
  expect(() => parseTokenLogprobs([['x', 1, null]])).toThrow(InvalidAnswerError);
});
