import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
export const starter = join(root, 'runtime', 'starter-model', 'starter.gguf');

if (!existsSync(starter)) {
  throw new Error(`${starter} is missing: these tests run on the starter model`);
}

/** Server answers are checked by what tests expect of them. */
// oxlint-disable-next-line typescript/no-explicit-any -- JSON of any shape
export type Json = any;

/** A runtime process on the real engine. `stop` it in `afterAll`. */
export class RuntimeProcess {
  readonly child: ChildProcess;
  output = '';
  port = 0;
  readonly exited: Promise<number | null>;

  private constructor(args: readonly string[], env: NodeJS.ProcessEnv) {
    const main = join(root, 'runtime', 'src', 'main.ts');
    const flags = ['--parent-pid', String(process.pid), ...args];
    this.child = spawn(process.execPath, [main, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    const collect = (chunk: Buffer): void => {
      this.output += chunk.toString();
    };
    this.child.stdout?.on('data', collect);
    this.child.stderr?.on('data', collect);
    this.exited = new Promise((resolve) => this.child.once('close', (code) => resolve(code)));
  }

  /** Starts and waits for its end: for runs that are expected to fail. */
  static async runToEnd(
    args: readonly string[],
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ code: number | null; output: string }> {
    const runtime = new RuntimeProcess(args, env);
    const code = await runtime.exited;
    return { code, output: runtime.output };
  }

  static async start(
    args: readonly string[] = [],
    env: NodeJS.ProcessEnv = {},
  ): Promise<RuntimeProcess> {
    const runtime = new RuntimeProcess(['--port', '0', ...args], env);
    const line = await runtime.waitForOutput(/SGLNB_RUNTIME (.*)/);
    runtime.port = JSON.parse(line[1]!).port;
    return runtime;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async waitForOutput(pattern: RegExp): Promise<RegExpMatchArray> {
    let over = false;
    void this.exited.then(() => (over = true));
    for (;;) {
      const match = this.output.match(pattern);
      if (match) return match;
      if (over) throw new Error(`the runtime ended without ${pattern}:\n${this.output}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  async get(path: string, init: RequestInit = {}): Promise<{ status: number; body: Json }> {
    return this.#read(await fetch(this.url + path, init));
  }

  async post(
    path: string,
    body: unknown,
    init: RequestInit = {},
  ): Promise<{ status: number; body: Json }> {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.#read(await fetch(this.url + path, { method: 'POST', body: text, ...init }));
  }

  /** Result of a `/generate` request that must succeed. */
  async generate(body: object): Promise<Json> {
    const answer = await this.post('/generate', body);
    if (answer.status !== 200) throw new Error(JSON.stringify(answer));
    return answer.body;
  }

  /** Data of all events of a streamed request, as text. */
  async events(path: string, body: object, signal?: AbortSignal): Promise<string[]> {
    const init: RequestInit = { method: 'POST', body: JSON.stringify(body) };
    const response = await fetch(
      this.url + path,
      signal === undefined ? init : { ...init, signal },
    );
    if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
    const text = await response.text();
    return text
      .split('\n\n')
      .filter((event) => event !== '')
      .map((event) => event.replace(/^data: /, ''));
  }

  async freeCells(): Promise<{ inUse: number; running: number; queued: number }> {
    const { body } = await this.get('/get_server_info');
    const [state] = body.internal_states;
    return {
      inUse: state.in_use_tokens,
      running: state.running_requests,
      queued: state.queued_requests,
    };
  }

  async stop(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exited;
  }

  async #read(response: Response): Promise<{ status: number; body: Json }> {
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    return { status: response.status, body: isJson ? JSON.parse(text) : text };
  }
}

/** ChatML, as SGLang's frontend renders it for the `qwen` template. */
export function chat(question: string): string {
  return (
    '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' +
    `<|im_start|>user\n${question}<|im_end|>\n<|im_start|>assistant\n`
  );
}
