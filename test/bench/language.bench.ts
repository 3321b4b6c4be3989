/**
 * What the frontend language costs: the same programs against a server that answers at once, on both
 * guests and on SGLang's own Python frontend where it can be installed, in turns. CPU time is that of
 * the frontend's processes without the server's. Goal: at most half of SGLang's, wall and CPU.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import {
  encodeMessage,
  MessageReader,
  type GuestChoice,
  type KernelEvent,
} from '../../extension/protocol/kernel-protocol.ts';
import { findReferenceFrontend, REFERENCE_VERSION } from '../support/reference-frontend.ts';

const TICK_MILLISECONDS = 10;
const PAGE_KIB = 4;
const RUNS = Number(process.env['BENCH_RUNS'] ?? 5);

interface Frontend {
  readonly name: string;
  readonly pid: number;
  /** Runs Python in the same namespace each time; the object that it prints as JSON after `@`. */
  run(code: string): Promise<Record<string, number>>;
  close(): Promise<void>;
}

interface Sample {
  readonly wall: number;
  readonly cpu: number;
  readonly memory: number;
  readonly [name: string]: number;
}

const PRELUDE = (url: string): string => `
import asyncio, gc, json, threading, time
import sglang as sgl
from sglang import *
from sglang.lang.ir import SglExpr
sgl.set_default_backend(RuntimeEndpoint(${JSON.stringify(url)}))
sgl.global_config.enable_precache_with_tracing = False
def timed(work):
    start = time.perf_counter()
    kept = work()
    return kept, (time.perf_counter() - start) * 1000
def done(**values):
    print("\\n@" + json.dumps(values))
@function
def three(s, i):
    s += user(f"question {i}") + assistant(gen("a", max_tokens=4))
    s += user("and then?") + assistant(gen("b", max_tokens=4))
    s += user("and now?") + assistant(gen("c", max_tokens=4, stop="\\n"))
@function
def branching(s, i):
    s += user(f"question {i}") + assistant(gen("a", max_tokens=4))
    if "x" in s["a"]:
        s += user("more") + assistant(gen("b", max_tokens=4))
    if i % 2:
        s["kind"] = s["b"].strip() + "odd"
@function
def wide(s, n):
    s += user("tips")
    s.sync()
    forks = s.fork(n)
    forks += assistant(gen("tip", max_tokens=4))
    forks.join()
@function
def streamed(s):
    s += user("q") + assistant(gen("a", max_tokens=4))
def read_streams(n):
    lags = []
    async def read():
        async for piece in streamed.run(stream=True).text_async_iter("a"):
            now = time.time() * 1000
            lags.extend(now - float(sent) for sent in piece.split())
    async def all_of_them():
        await asyncio.gather(*[read() for _ in range(n)])
    return lags, all_of_them()
done(ok=1)
`;

const BENCHES: readonly (readonly [title: string, code: string])[] = [
  [
    '1,000 programs of three gens, one batch',
    'kept, wall = timed(lambda: three.run_batch([{"i": i} for i in range(1000)]))\nassert len(kept) == 1000 and kept[-1]["c"] == " x"\ndel kept\ngc.collect()\ndone(wall=wall)',
  ],
  [
    'run_batch of 4,096 with control flow',
    'kept, wall = timed(lambda: branching.run_batch([{"i": i} for i in range(4096)]))\nassert kept[1]["kind"] == "xodd"\ndel kept\ngc.collect()\ndone(wall=wall)',
  ],
  [
    'fork(256), gather',
    'kept, wall = timed(lambda: wide.run(n=256)["tip"])\nassert len(kept) == 256\ndone(wall=wall)',
  ],
];

const server = spawn(process.execPath, [join(import.meta.dirname, 'null-server.ts')], {
  stdio: ['pipe', 'pipe', 'inherit'],
});
const port = await firstLine(server);
const url = `http://127.0.0.1:${port}`;
const reference = await findReferenceFrontend();
const frontends: Frontend[] = [
  await kernelFrontend('WebAssembly', { kind: 'wasm' }),
  await kernelFrontend('CPython', { kind: 'cpython', executable: 'python3' }),
  ...(reference.python === null ? [] : [await referenceFrontend(reference.python)]),
];
if (reference.missing !== null) console.log(`SGLang's own frontend: ${reference.missing}`);

try {
  for (const frontend of frontends) await frontend.run(PRELUDE(url));
  for (const [title, code] of BENCHES) await compare(title, code, ['wall', 'cpu']);
  await compareStreams();
  await compareMemory();
} finally {
  for (const frontend of frontends) await frontend.close();
  server.stdin.end();
}

async function compare(title: string, code: string, shown: readonly string[]): Promise<void> {
  const samples = new Map<Frontend, Sample[]>(frontends.map((frontend) => [frontend, []]));
  for (let run = 0; run <= RUNS; run++) {
    for (const frontend of frontends) {
      const sample = await measure(frontend, code);
      if (run > 0) samples.get(frontend)!.push(sample);
    }
  }
  report(title, samples, shown);
}

async function measure(frontend: Frontend, code: string): Promise<Sample> {
  const before = usage(frontend.pid);
  const printed = await frontend.run(code);
  const after = usage(frontend.pid);
  return { wall: 0, memory: after.memory, ...printed, cpu: after.cpu - before.cpu };
}

/** 64 programs stream at 100 chunks a second; how late a chunk is read, and what it costs. */
async function compareStreams(): Promise<void> {
  const run = (frontend: Frontend): string =>
    frontend.name === 'WebAssembly' || frontend.name === 'CPython'
      ? 'lags, work = read_streams(64)\nawait work'
      : 'lags, work = read_streams(64)\nasyncio.run(work)';
  const end = 'lags.sort()\ndone(median=lags[len(lags)//2], p99=lags[len(lags)*99//100], wall=0)';
  const samples = new Map<Frontend, Sample[]>(frontends.map((frontend) => [frontend, []]));
  for (let round = 0; round < RUNS; round++) {
    for (const frontend of frontends)
      samples.get(frontend)!.push(await measure(frontend, `${run(frontend)}\n${end}`));
  }
  report('64 streams of 100 chunks/s for 2 s: lateness and CPU', samples, ['median', 'p99', 'cpu']);
}

/** Resident memory of what stays alive, per program, from two batches of different size. */
async function compareMemory(): Promise<void> {
  const live = 4000;
  const code = `kept_alive = three.run_batch([{"i": i} for i in range(${live})])\ngc.collect()\ndone(wall=0)`;
  for (const frontend of frontends) {
    const before = usage(frontend.pid).memory;
    const { memory } = await measure(frontend, code);
    await frontend.run('del kept_alive\ngc.collect()\ndone(wall=0)');
    const each = (memory - before) / live;
    console.log(`  ${frontend.name.padEnd(14)} ${each.toFixed(1)} KiB per live program`);
  }
}

function report(
  title: string,
  samples: ReadonlyMap<Frontend, readonly Sample[]>,
  shown: readonly string[],
): void {
  console.log(`\n${title}`);
  const last = reference.python === null ? undefined : frontends.at(-1);
  const value = (frontend: Frontend, name: string): number =>
    median((samples.get(frontend) ?? []).map((sample) => sample[name] ?? Number.NaN));
  for (const frontend of frontends) {
    const columns = shown.map((name) => {
      const own = value(frontend, name);
      const ratio =
        last === undefined || frontend === last
          ? ''
          : ` (${(own / value(last, name)).toFixed(2)}x)`;
      return `${name} ${own.toFixed(own < 20 ? 1 : 0)} ms${ratio}`;
    });
    console.log(`  ${frontend.name.padEnd(14)} ${columns.join('   ')}`);
  }
}

/** A kernel whose events are only counted on, not kept, so that driving it costs little. */
async function kernelFrontend(name: string, guest: GuestChoice): Promise<Frontend> {
  const main = join(import.meta.dirname, '../../extension/kernel/main.ts');
  const child = spawn(process.execPath, [main], { stdio: ['pipe', 'pipe', 'inherit'] });
  let text = '';
  let finish: (event: KernelEvent) => void = () => undefined;
  const reader = new MessageReader<KernelEvent>(
    (event) => {
      if (event.type === 'output' && event.output.kind === 'stream') text += event.output.text;
      if (event.type === 'finished') finish(event);
    },
    (line) => console.error(line),
  );
  child.stdout.setEncoding('utf8').on('data', (data: string) => reader.push(data));
  const initial = { cwd: process.cwd(), guest, env: {}, endpoint: null, model: null };
  child.stdin.write(encodeMessage({ type: 'initialize', protocolVersion: 1, ...initial }));
  let runs = 0;
  return {
    name,
    pid: child.pid ?? 0,
    run: async (code) => {
      text = '';
      const run = `run-${++runs}`;
      const ended = new Promise<KernelEvent>((resolve) => (finish = resolve));
      const cell = { id: run, label: run };
      child.stdin.write(encodeMessage({ type: 'execute', run, cell, code, stopOnError: true }));
      const event = await ended;
      if (event.type !== 'finished' || event.outcome.status !== 'ok')
        throw new Error(`${name}: ${JSON.stringify(event)}`);
      return printed(text);
    },
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.stdin.write(encodeMessage({ type: 'shutdown' }));
      await ended;
    },
  };
}

async function referenceFrontend(python: string): Promise<Frontend> {
  const loop =
    'import json, sys\nscope = {}\nfor line in sys.stdin:\n    exec(json.loads(line), scope)\n    print("@@", flush=True)';
  const child = spawn(python, ['-c', loop], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name: `SGLang ${REFERENCE_VERSION}`,
    pid: child.pid ?? 0,
    run: async (code) => {
      child.stdin.write(`${JSON.stringify(code)}\n`);
      let text = '';
      for (let line = await lines.next(); line.value !== '@@'; line = await lines.next()) {
        if (line.done === true) throw new Error("SGLang's frontend ended.");
        text += `${line.value}\n`;
      }
      return printed(text);
    },
    close: async () => {
      child.kill('SIGKILL');
    },
  };
}

function printed(text: string): Record<string, number> {
  const line = text.split('\n').findLast((candidate) => candidate.startsWith('@'));
  if (line === undefined) throw new Error(`nothing was measured: ${text}`);
  return JSON.parse(line.slice(1)) as Record<string, number>;
}

/** CPU milliseconds and resident KiB of a process and its descendants (Linux; elsewhere not a number). */
function usage(root: number): { cpu: number; memory: number } {
  try {
    const parents = new Map<number, { parent: number; cpu: number; memory: number }>();
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue;
      const stat = statOf(entry);
      if (stat !== null) parents.set(Number(entry), stat);
    }
    const within = (pid: number): boolean => {
      for (let at = pid; at > 1; at = parents.get(at)?.parent ?? 0) if (at === root) return true;
      return false;
    };
    const own = [...parents].filter(([pid]) => within(pid)).map(([, stat]) => stat);
    return {
      cpu: own.reduce((sum, stat) => sum + stat.cpu, 0),
      memory: own.reduce((sum, stat) => sum + stat.memory, 0),
    };
  } catch {
    return { cpu: Number.NaN, memory: Number.NaN };
  }
}

function statOf(pid: string): { parent: number; cpu: number; memory: number } | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const number = (index: number): number => Number(fields[index]);
    return {
      parent: number(1),
      cpu: (number(11) + number(12)) * TICK_MILLISECONDS,
      memory: number(21) * PAGE_KIB,
    };
  } catch {
    return null; // it ended in the meantime
  }
}

async function firstLine(child: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: child.stdout! })) return line;
  throw new Error('the null server did not start');
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
