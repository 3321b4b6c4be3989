import type { EngineClient } from '../scheduler/engine-client.ts';
import type { GenerationRequest, Progress, SchedulerState } from '../scheduler/messages.ts';
import { Counter, Histogram } from './prometheus.ts';
import type { Metric } from './prometheus.ts';

/** The part of the engine that runs requests. */
export type RequestEngine = Pick<EngineClient, 'running' | 'submit' | 'abort'>;

/** What a scrape asks the scheduler. */
type Load = Pick<SchedulerState, 'running' | 'queued' | 'cells' | 'lastThroughput'>;

/** Bounds in seconds, those of SGLang. */
const FIRST_TOKEN = [0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4, 6, 8, 10, 20, 40, 60, 80, 100, 200, 400];
const BETWEEN_TOKENS = [
  0.002, 0.004, 0.006, 0.008, 0.01, 0.015, 0.02, 0.025, 0.03, 0.035, 0.04, 0.06, 0.08, 0.1, 0.2,
  0.4, 0.6, 0.8, 1, 2, 4, 6, 8,
];
const WHOLE = [...FIRST_TOKEN, 600, 1200, 1800, 2400];

/**
 * Numbers about requests under SGLang's metric names, taken where every request passes: between the
 * routes and the engine. Latencies of tokens are those of streamed requests; of the others only the
 * end is seen here.
 */
export class RequestMetrics implements RequestEngine {
  readonly #engine: RequestEngine;
  readonly #now: () => number;
  readonly #promptTokens = new Counter();
  readonly #generatedTokens = new Counter();
  readonly #cachedTokens = new Counter();
  readonly #requests = new Counter();
  readonly #aborted = new Counter();
  readonly #constrained = new Counter();
  readonly #retracted = new Counter();
  readonly #firstToken = new Histogram(FIRST_TOKEN);
  readonly #betweenTokens = new Histogram(BETWEEN_TOKENS);
  readonly #whole = new Histogram(WHOLE);

  /** `now` in milliseconds. */
  constructor(engine: RequestEngine, now: () => number = () => performance.now()) {
    this.#engine = engine;
    this.#now = now;
  }

  get running(): number {
    return this.#engine.running;
  }

  abort(ids: readonly number[]): void {
    this.#engine.abort(ids);
  }

  submit(requests: readonly GenerationRequest[], listener: (progress: Progress) => void): void {
    const watches = new Map(
      requests.map((request) => [request.id, new Watch(request, this.#now())]),
    );
    this.#engine.submit(requests, (progress) => {
      const watch = watches.get(progress.id);
      if (watch !== undefined) this.#observe(watch, progress);
      listener(progress);
    });
  }

  #observe(watch: Watch, progress: Progress): void {
    const now = this.#now();
    const added = progress.tokens.length;
    if (watch.request.stream && added > 0) {
      if (watch.tokens === 0) this.#firstToken.observe((now - watch.started) / 1000);
      else this.#betweenTokens.observe((now - watch.last) / 1000 / added, added);
      watch.last = now;
    }
    watch.tokens += added - progress.takenBack;
    const { finish } = progress;
    if (finish === null) return;
    if (finish.type === 'abort') this.#aborted.add(1);
    // As in SGLang a request counts when it ends.
    this.#requests.add(1);
    this.#promptTokens.add(watch.request.inputIds.length);
    this.#generatedTokens.add(watch.tokens);
    this.#cachedTokens.add(progress.cachedTokens);
    this.#retracted.add(progress.retractions);
    if (watch.request.sampling.constraint !== null) this.#constrained.add(1);
    this.#whole.observe((now - watch.started) / 1000);
  }

  metrics(state: Load): Metric[] {
    const { cells } = state;
    const prompt = this.#promptTokens.value;
    const counter = (name: string, help: string, { value }: Counter): Metric => ({
      name: `sglang:${name}`,
      type: 'counter',
      help,
      value,
    });
    const gauge = (name: string, help: string, value: number): Metric => ({
      name: `sglang:${name}`,
      type: 'gauge',
      help,
      value,
    });
    const histogram = (name: string, help: string, value: Histogram): Metric => ({
      name: `sglang:${name}`,
      type: 'histogram',
      help,
      value,
    });
    return [
      gauge('num_running_reqs', 'The number of running requests.', state.running),
      gauge('num_queue_reqs', 'The number of requests in the waiting queue.', state.queued),
      gauge('num_used_tokens', 'The number of used tokens.', cells.inUse),
      gauge('token_usage', 'The token usage.', cells.inUse / cells.all),
      gauge('max_total_num_tokens', 'Tokens for everything running and cached.', cells.all),
      gauge('gen_throughput', 'The generation throughput (token/s).', state.lastThroughput),
      gauge(
        'cache_hit_rate',
        'Share of prompt tokens found in the prefix cache.',
        prompt === 0 ? 0 : this.#cachedTokens.value / prompt,
      ),
      counter('prompt_tokens_total', 'Number of prefill tokens processed.', this.#promptTokens),
      counter(
        'generation_tokens_total',
        'Number of generation tokens processed.',
        this.#generatedTokens,
      ),
      counter('cached_tokens_total', 'Number of cached prompt tokens.', this.#cachedTokens),
      counter('num_requests_total', 'Number of requests processed.', this.#requests),
      counter(
        'num_so_requests_total',
        'Number of structured output requests processed.',
        this.#constrained,
      ),
      counter('num_aborted_requests_total', 'Number of requests aborted.', this.#aborted),
      counter(
        'num_retracted_requests_total',
        'Times that requests gave up their place for lack of room.',
        this.#retracted,
      ),
      histogram(
        'time_to_first_token_seconds',
        'Histogram of time to first token in seconds (streamed requests).',
        this.#firstToken,
      ),
      histogram(
        'inter_token_latency_seconds',
        'Histogram of inter-token latency in seconds (streamed requests).',
        this.#betweenTokens,
      ),
      histogram(
        'e2e_request_latency_seconds',
        'Histogram of End-to-end request latency in seconds',
        this.#whole,
      ),
    ];
  }
}

/** One request on its way. */
class Watch {
  readonly request: GenerationRequest;
  readonly started: number;
  last: number;
  tokens = 0;

  constructor(request: GenerationRequest, now: number) {
    this.request = request;
    this.started = now;
    this.last = now;
  }
}
