import { describe, expect, test } from 'vitest';
import { splitReasoning } from '../../../extension/kernel/sglang/reasoning.ts';

/** `reasoning|answer` of a complete text. */
function check(type: string, text: string, expected: string): void {
  const { reasoning, answer } = splitReasoning(type, text);
  expect(`${reasoning}|${answer}`).toBe(expected);
}

test.for<readonly [type: string, text: string, expected: string]>([
  ['deepseek-r1', 'I think.</think>42', 'I think.|42'],
  ['deepseek-r1', '<think>I think.</think>\n\n42\n', 'I think.|42'],
  ['deepseek-r1', 'cut off before its end', 'cut off before its end|'],
  ['qwen3', 'no thinking, </think> or not', '|no thinking, </think> or not'],
  ['qwen3', '<think>\n\n</think>\n\nyes', '|yes'],
  ['Qwen3', '<think>a</think>b</think>c', 'a|b</think>c'],
  ['kimi', '◁think▷hm◁/think▷so', 'hm|so'],
  [
    'gpt-oss',
    '<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>so',
    'hm|so',
  ],
  ['gpt-oss', 'plain', '|plain'],
])('%s: %s', ([type, text, expected]) => check(type, text, expected));

describe('while streaming', () => {
  test.for(['qwen3', 'deepseek-r1', 'kimi', 'gpt-oss'])('%s: both only grow', (type) => {
    const text = {
      qwen3: '<think>one < two</think> three <b>',
      'deepseek-r1': 'one < two</think> three',
      kimi: '◁think▷one ◁ two◁/think▷ three',
      'gpt-oss':
        '<|channel|>analysis<|message|>one<|end|><|start|>assistant<|channel|>final<|message|>two',
    }[type]!;
    let [reasoning, answer] = ['', ''];
    for (let end = 0; end <= text.length; end++) {
      const part = splitReasoning(type, text.slice(0, end), true);
      expect(part.answer.startsWith(answer), `${part.answer} after ${answer}`).toBe(true);
      expect(part.reasoning.trim().startsWith(reasoning.trim())).toBe(true);
      [reasoning, answer] = [part.reasoning, part.answer];
    }
    expect(answer.trim()).toBe(splitReasoning(type, text).answer);
  });
});

test('an unknown model type says so', () => {
  expect(() => splitReasoning('gpt-2', 'x')).toThrow('Unsupported model type: gpt-2');
});
