/** What the user sees when the runtime dies, has no memory, sleeps, or is shared. */
import { execFileSync, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { isAlive } from '../../extension/kernel/processes/process-tree.ts';
import type { KernelDriver } from '../support/kernel-driver.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { root, RuntimeProcess } from './runtime-process.ts';

const { start } = startedKernels();

const LAUNCH = `
from sglang import *
from sglang.utils import launch_server_cmd, wait_for_server, terminate_process
server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path no/model")
print("launched", port, flush=True)
wait_for_server(f"http://localhost:{port}")
set_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))
`;
const PROGRAM = `
from sglang import *
@function
def story(s, tokens=24):
    s += user("Tell me a story")
    s += assistant(gen("text", max_tokens=tokens, temperature=0, ignore_eos=True))
`;

/** The runtime that the kernel started last. */
function runtimePid(kernel: KernelDriver): number | undefined {
  return kernel.events
    .flatMap((event) =>
      event.type === 'process' && event.process.exit === null ? [event.process.pid] : [],
    )
    .at(-1);
}

describe('a runtime that is killed', () => {
  it('while it loads, or in the middle of a generation, has a reason; the next one works', async () => {
    const kernel = start();
    const loading = kernel.execute(LAUNCH);
    await kernel.until(() => runtimePid(kernel) !== undefined);
    process.kill(runtimePid(kernel)!, 'SIGKILL');
    const failed = await kernel.finished(loading);
    expect(JSON.stringify(failed.outcome)).toMatch(
      /server's process ended by SIGKILL before it was ready/,
    );

    await ok(kernel, LAUNCH + PROGRAM);
    const generating = kernel.execute(
      'print("writing", flush=True)\nstory.run(tokens=4000)["text"]',
    );
    await kernel.until(() => kernel.textOf(generating).includes('writing'));
    await delay(300);
    process.kill(runtimePid(kernel)!, 'SIGKILL');
    const lost = await kernel.finished(generating);
    expect(lost.outcome).toMatchObject({ status: 'error' });
    expect(JSON.stringify(lost.outcome)).toMatch(
      /connection to http:\/\/(localhost|127\.0\.0\.1):\d+ was lost/,
    );
    // The program is told; the kernel and its variables live, and another server takes over.
    await ok(kernel, LAUNCH);
    const after = await ok(kernel, 'print(len(story.run()["text"]) > 10)');
    expect(after).toMatch(/^True$/m);
  });
});

describe('a machine without memory', () => {
  /** Ends with its words; kilobytes of address space as the shell limits them. */
  function limited(kilobytes: number, flags: readonly string[]): Promise<string> {
    const main = join(root, 'runtime', 'src', 'main.ts');
    const words = [process.execPath, main, '--port', '0', ...flags].map((word) => `'${word}'`);
    const child = spawn('/bin/sh', ['-c', `ulimit -v ${kilobytes} && exec ${words.join(' ')}`]);
    let output = '';
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
      if (output.includes('SGLNB_RUNTIME')) child.kill('SIGKILL');
    });
    child.stderr.on('data', (text: Buffer) => (output += text.toString()));
    return new Promise((resolve) =>
      child.once('close', (code, signal) => resolve(`${output}\nended ${code ?? signal}`)),
    );
  }

  it('gets a sentence with what to do, not a crash', async ({ skip }) => {
    skip(process.platform !== 'linux', 'ulimit -v is of Linux');
    const text = await limited(8_000_000, ['--max-total-tokens', '4000000']);
    expect(text).toMatch(/error: .*4000000 tokens: .*(alloc|memory).*Try a smaller context/i);
    expect(text).toMatch(/ended 3$/);
    // The same limit is no trouble for what fits.
    expect(await limited(8_000_000, [])).toMatch(/ended SIGKILL$/);
  });
});

describe('a runtime whose memory runs out', () => {
  it('in the middle of a generation says so, comes back, and the program goes on', async ({
    skip,
  }) => {
    skip(process.platform !== 'linux', 'prlimit is of Linux');
    vi.stubEnv('NODE_OPTIONS', `--import ${join(root, 'test/support/hungry.mjs')}`);
    const kernel = start();
    vi.unstubAllEnvs();
    await ok(kernel, LAUNCH + PROGRAM);
    const run = kernel.execute(
      'print("writing", flush=True)\n' +
        'states = story.run_batch([{"tokens": 900}] * 8, num_threads=8)\n' +
        'errors = [str(s.error()) for s in states if s.error() is not None]\n' +
        'print(len(errors) > 0, errors[0])',
    );
    await kernel.until(() => kernel.textOf(run).includes('writing'));
    const pid = runtimePid(kernel)!;
    await delay(300);
    // As if the machine had nothing left: whatever it asks for next is refused.
    execFileSync('prlimit', ['--pid', String(pid), '--as=4096:4096']);
    process.kill(pid, 'SIGUSR2');
    const { text } = await kernel.finished(run);
    expect(text).toMatch(
      /^True [^]*ended unexpectedly, by SIG\w+\. It had no memory left: .*being started again/m,
    );
    expect(await ok(kernel, 'print(len(story.run()["text"]) > 10)')).toMatch(/^True$/m);
    expect(runtimePid(kernel)).not.toBe(pid);
  });
});

describe('a machine that sleeps', () => {
  it('goes on where it was, in the runtime and in the kernel', async () => {
    const runtime = await RuntimeProcess.start();
    try {
      const kernel = start({ endpoint: runtime.url });
      await ok(kernel, PROGRAM);
      const run = kernel.execute(
        'print("go", flush=True)\nprint(len(story.run(tokens=400)["text"]) > 100)',
      );
      await kernel.until(() => kernel.textOf(run).includes('go'));
      await delay(100);
      runtime.child.kill('SIGSTOP');
      kernel.process.kill('SIGSTOP');
      await delay(1500);
      kernel.process.kill('SIGCONT');
      await delay(500);
      runtime.child.kill('SIGCONT');
      const finished = await kernel.finished(run);
      expect(finished.text).toBe('go\nTrue\n');
    } finally {
      await runtime.stop();
    }
  });
});

describe('a wall clock that is set again and again', () => {
  it('changes nothing in the kernel, its Python, or the runtime', async () => {
    const before = process.env['NODE_OPTIONS'];
    process.env['NODE_OPTIONS'] = `--import ${join(root, 'test/support/jumping-clock.mjs')}`;
    const kernel = start();
    if (before === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = before;
    const timed = 'wait_for_server(f"http://localhost:{port}", timeout=90)';
    await ok(kernel, LAUNCH.replace(/wait_for_server\(f.*\)\n/, `${timed}\n`) + PROGRAM);
    // The clock does jump, where time is taken from it.
    const text = await ok(
      kernel,
      `import time
years = set()
begin = time.perf_counter()
for _ in range(40):
    years.add(time.gmtime().tm_year)
    time.sleep(0.05)
print("years", len(years) > 1, "slept", 1.9 < time.perf_counter() - begin < 20)
@function
def asked(s):
    s += user("Hi") + assistant(gen("text", max_tokens=200, temperature=0, ignore_eos=True))
backend = RuntimeEndpoint(f"http://localhost:{port}")
state = asked.run(backend=backend)
meta = state.get_meta_info("text")
print("length", len(state["text"]) > 50, "latency", 0 < meta["e2e_latency"] < 60, 0 <= meta["queue_time"] < 60)`,
    );
    expect(text).toContain('years True slept True');
    expect(text).toContain('length True latency True True');
    // A runtime that dies comes back all the same.
    const pid = runtimePid(kernel)!;
    process.kill(pid, 'SIGKILL');
    await kernel.until(() =>
      kernel.events.some((event) => event.type === 'process' && event.process.restart),
    );
    expect(await ok(kernel, 'print(len(story.run()["text"]) > 10)')).toMatch(/^True$/m);
    const finished = kernel.events.flatMap((event) =>
      event.type === 'finished' ? [event.milliseconds] : [],
    );
    expect(finished.filter((milliseconds) => milliseconds < 0 || milliseconds > 120_000)).toEqual(
      [],
    );
  });
});

describe('two windows on one runtime', () => {
  it('get their answers at the same time; the one that did not start it is told when it is gone', async () => {
    const [owner, guest] = [start(), start()];
    const launched = await ok(owner, LAUNCH + PROGRAM);
    const port = /launched (\d+)/.exec(launched)?.[1];
    await ok(
      guest,
      `from sglang import *\nset_default_backend(RuntimeEndpoint("http://localhost:${port}"))${PROGRAM}`,
    );
    const texts = await Promise.all(
      [owner, guest].map((kernel) =>
        ok(
          kernel,
          'states = story.run_batch([{"tokens": 24}] * 6, num_threads=6)\nprint(len({s["text"] for s in states}), states[0]["text"])',
        ),
      ),
    );
    // The owner's cell shows the server's log too.
    const last = texts.map((text) => text.trimEnd().split('\n').at(-1));
    expect(last[0]).toMatch(/^1 \S/);
    expect(last[0]).toBe(last[1]);
    const pid = runtimePid(owner)!;
    await owner.close();
    expect(isAlive(pid)).toBe(false);
    const run = await guest.run('story.run()["text"]');
    expect(JSON.stringify(run.outcome)).toMatch(
      new RegExp(`No SGLang server answers at http://(localhost|127.0.0.1):${port}`),
    );
  });
});
