import { expect, test } from 'vitest';
import type { JsonObject } from '../../../extension/protocol/kernel-protocol.ts';
import { resolveSampling } from '../../../extension/kernel/sglang/sampling-params.ts';

function check(
  run: JsonObject,
  gen: JsonObject,
  expected: object,
  templateStops: string[] = [],
): void {
  expect(resolveSampling(run, gen, templateStops)).toMatchObject(expected);
}

test("SGLang's defaults", () =>
  check(
    {},
    {},
    { maxNewTokens: 128, minNewTokens: 0, temperature: 1, topP: 1, topK: -1, stop: [], n: null },
  ));
test('a gen overrides its run', () =>
  check({ temperature: 0.5, top_p: 0.9 }, { temperature: 0 }, { temperature: 0, topP: 0.9 }));
test('a run may have no limit, a gen has that of its run', () => {
  check({ max_new_tokens: null }, {}, { maxNewTokens: null });
  check({ max_new_tokens: null }, { max_new_tokens: 3 }, { maxNewTokens: 3 });
  check({ max_new_tokens: 5 }, { max_new_tokens: null }, { maxNewTokens: 5 });
});
test("a gen's stop replaces the run's", () =>
  check({ stop: ['A'] }, { stop: 'B' }, { stop: ['B'] }));
test('the stops of the template, then those of a number, come after', () =>
  check({}, { stop: '\n', dtype: 'int' }, { stop: ['\n', '<end>', ' ', '\n'] }, ['<end>']));
test('dtype wins over regex', () =>
  check({}, { dtype: 'bool', regex: 'a' }, { regex: '(True|False)' }));
test('regex and schema are both kept: the server decides', () =>
  check({}, { regex: '', json_schema: '{}' }, { regex: '', jsonSchema: '{}' }));
test('n = 1 is not sent', () => check({ n: 1 }, {}, { n: null }));
test('unknown parameters are passed on', () =>
  check({}, { ebnf: 'root ::= "a"' }, { extra: { ebnf: 'root ::= "a"' } }));

test('lists of the program are never changed', () => {
  const stop = ['Q'];
  resolveSampling({}, { stop }, ['<end>']);
  expect(stop).toEqual(['Q']);
});

test.each([
  [{ dtype: 'list' }, 'Invalid dtype: list'],
  [{ stop: [1] }, 'stop must be a string or a list of strings'],
])('refuses %j', (gen, message) => {
  expect(() => resolveSampling({}, gen as JsonObject, [])).toThrow(message);
});
