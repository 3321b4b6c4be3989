import { describe, expect, it } from 'vitest';
import { RadixCache } from '../../../runtime/src/cache/radix-cache.ts';
import { createConstraintCompiler } from '../../../runtime/src/constraints/compiler.ts';
import { FakeEngine } from '../../../runtime/src/engine/fake-engine.ts';
import { FakeVocabulary } from '../../../runtime/src/engine/fake-vocabulary.ts';
import { acceptToken } from '../../../runtime/src/scheduler/accept-token.ts';
import { ForcedText } from '../../../runtime/src/scheduler/forced-text.ts';
import type { SamplingParams } from '../../../runtime/src/scheduler/messages.ts';
import { RequestFactory } from '../../../runtime/src/scheduler/request-factory.ts';
import { type BenchOptions, lehmer, SchedulerBench } from './scheduler-bench.ts';

const SHEET = '\\{"name": "[a-z]{3,8}", "house": "(north|south)", "year": 19[0-9]{2}\\}';

function bench(options: BenchOptions = {}): SchedulerBench {
  return new SchedulerBench({ jumpForward: true, ...options });
}

function regex(pattern: string, rest: Partial<SamplingParams> = {}): Partial<SamplingParams> {
  const constraint = { kind: 'regex', pattern } as const;
  return { constraint, maxNewTokens: 200, ignoreEos: false, ...rest };
}

function textOf(one: SchedulerBench, tokens: readonly number[]): string {
  return Buffer.concat(tokens.map((token) => one.engine.vocabulary.bytes(token, false))).toString();
}

describe('jump-forward', () => {
  it('writes forced text without a step of its own; ids, text and counts agree', () => {
    const [plain, jumping] = [bench({ jumpForward: false }), bench()];
    const results = [plain, jumping].map((one) => {
      const [result] = one.run(one.request('sheet: ', regex(SHEET)));
      expect(result!.text).toMatch(new RegExp(`^${SHEET}$`));
      expect(textOf(one, result!.tokens)).toBe(result!.text);
      expect(result!.finish).toEqual({ type: 'stop', matched: 274 });
      expect(one.scheduler.state.generatedTokens).toBe(result!.tokens.length);
      return result!;
    });
    expect(jumping.engine.batchSizes.length * 2).toBeLessThan(plain.engine.batchSizes.length);
    // Nothing is computed twice: prompt and output, without the last digit and the brace behind it.
    const computed = jumping.engine.batchSizes.reduce((sum, size) => sum + size, 0);
    expect(computed).toBe(7 + results[1]!.tokens.length - 2);
    const canonical = jumping.ids(results[1]!.text);
    expect(results[1]!.tokens).toEqual(canonical);
  });

  it('computes text that is forced from the start together with the prompt', () => {
    const one = bench();
    const [result] = one.run(one.request('sheet: ', regex('\\{"name": "[a-z]"\\}')));
    expect(one.engine.batchSizes).toEqual([7 + '{"name": "'.length]);
    expect(result!.cachedTokens).toBe(0);
    const [again] = one.run(one.request('sheet: ', regex('\\{"name": "[a-z]"\\}')));
    expect(again).toMatchObject({ text: result!.text, cachedTokens: 7 });
  });

  it('needs no model at all for a constraint without a choice', () => {
    const one = bench();
    const [result] = one.run(one.request('x', regex('fixed')));
    expect(result).toMatchObject({ text: 'fixed', finish: { type: 'stop', matched: 274 } });
    expect(one.engine.batchSizes).toEqual([]);
  });

  it('takes computed and reported tokens back when the text is tokenised anew', () => {
    const vocabulary = new FakeVocabulary({ pieces: ['abc'] });
    const letters = 'ab';
    const script = (history: readonly number[]) => letters.charCodeAt(history.length - 1) || null;
    for (const stream of [true, false]) {
      const one = bench({ vocabulary, script });
      const pattern = regex('(a|x)(b|y)c[0-9]', { ignoreEos: true });
      const request = one.request('>', pattern, { stream });
      const [result] = one.run(request);
      expect(result!.text).toMatch(/^abc[0-9]$/);
      expect(result!.tokens).toEqual([256, result!.text.charCodeAt(3)]);
      // Steps: prompt → a; a → b; then abc in place of a and b.
      expect(one.engine.batchSizes).toEqual([1, 1, 1]);
      expect(result!.pieces).toBe(stream ? 3 : 1);
    }
  });

  it('replaces tokens that the cache owns by sharing less of it', () => {
    const vocabulary = new FakeVocabulary({ pieces: ['abcd'] });
    const engine = new FakeEngine({ vocabulary, sequences: 3 });
    const cache = new RadixCache(engine, 3);
    const spec = new SchedulerBench({ vocabulary }).request('>', regex('(a|x)(b|y)(c|z)d[0-9]'));
    const created = new RequestFactory(vocabulary, createConstraintCompiler(vocabulary)).create(
      spec,
    );
    if (!created.ok) throw new Error('refused');
    const one = created.request;
    const write = (letters: string) => {
      for (const letter of letters) acceptToken(one, letter.charCodeAt(0), vocabulary);
    };
    const compute = () => {
      const { sequence } = one.lease!;
      one.tokens.slice(one.computed).forEach((token, i) => {
        const position = one.computed + i;
        engine.forward([{ token, position, sequence, wantsLogits: false }]);
      });
      one.computed = one.tokens.length;
    };
    // Retracted after "ab": these tokens were given to the cache, and found there again.
    one.begin(cache.lock(one.tokens, 1)!);
    write('ab');
    compute();
    cache.insert(one.lease!, one.tokens.slice());
    cache.unlock(one.lease!);
    one.begin(cache.lock(one.tokens, one.tokens.length)!);
    expect(one.lease!.shared).toBe(3);
    write('c');
    new ForcedText(engine, cache).append(one);
    expect(one.tokens).toEqual([62, 256]);
    expect(one.lease!.shared).toBe(1);
    compute();
    expect(engine.sequenceTokens(one.lease!.sequence)).toEqual([62, 256]);
    cache.checkIntegrity();
    cache.unlock(one.lease!);
    expect(engine.usedCells).toBe(3);
  });

  it('stops inside forced text: stop strings, stop tokens, the length', () => {
    const write = (rest: Partial<SamplingParams>) => {
      const one = bench();
      const [result] = one.run(one.request('x', regex('[0-9]: one two three', rest)));
      return { text: result!.text, finish: result!.finish, tokens: result!.tokens.length };
    };
    const t = 't'.charCodeAt(0);
    const digit = write({}).text[0]!;
    expect(write({ stop: ['two'] })).toEqual({
      text: `${digit}: one `,
      finish: { type: 'stop', matched: 'two' },
      tokens: '?: one two'.length - 1,
    });
    expect(write({ stopTokenIds: [t] })).toMatchObject({
      text: `${digit}: one `,
      finish: { type: 'stop', matched: t },
    });
    expect(write({ maxNewTokens: 4 })).toMatchObject({
      finish: { type: 'length', length: 4 },
      tokens: 4,
    });
  });

  it('goes token by token where log probabilities are wanted', () => {
    const one = bench();
    const rest = { logprobs: { start: -1, top: 0 } };
    const [result] = one.run(one.request('x', regex('abc[0-9]'), rest));
    expect(result!.outputLogprobs.map(([, token]) => token)).toEqual(result!.tokens);
    expect(one.engine.batchSizes).toHaveLength(result!.tokens.length);
  });

  it('is not kept waiting by a long prompt', () => {
    const one = bench({ prefillTokens: 16, cells: 2000 });
    const sheet = one.request('x', regex(`${SHEET} ${SHEET}`), { stream: true });
    one.submit(sheet);
    one.step();
    one.submit(one.request('y'.repeat(1000), { maxNewTokens: 1 }));
    let lastTokens = 0;
    while ((one.results.get(sheet.id)?.finish ?? null) === null) {
      one.step();
      // A jump of more than a chunk takes two steps, everything else one.
      if (one.result(sheet.id).tokens.length === lastTokens) one.step();
      expect(one.result(sheet.id).tokens.length).toBeGreaterThan(lastTokens);
      lastTokens = one.result(sheet.id).tokens.length;
    }
  });

  it.each([1, 2, 3])(
    'gives what the naive cache gives, with forks and aborts (seed %i)',
    (seed) => {
      const random = lehmer(seed * 104_729);
      const patterns = [
        SHEET,
        '(in|on|er)+ing',
        '(yes|no), (then|else) [a-z]{2}',
        'er[a-z]ing the end',
      ];
      const small = { cells: 260, sequences: 10, prefillTokens: 40, maxRunning: 6 };
      const radix = bench(small);
      const naive = bench({ ...small, cache: 'naive' });
      const expected = new Map<number, { prompt: string; pattern: string }>();
      for (let i = 0; i < 60; i += 1) {
        const prompt = 'stem ' + 'abc'[random(3)]!.repeat(1 + random(30));
        for (let forks = 1 + random(3); forks > 0; forks -= 1) {
          const pattern = patterns[random(patterns.length)]!;
          const options = regex(pattern, { maxNewTokens: 60 });
          const request = radix.request(prompt, options, { stream: random(2) === 0 });
          expected.set(request.id, { prompt, pattern });
          radix.submit(request);
        }
        for (let steps = random(6); steps > 0; steps -= 1) radix.step();
        if (random(6) === 0) radix.scheduler.abort([1 + random(expected.size)]);
      }
      radix.run();
      for (const [id, { prompt, pattern }] of expected) {
        const result = radix.result(id);
        if (result.finish?.type === 'abort') continue;
        const [reference] = naive.run(naive.request(prompt, regex(pattern, { maxNewTokens: 60 })));
        expect(result.tokens).toEqual(reference!.tokens);
        expect(result.text).toBe(reference!.text);
      }
      expect(radix.scheduler.flushCache()).toBe(true);
      expect(radix.engine.usedCells).toBe(0);
    },
  );
});
