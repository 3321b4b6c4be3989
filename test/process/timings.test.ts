/** Where the time of a generation went: from the runtime's scheduler to what the renderer is given. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { STATE_MIME, type StatePayload } from '../../extension/protocol/output-payloads.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { RuntimeProcess } from './runtime-process.ts';

let runtime: RuntimeProcess;
beforeAll(async () => {
  runtime = await RuntimeProcess.start(['--max-running-requests', '1']);
});
afterAll(() => runtime.stop());

interface Meta {
  readonly queue_time: number;
  readonly prefill_launch_latency: number;
  readonly decode_throughput?: number;
  readonly e2e_latency: number;
}

async function generate(text: string, tokens: number): Promise<Meta> {
  const sampling = { max_new_tokens: tokens, temperature: 0, ignore_eos: true };
  const { body } = await runtime.post('/generate', { text, sampling_params: sampling });
  return body.meta_info;
}

it('tells how long a request waited, and how long its prompt took', async () => {
  const prompt = 'Once upon a time there was a king. '.repeat(40);
  const alone = await generate(prompt, 8);
  expect(alone.queue_time).toBeGreaterThanOrEqual(0);
  expect(alone.prefill_launch_latency).toBeGreaterThan(0);
  expect(alone.queue_time + alone.prefill_launch_latency).toBeLessThan(alone.e2e_latency);
  // Seven tokens after the first one.
  const decoding = alone.e2e_latency - alone.queue_time - alone.prefill_launch_latency;
  expect(alone.decode_throughput).toBeGreaterThan(0.9 * (7 / decoding));
  expect(alone.decode_throughput).toBeLessThan(1.1 * (7 / decoding));

  // One place: the second waits for as long as the first runs.
  const [first, second] = await Promise.all([generate('A long story', 200), generate('B', 1)]);
  expect(second.queue_time).toBeGreaterThan(0.5 * first.e2e_latency);
  expect(second.queue_time).toBeGreaterThan(10 * first.queue_time);
  expect(second.decode_throughput).toBeUndefined();
});

it('passes them to the renderer, of gens in one piece and of streamed ones', async () => {
  const kernel = new KernelDriver({ endpoint: runtime.url });
  try {
    for (const options of ['', 'stream=True']) {
      const run = await kernel.run(`
from sglang import *
@function
def story(s):
    s += user("Tell me a story about a king and his three daughters.")
    s += assistant(gen("text", max_tokens=16, temperature=0, ignore_eos=True))
state = story.run(${options})
state["text"]
state`);
      const bundles = run.outputs.flatMap((output) => ('data' in output ? [output.data] : []));
      // SAFETY: the kernel builds it to this type.
      const state = bundles.findLast((data) => STATE_MIME in data)?.[STATE_MIME] as StatePayload;
      const gen = state.segments.find((segment) => segment.kind === 'gen');
      const timing = gen?.kind === 'gen' ? gen.timing : null;
      const {
        queueMilliseconds: queue = -1,
        prefillMilliseconds: prefill = -1,
        firstTokenMilliseconds: first,
        milliseconds,
      } = timing ?? { milliseconds: -1, firstTokenMilliseconds: null };
      expect(queue, options).toBeGreaterThanOrEqual(0);
      expect(prefill).toBeGreaterThan(0);
      // A sum of times, but for the last digit.
      expect(first).toBeGreaterThan(queue + prefill - 0.001);
      expect(milliseconds).toBeGreaterThan(first ?? Infinity);
    }
  } finally {
    await kernel.close();
  }
});
