import { describe, expect, it } from 'vitest';
import { lehmer, SchedulerBench } from './scheduler-bench.ts';

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe('the order of waiting requests', () => {
  const finishOrder = (policy: 'lpm' | 'fcfs'): string[] => {
    const bench = new SchedulerBench({ maxRunning: 1, policy });
    bench.run(bench.request('a shared beginning that is cached'));
    const names = new Map([
      [bench.request('nothing in common'), 'stranger'],
      [bench.request('a shared beginning, then something else'), 'some'],
      [bench.request('a shared beginning that is cached, and more'), 'most'],
      [bench.request('another one'), 'second stranger'],
    ]);
    const order: string[] = [];
    bench.submit(...names.keys());
    while (bench.scheduler.hasWork) {
      for (const { id } of bench.step()) {
        order.push([...names].find(([request]) => request.id === id)![1]);
      }
    }
    return order;
  };

  it('is longest cached prefix first, or that of arrival', () => {
    // "another one" shares its first letter.
    expect(finishOrder('lpm')).toEqual(['most', 'some', 'second stranger', 'stranger']);
    expect(finishOrder('fcfs')).toEqual(['stranger', 'some', 'most', 'second stranger']);
  });

  it('lets nobody wait for ever', () => {
    const bench = new SchedulerBench({ maxRunning: 1 });
    const popular = 'p'.repeat(60);
    bench.run(bench.request(popular, { maxNewTokens: 1 }));
    const stranger = bench.request('stranger', { maxNewTokens: 1 });
    bench.submit(stranger);
    let rounds = 0;
    while (!bench.results.has(stranger.id)) {
      bench.submit(bench.request(popular + String(rounds), { maxNewTokens: 1 }));
      bench.step();
      rounds += 1;
      expect(rounds).toBeLessThan(40);
    }
    expect(rounds).toBeGreaterThan(5);
    bench.run();
  });
});

describe('sharing within a batch', () => {
  it('64 requests with 1,024 tokens in common compute these once', () => {
    const bench = new SchedulerBench({ cells: 8192, sequences: 128, batchTokens: 512 });
    const random = lehmer(5);
    const prefix = Array.from({ length: 1024 }, () => 32 + random(90));
    const requests = Array.from({ length: 64 }, (_, i) => bench.request([...prefix, i, i + 1, 65]));
    const results = bench.run(...requests);
    expect(results.map(({ cachedTokens }) => cachedTokens)).toEqual([
      0,
      ...Array.from({ length: 63 }, () => 1024),
    ]);
    // Each writes eight tokens, the last of which is not computed.
    expect(sum(bench.engine.batchSizes)).toBe(1024 + 64 * (3 + 7));
  });

  it('waits for the common part of a long prompt only, which leaves a share to others', () => {
    const bench = new SchedulerBench({ prefillTokens: 40, cells: 2000 });
    const common = 'c'.repeat(100);
    const long = bench.request(common + 'x'.repeat(500), { maxNewTokens: 1 });
    const short = bench.request(`${common}y`, { maxNewTokens: 1 });
    bench.submit(long, short);
    for (let steps = 0; steps < 5; steps += 1) bench.step();
    // What is left of the common part is not worth waiting for.
    expect(bench.result(short.id).cachedTokens).toBe(80);
    expect(bench.engine.batchSizes).toEqual([40, 40, 40, 40, 40]);
    expect(bench.results.has(long.id)).toBe(false);
    bench.run();
  });
});

describe('a long prompt', () => {
  it('never makes a decoding request miss a step', () => {
    const bench = new SchedulerBench({ cells: 8192, batchTokens: 512 });
    const streams = Array.from({ length: 8 }, (_, i) =>
      bench.request(`${i} stream`, { maxNewTokens: 100 }, { stream: true }),
    );
    bench.submit(...streams);
    bench.step();
    const prompt = bench.request('z'.repeat(4096), { maxNewTokens: 1 });
    bench.submit(prompt);
    let steps = 0;
    while (!bench.results.has(prompt.id)) {
      const ids = bench.step().map(({ id }) => id);
      for (const { id } of streams) expect(ids).toContain(id);
      steps += 1;
    }
    // Pieces of 256 tokens beside the 8 of the streams.
    expect(steps).toBe(16);
    expect(Math.max(...bench.engine.batchSizes)).toBe(264);
    bench.run();
  });
});

describe('more than there is room for', () => {
  it('queues more live requests than sequences, and evicts', () => {
    const bench = new SchedulerBench({ cells: 600, sequences: 5, hostBytes: 1 << 20 });
    const requests = Array.from({ length: 40 }, (_, i) => bench.request(`${i} `.repeat(20)));
    const results = bench.run(...requests);
    expect(results.every(({ finish }) => finish?.type === 'length')).toBe(true);
  });

  it('refuses at once only what can never fit, with the reason', () => {
    const bench = new SchedulerBench({ cells: 64 });
    const running = bench.request('r', { maxNewTokens: 60 });
    bench.submit(running);
    bench.step();
    const hopeless = bench.request('h'.repeat(65));
    const tight = bench.request('t'.repeat(60), { maxNewTokens: 4 });
    bench.submit(hopeless, tight);
    bench.step();
    expect(bench.result(hopeless.id).finish).toEqual({
      type: 'abort',
      message: 'The prompt has 65 tokens; this server has room for 64 (--max-total-tokens).',
      status_code: 400,
      err_type: 'BadRequestError',
    });
    bench.run();
    expect(bench.result(tight.id).finish).toEqual({ type: 'length', length: 4 });
    expect(bench.result(running.id).finish).toEqual({ type: 'length', length: 60 });
  });

  it('finds evicted prefixes in host memory, and counts them as cached', () => {
    const bench = new SchedulerBench({ cells: 128, hostBytes: 1 << 16 });
    const prompt = 'a prefix worth keeping, fifty letters long or more; ';
    const [first] = bench.run(bench.request(prompt));
    for (const letter of 'xyz') bench.run(bench.request(letter.repeat(100)));
    expect(bench.scheduler.state.host.tokens).toBeGreaterThan(100);
    const [again, plain] = [bench, new SchedulerBench()].map(
      (one) => one.run(one.request(prompt))[0]!,
    );
    expect(again!.cachedTokens).toBe(bench.ids(prompt).length - 1);
    expect([again!.tokens, again!.tokens]).toEqual([first!.tokens, plain!.tokens]);
  });
});

describe('random programs with everything on', () => {
  it.each([1, 2, 3])('give the answers of the naive cache (seed %i)', (seed) => {
    const random = lehmer(seed * 15_485_863);
    const jumpForward = true;
    const bench = new SchedulerBench({
      cells: 300,
      sequences: 9,
      prefillTokens: 40,
      maxRunning: 6,
      hostBytes: 12 * 400,
      jumpForward,
    });
    const naive = new SchedulerBench({ cells: 300, cache: 'naive', jumpForward });
    const prompts = ['tree '];
    const expected = new Map<number, Parameters<SchedulerBench['request']>>();
    let restored = 0;
    for (let i = 0; i < 100; i += 1) {
      const stem = prompts[random(prompts.length)]!;
      const prompt = stem.length > 120 ? 'tree ' : stem + 'abc'[random(3)]!.repeat(1 + random(20));
      prompts.push(prompt);
      const pattern = ['(in|er)+g', '\\{"[ab]": [0-9]{1,3}\\}'][random(4)];
      const constraint = pattern === undefined ? null : ({ kind: 'regex', pattern } as const);
      const sampling = { maxNewTokens: random(20), constraint };
      for (let fork = random(3); fork >= 0; fork -= 1) {
        const rest = { stream: random(2) === 0 };
        const request = bench.request(prompt, sampling, rest);
        expected.set(request.id, [prompt, sampling, rest]);
        bench.submit(request);
      }
      for (let steps = random(4); steps > 0; steps -= 1) bench.step();
      if (random(6) === 0) bench.scheduler.abort([1 + random(expected.size)]);
      if (random(20) === 0) {
        bench.run();
        while (bench.scheduler.idle()) bench.checkLaw();
        restored += bench.scheduler.state.host.tokens;
      }
    }
    bench.run();
    expect(restored).toBeGreaterThan(0);
    for (const [id, request] of expected) {
      const result = bench.result(id);
      const [reference] = naive.run(naive.request(...request));
      if (result.finish?.type === 'abort') continue;
      expect({ text: result.text, tokens: result.tokens, finish: result.finish }).toEqual({
        text: reference!.text,
        tokens: reference!.tokens,
        finish: reference!.finish,
      });
    }
    expect(bench.scheduler.flushCache()).toBe(true);
    expect(bench.engine.usedCells).toBe(0);
  });
});
