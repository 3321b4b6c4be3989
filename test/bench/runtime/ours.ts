import { type Json, RuntimeProcess } from '../../process/runtime-process.ts';

const GREEDY = { temperature: 0, ignore_eos: true };

/** The runtime through HTTP. */
export class Ours {
  readonly runtime: RuntimeProcess;

  private constructor(runtime: RuntimeProcess) {
    this.runtime = runtime;
  }

  static async start(model: string, threads: number, flags: readonly string[] = []): Promise<Ours> {
    const base = ['--model-path', model, '--threads', String(threads), '--log-level', 'error'];
    return new Ours(await RuntimeProcess.start([...base, ...flags]));
  }

  generate(input_ids: unknown, max_new_tokens: number, sampling: object = {}): Promise<Json> {
    const sampling_params = { ...GREEDY, max_new_tokens, ...sampling };
    return this.runtime.generate({ input_ids, sampling_params });
  }

  /** Scores what follows `start`, without generating. */
  score(input_ids: unknown, start: number): Promise<Json> {
    return this.runtime.generate({
      input_ids,
      sampling_params: { ...GREEDY, max_new_tokens: 0 },
      return_logprob: true,
      logprob_start_len: start,
    });
  }

  async flush(): Promise<void> {
    const { status } = await this.runtime.post('/flush_cache', '');
    if (status !== 200) throw new Error('the cache was not flushed');
  }

  /** Times of the events of a streamed request, milliseconds. */
  async stream(input_ids: readonly number[], max_new_tokens: number): Promise<number[]> {
    const response = await fetch(`${this.runtime.url}/generate`, {
      method: 'POST',
      body: JSON.stringify({
        input_ids,
        stream: true,
        sampling_params: { ...GREEDY, max_new_tokens },
      }),
    });
    const times: number[] = [];
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body ?? []) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\n\n');
      rest = events.pop() ?? '';
      const now = performance.now();
      times.push(...events.filter((event) => event !== 'data: [DONE]').map(() => now));
    }
    return times;
  }

  stop(): Promise<void> {
    return this.runtime.stop();
  }
}
