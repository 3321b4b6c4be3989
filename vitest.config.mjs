import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/**
 * `unit` needs nothing but Node; `process` starts real kernels, runtimes and models; `vscode` drives a
 * real workbench. A busy machine can miss a deadline of the last two: a run names what passed only at its
 * second try.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.{ts,tsx}'],
          exclude: ['test/process/**', 'test/vscode/**', '**/node_modules/**'],
          pool: 'threads',
          // Vitest leaves one core idle, which is half of a small machine.
          maxWorkers: '100%',
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'process',
          include: ['test/process/**/*.test.ts'],
          pool: 'forks',
          // Much of their time is waiting.
          maxWorkers: 2,
          // Hundreds of kernels, runtimes and servers start from the same sources: each compiles a third less.
          env: { NODE_COMPILE_CACHE: join(tmpdir(), 'sglang-notebooks-test-cache', 'compiled') },
          retry: 1,
          expect: { poll: { timeout: 30_000 } },
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'vscode',
          include: ['test/vscode/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          retry: 1,
          expect: { poll: { timeout: 30_000 } },
          testTimeout: 240_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
