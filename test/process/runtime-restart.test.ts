/** A runtime that ends unexpectedly comes back by itself, a limited number of times; one that is ended does not. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { KernelProcesses } from '../../extension/kernel/processes/process-service.ts';
import { isAlive } from '../../extension/kernel/processes/process-tree.ts';
import type { ChildProcessInfo } from '../../extension/protocol/kernel-protocol.ts';
import type { KernelDriver } from '../support/kernel-driver.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';

const { start, atEnd } = startedKernels();

const LAUNCH = `
from sglang import *
from sglang.utils import launch_server_cmd, wait_for_server, terminate_process
server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path starter --context-length 2048")
wait_for_server(f"http://localhost:{port}")
set_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))
@function
def story(s, tokens=16):
    s += user("Tell me a story")
    s += assistant(gen("text", max_tokens=tokens, temperature=0, ignore_eos=True))
`;

function infos(kernel: KernelDriver): readonly ChildProcessInfo[] {
  return kernel.events.flatMap((event) => (event.type === 'process' ? [event.process] : []));
}

function warnings(kernel: KernelDriver): readonly string[] {
  return kernel.events.flatMap((event) =>
    event.type === 'log' && event.level === 'warn' ? [event.message] : [],
  );
}

function runtimePid(kernel: KernelDriver): number {
  return infos(kernel).findLast(({ exit }) => exit === null)?.pid ?? 0;
}

/** Its arguments without those that name a process. */
function flagsOf(pid: number): string {
  const text = readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ');
  return text.slice(0, text.indexOf('--parent-pid'));
}

describe('a runtime that is killed while a program uses it', () => {
  it('fails the gen in flight with the reason, and serves the next on the same port', async () => {
    const kernel = start();
    await ok(kernel, LAUNCH);
    const before = await ok(kernel, 'print(story.run()["text"])');
    const [first, flags] = [runtimePid(kernel), flagsOf(runtimePid(kernel))];
    const run = kernel.execute('print("writing", flush=True)\nstory.run(tokens=1500)["text"]');
    await kernel.until(() => kernel.textOf(run).includes('writing'));
    await delay(200);
    process.kill(first, 'SIGKILL');
    const lost = JSON.stringify((await kernel.finished(run)).outcome);
    expect(lost).toMatch(/GenerationError/);
    expect(lost).toMatch(
      /connection to http:\/\/\S+ was lost .*The runtime at http:\/\/\S+ ended unexpectedly, by SIGKILL.*being started again; run the cell once more/,
    );

    // Nothing is launched or waited for: the program goes on with the backend that it has.
    const after = await ok(kernel, 'print(story.run()["text"])');
    expect(after.trimEnd().split('\n').at(-1)).toBe(before.trimEnd().split('\n').at(-1));
    expect(await ok(kernel, 'print(server.poll())')).toMatch(/None/);
    const second = runtimePid(kernel);
    expect(second).not.toBe(first);
    expect(flagsOf(second)).toBe(flags);
    const told = infos(kernel).map(({ id, pid, restart }) => [id, pid, restart?.attempt ?? 0]);
    expect(told).toEqual([
      [first, first, 0],
      [first, first, 1],
      [first, second, 1],
      [first, second, 0],
    ]);
    expect(warnings(kernel).filter((text) => text.includes('ended unexpectedly'))).toEqual([
      expect.stringMatching(/by SIGKILL.*Restarting, attempt 1 of 5\.$/),
    ]);

    // The handle that the cell got still ends it.
    await ok(kernel, 'terminate_process(server)\nassert server.poll() is not None');
    expect(isAlive(second)).toBe(false);
  });

  it('loses only what was in flight of a batch', async () => {
    const kernel = start();
    await ok(kernel, LAUNCH);
    const run = kernel.execute(`
print("go", flush=True)
states = story.run_batch([{"tokens": 200}] * 24, num_threads=3)
errors = [str(s.error()) for s in states if s.error() is not None]
print("errors", len(errors), "values", sum(1 for s in states if s.error() is None))
print(errors[0])`);
    await kernel.until(() => kernel.textOf(run).includes('go'));
    await delay(500);
    process.kill(runtimePid(kernel), 'SIGKILL');
    const { text, outcome } = await kernel.finished(run);
    expect(outcome, text).toEqual({ status: 'ok' });
    const [, errors, values] = /errors (\d+) values (\d+)/.exec(text) ?? [];
    expect(Number(errors)).toBeGreaterThan(0);
    expect(Number(errors)).toBeLessThanOrEqual(3);
    expect(Number(errors) + Number(values)).toBe(24);
    expect(text).toMatch(/ended unexpectedly, by SIGKILL/);
  });
});

describe('a runtime that somebody ends', () => {
  const ends: readonly (readonly [string, (kernel: KernelDriver) => Promise<unknown>])[] = [
    ['the program', (kernel) => ok(kernel, 'terminate_process(server)')],
    ['a shell line', (kernel) => ok(kernel, '!kill {server.pid}')],
    [
      'force',
      async (kernel) => kernel.send({ type: 'program', id: runtimePid(kernel), action: 'kill' }),
    ],
  ];
  it.each(ends)('by %s stays away', async (_who, end) => {
    const kernel = start();
    await ok(kernel, LAUNCH);
    const pid = runtimePid(kernel);
    await end(kernel);
    await kernel.until(() => infos(kernel).at(-1)?.exit !== null);
    await delay(1_500);
    expect(infos(kernel).map((info) => info.pid)).toEqual([pid, pid]);
    expect(infos(kernel).at(-1)).toMatchObject({ restart: null, failure: null });
    expect(warnings(kernel)).toEqual([]);
    const run = await kernel.run('story.run()["text"]');
    expect(JSON.stringify(run.outcome)).toMatch(/No SGLang server answers/);
  });

  it('is started again when the user wants it', async () => {
    const kernel = start();
    await ok(kernel, LAUNCH);
    const pid = runtimePid(kernel);
    kernel.send({ type: 'program', id: pid, action: 'restart' });
    await kernel.until(() => infos(kernel).at(-1)?.pid !== pid && !infos(kernel).at(-1)?.restart);
    expect(isAlive(pid)).toBe(false);
    expect(await ok(kernel, 'print(len(story.run()["text"]) > 5)')).toMatch(/True/);
  });
});

/** Says that it serves, and dies after some milliseconds in the way that its file says. */
const DYING = `
const { readFileSync, appendFileSync } = require('node:fs');
const { createServer } = require('node:http');
const port = Number(process.argv[process.argv.indexOf('--port') + 1]);
appendFileSync(__dirname + '/starts', performance.timeOrigin + performance.now() + '\\n');
const server = createServer((_request, response) => response.end('{}'));
server.listen(port, '127.0.0.1', () => {
  process.send('ready');
  const [after, how] = readFileSync(__dirname + '/how', 'utf8').trim().split(' ');
  if (how !== 'never') setTimeout(() => how.startsWith('SIG') ? process.kill(process.pid, how) : process.exit(Number(how)), Number(after));
});
process.on('SIGTERM', () => process.exit(0));
console.log('these are my last words');
`;

interface Supervised {
  readonly processes: KernelProcesses;
  readonly infos: ChildProcessInfo[];
  readonly log: string[];
  readonly port: number;
  readonly folder: string;
  readonly cwd: string;
  readonly pid: number;
  readonly dies: (after: number, how: string) => void;
  readonly starts: () => readonly number[];
}

async function supervise(after: number, how: string, pauses: number[]): Promise<Supervised> {
  const folder = mkdtempSync(join(tmpdir(), 'dying-runtime-'));
  atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const cwd = join(folder, 'cwd');
  mkdirSync(cwd);
  writeFileSync(join(folder, 'runtime.cjs'), DYING);
  const dies = (milliseconds: number, way: string): void =>
    writeFileSync(join(folder, 'how'), `${milliseconds} ${way}`);
  dies(after, how);
  const told: ChildProcessInfo[] = [];
  const log: string[] = [];
  const processes = new KernelProcesses({
    cwd,
    environment: { PATH: process.env['PATH'] ?? '', SGLNB_SERVER: 'bundled' },
    runtime: join(folder, 'runtime.cjs'),
    model: null,
    endpoint: null,
    output: () => {},
    onProcess: (info) => told.push(info),
    ask: async () => null,
    log: (level, text) => {
      if (level !== 'info') log.push(`${level} ${text}`);
    },
    policy: { pauses, forgetAfter: 1_000 },
  });
  atEnd(() => processes.killAll());
  const port = await freePort();
  const command = `python3 -m sglang.launch_server --model-path a --port ${port}`;
  const reply = await processes.handle({ op: 'spawn_process', command }, never());
  expect(reply).toHaveProperty('ok');
  const { pid } = (reply as { ok: { pid: number } }).ok;
  const starts = (): readonly number[] =>
    readFileSync(join(folder, 'starts'), 'utf8').trim().split('\n').map(Number);
  return { processes, infos: told, log, port, folder, cwd, pid, dies, starts };
}

function never(): AbortSignal {
  return new AbortController().signal;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

describe('a runtime that ends again and again', () => {
  it.each(['SIGKILL', 'SIGABRT', '3'])('by %s is given up, with its last words', async (how) => {
    const {
      processes,
      infos: told,
      log,
      port,
      pid,
      dies,
      starts,
    } = await supervise(20, how, [50, 200, 400]);
    await expect.poll(() => told.at(-1)?.failure, { timeout: 20_000 }).toBeTruthy();
    const [first = 0, ...later] = starts();
    expect(later).toHaveLength(3);
    // Each pause is longer than the one before it; starting Node takes its time too.
    expect(later[0]! - first).toBeGreaterThan(50);
    expect(later[1]! - later[0]!).toBeGreaterThan(200);
    expect(later[2]! - later[1]!).toBeGreaterThan(400);
    expect(log.map((line) => /attempt \d of \d/.exec(line)?.[0] ?? line.slice(0, 5))).toEqual([
      'attempt 1 of 3',
      'attempt 2 of 3',
      'attempt 3 of 3',
      'error',
    ]);
    expect(told.at(-1)).toMatchObject({ exit: { code: how === '3' ? 3 : null } });
    expect(told.at(-1)?.failure).toMatch(
      new RegExp(
        `http://127.0.0.1:${port} ended 4 times in a row.*not started again.*Run the cell[^]*these are my last words`,
      ),
    );
    // Programs that ask for it are told the same, at once.
    const state = await processes.serverState(`http://localhost:${port}`, 'served', never());
    expect(state).toMatchObject({ serves: false, absence: told.at(-1)?.failure });
    expect(await processes.handle({ op: 'poll_process', pid }, never())).not.toEqual({ ok: null });
    const wait = { op: 'wait_for_server', url: `http://localhost:${port}`, timeout: 5 };
    expect(JSON.stringify(await processes.handle(wait, never()))).toMatch(/ended 4 times in a row/);

    // The user repairs what was wrong and wants it back.
    dies(0, 'never');
    await processes.control(pid, 'restart');
    await expect.poll(() => told.at(-1)?.restart).toBeNull();
    expect(told.at(-1)).toMatchObject({ exit: null, failure: null });
    const back = await processes.serverState(`http://localhost:${port}`, 'served', never());
    expect(back).toMatchObject({ serves: true, absence: null });
  });

  it('counts anew once it has served for a while', async () => {
    const { infos: told, log, starts } = await supervise(1_300, 'SIGKILL', [10]);
    await expect.poll(() => starts().length, { timeout: 20_000 }).toBeGreaterThan(3);
    expect(told.some(({ failure }) => failure)).toBe(false);
    expect(new Set(log.map((line) => /attempt \d of \d/.exec(line)?.[0]))).toEqual(
      new Set(['attempt 1 of 1']),
    );
  });

  it('that was never ready is not tried again', async () => {
    const { infos: told, folder, processes, port, pid } = await supervise(0, 'never', [10]);
    await expect.poll(() => told.at(-1)?.exit).toBeNull();
    await processes.control(pid, 'kill');
    writeFileSync(join(folder, 'runtime.cjs'), 'console.log("no model"); process.exit(3);');
    const command = `python3 -m sglang.launch_server --model-path a --port ${port}`;
    await processes.handle({ op: 'spawn_process', command }, never());
    const wait = { op: 'wait_for_server', url: `http://localhost:${port}`, timeout: 20 };
    expect(JSON.stringify(await processes.handle(wait, never()))).toMatch(
      /ended with exit code 3 before it was ready.*no model/,
    );
    expect(told.some(({ restart }) => restart)).toBe(false);
  });

  it('where the system starts nothing is given up too', async () => {
    const { infos: told, log, cwd, pid } = await supervise(0, 'never', [10, 20]);
    await delay(300);
    // Its folder is gone: no process can be started there.
    rmSync(cwd, { recursive: true });
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => told.at(-1)?.failure, { timeout: 20_000 }).toMatch(/3 times in a row/);
    expect(log.filter((line) => line.includes('could not be started'))).toHaveLength(2);
  });

  it('is not started again after the kernel let go of it', async () => {
    const { infos: told, processes, starts } = await supervise(50, 'SIGKILL', [400, 400]);
    await expect.poll(() => told.at(-1)?.restart?.attempt, { timeout: 10_000 }).toBe(1);
    await processes.killAll();
    await delay(800);
    expect(starts()).toHaveLength(1);
    expect(told.at(-1)?.exit).not.toBeNull();
  });
});
