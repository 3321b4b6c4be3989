import { expect, test } from 'vitest';
import { SchedulerBench } from '../scheduler/scheduler-bench.ts';

/** The fake engine's logits depend on a sequence alone, so only sampling could make a difference. */
const PARAMS = { temperature: 1.5, topP: 0.95, maxNewTokens: 24, seed: 11 };
const PROMPT = 'the same request';

test('a request with a seed writes the same, whatever shares the batch or takes its place', () => {
  const alone = new SchedulerBench();
  const [expected] = alone.run(alone.request(PROMPT, PARAMS));

  const crowd = new SchedulerBench();
  const own = crowd.request(PROMPT, PARAMS);
  crowd.run(
    ...Array.from({ length: 6 }, (_, i) =>
      crowd.request(`another one, number ${i}`, { ...PARAMS, seed: i }),
    ),
    own,
  );
  expect(crowd.result(own.id).tokens).toEqual(expected!.tokens);

  // So few cells that requests give up their place and are computed again.
  const tight = new SchedulerBench({ cells: 96 });
  const requests = Array.from({ length: 4 }, () => tight.request(PROMPT, PARAMS));
  const results = tight.run(...requests, tight.request('something else that is longer', PARAMS));
  expect(results.slice(0, 4).map(({ tokens }) => tokens)).toEqual(
    requests.map(() => expected!.tokens),
  );
});

test('another seed writes something else', () => {
  const bench = new SchedulerBench();
  const [one, other] = bench.run(
    bench.request(PROMPT, PARAMS),
    bench.request(PROMPT, { ...PARAMS, seed: 12 }),
  );
  expect(one!.tokens).not.toEqual(other!.tokens);
});
