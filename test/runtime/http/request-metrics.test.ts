import { expect, test } from 'vitest';
import { exposition, Histogram } from '../../../runtime/src/http/prometheus.ts';
import { RequestMetrics } from '../../../runtime/src/http/request-metrics.ts';
import type { RequestEngine } from '../../../runtime/src/http/request-metrics.ts';
import type { GenerationRequest, Progress } from '../../../runtime/src/scheduler/messages.ts';
import { GREEDY } from '../scheduler/scheduler-bench.ts';

const LOAD = {
  running: 1,
  queued: 2,
  cells: { all: 100, cached: 30, inUse: 20 },
  lastThroughput: 6.5,
};

/** An engine whose answers the test gives. */
class ScriptedEngine implements RequestEngine {
  running = 0;
  listener: (progress: Progress) => void = () => {};
  submit(_: readonly GenerationRequest[], listener: (progress: Progress) => void): void {
    this.listener = listener;
  }
  abort(): void {}
  say(id: number, rest: Partial<Progress>): void {
    this.listener({
      id,
      text: '',
      takenBack: 0,
      tokens: [],
      cachedTokens: 0,
      retractions: 0,
      inputLogprobs: null,
      outputLogprobs: null,
      finish: null,
      ...rest,
    });
  }
}

test('counts what passes between routes and engine', () => {
  const engine = new ScriptedEngine();
  let now = 0;
  const metrics = new RequestMetrics(engine, () => now);
  const request = { inputIds: [1, 2, 3, 4], sampling: GREEDY, logprobs: null, stream: true };
  const seen: number[] = [];
  metrics.submit(
    [
      { ...request, id: 1 },
      { ...request, id: 2, stream: false },
    ],
    ({ id }) => seen.push(id),
  );
  now = 150;
  engine.say(1, { tokens: [5] });
  now = 200;
  engine.say(1, {
    tokens: [6, 7, 8],
    takenBack: 1,
    cachedTokens: 3,
    finish: { type: 'length', length: 3 },
  });
  engine.say(2, {
    finish: { type: 'abort', message: '', status_code: 499, err_type: '' },
    cachedTokens: 1,
  });
  expect(seen).toEqual([1, 1, 2]);
  const page = exposition(metrics.metrics(LOAD), { model_name: 'a"b' });
  for (const line of [
    '# TYPE sglang:num_running_reqs gauge',
    'sglang:num_running_reqs{model_name="a\\"b"} 1',
    'sglang:num_queue_reqs{model_name="a\\"b"} 2',
    'sglang:token_usage{model_name="a\\"b"} 0.2',
    'sglang:cache_hit_rate{model_name="a\\"b"} 0.5',
    'sglang:prompt_tokens_total{model_name="a\\"b"} 8',
    'sglang:generation_tokens_total{model_name="a\\"b"} 3',
    'sglang:num_requests_total{model_name="a\\"b"} 2',
    'sglang:num_aborted_requests_total{model_name="a\\"b"} 1',
    'sglang:time_to_first_token_seconds_bucket{model_name="a\\"b",le="0.1"} 0',
    'sglang:time_to_first_token_seconds_bucket{model_name="a\\"b",le="0.2"} 1',
    'sglang:time_to_first_token_seconds_count{model_name="a\\"b"} 1',
    'sglang:inter_token_latency_seconds_count{model_name="a\\"b"} 3',
    'sglang:e2e_request_latency_seconds_count{model_name="a\\"b"} 2',
  ]) {
    expect(page.split('\n')).toContain(line);
  }
});

test('buckets are cumulative', () => {
  const histogram = new Histogram([1, 2]);
  for (const value of [0.5, 1, 1.5, 9]) histogram.observe(value);
  expect(histogram.lines('h', {})).toEqual([
    'h_bucket{le="1"} 2',
    'h_bucket{le="2"} 3',
    'h_bucket{le="+Inf"} 4',
    'h_sum{} 12',
    'h_count{} 4',
  ]);
});
