import type { PrefixCache } from '../cache/prefix-cache.ts';
import type { Engine } from '../engine/engine.ts';
import { Admission } from './admission.ts';
import type { AdmissionOptions } from './admission.ts';
import type { Batch } from './batch.ts';
import { ABORTED, engineFailure, neverFits, outOfMemory } from './finish-reasons.ts';
import { Inspection } from './inspection.ts';
import type { SchedulerCounts } from './inspection.ts';
import type { FinishReason, GenerationRequest, Progress, SchedulerState } from './messages.ts';
import type { ForcedText } from './forced-text.ts';
import type { Request } from './request.ts';
import type { RequestFactory } from './request-factory.ts';
import type { SchedulerDump } from './state-dump.ts';
import type { StepLog } from './step-log.ts';
import type { TokenProcessor } from './token-processing.ts';

export interface SchedulerParts {
  readonly engine: Engine;
  readonly cache: PrefixCache;
  readonly factory: RequestFactory;
  readonly processor: TokenProcessor;
  /** Jump-forward; null without. */
  readonly forced: ForcedText | null;
  readonly log: StepLog;
  readonly admission: AdmissionOptions;
  /** Cells that may stay cached when nothing runs. */
  readonly idleCells: number;
}

/**
 * Continuous batching on one thread: `receive` requests, then `step` until there is no work. A step
 * is: schedule a batch → forward it → process its logits. Nothing here waits or throws for a single
 * request's sake; whatever happens to one, it ends with a progress that has a finish reason.
 */
export class Scheduler {
  readonly #engine: Engine;
  readonly #cache: PrefixCache;
  readonly #factory: RequestFactory;
  readonly #processor: TokenProcessor;
  readonly #forced: ForcedText | null;
  readonly #log: StepLog;
  readonly #admission: Admission;
  readonly #inspection: Inspection;
  readonly #idleCells: number;
  #isTidying = false;
  readonly #outbox: Progress[] = [];
  /** The last batch found no room: who made way must not come back at once. */
  #wasFull = false;
  #steps = 0;
  #arrivals = 0;
  #generatedTokens = 0;

  constructor(parts: SchedulerParts) {
    this.#engine = parts.engine;
    this.#cache = parts.cache;
    this.#factory = parts.factory;
    this.#processor = parts.processor;
    this.#forced = parts.forced;
    this.#log = parts.log;
    this.#idleCells = parts.idleCells;
    this.#admission = new Admission(parts.cache, parts.engine.limits, parts.admission);
    this.#inspection = new Inspection(parts.engine, parts.cache, this.#admission);
  }

  /** Something is running, waiting, or not yet reported. */
  get hasWork(): boolean {
    const { running, waiting } = this.#admission;
    return running.length + waiting.length + this.#outbox.length > 0;
  }

  receive(requests: readonly GenerationRequest[]): void {
    this.#isTidying = false;
    for (const spec of requests) {
      try {
        const created = this.#factory.create(spec);
        if (created.ok) this.#enqueue(created.request);
        else this.#outbox.push(failedProgress(spec.id, created.finish));
      } catch (error) {
        this.#outbox.push(failedProgress(spec.id, engineFailure(error)));
      }
    }
  }

  /** Ends requests; what they computed can be reused at once. Unknown ids are ignored. */
  abort(ids: readonly number[]): void {
    const doomed = new Set(ids);
    const { running, waiting } = this.#admission;
    for (const request of [...running, ...waiting]) {
      if (doomed.has(request.spec.id)) this.#end(request, ABORTED);
    }
  }

  /** One round; returns what is new for the clients. */
  step(): Progress[] {
    try {
      const { batch, joined } = this.#admission.schedule(
        !this.#wasFull || this.#admission.running.length === 0,
      );
      if (batch.tokens.length === 0) this.#unblock();
      else if (this.#forward(batch)) this.#process(batch, joined);
    } catch (error) {
      this.#failAll(error);
    }
    return this.#outbox.splice(0);
  }

  /**
   * A piece of housekeeping for times without requests: once more than `idleCells` are cached, moves
   * one prefix after the other to host memory, from where each comes back in a millisecond. All of
   * them, since a single cell far behind makes steps as slow as a full cache. False: nothing to do.
   */
  idle(): boolean {
    if (this.#cache.statistics.cached > this.#idleCells) this.#isTidying = true;
    if (this.#isTidying) this.#isTidying = this.#cache.offload();
    return this.#isTidying;
  }

  /** Forgets cached prefixes. False while requests are running, as SGLang does. */
  flushCache(): boolean {
    if (this.#admission.running.length + this.#admission.waiting.length > 0) return false;
    this.#cache.clear();
    return true;
  }

  get state(): SchedulerState {
    return this.#inspection.state(this.#counts);
  }

  /** Everything that there is to know, for bug reports. */
  dump(): SchedulerDump {
    return this.#inspection.dump(this.#counts);
  }

  /** Throws `CacheIntegrityError` unless free + cached + in use = all cells. */
  checkIntegrity(): void {
    this.#inspection.checkIntegrity();
  }

  get #counts(): SchedulerCounts {
    return {
      steps: this.#steps,
      generatedTokens: this.#generatedTokens,
      forcedTokens: this.#forced?.tokens ?? 0,
      lastThroughput: this.#log.lastThroughput,
    };
  }

  /** A constraint that leaves no choice needs no model; what can never fit is refused at once. */
  #enqueue(request: Request): void {
    const { cells } = this.#engine.limits;
    this.#generatedTokens += request.generated;
    request.arrival = this.#arrivals;
    this.#arrivals += 1;
    if (request.promptLength > cells) request.finish ??= neverFits(request.promptLength, cells);
    if (request.finish === null) this.#admission.waiting.push(request);
    else this.#outbox.push(request.takeProgress());
  }

  /** False: nothing was computed; the next step tries again with less. */
  #forward(batch: Batch): boolean {
    const { status } = this.#engine.forward(batch.tokens);
    this.#wasFull = status === 'full';
    if (status === 'ok') return true;
    if (status === 'full' && this.#cache.evict(batch.tokens.length) === 0) this.#unblock();
    return false;
  }

  /** Nothing that runs finds room: one request makes way, or ends if it is alone. */
  #unblock(): void {
    const [last] = this.#admission.running;
    if (!this.#admission.retractYoungest() && last !== undefined) this.#end(last, outOfMemory());
  }

  #process(batch: Batch, joined: readonly Request[]): void {
    const decoding = batch.slices.filter(({ request }) => !request.isPrefilling).length;
    this.#log.prefill(batch, joined, this.#numbers(batch.tokens.length));
    let sampled = 0;
    for (const slice of batch.slices) {
      sampled += this.#processor.process(slice);
      this.#publish(slice.request);
    }
    this.#steps += 1;
    this.#generatedTokens += sampled;
    this.#log.decode(sampled, decoding, this.#numbers(0));
  }

  /** Shares freshly computed prompt tokens; reports the progress; ends what is finished. */
  #publish(request: Request): void {
    const { finish, lease, spec } = request;
    if (finish !== null) {
      this.#end(request, finish);
      return;
    }
    // Generated tokens are shared at the end only: until then jump-forward may replace them.
    const known = request.edgeBefore(Math.min(request.computed, request.promptLength));
    if (lease !== null && known > lease.shared) {
      this.#cache.insert(lease, request.tokens.slice(0, known));
    }
    if (spec.stream && request.generated > 0) this.#outbox.push(request.takeProgress());
  }

  #end(request: Request, finish: FinishReason): void {
    this.#admission.leave(request);
    request.finish = finish;
    this.#outbox.push(request.takeProgress());
  }

  /** The engine failed: every request is answered with the reason. */
  #failAll(error: unknown): void {
    const { running, waiting } = this.#admission;
    const finish = engineFailure(error);
    for (const request of [...running, ...waiting]) {
      // What the engine holds is unknown after a failure: give back, but do not share it.
      request.computed = request.lease?.shared ?? 0;
      this.#end(request, finish);
    }
    this.#cache.clear();
  }

  #numbers(computing: number): Parameters<StepLog['prefill']>[2] {
    const all = this.#engine.limits.cells;
    return {
      usedCells: all - this.#admission.freeCells - this.#cache.statistics.evictable + computing,
      allCells: all,
      running: this.#admission.running.length,
      queued: this.#admission.waiting.length,
    };
  }
}

function failedProgress(id: number, finish: FinishReason): Progress {
  const nothing = { text: '', takenBack: 0, tokens: [], inputLogprobs: null, outputLogprobs: null };
  return { id, ...nothing, cachedTokens: 0, retractions: 0, finish };
}
