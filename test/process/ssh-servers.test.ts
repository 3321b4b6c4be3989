/** Servers that only another machine reaches, by the user's own ssh to a real sshd. */
import { spawnSync } from 'node:child_process';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { isAlive, processTree } from '../../extension/kernel/processes/process-tree.ts';
import { probeAnyServer } from '../../extension/src/models/ssh-probe.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import type { DriverOptions, KernelDriver } from '../support/kernel-driver.ts';
import { listeningSockets } from '../support/listening-sockets.ts';
import { findSshd, SshServer } from '../support/sshd.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { RuntimeProcess } from './runtime-process.ts';

const found = findSshd();
const { start, atEnd } = startedKernels();
const NEVER = new AbortController().signal;

const PROGRAM = `
from sglang import *
@function
def story(s, number: int = 0):
    s += user(f"Tell me story {number}")
    s += assistant(gen("text", max_tokens=60, temperature=0, ignore_eos=True))
`;

/** Processes named `ssh` below the kernel. */
function sshOf(kernel: KernelDriver): number[] {
  const { pid } = kernel.process;
  if (pid === undefined) return [];
  return processTree(pid).filter((each) => {
    const { stdout } = spawnSync('ps', ['-o', 'comm=', '-p', String(each)], { encoding: 'utf8' });
    return stdout.trim().split('/').at(-1) === 'ssh';
  });
}

/** The one of a kernel with one tunnel. */
function onlySsh(kernel: KernelDriver): number {
  const [pid, ...others] = sshOf(kernel);
  if (pid === undefined || others.length > 0) throw new Error('the kernel has not one ssh');
  return pid;
}

/** A port that nothing listens on. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

describe.skipIf(found.missing !== null)(found.missing ?? 'a server behind ssh', () => {
  let sshd: SshServer;
  let runtime: RuntimeProcess;
  const mock = new MockSglangServer();
  beforeAll(async () => {
    [sshd, runtime] = await Promise.all([
      SshServer.start(found.executable ?? ''),
      RuntimeProcess.start(['--threads', '1', '--api-key', 'top-secret']),
    ]);
    await mock.listen();
  });
  afterAll(async () => {
    await Promise.all([sshd[Symbol.asyncDispose](), runtime.stop(), mock.close()]);
  });

  const behind = (target: string) => sshd.url('gpu-box', target);
  const toRuntime = () => `127.0.0.1:${runtime.port}`;
  const kernelWith = (options: DriverOptions) => start({ ...options, env: { PATH: sshd.path } });
  /** The user's own Python is the faster one to start. */
  const ownPython = (): DriverOptions =>
    hasPython ? { guest: { kind: 'cpython', executable: 'python3' } } : {};
  const apiKey = { endpointOptions: { apiKey: 'top-secret' } };

  test('runs programs that know nothing of it, listens on the loopback only, and ends with the kernel', async () => {
    const kernel = kernelWith({ endpoint: behind(toRuntime()), ...apiKey });
    const text = await ok(
      kernel,
      `${PROGRAM}
from sglang.utils import execute_shell_command, wait_for_server, terminate_process
import requests
server = execute_shell_command("python3 -m sglang.launch_server --model-path a/b --port 30000")
wait_for_server("http://localhost:30000")
set_default_backend(RuntimeEndpoint("http://localhost:30000"))
print(len(story.run()["text"]) > 20, len(story.run_batch([{"number": i} for i in range(8)])))
stream = story.run(number=3, stream=True)
print(len("".join(stream.text_iter("text"))) > 20)
print(requests.get("http://localhost:30000/get_model_info").status_code)
terminate_process(server)`,
    );
    expect(text).toBe('True 8\nTrue\n200\n');
    const pid = onlySsh(kernel);
    const { stdout } = spawnSync('ps', ['-o', 'args=', '-ww', '-p', String(pid)], {
      encoding: 'utf8',
    });
    const [, port = ''] = /-L 127\.0\.0\.1:(\d+):127\.0\.0\.1:\d+ /.exec(stdout) ?? [];
    expect(port).not.toBe('');
    if (process.platform === 'linux') {
      const own = listeningSockets([pid]).map((socket) => [socket.address, socket.port]);
      expect(own).toEqual([['127.0.0.1', Number(port)]]);
    }
    await kernel.close();
    expect(isAlive(pid)).toBe(false);
  });

  test('ends when the kernel is killed', async () => {
    const kernel = kernelWith({ endpoint: behind(toRuntime()), ...apiKey, ...ownPython() });
    await ok(kernel, `${PROGRAM}\nlen(story.run()["text"])`);
    const pid = onlySsh(kernel);
    kernel.process.kill('SIGKILL');
    await kernel.exited;
    await eventually(() => !isAlive(pid));
  });

  test('is named by programs too', async () => {
    const kernel = kernelWith(ownPython());
    const text = await ok(
      kernel,
      `${PROGRAM}
set_default_backend(RuntimeEndpoint("${behind(`127.0.0.1:${mock.port}`)}", api_key="told"))
print(story.run()["text"], get_server_info()["version"])`,
    );
    expect(text).toBe(' Paris is nice 0.4.3\n');
    expect(mock.requests.at(-1)?.headers['authorization']).toBe('Bearer told');
  });

  test('is one of several: another one takes over when its tunnel is cut', async () => {
    const second = await RuntimeProcess.start(['--threads', '1', '--api-key', 'top-secret']);
    atEnd(() => second.stop());
    const kernel = kernelWith({ endpoint: `${behind(toRuntime())},${second.url}`, ...apiKey });
    await ok(kernel, `${PROGRAM}\nlen(story.run()["text"])`);
    const run = kernel.execute(
      'states = story.run_batch([{"number": i} for i in range(24)], num_threads=8)\n' +
        'print(len([s["text"] for s in states if len(s["text"]) > 20]))',
    );
    const done = () => kernel.events.filter((event) => event.type === 'gen').length;
    await kernel.until(() => done() >= 6);
    process.kill(onlySsh(kernel), 'SIGKILL');
    const finished = await kernel.finished(run);
    expect(finished.outcome, finished.text).toEqual({ status: 'ok' });
    expect(finished.text).toMatch(/^24\n/);
  });

  test('a connection that is cut fails what was in flight with the cause, and comes back', async () => {
    const kernel = kernelWith({ endpoint: behind(toRuntime()), ...apiKey, ...ownPython() });
    await ok(kernel, `${PROGRAM}\nlen(story.run()["text"])`);
    const before = onlySsh(kernel);
    const run = kernel.execute(
      'stream = story.run(number=1, stream=True)\nfor piece in stream.text_iter("text"): print(piece, flush=True)\nstream["text"]',
    );
    await kernel.until(() => printed(kernel, run).length > 10);
    process.kill(before, 'SIGKILL');
    const { outcome } = await kernel.finished(run);
    expect(JSON.stringify(outcome)).toMatch(
      /connection to gpu-box ended \(by SIGKILL\)\. It is being connected again; run the cell once more/,
    );
    await ok(kernel, 'assert len(story.run(number=2)["text"]) > 20');
    expect(onlySsh(kernel)).not.toBe(before);
  });

  test('a machine that goes away is tried again, and waited for', async () => {
    const endpoint = behind(`127.0.0.1:${mock.port}`);
    const kernel = kernelWith({ endpoint, ...ownPython() });
    await ok(kernel, `${PROGRAM}\nstory.run()["text"]`);
    const before = onlySsh(kernel);
    await sshd.stop();
    await eventually(() => !isAlive(before));
    const run = kernel.execute('print(story.run(number=5)["text"])');
    await sleep(700);
    await sshd.run();
    const finished = await kernel.finished(run);
    expect(finished.outcome, finished.text).toEqual({ status: 'ok' });
    expect(finished.text).toBe(' Paris is nice\n');
  });

  test('an interrupt ends the waiting for a connection', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    atEnd(() => silent.close());
    const bound = silent.address();
    const port = typeof bound === 'object' && bound !== null ? bound.port : 0;
    const kernel = kernelWith({ endpoint: `ssh://127.0.0.1:${port}/127.0.0.1:1`, ...ownPython() });
    const connected = new Promise((resolve) => silent.once('connection', resolve));
    const run = kernel.execute(`${PROGRAM}\nstory.run()["text"]`);
    await connected;
    kernel.send({ type: 'interrupt' });
    const { outcome } = await kernel.finished(run);
    expect(outcome.status).toBe('interrupted');
  });

  test('whatever is wrong is said, with what to do', async () => {
    const kernel = kernelWith(ownPython());
    await ok(kernel, `${PROGRAM}\nfrom sglang.utils import wait_for_server`);
    const said = async (code: string): Promise<string> => {
      const { outcome } = await kernel.run(code);
      return outcome.status === 'error' ? `${outcome.error.name}: ${outcome.error.message}` : 'ok';
    };
    const connecting = (url: string) => said(`RuntimeEndpoint("${url}")`);
    const waiting = (url: string) => said(`wait_for_server("${url}", timeout=20)`);

    const stranger = sshd.url('stranger', toRuntime());
    const refused =
      /could not log in to stranger without asking \(.*Permission denied.*"ssh stranger"/;
    expect(await connecting(stranger)).toMatch(refused);
    expect(await waiting(stranger)).toMatch(refused);
    expect(await connecting(sshd.url('locked', toRuntime()))).toContain(
      'Passwords and passphrases are not asked for here',
    );
    expect(await connecting(sshd.url('unknown', toRuntime()))).toMatch(
      /does not know the key of unknown yet.*Run "ssh unknown".*compare the fingerprint/,
    );
    expect(await waiting(sshd.url('changed', toRuntime()))).toMatch(
      /The key of changed is another one than ssh knows.*ssh-keygen -R/,
    );
    const nowhere = 'ssh://no-such-machine.invalid/127.0.0.1:1';
    expect(await connecting(nowhere)).toContain('ssh finds no machine no-such-machine.invalid');
    expect(await connecting(`ssh://127.0.0.1:${await closedPort()}/127.0.0.1:1`)).toMatch(
      /ssh cannot reach 127\.0\.0\.1 \(.*Connection refused/,
    );
    const port = await closedPort();
    expect(await connecting(behind(`127.0.0.1:${port}`))).toContain(
      `gpu-box cannot connect to 127.0.0.1:${port} (connect failed: Connection refused). Start the server there`,
    );
    for (const wrong of ['ssh://gpu-box:30000', 'ssh://-oProxyCommand=x/127.0.0.1:1'])
      expect(await connecting(wrong)).toContain('An address behind ssh is ssh://[USER@]HOST');
    // What let nobody through has not stayed; the way to a closed port has.
    expect(sshOf(kernel)).toHaveLength(1);
  });

  test('a machine without ssh is told so', async () => {
    const kernel = start({ env: { PATH: '/nonexistent' } });
    const run = await kernel.run(`${PROGRAM}\nRuntimeEndpoint("${behind(toRuntime())}")`);
    expect(JSON.stringify(run.outcome)).toContain('There is no program \\"ssh\\" on this machine');
  });

  test('SGLang: Connect to Server… asks through a tunnel of its own, of which nothing stays', async () => {
    const ask = async (url: string, key: string | null) =>
      probeAnyServer({ url, apiKey: key, verify: true }, NEVER);
    vi.stubEnv('PATH', sshd.path);
    atEnd(() => vi.unstubAllEnvs());
    expect(await ask(behind(toRuntime()), 'top-secret')).toMatchObject({ kind: 'works' });
    expect(await ask(behind(toRuntime()), null)).toEqual({ kind: 'unauthorized', hadKey: false });
    const failures = {
      server: behind(`127.0.0.1:${await closedPort()}`),
      login: sshd.url('stranger', toRuntime()),
      'unknown-host': sshd.url('unknown', toRuntime()),
    };
    for (const [kind, url] of Object.entries(failures))
      expect(await ask(url, null)).toMatchObject({ kind: 'tunnel', failure: { kind } });
    await eventually(
      () => spawnSync('pgrep', ['-P', String(process.pid), '-x', 'ssh']).status === 1,
    );
  });
});

const hasPython = spawnSync('python3', ['--version']).status === 0;

function printed(kernel: KernelDriver, run: string): string {
  return kernel.events
    .flatMap((event) =>
      event.type === 'output' && event.run === run && event.output.kind === 'stream'
        ? [event.output.text]
        : [],
    )
    .join('');
}

async function eventually(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error('it never came to be');
    await sleep(50);
  }
}
