/**
 * What a person waits for: the tour notebook through the built command line, from its start to the
 * first generated character and to the end. Needs `dist/` (`npm run build`).
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const command = join(root, 'dist', 'sglnb.mjs');
const tour = join(root, 'extension', 'examples', 'sglang-tour.sglnb');
const RUNS = 5;

interface Timing {
  /** Seconds to the first access line of `/generate`: the first generation is answered. */
  readonly firstAnswer: number;
  readonly total: number;
}

function runTour(): Promise<Timing> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const seconds = () => (performance.now() - started) / 1000;
    let firstAnswer: number | null = null;
    const child = spawn(process.execPath, [command, 'run', tour, '--no-source'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('POST /generate')) firstAnswer ??= seconds();
    });
    child.on('error', reject);
    child.on('close', (code) => {
      if (code !== 0 || firstAnswer === null) reject(new Error(`the tour ended with code ${code}`));
      else resolve({ firstAnswer, total: seconds() });
    });
  });
}

const median = (values: readonly number[]): number =>
  values.toSorted((left, right) => left - right)[Math.floor(values.length / 2)] ?? Number.NaN;

if (!existsSync(command)) throw new Error('dist/sglnb.mjs is missing: run `npm run build` first');
await runTour(); // The first start makes the snapshot; the second is what people live with.
const timings: Timing[] = [];
for (let run = 0; run < RUNS; run += 1) timings.push(await runTour());
const row = (name: string, goal: string, values: readonly number[]) =>
  console.log(
    `${name.padEnd(28)} median ${median(values).toFixed(2)} s  (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})  goal ${goal}`,
  );
row(
  'first answer, warm start',
  '≤ 3 s',
  timings.map((timing) => timing.firstAnswer),
);
row(
  'whole tour',
  '≤ 60 s',
  timings.map((timing) => timing.total),
);
