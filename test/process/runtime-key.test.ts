/** Who may use a notebook's runtime: its programs, unchanged, and nobody else without a key. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ChildProcessInfo, GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { TEST_CACHE, type KernelDriver } from '../support/kernel-driver.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { RuntimeProcess } from './runtime-process.ts';

const { start, atEnd } = startedKernels();

function launch(flags = ''): string {
  return `
from sglang import *
from sglang.utils import execute_shell_command, http_request, launch_server_cmd, wait_for_server, terminate_process
server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path starter ${flags}")
wait_for_server(f"http://localhost:{port}")
print("port", port)
`;
}

function runtime(kernel: KernelDriver): ChildProcessInfo & { readonly url: string } {
  const found = kernel.events
    .flatMap((event) => (event.type === 'process' ? [event.process] : []))
    .findLast(({ kind }) => kind === 'runtime');
  if (!found?.url) throw new Error('no runtime was started');
  return { ...found, url: found.url };
}

const BODY = JSON.stringify({
  text: 'The capital of France is',
  sampling_params: { max_new_tokens: 2, temperature: 0 },
});

/** The kernel's parent asks, which no kernel has started. */
async function asStranger(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; text: string }> {
  const init = { method: 'POST', body: BODY, headers: { 'content-type': 'application/json' } };
  const answer = await fetch(`${url}/generate`, {
    ...init,
    headers: { ...init.headers, ...headers },
  });
  return { status: answer.status, text: await answer.text() };
}

const PROGRAM = `
set_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))
@function
def capital(s):
    s += "The capital of France is" + gen("answer", max_tokens=4, temperature=0)
print("program", len(capital.run()["answer"]) > 0)
`;
/** Requests of the tutorial's kind, by everything that can send one from a cell. */
const RAW = `
import json
body = {"text": "The capital of France is", "sampling_params": {"max_new_tokens": 2, "temperature": 0}}
print("http_request", http_request(f"http://localhost:{port}/generate", json=body).status_code)
text = json.dumps(body)
!curl -s -o /dev/null -w "curl %{{http_code}}\\n" -H "content-type: application/json" -d '{text}' http://localhost:{port}/generate
shown = !curl -s http://127.0.0.1:{port}/v1/models
print("captured", "starter" in "".join(shown))
`;

describe('programs of the notebook reach its runtime unchanged', () => {
  it('from the bundled Python: gens, requests, OpenAI, shell lines, background programs', async () => {
    const kernel = start();
    await ok(kernel, launch());
    expect(await ok(kernel, PROGRAM)).toMatch(/program True/);
    const raw = await ok(
      kernel,
      `${RAW}
import requests
print("requests", requests.post(f"http://localhost:{port}/generate", json=body).status_code)
with requests.post(f"http://0.0.0.0:{port}/generate", json={**body, "stream": True}, stream=True) as answer:
    print("stream", any(line.startswith(b"data:") for line in answer.iter_lines()))
client = OpenAI("starter", base_url=f"http://localhost:{port}/v1", api_key="None", is_chat_model=True)
@function
def chat(s):
    s += user("Hi") + assistant(gen("answer", max_tokens=3))
print("openai", len(chat.run(backend=client)["answer"]) > 0)
execute_shell_command(f"curl -s -o /dev/null -w background=%{{http_code}}# http://localhost:{port}/v1/models").wait()
`,
    );
    for (const line of [
      'http_request 200',
      'curl 200',
      'captured True',
      'requests 200',
      'stream True',
      'openai True',
      'background=200#',
    ])
      expect(raw).toContain(line);
  });

  it('from a Python of your own, whose libraries open their own connections', async () => {
    const guest: GuestChoice = { kind: 'cpython', executable: 'python3' };
    const kernel = start({ guest });
    await ok(kernel, launch());
    expect(await ok(kernel, PROGRAM)).toMatch(/program True/);
    const raw = await ok(
      kernel,
      `${RAW}
import subprocess, sys, urllib.request
ask = urllib.request.Request(f"http://localhost:{port}/generate", text.encode(), {"content-type": "application/json", "authorization": "Bearer None"})
print("urllib", urllib.request.urlopen(ask).status)
script = f"import urllib.request; print('child', urllib.request.urlopen('http://127.0.0.1:{port}/v1/models').status)"
print(subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout)
`,
    );
    for (const line of ['http_request 200', 'curl 200', 'urllib 200', 'child 200'])
      expect(raw).toContain(line);
  });
});

describe('others', () => {
  it('are refused by every route but /health, and told what to do', async () => {
    const kernel = start();
    await ok(kernel, launch());
    const { url, key = '' } = runtime(kernel);
    const refused = await asStranger(url);
    expect(refused.status).toBe(401);
    expect(refused.text).toMatch(/belongs to a notebook.*--api-key KEY/);
    for (const route of [
      '/v1/models',
      '/metrics',
      '/get_server_info',
      '/flush_cache',
      '/dump_state',
      '/health_generate',
    ])
      expect((await fetch(url + route)).status, route).toBe(401);
    expect((await fetch(`${url}/health`)).status).toBe(200);
    expect((await asStranger(url, { authorization: 'Bearer None' })).status).toBe(401);
    expect(key).toMatch(/^[0-9a-f]{48}$/);
    expect((await asStranger(url, { authorization: `Bearer ${key}` })).status).toBe(200);
    // A connection that was refused stays so, and one that was let in needs no key a second time.
    const curl = (options: readonly string[]): string =>
      execFileSync('curl', ['-s', '-w', '%{http_code} ', '-o', '/dev/null', ...options], {
        encoding: 'utf8',
      });
    expect(curl([`${url}/v1/models`, '-o', '/dev/null', `${url}/v1/models`])).toBe('401 401 ');
  });

  it('do not get to know the key', async () => {
    const kernel = start();
    await ok(kernel, launch());
    const { pid, key = '?' } = runtime(kernel);
    expect(readFileSync(`/proc/${pid}/cmdline`, 'latin1')).not.toContain(key);
    await ok(
      kernel,
      `${PROGRAM}\nimport os\n!env\nprint(dict(os.environ), server, vars(server))\ncapital.run()`,
    );
    const shown = kernel.events.filter(({ type }) => type !== 'process');
    expect(JSON.stringify(shown)).not.toContain(key);
    expect(execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })).not.toContain(key);
    expect(kernel.garbage.join('')).not.toContain(key);
  });

  it('get in with the key that the launch gives, which is then everybody’s', async () => {
    const kernel = start();
    await ok(kernel, launch('--api-key sesame'));
    const { url, command } = runtime(kernel);
    expect(command).toMatch(/--api-key …/);
    expect(command).not.toContain('sesame');
    expect((await asStranger(url, { authorization: 'Bearer sesame' })).status).toBe(200);
    expect((await asStranger(url)).status).toBe(401);
    const without = await kernel.run(PROGRAM);
    expect(JSON.stringify(without.outcome)).toMatch(/401.*api_key=/);
    const given = PROGRAM.replace('}")', '}", api_key="sesame")');
    expect(await ok(kernel, given)).toMatch(/program True/);
  });

  it('get in where the user opened the runtime', async () => {
    const kernel = start({ env: { SGLNB_OPEN_RUNTIME: '1' } });
    await ok(kernel, launch());
    const { url, key } = runtime(kernel);
    expect(key).toBeUndefined();
    expect((await asStranger(url)).status).toBe(200);
    // Never a web page.
    expect((await asStranger(url, { origin: 'https://example.com' })).status).toBe(403);
  });
});

describe('another notebook of the same user', () => {
  it('finds the key in a private record, which goes with the runtime', async () => {
    const kernels = [start(), start()] as const;
    const text = await ok(kernels[0], launch());
    const port = /port (\d+)/.exec(text)?.[1];
    const record = join(TEST_CACHE, 'runtimes', `${port}.json`);
    expect(statSync(record).mode & 0o777).toBe(0o600);
    expect(statSync(join(TEST_CACHE, 'runtimes')).mode & 0o777).toBe(0o700);
    const use = `from sglang import *\nport = ${port}\n${PROGRAM}`;
    expect(await ok(kernels[1], use)).toMatch(/program True/);
    await ok(kernels[0], 'terminate_process(server)');
    await expect.poll(() => existsSync(record)).toBe(false);
    // Without it, a server says that it is somebody else's.
    const again = /port (\d+)/.exec(await ok(kernels[0], launch()))?.[1];
    rmSync(join(TEST_CACHE, 'runtimes', `${again}.json`));
    const stranger = await kernels[1].run(`port = ${again}\n${PROGRAM}`);
    expect(JSON.stringify(stranger.outcome)).toMatch(/401.*belongs to a notebook/);
  });

  it('cleans up what a killed one left', async () => {
    const killed = start();
    const text = await ok(killed, launch());
    const record = join(TEST_CACHE, 'runtimes', `${/port (\d+)/.exec(text)?.[1]}.json`);
    expect(existsSync(record)).toBe(true);
    killed.process.kill('SIGKILL');
    await killed.exited;
    await ok(start(), launch());
    expect(existsSync(record)).toBe(false);
  });
});

describe('a runtime that is started again', () => {
  it('has another key', async () => {
    const kernel = start();
    await ok(kernel, launch() + PROGRAM);
    const before = runtime(kernel);
    process.kill(before.pid, 'SIGKILL');
    await kernel.until(() => runtime(kernel).pid !== before.pid && !runtime(kernel).restart);
    const after = runtime(kernel);
    expect(after.key).not.toBe(before.key);
    expect((await asStranger(after.url, { authorization: `Bearer ${before.key}` })).status).toBe(
      401,
    );
    expect(await ok(kernel, 'print("program", len(capital.run()["answer"]) > 0)')).toMatch(/True/);
  });
});

describe('web pages', () => {
  it('reach no runtime, under no name', async () => {
    const open = await RuntimeProcess.start();
    atEnd(() => open.stop());
    const from = (headers: Readonly<Record<string, string>>, method = 'POST'): Promise<number> =>
      new Promise((resolve, reject) => {
        const path = method === 'POST' ? '/generate' : '/flush_cache';
        const ask = httpRequest({ host: '127.0.0.1', port: open.port, path, method, headers });
        ask.once('response', (answer) => resolve(answer.resume().statusCode ?? 0));
        ask.once('error', reject).end(method === 'POST' ? BODY : undefined);
      });
    const own = `127.0.0.1:${open.port}`;
    // DNS rebinding, a form or fetch of another site, an image, a sandboxed frame, an old browser.
    expect(await from({ host: 'evil.example:80' })).toBe(403);
    expect(await from({ host: own, origin: 'https://evil.example' })).toBe(403);
    expect(await from({ host: own, origin: 'http://localhost:3000' })).toBe(403);
    expect(await from({ host: own, origin: 'null' })).toBe(403);
    expect(await from({ host: own, 'sec-fetch-site': 'cross-site' }, 'GET')).toBe(403);
    expect(await from({ host: own, 'sec-fetch-site': 'same-site' }, 'GET')).toBe(403);
    // A person who types the address, and programs.
    expect(await from({ host: own, 'sec-fetch-site': 'none' }, 'GET')).toBe(200);
    expect(await from({ host: `localhost:${open.port}` })).toBe(200);
  });
});

/** Answers everything, as a stranger who holds the port would. */
async function stranger(host: string, port: number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.url} ${request.headers.authorization ?? ''}`);
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ model_path: 'org/strange-model', data: [] }));
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  atEnd(() => server.close());
  atEnd(() => server.closeAllConnections());
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, asked };
}

describe('a port that a stranger’s server holds', () => {
  it('is noticed at once, though it answers like a server that is ready', async () => {
    const { port, asked } = await stranger('127.0.0.1', 0);
    const kernel = start();
    const run = await kernel.run(
      `${launch().split('server, port')[0]}port = ${port}
server = execute_shell_command(f"python3 -m sglang.launch_server --model-path starter --port {port}")
print("launched", flush=True)
wait_for_server(f"http://localhost:{port}", timeout=60)`,
    );
    expect(JSON.stringify(run.outputs)).toMatch(
      /Port \d+ is taken by another SGLang server \(model org\/strange-model\).*Choose another --port.*set_default_backend/,
    );
    expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'RuntimeError' } });
    expect(JSON.stringify(run.outcome)).toMatch(
      /Port \d+ on 127\.0\.0\.1 is taken by another program/,
    );
    // It was told no key.
    expect(asked.filter((line) => /Bearer (?!None)/.test(line))).toEqual([]);
  });

  it('is noticed on the other localhost too', async () => {
    const { port } = await stranger('::1', 0);
    const kernel = start();
    const run = await kernel.run(
      `${launch().split('server, port')[0]}execute_shell_command("python3 -m sglang.launch_server --model-path starter --port ${port}")`,
    );
    expect(JSON.stringify(run.outputs)).toMatch(/Another program listens at \[::1\]:\d+/);
  });
});

describe('the kernel’s own socket', () => {
  it('belongs to its user and wants its token', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kernel-records-'));
    atEnd(() => rmSync(folder, { recursive: true, force: true }));
    const main = join(import.meta.dirname, '../../extension/kernel/main.ts');
    const listen = JSON.stringify({ id: 'k', folder, notebook: 'file:///n', keepAlive: 0 });
    const child = spawn(process.execPath, [main, '--listen', listen], { stdio: 'pipe' });
    atEnd(() => child.kill('SIGTERM'));
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
    );
    const { record } = JSON.parse(line);
    expect(record.token).toMatch(/^[0-9a-f]{64}$/);
    expect(statSync(join(record.address, '..')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, 'k.json')).mode & 0o777).toBe(0o600);
  });
});
