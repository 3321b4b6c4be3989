/** Servers that a kernel uses instead of its own: several at once, with a key, the user's own SGLang. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../../extension/kernel/processes/process-tree.ts';
import type { KernelDriver } from '../support/kernel-driver.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { RuntimeProcess } from './runtime-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'servers-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { start } = startedKernels();

/** Plain texts of what was displayed, notices among them. */
function displayed(kernel: KernelDriver): string {
  return kernel.events
    .flatMap((event) =>
      event.type === 'output' && event.output.kind === 'display'
        ? [event.output.data['text/plain']]
        : [],
    )
    .join('\n');
}

const QUESTION = `
from sglang import *
@function
def story(s, number: int):
    s += user(f"Tell me story {number}")
    s += assistant(gen("text", max_tokens=80, temperature=0, ignore_eos=True))
`;

describe('two servers as one backend', () => {
  let servers: RuntimeProcess[];
  beforeAll(async () => {
    servers = await Promise.all([
      RuntimeProcess.start(['--threads', '1']),
      RuntimeProcess.start(['--threads', '1']),
    ]);
  });
  afterAll(() => Promise.all(servers.map((server) => server.stop())));

  test('share a batch, and finish it when one is killed in its middle', async () => {
    const [first, second] = servers;
    const kernel = start({ endpoint: servers.map(({ url }) => url).join(',') });
    await ok(kernel, QUESTION);
    const run = kernel.execute(
      'states = story.run_batch([{"number": i} for i in range(24)], num_threads=8)\n' +
        'print(len([s["text"] for s in states if len(s["text"]) > 20]), len({s["text"] for s in states}))',
    );
    // Both have finished some items, and more are to come.
    const done = () => kernel.events.filter((event) => event.type === 'gen').length;
    await kernel.until(() => done() >= 6);
    const usedBefore = await Promise.all(
      servers.map(async (server) => {
        const { body } = await server.get('/get_server_info');
        return Number(body.internal_states[0].generated_tokens);
      }),
    );
    expect(usedBefore.every((tokens) => tokens > 0)).toBe(true);
    expect(done()).toBeLessThan(24);
    first!.child.kill('SIGKILL');
    const finished = await kernel.finished(run);
    expect(finished.outcome).toEqual({ status: 'ok' });
    expect(finished.text).toMatch(/^24 \d+/);
    // No item was asked twice once it was done: as many results as items.
    expect(done()).toBe(24);
    expect(displayed(kernel)).toContain(`The server ${first!.url} does not answer; 1 of 2 servers`);
    // The rest of the session goes on with the other one, streams and choices too.
    const more = await ok(
      kernel,
      'state = story.run(number=99, stream=True)\nprint(len("".join(state.text_iter("text"))) > 20)\n' +
        '@function\ndef pick(s):\n    s += "One or two? " + select("c", ["one", "two"])\nprint(pick.run()["c"] in ("one", "two"))',
    );
    expect(more).toBe('True\nTrue\n');
    expect(second!.child.exitCode).toBe(null);
  });
});

describe('a server with a key', () => {
  let server: RuntimeProcess;
  beforeAll(async () => {
    server = await RuntimeProcess.start(['--api-key', 'top-secret']);
  });
  afterAll(() => server.stop());

  test('is used by programs that know nothing of it', async () => {
    const kernel = start({
      endpoint: server.url,
      endpointOptions: { apiKey: 'top-secret' },
    });
    const text = await ok(
      kernel,
      `${QUESTION}
from sglang.utils import execute_shell_command, wait_for_server, terminate_process
import requests, os
server = execute_shell_command("python3 -m sglang.launch_server --model-path a/b --port 30000")
wait_for_server("http://localhost:30000")
set_default_backend(RuntimeEndpoint("http://localhost:30000"))
print(len(story.run(number=1)["text"]) > 20)
print(requests.get("http://localhost:30000/get_model_info").status_code)
print([name for name, value in os.environ.items() if "top-secret" in value])
terminate_process(server)`,
    );
    expect(text).toBe('True\n200\n[]\n');
    expect(displayed(kernel)).toContain(`this kernel uses the server at ${server.url}`);
    expect(JSON.stringify(kernel.events)).not.toContain('top-secret');
  });

  test('without it says what is missing', async () => {
    const kernel = start({ endpoint: server.url });
    const run = await kernel.run(`${QUESTION}\nstory.run(number=1)["text"]`);
    expect(run.outcome).toMatchObject({ status: 'error' });
    expect(JSON.stringify(run.outcome)).toMatch(/401|key/i);
  });
});

const python = spawnSync('python3', ['-c', 'print(1)'], { encoding: 'utf8' }).status === 0;

/** A package `sglang` whose `launch_server` is a small HTTP server with two child processes. */
const LAUNCH_SERVER = `
import argparse, http.server, json, os, signal, subprocess, sys, time
CHILD = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
parser = argparse.ArgumentParser()
parser.add_argument("--model-path")
parser.add_argument("--port", type=int)
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--tp", type=int, default=1)
parser.add_argument("--fail", action="store_true")
options = parser.parse_args()
print("server_args=" + json.dumps(vars(options)), file=sys.stderr, flush=True)
if options.fail:
    sys.exit("RuntimeError: CUDA out of memory")
children = [subprocess.Popen([sys.executable, "-c", CHILD]) for _ in range(options.tp)]
with open(os.environ["PIDS"], "w") as file:
    print(os.getpid(), *[child.pid for child in children], file=file)

class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer({"model_path": options.model_path})
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.answer({"text": "from the real one", "meta_info": {"completion_tokens": 4}})
    def log_message(self, *args):
        pass

time.sleep(0.3)
server = http.server.ThreadingHTTPServer((options.host, options.port), Handler)
print("The server is fired up and ready to roll!", flush=True)
server.serve_forever()
`;

const NVIDIA_SMI = `#!/bin/sh
echo "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-1)"
`;

describe("the user's own SGLang", () => {
  const bin = join(folder, 'bin');
  const packages = join(folder, 'site');
  const pids = join(folder, 'pids');
  const environment = {
    PATH: `${bin}:${process.env['PATH']}`,
    PYTHONPATH: packages,
    PIDS: pids,
  };
  const launch = (flags: string) =>
    'from sglang.utils import launch_server_cmd, wait_for_server, terminate_process\n' +
    `server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path org/big ${flags}")\n` +
    'wait_for_server(f"http://localhost:{port}")';

  beforeAll(() => {
    mkdirSync(join(packages, 'sglang'), { recursive: true });
    mkdirSync(join(packages, 'sglang-0.5.5.dist-info'));
    mkdirSync(bin);
    writeFileSync(join(packages, 'sglang', '__init__.py'), '');
    writeFileSync(join(packages, 'sglang', 'launch_server.py'), LAUNCH_SERVER);
    writeFileSync(
      join(packages, 'sglang-0.5.5.dist-info', 'METADATA'),
      'Metadata-Version: 2.1\nName: sglang\nVersion: 0.5.5\n',
    );
    writeFileSync(join(bin, 'nvidia-smi'), NVIDIA_SMI);
    chmodSync(join(bin, 'nvidia-smi'), 0o755);
  });

  test('runs the launch with its flags where there is a GPU, ends with all its processes, says why it failed', async ({
    skip,
  }) => {
    skip(!python, 'there is no python3 on this machine');
    const kernel = start({ env: environment });
    const text = await ok(kernel, launch('--tp 2'));
    expect(displayed(kernel)).toContain(
      "Your Python's own SGLang 0.5.5 runs this server (NVIDIA H100 80GB HBM3).",
    );
    expect(text).toContain('"tp": 2');
    expect(text).toContain('ready to roll');
    const logged = kernel.events.some(
      (event) => event.type === 'log' && event.message.includes('"tp": 2'),
    );
    expect(logged).toBe(true);
    const answer = await ok(
      kernel,
      'from sglang import *\nset_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))\n' +
        '@function\ndef f(s):\n    s += "Hi" + gen("a")\nprint(f.run()["a"])',
    );
    expect(answer).toContain('from the real one');
    const tree = readFileSync(pids, 'utf8').trim().split(' ').map(Number);
    expect(tree).toHaveLength(3);
    expect(tree.every(isAlive)).toBe(true);
    await ok(kernel, 'terminate_process(server)');
    expect(tree.filter(isAlive)).toEqual([]);
    const failed = await kernel.run(launch('--fail'));
    expect(JSON.stringify(failed.outcome)).toContain('CUDA out of memory');
  });

  test('is not asked without a GPU, or when the bundled runtime is chosen', async ({ skip }) => {
    skip(!python, 'there is no python3 on this machine');
    const kernel = start({ env: { ...environment, SGLNB_SERVER: 'bundled' } });
    const text = await ok(kernel, launch(''));
    expect(text).not.toContain('server_args=');
    expect(displayed(kernel)).toContain('The model org/big is not on this machine');
  });
});

describe('the model that a program names', () => {
  const launch =
    'from sglang.utils import launch_server_cmd, wait_for_server\n' +
    'server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path org/some-model")\n' +
    'wait_for_server(f"http://localhost:{port}")\n' +
    'import requests\nprint(requests.get(f"http://localhost:{port}/get_model_info").json()["model_path"])';

  test('is a question to the driver, whose file then runs', async () => {
    const kernel = start({ answersModelRequests: true });
    const file = join(folder, 'chosen.gguf');
    writeFileSync(
      file,
      readFileSync(join(import.meta.dirname, '../../runtime/starter-model/starter.gguf')),
    );
    const run = kernel.execute(launch);
    const question = await kernel.event((event) => event.type === 'model_request');
    expect(question).toMatchObject({ name: 'org/some-model', run });
    kernel.send({ type: 'model_reply', request: 1, model: file });
    expect((await kernel.finished(run)).text).toContain(file);
    expect(displayed(kernel)).not.toContain('is not on this machine');
  });

  test('is left to the runtime when the cell is interrupted meanwhile, and the kernel lives on', async () => {
    const kernel = start({ answersModelRequests: true });
    const run = kernel.execute(launch);
    await kernel.event((event) => event.type === 'model_request');
    kernel.interrupt();
    expect((await kernel.finished(run)).outcome).toEqual({ status: 'interrupted' });
    expect(await ok(kernel, 'print(1)')).toBe('1\n');
    expect(kernel.events.some((event) => event.type === 'process')).toBe(false);
  });
});
