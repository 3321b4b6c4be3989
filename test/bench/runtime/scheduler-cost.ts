import { createConstraintCompiler } from '../../../runtime/src/constraints/compiler.ts';
import { RadixCache } from '../../../runtime/src/cache/radix-cache.ts';
import type { Engine } from '../../../runtime/src/engine/engine.ts';
import { loadEngine } from '../../../runtime/src/engine/llama-engine.ts';
import { Sampler } from '../../../runtime/src/sampling/sampler.ts';
import type { SamplingParams } from '../../../runtime/src/scheduler/messages.ts';
import { RequestFactory } from '../../../runtime/src/scheduler/request-factory.ts';
import { Scheduler } from '../../../runtime/src/scheduler/scheduler.ts';
import { StepLog } from '../../../runtime/src/scheduler/step-log.ts';
import { TokenProcessor } from '../../../runtime/src/scheduler/token-processing.ts';
import { median, type Row } from './measuring.ts';
import { prompt } from './prompts.ts';

const STREAMS = 32;
const STEPS = 24;

/** What of a step is not the model: scheduling, copying logits, sampling, text. */
export function schedulerCost(modelPath: string, threads: number): Row[] {
  const engine = loadEngine({ modelPath, cells: 4096, sequences: 64, threads });
  const clock = timeForward(engine);
  try {
    return [
      costRow(engine, clock, 'greedy', { temperature: 0 }),
      costRow(engine, clock, 'temperature 0.8, top_p 0.95', { temperature: 0.8, topP: 0.95 }),
    ];
  } finally {
    engine.dispose();
  }
}

function costRow(
  engine: Engine,
  clock: { readonly elapsed: number },
  name: string,
  sampling: Partial<SamplingParams>,
): Row {
  const scheduler = schedulerOn(engine);
  const { size } = engine.vocabulary;
  scheduler.receive(
    Array.from({ length: STREAMS }, (_, id) => ({
      id,
      inputIds: prompt(8, size),
      sampling: { ...PARAMS, seed: id, ...sampling },
      logprobs: null,
      stream: true,
    })),
  );
  // The first steps compute prompts.
  for (let warm = 0; warm < 4; warm += 1) scheduler.step();
  const steps = Array.from({ length: STEPS }, () => {
    const before = clock.elapsed;
    const start = performance.now();
    scheduler.step();
    const whole = performance.now() - start;
    return { whole, own: whole - (clock.elapsed - before) };
  });
  while (scheduler.hasWork) scheduler.step();
  const own = median(steps.map((step) => step.own));
  const whole = median(steps.map((step) => step.whole));
  const share = median(steps.map((step) => step.own / step.whole));
  return {
    work: `scheduler's own time per step, ${STREAMS} streams, ${Math.round(size / 1024)}k vocabulary, ${name}`,
    figures: `${own.toFixed(1)} of ${whole.toFixed(1)} ms`,
    value: `${(share * 100).toFixed(1)} %`,
    goal: '≤ 10 %',
  };
}

const PARAMS: SamplingParams = {
  maxNewTokens: STEPS + 8,
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

function schedulerOn(engine: Engine): Scheduler {
  const { limits, vocabulary } = engine;
  engine.clear();
  return new Scheduler({
    engine,
    cache: new RadixCache(engine, limits.sequences, null),
    factory: new RequestFactory(vocabulary, createConstraintCompiler(vocabulary), null),
    processor: new TokenProcessor(
      engine,
      new Sampler(vocabulary.size, vocabulary.endOfGeneration),
      null,
    ),
    forced: null,
    idleCells: 0,
    log: new StepLog(
      () => {},
      () => performance.now(),
    ),
    admission: {
      prefillTokens: limits.batchTokens,
      maxRunning: STREAMS,
      policy: 'lpm',
      logitRows: 64,
    },
  });
}

/** Adds up the time that the engine spends in the model, milliseconds. */
function timeForward(engine: Engine): { elapsed: number } {
  const clock = { elapsed: 0 };
  const forward = engine.forward.bind(engine);
  engine.forward = (batch) => {
    const start = performance.now();
    const result = forward(batch);
    // llama.cpp may compute until the first logits are asked for.
    engine.logits(batch.findLastIndex(({ wantsLogits }) => wantsLogits));
    clock.elapsed += performance.now() - start;
    return result;
  };
  return clock;
}
