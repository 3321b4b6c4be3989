import { now } from '../scheduler/clock.ts';
import type {
  FinishReason,
  GenerationRequest,
  LogprobChunk,
  Progress,
} from '../scheduler/messages.ts';
import { nativeError } from './errors.ts';
import type { RequestEngine } from './request-metrics.ts';

/** Everything that has come for one request so far. */
export class Generation {
  readonly request: GenerationRequest;
  readonly started = now();
  times: Progress['times'];
  text = '';
  readonly tokens: number[] = [];
  cachedTokens = 0;
  retractions = 0;
  finish: FinishReason | null = null;
  readonly input = new LogprobColumns();
  readonly output = new LogprobColumns();
  warnings: readonly string[] = [];

  constructor(request: GenerationRequest) {
    this.request = request;
  }

  add(progress: Progress): void {
    this.text += progress.text;
    this.tokens.length -= progress.takenBack;
    this.tokens.push(...progress.tokens);
    this.cachedTokens = progress.cachedTokens;
    this.retractions = progress.retractions;
    this.times = progress.times ?? this.times;
    this.input.add(progress.inputLogprobs);
    this.output.add(progress.outputLogprobs);
    this.finish = progress.finish;
    this.warnings = progress.warnings ?? [];
  }

  /** The error to answer with, if the request failed; an abort that was asked for is a result. */
  get failure(): Error | null {
    const { finish } = this;
    if (finish?.type !== 'abort' || finish.status_code === 499) return null;
    return nativeError(finish.status_code, finish.message);
  }
}

export class LogprobColumns {
  readonly tokens: LogprobChunk['tokens'][number][] = [];
  readonly top: LogprobChunk['top'][number][] = [];
  readonly ids: LogprobChunk['top'][number][] = [];

  add(chunk: LogprobChunk | null): void {
    if (chunk === null) return;
    this.tokens.push(...chunk.tokens);
    this.top.push(...chunk.top);
    this.ids.push(...(chunk.ids ?? []));
  }
}

export interface QueueLimits {
  /** Requests that may be running or waiting. */
  readonly maxQueued: number;
  /** Why no request is taken now, or null. */
  readonly refuse: () => string | null;
}

/** Runs requests on the engine; knows them by `rid`, for `/abort_request`. */
export class RunningRequests {
  readonly #engine: RequestEngine;
  readonly #ids = new Map<string, Set<number>>();

  readonly #limits: QueueLimits;

  constructor(engine: RequestEngine, limits: QueueLimits) {
    this.#engine = engine;
    this.#limits = limits;
  }

  /**
   * Runs requests together and yields the index of each one that has something new, until all have
   * finished; what a slow reader misses is merged. Aborts what is left when the reader stops or
   * the signal fires. Throws the first failure.
   */
  run(
    generations: readonly Generation[],
    rids: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<number> {
    const refusal = this.#limits.refuse();
    if (refusal !== null) throw nativeError(503, refusal);
    const { maxQueued } = this.#limits;
    if (this.#engine.running + generations.length > maxQueued) {
      throw nativeError(503, `The request queue is full (${maxQueued} requests). Try again later.`);
    }
    return this.#run(generations, rids, signal);
  }

  async *#run(
    generations: readonly Generation[],
    rids: readonly string[],
    signal: AbortSignal,
  ): AsyncGenerator<number> {
    const changed = new Set<number>();
    let wake = (): void => {};
    const indexOf = new Map(generations.map(({ request }, index) => [request.id, index]));
    const onAbort = (): void => {
      this.#engine.abort(generations.map(({ request }) => request.id));
      wake();
    };
    signal.addEventListener('abort', onAbort);
    this.#register(generations, rids);
    this.#engine.submit(
      generations.map(({ request }) => request),
      (progress) => {
        const index = indexOf.get(progress.id) ?? -1;
        generations[index]?.add(progress);
        changed.add(index);
        wake();
      },
    );
    try {
      let open = generations.length;
      while (open > 0 && !signal.aborted) {
        for (const index of changed) {
          changed.delete(index);
          const generation = generations[index];
          if (generation?.failure) throw generation.failure;
          if (generation?.finish) open -= 1;
          yield index;
        }
        if (changed.size > 0 || open === 0 || signal.aborted) continue;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      const open = generations.filter(({ finish }) => finish === null);
      this.#engine.abort(open.map(({ request }) => request.id));
      this.#unregister(generations, rids);
    }
  }

  /** Aborts by request id; null aborts all. Returns how many. */
  abort(rid: string | null): number {
    const matching = [...this.#ids].filter(([key]) => rid === null || key.startsWith(rid));
    const ids = matching.flatMap(([, set]) => [...set]);
    this.#engine.abort(ids);
    return ids.length;
  }

  #register(generations: readonly Generation[], rids: readonly string[]): void {
    generations.forEach(({ request }, index) => {
      const rid = rids[index] ?? '';
      const ids = this.#ids.get(rid) ?? new Set();
      this.#ids.set(rid, ids.add(request.id));
    });
  }

  #unregister(generations: readonly Generation[], rids: readonly string[]): void {
    generations.forEach(({ request }, index) => {
      const rid = rids[index] ?? '';
      const ids = this.#ids.get(rid);
      ids?.delete(request.id);
      if (ids?.size === 0) this.#ids.delete(rid);
    });
  }
}
