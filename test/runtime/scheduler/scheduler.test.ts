import { describe, expect, it } from 'vitest';
import { createConstraintCompiler } from '../../../runtime/src/constraints/compiler.ts';
import { argmax } from '../../../runtime/src/sampling/token-set.ts';
import { promptLogprob } from '../../../runtime/src/sampling/logprobs.ts';
import { lehmer, SchedulerBench } from './scheduler-bench.ts';

/** Greedy continuation computed from the fake model directly. */
function oracle(bench: SchedulerBench, prompt: number[], count: number): number[] {
  const history = [...prompt];
  for (let i = 0; i < count; i += 1) history.push(argmax(bench.engine.logitsAfter(history), null));
  return history.slice(prompt.length);
}

/** A model that writes `text` after any prompt of that length, then ends. */
function scripted(text: string, promptLength: number) {
  const bytes = [...new TextEncoder().encode(text)];
  return (history: readonly number[]) =>
    bytes[history.length - promptLength] ?? (history.length >= promptLength ? 274 : null);
}

describe('Scheduler', () => {
  it('continues a prompt greedily, as the model alone would', () => {
    const bench = new SchedulerBench();
    const [result] = bench.run(bench.request('Once upon a time'));
    expect(result!.tokens).toEqual(oracle(bench, bench.ids('Once upon a time'), 8));
    expect(result!.finish).toEqual({ type: 'length', length: 8 });
    expect(result!.pieces).toBe(1);
  });

  it('runs many requests in one batch, with the results of each alone', () => {
    const bench = new SchedulerBench();
    const prompts = ['alpha', 'beta beta', 'gamma', 'delta delta delta'];
    const results = bench.run(...prompts.map((prompt) => bench.request(prompt)));
    prompts.forEach((prompt, i) =>
      expect(results[i]!.tokens).toEqual(oracle(bench, bench.ids(prompt), 8)),
    );
    expect(bench.engine.batchSizes).toHaveLength(8);
  });

  it('shares the prompt of a list request: one computes, the others join a step later', () => {
    const bench = new SchedulerBench();
    const prompt = 'x'.repeat(100);
    const results = bench.run(...[1, 2, 3].map(() => bench.request(prompt)));
    expect(results.map((result) => result.cachedTokens)).toEqual([0, 99, 99]);
    expect(bench.engine.batchSizes[0]).toBe(100);
    expect(bench.engine.batchSizes[1]).toBe(3);
  });

  it('reuses the prompt and the answer of an earlier request', () => {
    const bench = new SchedulerBench();
    const [first] = bench.run(bench.request('a conversation'));
    const ids = [...bench.ids('a conversation'), ...first!.tokens, 65, 66];
    const [second] = bench.run(bench.request(ids));
    // The last generated token was never computed.
    expect(second!.cachedTokens).toBe(ids.length - 3);
    expect(second!.tokens).toEqual(oracle(bench, ids, 8));
  });

  it('computes a long prompt in chunks without stopping those that decode', () => {
    const bench = new SchedulerBench({ prefillTokens: 16, cells: 1000 });
    const running = bench.request('short', { maxNewTokens: 30 }, { stream: true });
    bench.submit(running);
    bench.step();
    const long = bench.request('y'.repeat(160), { maxNewTokens: 1 });
    bench.submit(long);
    for (let step = 0; step < 10; step += 1) {
      expect(bench.step().map(({ id }) => id)).toContain(running.id);
    }
    expect(bench.result(long.id).finish).toEqual({ type: 'length', length: 1 });
    expect(Math.max(...bench.engine.batchSizes)).toBe(17);
  });

  it('computes the prompt only when no token is wanted', () => {
    const bench = new SchedulerBench();
    const [result] = bench.run(bench.request('xyzxyz', { maxNewTokens: 0 }));
    expect(result).toMatchObject({ text: '', tokens: [], finish: { type: 'length', length: 0 } });
    const [next] = bench.run(bench.request('xyzxyz!'));
    expect(next!.cachedTokens).toBe(6);
  });

  it('queues what does not fit at once, and evicts', () => {
    const bench = new SchedulerBench({ cells: 64, sequences: 4 });
    const prompts = Array.from({ length: 12 }, (_, i) => 'abcdefghijkl'[i]!.repeat(30));
    const results = bench.run(...prompts.map((prompt) => bench.request(prompt)));
    prompts.forEach((prompt, i) =>
      expect(results[i]!.tokens).toEqual(oracle(bench, bench.ids(prompt), 8)),
    );
  });

  it('retracts when generations outgrow the cache, without changing an answer', () => {
    const bench = new SchedulerBench({ cells: 100, sequences: 4 });
    const prompts = ['aaaa', 'bbbb', 'cccc'];
    const results = bench.run(
      ...prompts.map((prompt) => bench.request(prompt, { maxNewTokens: 60 })),
    );
    prompts.forEach((prompt, i) =>
      expect(results[i]!.tokens).toEqual(oracle(bench, bench.ids(prompt), 60)),
    );
    expect(results.some((result) => result.retractions > 0)).toBe(true);
  });

  it('frees what an aborted request held', () => {
    const bench = new SchedulerBench();
    const request = bench.request('to be aborted', { maxNewTokens: 1000 });
    const waiting = bench.request('never started');
    bench.submit(request);
    bench.step();
    bench.submit(waiting);
    bench.scheduler.abort([request.id, waiting.id, 999]);
    bench.step();
    expect(bench.result(request.id).finish).toMatchObject({ type: 'abort' });
    expect(bench.result(waiting.id).finish).toMatchObject({ type: 'abort' });
    expect(bench.scheduler.state.cells.inUse).toBe(0);
    expect(bench.scheduler.hasWork).toBe(false);
  });

  it('refuses to flush while requests run', () => {
    const bench = new SchedulerBench();
    bench.submit(bench.request('busy'));
    expect(bench.scheduler.flushCache()).toBe(false);
    bench.run();
    expect(bench.scheduler.flushCache()).toBe(true);
    expect(bench.engine.usedCells).toBe(0);
  });

  it('answers everybody when the engine fails, and goes on', () => {
    const bench = new SchedulerBench();
    const bad = bench.request([100_000]);
    const innocent = bench.request('innocent');
    const [first, second] = bench.run(bad, innocent);
    for (const result of [first!, second!]) {
      expect(result.finish).toMatchObject({ type: 'abort', status_code: 500 });
      expect(JSON.stringify(result.finish)).toContain('token 100000');
    }
    expect(bench.run(bench.request('again'))[0]!.finish).toEqual({ type: 'length', length: 8 });
  });

  it('survives an engine that is full although the numbers say otherwise', () => {
    const bench = new SchedulerBench({ cells: 64 });
    const forward = bench.engine.forward.bind(bench.engine);
    bench.engine.forward = (batch) =>
      bench.engine.usedCells + batch.length > 20 ? { status: 'full' } : forward(batch);
    const requests = ['aaaa', 'bbbb', 'c'.repeat(30), 'dddd'].map((prompt) =>
      bench.request(prompt),
    );
    const results = bench.run(...requests);
    const ends = results.map((result) => result.finish?.type);
    expect(ends).toEqual(['length', 'length', 'abort', 'length']);
    expect(results[0]!.tokens).toEqual(oracle(bench, bench.ids('aaaa'), 8));
  });

  it('tries again after an aborted step', () => {
    const bench = new SchedulerBench();
    bench.engine.abortNextForward();
    const [result] = bench.run(bench.request('again'));
    expect(result!.tokens).toEqual(oracle(bench, bench.ids('again'), 8));
  });

  it('answers one request only when its constraint breaks', () => {
    const bench = new SchedulerBench();
    const broken = bench.request('x', {
      constraint: { kind: 'json_schema', schema: '{"type":5}' },
    });
    const [first, second] = bench.run(broken, bench.request('fine'));
    expect(first!.finish).toMatchObject({ type: 'abort' });
    expect(second!.finish).toEqual({ type: 'length', length: 8 });
  });

  it('works with models whose sequences cannot be cut', () => {
    const bench = new SchedulerBench({ supportsPartialRemoval: false, cache: 'naive' });
    const [a, b] = bench.run(bench.request('same'), bench.request('same'));
    expect(a!.tokens).toEqual(b!.tokens);
    expect(bench.engine.usedCells).toBe(0);
  });
});

describe('ends of a generation', () => {
  const write = (text: string, sampling: object, stream = false) => {
    const bench = new SchedulerBench({ script: scripted(text, 1) });
    const [result] = bench.run(
      bench.request('>', { maxNewTokens: 50, ignoreEos: false, ...sampling }, { stream }),
    );
    return { text: result!.text, finish: result!.finish, tokens: result!.tokens.length };
  };

  it('stops at the end token, which leaves no text', () => {
    expect(write('Paris', {})).toEqual({
      text: 'Paris',
      finish: { type: 'stop', matched: 274 },
      tokens: 6,
    });
  });

  it('stops at a stop string across tokens and trims it, also while streaming', () => {
    const finish = { type: 'stop', matched: '\n\n' };
    expect(write('one\n\ntwo', { stop: ['\n\n'] })).toEqual({ text: 'one', finish, tokens: 5 });
    expect(write('one\n\ntwo', { stop: ['\n\n'] }, true).text).toBe('one');
    expect(write('one\n\ntwo', { stop: ['\n\n'], noStopTrim: true }).text).toBe('one\n\n');
  });

  it('stops at stop token ids and at a pattern', () => {
    expect(write('abc', { stopTokenIds: [98] })).toMatchObject({
      text: 'a',
      finish: { type: 'stop', matched: 98 },
    });
    expect(write('in 1969 they', { stopRegex: ['\\d{4}'] })).toMatchObject({
      text: 'in 1969',
      finish: { type: 'stop', matched: '\\d{4}' },
    });
  });

  it('counts the length before any stop, as SGLang does', () => {
    expect(write('abc', { stop: ['c'], maxNewTokens: 3 })).toMatchObject({
      text: 'ab',
      finish: { type: 'length', length: 3 },
    });
  });

  it('goes on after the end token when told so, and until min_new_tokens', () => {
    expect(write('a', { ignoreEos: true, maxNewTokens: 5 }).tokens).toBe(5);
    expect(write('a', { minNewTokens: 10, maxNewTokens: 20 }).tokens).toBeGreaterThanOrEqual(10);
  });

  it('never splits a character while streaming', () => {
    const bench = new SchedulerBench({ script: scripted('héé', 1) });
    const request = bench.request('>', { ignoreEos: false }, { stream: true });
    const pieces: string[] = [];
    bench.submit(request);
    while (bench.scheduler.hasWork) pieces.push(...bench.step().map(({ text }) => text));
    expect(pieces.join('')).toBe('héé');
    expect(pieces.join('')).not.toContain('\u{fffd}');
  });
});

describe('constraints', () => {
  it('keep the output within a regex and end it when nothing may follow', () => {
    const bench = new SchedulerBench();
    const constraint = { kind: 'regex', pattern: '[0-9]{4}-[0-9]{2}' } as const;
    const [result] = bench.run(
      bench.request('date: ', { maxNewTokens: 30, ignoreEos: false, constraint }),
    );
    expect(result!.text).toMatch(/^[0-9]{4}-[0-9]{2}$/);
    expect(result!.finish).toEqual({ type: 'stop', matched: 274 });
  });

  it('take the token that the mask leaves first, also where it was not computed', () => {
    for (const pattern of ['[a-m ]{30}', '(?s).{20,}', '(in|on|er| the|[x-z])+']) {
      const bench = new SchedulerBench();
      const constraint = { kind: 'regex', pattern } as const;
      const ids = bench.ids('prompt');
      const request = bench.request(ids, { maxNewTokens: 30, ignoreEos: false, constraint });
      const [result] = bench.run(request);
      const matcher = createConstraintCompiler(bench.engine.vocabulary).compile(constraint).start();
      const history = [...ids];
      for (const token of result!.tokens) {
        expect(token).toBe(argmax(bench.engine.logitsAfter(history), matcher.mask()));
        expect(matcher.knowsMask).toBe(true);
        expect(matcher.accept(token)).toBe(true);
        history.push(token);
      }
    }
  });

  it('say so when the length cuts the match', () => {
    const bench = new SchedulerBench();
    const constraint = { kind: 'regex', pattern: '[a-z]{40}' } as const;
    const [result] = bench.run(bench.request('x', { constraint, ignoreEos: false }));
    expect(result!.finish).toMatchObject({ type: 'length', length: 8 });
    expect(JSON.stringify(result!.finish)).toContain('before it matched the regex');
  });

  it('are refused with their position when invalid', () => {
    const bench = new SchedulerBench();
    const constraint = { kind: 'regex', pattern: 'ab(c' } as const;
    const [result] = bench.run(bench.request('x', { constraint }));
    expect(result!.finish).toMatchObject({ type: 'abort', status_code: 400 });
    expect(JSON.stringify(result!.finish)).toContain('position 2');
  });
});

describe('log probabilities', () => {
  it('of the prompt equal those of the model, from any start, chunked or not', () => {
    for (const chunk of [512, 5]) {
      const bench = new SchedulerBench({ prefillTokens: chunk });
      const ids = bench.ids('the quick brown fox');
      bench.run(bench.request(ids, { maxNewTokens: 0 }));
      const request = bench.request(ids, { maxNewTokens: 0 }, { logprobs: { start: 3, top: 2 } });
      const [result] = bench.run(request);
      expect(result!.cachedTokens).toBe(3);
      expect(result!.inputLogprobs).toHaveLength(ids.length - 4);
      result!.inputLogprobs.forEach(([logprob, token], i) => {
        const expected = promptLogprob(bench.engine.logitsAfter(ids.slice(0, i + 4)), token, 2);
        expect(token).toBe(ids[i + 4]);
        expect(logprob).toBeCloseTo(expected.logprob, 5);
        expect(result!.inputTop[i]!.map(([, id]) => id)).toEqual(expected.top.map((t) => t.token));
      });
    }
  });

  it('of generated tokens come with each token, and once for a prompt alone', () => {
    const bench = new SchedulerBench();
    const logprobs = { start: -1, top: 0 };
    const [free, prompt] = bench.run(
      bench.request('abc', {}, { logprobs }),
      bench.request('abd', { maxNewTokens: 0 }, { logprobs }),
    );
    expect(free!.outputLogprobs.map(([, token]) => token)).toEqual(free!.tokens);
    expect(free!.inputLogprobs).toEqual([]);
    expect(prompt!.outputLogprobs).toHaveLength(1);
  });

  it('respect the limit of logit rows per step', () => {
    const bench = new SchedulerBench({ logitRows: 4 });
    const logprobs = { start: 0, top: 0 };
    const [result] = bench.run(bench.request('0123456789', { maxNewTokens: 0 }, { logprobs }));
    expect(result!.inputLogprobs).toHaveLength(9);
    expect(Math.max(...bench.engine.batchSizes)).toBe(4);
  });
});

describe('the state dump', () => {
  it('names every request with its phase, and the cached prefixes', () => {
    const bench = new SchedulerBench({ prefillTokens: 8, maxRunning: 2 });
    bench.run(bench.request('an earlier prompt', { maxNewTokens: 1 }));
    const [decoding, prefilling, waiting] = [
      bench.request('d', { maxNewTokens: 50 }),
      bench.request('p'.repeat(100)),
      bench.request('w'),
    ];
    bench.submit(decoding);
    bench.step();
    bench.submit(prefilling, waiting);
    bench.step();
    const dump = bench.scheduler.dump();
    expect(dump.violation).toBeNull();
    expect(dump.requests.map(({ id, phase }) => [id, phase])).toEqual([
      [decoding.id, 'decoding'],
      [prefilling.id, 'prefilling'],
      [waiting.id, 'waiting'],
    ]);
    expect(dump.requests[1]).toMatchObject({ promptTokens: 100, computedTokens: 8 });
    expect(dump.cachedPrefixes.filter(({ isInUse }) => !isInUse)).toHaveLength(1);
    bench.run();
  });

  it('says when the engine has other cells than the books', () => {
    const bench = new SchedulerBench();
    const request = bench.request('some prompt', { maxNewTokens: 50 });
    bench.submit(request);
    bench.step();
    bench.step();
    const [running] = bench.scheduler.dump().requests;
    bench.engine.removeSequence(running!.sequence!, 9, -1);
    expect(bench.scheduler.dump().violation).toMatch(/has lost cells|the engine has 9/);
    expect(() => bench.scheduler.checkIntegrity()).toThrow('prefix cache');
  });
});

describe('log lines', () => {
  it('are those of SGLang', () => {
    const bench = new SchedulerBench({ cells: 1000 });
    bench.run(bench.request('p'.repeat(100), { maxNewTokens: 81 }));
    bench.run(bench.request('p'.repeat(100), { maxNewTokens: 1 }));
    expect(bench.log).toEqual([
      'Prefill batch. #new-seq: 1, #new-token: 100, #cached-token: 0, cache hit rate: 0.00%, token usage: 0.10, #running-req: 0, #queue-req: 0',
      'Decode batch. #running-req: 1, #token: 140, token usage: 0.14, gen throughput (token/s): 102.50, #queue-req: 0',
      'Decode batch. #running-req: 0, #token: 0, token usage: 0.00, gen throughput (token/s): 100.00, #queue-req: 0',
      'Prefill batch. #new-seq: 1, #new-token: 1, #cached-token: 99, cache hit rate: 49.50%, token usage: 0.10, #running-req: 0, #queue-req: 0',
    ]);
  });
});

describe('random programs', () => {
  it.each([1, 2, 3, 4])(
    'give the naive cache’s answers with sharing, eviction, aborts (seed %i)',
    (seed) => {
      const random = lehmer(seed * 7919);
      const radix = new SchedulerBench({
        cells: 300,
        sequences: 10,
        prefillTokens: 40,
        maxRunning: 6,
      });
      const naive = new SchedulerBench({ cells: 300, sequences: 10, cache: 'naive' });
      const prompts = ['tree '];
      const expected = new Map<number, { prompt: string; maxNewTokens: number }>();
      for (let i = 0; i < 120; i += 1) {
        const stem = prompts[random(prompts.length)]!;
        const prompt =
          stem.length > 120 ? 'tree ' : stem + 'abc'[random(3)]!.repeat(1 + random(12));
        prompts.push(prompt);
        const maxNewTokens = random(20);
        const fork = 1 + random(3);
        for (let copy = 0; copy < fork; copy += 1) {
          const logprobs = random(4) === 0 ? { start: random(3), top: 0 } : null;
          const request = radix.request(
            prompt,
            { maxNewTokens },
            { logprobs, stream: random(2) === 0 },
          );
          expected.set(request.id, { prompt, maxNewTokens });
          radix.submit(request);
        }
        for (let steps = random(4); steps > 0; steps -= 1) radix.step();
        if (random(6) === 0) radix.scheduler.abort([random(expected.size)]);
      }
      radix.run();
      for (const [id, { prompt, maxNewTokens }] of expected) {
        const result = radix.result(id);
        const [reference] = naive.run(naive.request(prompt, { maxNewTokens }));
        const aborted = result.finish?.type === 'abort';
        expect(result.tokens).toEqual(
          aborted ? reference!.tokens.slice(0, result.tokens.length) : reference!.tokens,
        );
      }
      expect(radix.scheduler.flushCache()).toBe(true);
      expect(radix.engine.usedCells).toBe(0);
    },
  );
});
