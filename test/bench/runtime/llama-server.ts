import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';

export interface LlamaServerOptions {
  readonly model: string;
  readonly threads: number;
  readonly slots: number;
  /** Cells of the whole context, for all slots. */
  readonly context: number;
}

/**
 * llama.cpp's own server, as it comes: its prompt caches are on. One unified cache for all slots was
 * slower on this work than the split one, so it gets that.
 */
export class LlamaServer {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  static async start(binary: string, options: LlamaServerOptions): Promise<LlamaServer> {
    if (!existsSync(binary)) throw new Error(`LLAMA_SERVER: there is no ${binary}`);
    const port = await freePort();
    const { model, threads, slots, context } = options;
    const args =
      `--port ${port} --threads ${threads} --threads-batch ${threads} --parallel ${slots} ` +
      `--ctx-size ${context} --no-kv-unified --batch-size 512 --ubatch-size 512 --flash-attn on ` +
      `--log-disable --model`;
    const child = spawn(binary, [...args.split(' '), model], { stdio: 'ignore' });
    const server = new LlamaServer(child, `http://127.0.0.1:${port}`);
    for (;;) {
      const health = await fetch(`${server.#url}/health`).catch(() => null);
      if (health?.status === 200) return server;
      if (child.exitCode !== null) throw new Error(`${binary} ended with code ${child.exitCode}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async complete(prompt: readonly number[], n_predict: number, sampling: object): Promise<void> {
    const body = { prompt, n_predict, ignore_eos: true, cache_prompt: true, ...sampling };
    const response = await fetch(`${this.#url}/completion`, {
      method: 'POST',
      body: JSON.stringify(body),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`llama-server: ${response.status} ${text}`);
  }

  all(
    prompts: readonly (readonly number[])[],
    n_predict: number,
    sampling: object,
  ): Promise<unknown> {
    return Promise.all(prompts.map((prompt) => this.complete(prompt, n_predict, sampling)));
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no TCP address');
  return address.port;
}
