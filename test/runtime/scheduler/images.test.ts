/** Images in batches: some must not be cut, and none is shared in part. */
import { describe, expect, it } from 'vitest';
import type { BatchToken } from '../../../runtime/src/engine/engine.ts';
import type { GenerationRequest } from '../../../runtime/src/scheduler/messages.ts';
import { SchedulerBench } from './scheduler-bench.ts';

const IMAGE = 2 ** 52 + 7;
const ROWS = 30;

/** Five tokens, an image of thirty rows, and `after`. */
function prompt(bench: SchedulerBench, isWhole: boolean, after: string): GenerationRequest {
  const before = bench.ids('hello');
  const inputIds = [...before, ...Array.from({ length: ROWS }, () => IMAGE), ...bench.ids(after)];
  const picture = { width: ROWS, height: 1, rgb: new Uint8Array(ROWS * 3) };
  const image = { token: IMAGE, picture, part: 0, layout: null, isWhole };
  const images = [{ ...image, start: before.length, length: ROWS }];
  return bench.request(inputIds, {}, { images });
}

/** Image rows of each request's sequence in each batch from now on. */
function watchRows(bench: SchedulerBench): number[] {
  const counts: number[] = [];
  const forward = bench.engine.forward.bind(bench.engine);
  bench.engine.forward = (batch: readonly BatchToken[]) => {
    const bySequence = Map.groupBy(
      batch.filter(({ image }) => image !== undefined),
      ({ sequence }) => sequence,
    );
    counts.push(...Array.from(bySequence.values(), (rows) => rows.length));
    return forward(batch);
  };
  return counts;
}

describe('an image whose rows see each other', () => {
  it.each([
    ['fewer tokens than it has rows', { prefillTokens: 10 }],
    ['little room beside others', { prefillTokens: 12, batchTokens: 40 }],
  ])('is computed in one step with %s', (_, options) => {
    const bench = new SchedulerBench({ cells: 400, ...options });
    const counts = watchRows(bench);
    const others = ['a long text that is on its way', 'another one, as long as that'].map((text) =>
      bench.request(text.repeat(2), { maxNewTokens: 20 }),
    );
    bench.submit(...others);
    for (let steps = 0; steps < 3; steps += 1) bench.step();
    const seen = ['one', 'two'].map((after) => prompt(bench, true, after));
    const results = bench.run(...seen);
    expect(new Set(counts)).toEqual(new Set([ROWS]));
    const naive = new SchedulerBench({ cells: 400, cache: 'naive' });
    const expected = naive.run(...['one', 'two'].map((after) => prompt(naive, true, after)));
    expect(results.map(({ tokens }) => tokens)).toEqual(expected.map(({ tokens }) => tokens));
  });
});

describe('an image that is computed in pieces', () => {
  it('is shared when it is complete, and not before', () => {
    const bench = new SchedulerBench({ cells: 400, prefillTokens: 10 });
    const counts = watchRows(bench);
    const first = prompt(bench, false, 'one');
    bench.submit(first);
    for (let steps = 0; steps < 2; steps += 1) bench.step();
    bench.scheduler.abort([first.id]);
    const [second] = bench.run(prompt(bench, false, 'two'));
    expect([second?.cachedTokens, Math.max(...counts)]).toEqual([5, 10]);
    const [third] = bench.run(prompt(bench, false, 'three'));
    // The t of "two" is common, too.
    expect(third?.cachedTokens).toBe(5 + ROWS + 1);
  });
});
