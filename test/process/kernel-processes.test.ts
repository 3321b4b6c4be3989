/** Programs that cells start: the bundled runtime as `sglang.launch_server`, and any other command. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { HIGHLIGHT_MIME, NOTICE_MIME } from '../../extension/protocol/output-payloads.ts';
import type { ChildProcessInfo } from '../../extension/protocol/kernel-protocol.ts';
import { isAlive } from '../../extension/kernel/processes/process-tree.ts';
import type { KernelDriver } from '../support/kernel-driver.ts';
import { startedKernels } from '../support/started-kernels.ts';

const UTILS =
  'from sglang.utils import execute_shell_command, launch_server_cmd, terminate_process, wait_for_server\n';
const LAUNCH = `${UTILS}server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path no/such-model --host 0.0.0.0")\n`;
const WAIT = 'wait_for_server(f"http://localhost:{port}")\n';

const starter = join(import.meta.dirname, '../../runtime/starter-model/starter.gguf');

const { start } = startedKernels();

function processes(kernel: KernelDriver): readonly ChildProcessInfo[] {
  return kernel.events.flatMap((event) => (event.type === 'process' ? [event.process] : []));
}

function isOpen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
  });
}

async function untilGone(pid: number): Promise<void> {
  while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function ok(kernel: KernelDriver, code: string) {
  const run = await kernel.run(code);
  expect(run.outcome).toEqual({ status: 'ok' });
  return run;
}

describe('the bundled runtime', () => {
  beforeEach(() => expect(existsSync(starter), `${starter} is missing`).toBe(true));

  test('starts with the notebook’s command, says what is different, answers, ends', async () => {
    const kernel = start();
    const launched = await ok(kernel, LAUNCH + WAIT + 'port');
    const notices = launched.outputs.flatMap((each) =>
      each.kind === 'display' ? [each.data] : [],
    );
    expect(JSON.stringify(notices.map((data) => data[NOTICE_MIME]))).toMatch(
      /127\.0\.0\.1.*no\/such-model/,
    );
    expect(notices.at(-1)?.[HIGHLIGHT_MIME]).toMatchObject({
      text: expect.stringContaining('ready'),
    });
    expect(kernel.textOf(launched.run)).toContain('The server is fired up and ready to roll!');
    const [info] = processes(kernel);
    const port = Number(new URL(info!.url!).port);
    expect(info).toMatchObject({ kind: 'runtime', exit: null });
    expect(await isOpen(port)).toBe(true);

    const program = `import sglang as sgl
sgl.set_default_backend(sgl.RuntimeEndpoint(f"http://localhost:{port}"))

@sgl.function
def ask(s):
    s += sgl.user("What is the capital of France?")
    s += sgl.assistant(sgl.gen("answer", max_tokens=8))
print(ask.run()["answer"])`;
    expect((await ok(kernel, program)).text.length).toBeGreaterThan(1);

    await ok(kernel, 'terminate_process(server)\nassert server.poll() is not None');
    expect([await isOpen(port), isAlive(info!.pid)]).toEqual([false, false]);
    await kernel.until(() => processes(kernel).at(-1)?.exit !== null);
  });

  test('a server that cannot start fails the wait at once, with its own words', async () => {
    const kernel = start();
    const code = `${UTILS}execute_shell_command("python3 -m sglang.launch_server --model-path a --prot 1 --port 31999")\nwait_for_server("http://localhost:31999")`;
    const run = await kernel.run(code);
    expect(run.outcome).toMatchObject({
      status: 'error',
      error: { name: 'RuntimeError', line: 3 },
    });
    expect(JSON.stringify(run.outcome)).toMatch(/ended with exit code [1-9].*--prot/);
  });

  test('the launch of a cell that is run again means the server that runs, a changed one replaces it', async () => {
    const kernel = start();
    await ok(kernel, LAUNCH + WAIT);
    const [first] = processes(kernel);
    const launch = (model: string): string =>
      `server = execute_shell_command(f"python3 -m sglang.launch_server --model-path ${model} --port {port}")\n${WAIT}`;
    const changed = await ok(kernel, launch('starter'));
    expect(JSON.stringify(changed.outputs)).toMatch(/had started on port \d+ is ended/);
    expect(isAlive(first!.pid)).toBe(false);
    const second = processes(kernel).at(-1);
    const again = await ok(kernel, launch('starter'));
    expect(JSON.stringify(again.outputs)).toMatch(
      /has started on port \d+ still runs, and is used/,
    );
    expect(processes(kernel).at(-1)).toEqual(second);
    expect(isAlive(second!.pid)).toBe(true);
    // Variables of the process count as well.
    await ok(kernel, `import os\nos.environ["SGLNB_OPEN_RUNTIME"] = "1"\n${launch('starter')}`);
    expect(isAlive(second!.pid)).toBe(false);
    await ok(kernel, 'terminate_process(server)\nassert server.poll() is not None');
    expect(processes(kernel).filter(({ pid }) => isAlive(pid))).toEqual([]);
  });

  test('kill -9 of the runtime during a gen ends the cell with an error; the next launch works', async () => {
    const kernel = start();
    await ok(kernel, LAUNCH + WAIT);
    const program = `import sglang as sgl
sgl.set_default_backend(sgl.RuntimeEndpoint(f"http://localhost:{port}"))

@sgl.function
def long(s):
    s += "a" + sgl.gen("answer", max_tokens=100000, ignore_eos=True)
print("begin")
print(long.run()["answer"])`;
    const run = kernel.execute(program);
    await kernel.until(() => kernel.textOf(run).includes('begin'));
    process.kill(processes(kernel)[0]!.pid, 'SIGKILL');
    expect((await kernel.finished(run)).outcome).toMatchObject({ status: 'error' });
    await ok(kernel, `${LAUNCH}${WAIT}terminate_process(server)`);
  });

  test('nothing is left running after shutdown, restart or kill -9 of the kernel', async () => {
    const ends: ((kernel: KernelDriver) => unknown)[] = [
      (kernel) => kernel.send({ type: 'shutdown' }),
      (kernel) => kernel.send({ type: 'restart' }),
      (kernel) => kernel.process.kill('SIGKILL'),
    ];
    for (const end of ends) {
      const kernel = start();
      await ok(
        kernel,
        `${LAUNCH}execute_shell_command("sleep 1000")\nimport time\ntime.sleep(0.3)`,
      );
      const pids = processes(kernel).map((info) => info.pid);
      expect(pids).toHaveLength(2);
      end(kernel);
      await Promise.all(pids.map(untilGone));
      await kernel.close();
    }
  });
});

describe('an endpoint instead of a server', () => {
  test('launch, wait, use and terminate all mean the endpoint', async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(request.url ?? '');
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          model_path: 'the-model',
          tokenizer_path: 'm',
          is_generation: true,
          text: 'x',
          meta_info: {},
        }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    try {
      const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const kernel = start({ endpoint });
      const run = await ok(
        kernel,
        `${LAUNCH}${WAIT}import sglang as sgl
backend = sgl.RuntimeEndpoint(f"http://localhost:{port}")
print(backend.get_model_name(), server.poll())
terminate_process(server)
print(server.poll())`,
      );
      expect(run.text).toMatch(/^the-model None\n-?\d+\n$/);
      expect(JSON.stringify(run.outputs)).toContain(`uses the server at ${endpoint}`);
      expect(asked).toContain('/v1/models');
      expect(processes(kernel)).toEqual([]);
    } finally {
      server.close();
    }
  });
});

describe('other commands', () => {
  test('run without a shell; their output appears in the cell, later output outside', async () => {
    const kernel = start();
    const run = await ok(
      kernel,
      `${UTILS}p = execute_shell_command("""echo "a b" \\\n  $HOME""")\np.wait()`,
    );
    expect(run.text).toContain('"a b" $HOME\n');
    await ok(
      kernel,
      'p = execute_shell_command("node -e setTimeout(()=>console.log(/late/),400)")',
    );
    await kernel.until(() => kernel.textOf(null).includes('late'));
  });

  test('a program that does not exist is a FileNotFoundError', async () => {
    const kernel = start();
    const run = await kernel.run(`${UTILS}execute_shell_command("no-such-program --x")`);
    expect(run.outcome).toMatchObject({
      status: 'error',
      error: { name: 'FileNotFoundError', line: 2 },
    });
  });

  test('the whole tree ends, also one that ignores SIGTERM', async () => {
    const kernel = start();
    const script = `trap '' TERM; sleep 1000 & echo child $!; wait; sleep 1000`;
    await ok(kernel, `open("stubborn.sh", "w").write(${JSON.stringify(script)})`);
    const run = await ok(
      kernel,
      `${UTILS}import time\np = execute_shell_command("sh stubborn.sh")\ntime.sleep(0.5)\np.pid`,
    );
    const child = Number(/child (\d+)/.exec(run.text)?.[1]);
    expect(isAlive(child)).toBe(true);
    const killed = await ok(kernel, 'terminate_process(p)\np.poll()');
    expect(killed.outputs.at(-1)).toMatchObject({
      data: { 'text/plain': expect.stringMatching(/^-/) },
    });
    expect([isAlive(child), isAlive(processes(kernel)[0]!.pid)]).toEqual([false, false]);
  });

  test('an interrupted shell line leaves nothing behind', async () => {
    const kernel = start();
    const run = kernel.execute('!sleep 1000 & echo child $!; wait');
    await kernel.until(() => kernel.textOf(run).includes('child'));
    const child = Number(/child (\d+)/.exec(kernel.textOf(run))?.[1]);
    kernel.interrupt();
    expect((await kernel.finished(run)).outcome.status).toBe('interrupted');
    await untilGone(child);
  });

  test('a wait ends in time when asked to', async () => {
    const kernel = start();
    const run = await kernel.run(`${UTILS}wait_for_server("http://127.0.0.1:9", timeout=0.2)`);
    expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'TimeoutError' } });
  });

  test('only processes of this kernel can be ended', async () => {
    const other = spawn('sleep', ['1000'], { stdio: 'ignore' });
    try {
      const kernel = start();
      const run = await kernel.run(
        `from sglang.utils import Process\nProcess(${other.pid}, "").kill()`,
      );
      expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'ProcessLookupError' } });
      expect(isAlive(other.pid!)).toBe(true);
    } finally {
      other.kill('SIGKILL');
    }
  });
});
