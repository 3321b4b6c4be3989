import { parentPort, workerData } from 'node:worker_threads';
import type { BatchToken, Engine } from '../../runtime/src/engine/engine.ts';
import { loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import { argmax } from '../../runtime/src/sampling/token-set.ts';
import type { RawEngineOptions, RawEngineResult } from './raw-engine.ts';

/** The raw loop: nothing but forward and argmax, in a thread of its own as in the runtime. */

function measure(options: Required<RawEngineOptions>): RawEngineResult {
  const { modelPath, threads, promptTokens, newTokens, runs } = options;
  const cells = promptTokens + newTokens + 256;
  const engine = loadEngine({ modelPath, cells, sequences: 4, threads, batchTokens: 512 });
  try {
    prefill(engine, promptTokens);
    const results = Array.from({ length: runs }, () => ({
      prefill: prefill(engine, promptTokens),
      decode: decode(engine, promptTokens, newTokens),
    }));
    return {
      prefillTokensPerSecond: median(results.map((result) => result.prefill)),
      decodeTokensPerSecond: median(results.map((result) => result.decode)),
      runs: results.map((result) => [result.prefill, result.decode]),
    };
  } finally {
    engine.dispose();
  }
}

/** Tokens per second of a prompt, in batches as large as the engine takes. */
function prefill(engine: Engine, count: number): number {
  engine.clear();
  const start = performance.now();
  for (let from = 0; from < count; from += engine.limits.batchTokens) {
    const length = Math.min(engine.limits.batchTokens, count - from);
    const batch = Array.from({ length }, (_, index): BatchToken => ({
      token: 256 + (((from + index) * 7919) % (engine.vocabulary.size - 300)),
      position: from + index,
      sequence: 0,
      wantsLogits: from + index === count - 1,
    }));
    forward(engine, batch);
  }
  return (count / (performance.now() - start)) * 1000;
}

/** Tokens per second of greedy decoding of one sequence after the prompt. */
function decode(engine: Engine, position: number, count: number): number {
  const start = performance.now();
  let token = 300;
  for (let step = 0; step < count; step += 1) {
    forward(engine, [{ token, position: position + step, sequence: 0, wantsLogits: true }]);
    token = argmax(engine.logits(0), null);
  }
  return (count / (performance.now() - start)) * 1000;
}

function forward(engine: Engine, batch: readonly BatchToken[]): void {
  const { status } = engine.forward(batch);
  if (status !== 'ok') throw new Error(`forward: ${status}`);
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

// SAFETY: `measureRawEngine` is the only one that starts this file and passes its options whole.
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker, not a window
parentPort?.postMessage(measure(workerData as Required<RawEngineOptions>));
