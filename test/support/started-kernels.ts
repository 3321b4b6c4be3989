/** Kernels of a test file: each ends with the test that started it. */
import { afterEach, expect } from 'vitest';
import { KernelDriver, type DriverOptions } from './kernel-driver.ts';

export interface StartedKernels {
  readonly start: (options?: DriverOptions) => KernelDriver;
  /** Also for the end of the test; the latest first. */
  readonly atEnd: (cleanup: () => unknown) => void;
}

/** Call it once, outside of tests. */
export function startedKernels(): StartedKernels {
  const cleanups: (() => unknown)[] = [];
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
  });
  return {
    start(options = {}) {
      const kernel = new KernelDriver(options);
      cleanups.push(() => kernel.close());
      return kernel;
    },
    atEnd: (cleanup) => void cleanups.push(cleanup),
  };
}

/** What a cell prints that ends well. */
export async function ok(kernel: KernelDriver, code: string): Promise<string> {
  const run = await kernel.run(code);
  expect(run.outcome, run.text).toEqual({ status: 'ok' });
  return run.text;
}
