import { createConstraintCompiler } from '../../../runtime/src/constraints/compiler.ts';
import { HostTier } from '../../../runtime/src/cache/host-tier.ts';
import { NaiveCache } from '../../../runtime/src/cache/naive-cache.ts';
import { RadixCache } from '../../../runtime/src/cache/radix-cache.ts';
import { FakeEngine } from '../../../runtime/src/engine/fake-engine.ts';
import type { FakeEngineOptions } from '../../../runtime/src/engine/fake-engine.ts';
import { Sampler } from '../../../runtime/src/sampling/sampler.ts';
import type { AdmissionOptions } from '../../../runtime/src/scheduler/admission.ts';
import type {
  FinishReason,
  GenerationRequest,
  Progress,
  SamplingParams,
  TokenLogprob,
} from '../../../runtime/src/scheduler/messages.ts';
import { ForcedText } from '../../../runtime/src/scheduler/forced-text.ts';
import { RequestFactory } from '../../../runtime/src/scheduler/request-factory.ts';
import { Scheduler } from '../../../runtime/src/scheduler/scheduler.ts';
import { StepLog } from '../../../runtime/src/scheduler/step-log.ts';
import { ImageRows } from '../../../runtime/src/vision/prompt-images.ts';
import { TokenProcessor } from '../../../runtime/src/scheduler/token-processing.ts';

export const GREEDY: SamplingParams = {
  maxNewTokens: 8,
  minNewTokens: 0,
  stop: [],
  stopTokenIds: [],
  stopRegex: [],
  temperature: 0,
  topP: 1,
  topK: -1,
  minP: 0,
  frequencyPenalty: 0,
  presencePenalty: 0,
  repetitionPenalty: 1,
  logitBias: [],
  seed: null,
  ignoreEos: true,
  noStopTrim: false,
  skipSpecialTokens: true,
  constraint: null,
};

export interface Result {
  text: string;
  tokens: number[];
  cachedTokens: number;
  retractions: number;
  inputLogprobs: TokenLogprob[];
  inputTop: (readonly TokenLogprob[] | null)[];
  outputLogprobs: TokenLogprob[];
  finish: FinishReason | null;
  pieces: number;
}

export interface BenchOptions extends FakeEngineOptions, Partial<AdmissionOptions> {
  readonly cache?: 'radix' | 'naive';
  readonly jumpForward?: boolean;
  readonly idleCells?: number;
  /** Host memory for evicted prefixes, bytes; none by default. */
  readonly hostBytes?: number;
}

/** A scheduler on the fake engine, stepped by hand; the conservation law is checked at every step. */
export class SchedulerBench {
  readonly engine: FakeEngine;
  readonly scheduler: Scheduler;
  readonly results = new Map<number, Result>();
  readonly log: string[] = [];
  #nextId = 1;
  now = 0;

  constructor(options: BenchOptions = {}) {
    this.engine = new FakeEngine(options);
    const { sequences, batchTokens } = this.engine.limits;
    const { vocabulary } = this.engine;
    const tier = options.hostBytes === undefined ? null : new HostTier(options.hostBytes);
    const cache =
      options.cache === 'naive'
        ? new NaiveCache(this.engine, sequences)
        : new RadixCache(this.engine, sequences, tier);
    const forced = options.jumpForward === true ? new ForcedText(this.engine, cache) : null;
    this.scheduler = new Scheduler({
      engine: this.engine,
      cache,
      factory: new RequestFactory(
        vocabulary,
        createConstraintCompiler(vocabulary),
        forced,
        new ImageRows({
          encode: ({ width }) => Array.from({ length: width }, () => new Float32Array(1)),
          dispose: () => {},
        }),
      ),
      processor: new TokenProcessor(
        this.engine,
        new Sampler(vocabulary.size, vocabulary.endOfGeneration),
        forced,
      ),
      forced,
      idleCells: options.idleCells ?? 0,
      log: new StepLog(
        (line) => this.log.push(line),
        () => this.now,
      ),
      admission: {
        prefillTokens: options.prefillTokens ?? batchTokens,
        maxRunning: options.maxRunning ?? sequences,
        logitRows: options.logitRows ?? batchTokens,
        policy: options.policy ?? 'lpm',
      },
    });
  }

  ids(text: string): number[] {
    return this.engine.vocabulary.tokenize(text, { addSpecial: false, parseSpecial: true });
  }

  request(
    prompt: string | number[],
    sampling: Partial<SamplingParams> = {},
    rest: Partial<GenerationRequest> = {},
  ): GenerationRequest {
    return {
      id: this.#nextId++,
      inputIds: typeof prompt === 'string' ? this.ids(prompt) : prompt,
      sampling: { ...GREEDY, ...sampling },
      logprobs: null,
      stream: false,
      ...rest,
    };
  }

  submit(...requests: GenerationRequest[]): void {
    this.scheduler.receive(requests);
  }

  step(): Progress[] {
    const progress = this.scheduler.step();
    this.now += 10;
    this.checkLaw();
    for (const one of progress) this.#collect(one);
    return progress;
  }

  run(...requests: GenerationRequest[]): Result[] {
    this.submit(...requests);
    for (let steps = 0; this.scheduler.hasWork; steps += 1) {
      if (steps > 20_000) throw new Error('the scheduler does not come to an end');
      this.step();
    }
    return requests.map(({ id }) => this.result(id));
  }

  result(id: number): Result {
    const result = this.results.get(id);
    if (result === undefined) throw new Error(`nothing came for request ${id}`);
    return result;
  }

  checkLaw(): void {
    this.scheduler.checkIntegrity();
    const { cached, inUse } = this.scheduler.state.cells;
    if (cached + inUse !== this.engine.usedCells) {
      throw new Error(`${cached} cached + ${inUse} in use ≠ ${this.engine.usedCells} cells`);
    }
  }

  #collect(progress: Progress): void {
    const result = this.results.get(progress.id) ?? {
      text: '',
      tokens: [],
      cachedTokens: 0,
      retractions: 0,
      inputLogprobs: [],
      inputTop: [],
      outputLogprobs: [],
      finish: null,
      pieces: 0,
    };
    if (result.finish !== null) throw new Error(`request ${progress.id} ended twice`);
    result.text += progress.text;
    result.tokens.length -= progress.takenBack;
    result.tokens.push(...progress.tokens);
    result.cachedTokens = progress.cachedTokens;
    result.retractions = progress.retractions;
    result.inputLogprobs.push(...(progress.inputLogprobs?.tokens ?? []));
    result.inputTop.push(...(progress.inputLogprobs?.top ?? []));
    result.outputLogprobs.push(...(progress.outputLogprobs?.tokens ?? []));
    result.finish = progress.finish;
    result.pieces += 1;
    this.results.set(progress.id, result);
  }
}

/** Deterministic numbers 0 … below − 1 (Lehmer, modulus 2³¹ − 1). */
export function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
