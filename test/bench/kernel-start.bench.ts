/**
 * How long until a kernel is ready: cold (no snapshot yet), with a snapshot, and from the built bundle
 * when there is one. Beside it a bare Node process, which is the part that no kernel can save.
 * Goal: ready within 1000 ms with a snapshot.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KernelDriver } from '../support/kernel-driver.ts';

const ROUNDS = 5;
const bundle = join(import.meta.dirname, '../../dist/kernel.mjs');

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function kernelReady(cache: string, main?: string): Promise<number> {
  const begin = performance.now();
  const kernel = new KernelDriver(main === undefined ? { cache } : { cache, main });
  await kernel.event((event) => event.type === 'ready');
  const elapsed = performance.now() - begin;
  await kernel.close();
  return elapsed;
}

function bareNode(): Promise<number> {
  const begin = performance.now();
  return new Promise((resolve) =>
    spawn(process.execPath, ['-e', '0']).once('exit', () => resolve(performance.now() - begin)),
  );
}

const rows: Record<string, number[]> = {
  'bare Node process': [],
  'cold, sources': [],
  'snapshot, sources': [],
};
if (existsSync(bundle)) rows['snapshot, bundle'] = [];
else console.log('dist/kernel.mjs is not built: the bundle is not measured');

// The kinds take turns, so that a noisy moment hits all of them.
for (let round = 0; round < ROUNDS; round += 1) {
  const cache = mkdtempSync(join(tmpdir(), 'kernel-bench-'));
  rows['bare Node process']?.push(await bareNode());
  rows['cold, sources']?.push(await kernelReady(cache));
  rows['snapshot, sources']?.push(await kernelReady(cache));
  rows['snapshot, bundle']?.push(await kernelReady(cache, bundle));
  rmSync(cache, { recursive: true, force: true });
}

const cold = median(rows['cold, sources'] ?? []);
for (const [name, values] of Object.entries(rows)) {
  const milliseconds = median(values);
  console.log(
    `kernel ready, ${name.padEnd(18)} ${milliseconds.toFixed(0).padStart(5)} ms  (${(milliseconds / cold).toFixed(2)} of cold)`,
  );
}
