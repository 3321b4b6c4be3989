/**
 * The runtime through HTTP against the raw engine loop and against llama.cpp's own server, on the same
 * file and threads in the same run: rounds alternate, and the median of their ratios is what counts.
 *
 *     LLAMA_SERVER=…         llama-server of the same version (test/bench/llama-server/build.ts);
 *                            without it the rows against it are left out, and say so
 *     RUNTIME_BENCH_MODELS   `small`, `large` or both with a comma (both)
 *     RUNTIME_BENCH_ROUNDS   rounds of each row (5)
 *     RUNTIME_BENCH_THREADS  compute threads (as the runtime chooses them)
 */
import { cpus } from 'node:os';
import { loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import { defaultThreads } from '../../runtime/src/engine/load-model.ts';
import { benchModel } from './raw-engine.ts';
import { LlamaServer } from './runtime/llama-server.ts';
import { type Row, table } from './runtime/measuring.ts';
import { Ours } from './runtime/ours.ts';
import {
  choicesRow,
  constraintRows,
  decodeRow,
  forkRow,
  gapRow,
  jumpRow,
  peerRows,
  prefillRow,
  type Sides,
} from './runtime/rows.ts';
import { schedulerCost } from './runtime/scheduler-cost.ts';

const { LLAMA_SERVER, RUNTIME_BENCH_MODELS, RUNTIME_BENCH_ROUNDS, RUNTIME_BENCH_THREADS } =
  process.env;
const rounds = Number(RUNTIME_BENCH_ROUNDS ?? 5);
const threads = Number(RUNTIME_BENCH_THREADS ?? defaultThreads());
const wanted = (RUNTIME_BENCH_MODELS ?? 'small,large').split(',');

const CELLS = 8192;
const SLOTS = 16;

async function measure(model: string, decodeTokens: number): Promise<Row[]> {
  const raw = loadEngine({ modelPath: model, cells: CELLS, sequences: 256, threads });
  const flags = ['--context-length', String(CELLS), '--disable-jump-forward'];
  const ours = await Ours.start(model, threads, flags.slice(0, 2));
  const withoutJump = await Ours.start(model, threads, flags);
  const peer =
    LLAMA_SERVER === undefined
      ? null
      : await LlamaServer.start(LLAMA_SERVER, { model, threads, slots: SLOTS, context: 24_576 });
  const sides: Sides = { ours, raw, peer, vocabulary: raw.vocabulary.size, rounds };
  try {
    // Nobody's first request counts.
    await ours.generate([300, 301], 4);
    await peer?.complete([300, 301], 4, { temperature: 0 });
    const rows: Row[] = [];
    // A run takes minutes: say what is done.
    const note = (...done: readonly Row[]): void => {
      rows.push(...done);
      for (const { work, value } of done) console.error(`  ${work}: ${value}`);
    };
    note(await decodeRow(sides, decodeTokens));
    note(await prefillRow(sides));
    note(await forkRow(sides));
    if (peer !== null) note(...(await peerRows(sides, peer)));
    note(await choicesRow(sides));
    note(...(await constraintRows(sides, decodeTokens)));
    note(await jumpRow(sides, withoutJump));
    note(await gapRow(sides));
    return rows;
  } finally {
    raw.dispose();
    await Promise.all([ours.stop(), withoutJump.stop(), peer?.stop()]);
  }
}

function report(title: string, rows: readonly Row[]): void {
  console.log(`\n${title}\n\n${table(rows)}`);
}

const machine = `${cpus().length} × ${cpus()[0]?.model.trim()}, ${threads} compute thread${threads === 1 ? '' : 's'}`;
console.log(`${new Date().toISOString().slice(0, 10)}, ${machine}, ${rounds} rounds`);
if (LLAMA_SERVER === undefined) {
  console.log('LLAMA_SERVER is not set: the rows against llama.cpp’s own server are left out.');
}
if (wanted.includes('small')) {
  report('Random llama, 40 M weights, q8_0', await measure(benchModel('small'), 256));
}
if (wanted.includes('large')) {
  report('Random llama, 311 M weights, q8_0', await measure(benchModel('large'), 64));
  report(
    'Random llama, 514 M weights, 128k vocabulary, q8_0',
    schedulerCost(benchModel('wide'), threads),
  );
}
