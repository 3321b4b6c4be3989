/**
 * The runtime through HTTP against the raw engine loop on the same file and threads, in the same
 * run: rounds alternate, and the ratio of medians is what counts. `RUNTIME_BENCH_LARGE=0` leaves the
 * large model out.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultThreads, loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import type { Engine } from '../../runtime/src/engine/engine.ts';
import { argmax } from '../../runtime/src/sampling/token-set.ts';
import { RuntimeProcess, starter } from '../process/runtime-process.ts';
import { LARGE, writeRandomModel } from '../support/gguf/random-model.ts';

const ROUNDS = 5;
const PREFIX = 512;
const FORKS = 8;
const threads = defaultThreads();

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

/** Tokens that no earlier round has used, so that nothing of them is cached. */
let fresh = 0;
function prompt(length: number, vocabulary: number): number[] {
  fresh += 1;
  return Array.from({ length }, (_, i) => 300 + ((fresh * 7919 + i * 31) % (vocabulary - 400)));
}

async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

function rawPrefill(engine: Engine, ids: readonly number[]): void {
  const tokens = ids.map((token, position) => ({
    token,
    position,
    sequence: 0,
    wantsLogits: position === ids.length - 1,
  }));
  engine.forward(tokens);
  argmax(engine.logits(ids.length - 1), null);
}

function rawDecode(engine: Engine, from: number, count: number): void {
  let token = 300;
  for (let position = from; position < from + count; position += 1) {
    engine.forward([{ token, position, sequence: 0, wantsLogits: true }]);
    token = argmax(engine.logits(0), null);
  }
}

async function measure(name: string, modelPath: string, decodeTokens: number): Promise<void> {
  const engine = loadEngine({ modelPath, cells: 8192, sequences: 256, threads });
  const runtime = await RuntimeProcess.start(
    `--model-path ${modelPath} --threads ${threads} --log-level error`.split(' '),
  );
  const size = engine.vocabulary.size;
  const greedy = { temperature: 0, ignore_eos: true };
  const generate = (input_ids: unknown, max_new_tokens: number) =>
    runtime.generate({ input_ids, sampling_params: { ...greedy, max_new_tokens } });
  const rows = new Map<string, number[]>();
  const note = (row: string, value: number): void => {
    rows.set(row, [...(rows.get(row) ?? []), value]);
  };
  await generate(prompt(PREFIX, size), 8);
  rawPrefill(engine, prompt(PREFIX, size));
  for (let round = 0; round < ROUNDS; round += 1) {
    engine.clear();
    // Cells that are cached, not used, cost every step a little: both sides start empty.
    await runtime.post('/flush_cache', '');
    note('raw prefill', PREFIX / (await seconds(() => rawPrefill(engine, prompt(PREFIX, size)))));
    const one = prompt(PREFIX, size);
    note('prefill', PREFIX / (await seconds(() => generate(one, 1))));
    note(
      'raw decode',
      decodeTokens / (await seconds(() => rawDecode(engine, PREFIX, decodeTokens))),
    );
    const whole = await seconds(() => generate(one, decodeTokens + 1));
    note('decode', (decodeTokens + 1) / whole);
    const stem = prompt(PREFIX, size);
    const forks = Array.from({ length: FORKS }, (_, i) => [...stem, 301 + i, 17]);
    note('forks shared', await seconds(() => generate(forks, 32)));
    const unshared = Array.from({ length: FORKS }, () => prompt(PREFIX + 2, size));
    note('forks unshared', await seconds(() => generate(unshared, 32)));
  }
  engine.dispose();
  await runtime.stop();
  report(name, rows);
}

function report(name: string, rows: ReadonlyMap<string, number[]>): void {
  const of = (row: string): number => median(rows.get(row) ?? []);
  const line = (label: string, values: string): void =>
    console.log(`  ${label.padEnd(34)}${values}`);
  console.log(`${name}, ${threads} thread${threads === 1 ? '' : 's'}, medians of ${ROUNDS} rounds`);
  for (const kind of ['prefill', 'decode']) {
    const [http, raw] = [of(kind), of(`raw ${kind}`)];
    const rates = `${http.toFixed(0)} of ${raw.toFixed(0)} tok/s raw`;
    line(`${kind} through HTTP`, `${rates}: ${(http / raw).toFixed(2)} (goal 0.90)`);
  }
  const [shared, unshared] = [of('forks shared'), of('forks unshared')];
  line(
    `${FORKS} forks of ${PREFIX} + 32 tokens`,
    `${shared.toFixed(2)} s shared, ${unshared.toFixed(2)} s unshared: ${(unshared / shared).toFixed(1)}×`,
  );
}

await measure('starter model', starter, 256);
if (process.env['RUNTIME_BENCH_LARGE'] !== '0') {
  const folder = mkdtempSync(join(tmpdir(), 'runtime-bench-'));
  try {
    const file = join(folder, 'large.gguf');
    writeRandomModel(file, LARGE);
    await measure('random llama, some 300 M weights, q8_0', file, 64);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
