import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { defaultThreads } from '../../runtime/src/engine/load-model.ts';
import { LARGE, TINY, writeRandomModel } from '../support/gguf/random-model.ts';

export interface RawEngineOptions {
  readonly modelPath: string;
  /** Compute threads; the runtime measured beside it must use the same number. */
  readonly threads?: number;
  readonly promptTokens?: number;
  readonly newTokens?: number;
  readonly runs?: number;
}

export interface RawEngineResult {
  /** Medians. */
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
  /** [prefill, decode] of each run. */
  readonly runs: readonly (readonly number[])[];
}

/** Measures the engine alone, without scheduler or server: the denominator of the other benchmarks. */
export async function measureRawEngine(options: RawEngineOptions): Promise<RawEngineResult> {
  const workerData = {
    threads: defaultThreads(),
    promptTokens: 512,
    newTokens: 64,
    runs: 5,
    ...options,
  };
  const worker = new Worker(new URL('./raw-engine-worker.ts', import.meta.url), { workerData });
  return new Promise((resolve, reject) => {
    let result: RawEngineResult | null = null;
    worker.once('message', (message: RawEngineResult) => {
      result = message;
    });
    worker.once('error', reject);
    worker.once('exit', (code) => {
      if (result === null) reject(new Error(`the engine thread ended with code ${code}`));
      else resolve(result);
    });
  });
}

/** Sizes of random-weight models; the wide one has a large vocabulary. */
const MODELS = {
  tiny: TINY,
  small: { ...LARGE, layers: 8, width: 384, heads: 6, keyValueHeads: 2, feedForward: 1024 },
  large: LARGE,
  wide: { ...LARGE, vocabulary: 131_072 },
};

/** A random-weight model for benchmarks, written once per machine to the temporary folder. */
export function benchModel(size: keyof typeof MODELS): string {
  const folder = join(tmpdir(), 'sglang-notebooks-bench');
  mkdirSync(folder, { recursive: true });
  const options = MODELS[size];
  const path = join(folder, `random-v1-${size}-${options.type}.gguf`);
  if (existsSync(path)) return path;
  // A run that is interrupted leaves no half model under the final name.
  const partial = `${path}.${process.pid}`;
  writeRandomModel(partial, options);
  renameSync(partial, path);
  return path;
}

if (import.meta.main) {
  const modelPath = process.argv[2] ?? benchModel('large');
  const threads = Number(process.argv[3] ?? defaultThreads());
  const result = await measureRawEngine({ modelPath, threads });
  console.log(`${modelPath}, ${threads} threads`);
  console.log(`prefill 512: ${result.prefillTokensPerSecond.toFixed(1)} tok/s (median)`);
  console.log(`decode 64:   ${result.decodeTokensPerSecond.toFixed(1)} tok/s (median)`);
}
