/** SGLang's self-contained benchmark programs on the runtime and the starter model, in both guests. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { findReferenceFrontend } from '../support/reference-frontend.ts';
import { RuntimeProcess } from './runtime-process.ts';

const SOURCE = readFileSync(`${import.meta.dirname}/reference/benchmarks.py`, 'utf8');
const NAMES = [...SOURCE.matchAll(/^ {4}(\w+),$/gm)].map(([, name]) => name ?? '');

/** The reference's environment has numpy; any Python will do without it. */
const { python: withNumpy } = await findReferenceFrontend();
const python = withNumpy ?? (spawnSync('python3', ['--version']).status === 0 ? 'python3' : null);
if (withNumpy === null) console.warn('benchmark programs: no Python with numpy, run without it');

const GUESTS: readonly (readonly [name: string, guest: GuestChoice | null])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', python === null ? null : { kind: 'cpython', executable: python }],
];

let runtime: RuntimeProcess;
beforeAll(async () => {
  runtime = await RuntimeProcess.start();
});
afterAll(() => runtime.stop());

test('every program is listed', () => expect(NAMES).toHaveLength(8));

describe.each(GUESTS)('%s', (_name, guest) => {
  let kernel: KernelDriver;
  beforeAll(async () => {
    if (guest === null) return;
    kernel = new KernelDriver({ guest, endpoint: runtime.url });
    const { outcome } = await kernel.run(SOURCE);
    expect(outcome).toEqual({ status: 'ok' });
  });
  afterAll(async () => {
    await kernel?.close();
  });

  test.for(NAMES)('%s', async (name, { skip }) => {
    skip(guest === null, 'not run: this machine has no python3');
    const { outcome } = await kernel.run(`${name}()`);
    expect(outcome).toEqual({ status: 'ok' });
  });
});
