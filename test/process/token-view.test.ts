/** Token probabilities from the runtime to what the renderer is given, with and without the tokens' text. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  STATE_MIME,
  type StatePayload,
  type StateSegment,
} from '../../extension/protocol/output-payloads.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { RuntimeProcess } from './runtime-process.ts';

type Gen = Extract<StateSegment, { readonly kind: 'gen' }>;

describe.each(['v0.4.3', 'v0.5'])('with the prompt log probabilities of %s', (layout) => {
  let runtime: RuntimeProcess;
  let kernel: KernelDriver;
  beforeAll(async () => {
    runtime = await RuntimeProcess.start(['--logprob-layout', layout]);
    kernel = new KernelDriver({ endpoint: runtime.url });
  });
  afterAll(async () => {
    await kernel.close();
    await runtime.stop();
  });

  async function shown(options: string, run = ''): Promise<Gen> {
    const { outputs, text } = await kernel.run(`
from sglang import *
@function
def story(s):
    s += user("What is the capital of Germany?")
    s += assistant(gen("text", max_tokens=6, temperature=0, logprob_start_len=0, ${options}))
state = story.run(${run})
state["text"]
state`);
    const bundles = outputs.flatMap((output) => ('data' in output ? [output.data] : []));
    // SAFETY: the kernel builds it to this type.
    const state = bundles.findLast((data) => STATE_MIME in data)?.[STATE_MIME] as StatePayload;
    const found = state?.segments.find((segment): segment is Gen => segment.kind === 'gen');
    if (!found) throw new Error(`no gen was shown: ${text}`);
    return found;
  }

  it.each(['', 'stream=True'])('names tokens by number or text, as asked: run(%s)', async (run) => {
    const numbered = await shown('return_logprob=True, top_logprobs_num=2', run);
    expect(numbered.request?.body).not.toHaveProperty('return_text_in_logprobs');
    expect(numbered.tokens).toHaveLength(6);
    const named = await shown(
      'return_logprob=True, top_logprobs_num=2, return_text_in_logprobs=True',
      run,
    );
    expect(named.tokens?.map(({ text }) => text).join('')).toBe(named.text);
    for (const [index, token] of (numbered.tokens ?? []).entries()) {
      expect(token).toMatchObject({ text: null, id: expect.any(Number) });
      expect(token.logprob).toBeCloseTo(named.tokens?.[index]?.logprob ?? Number.NaN, 3);
      expect(token.top).toHaveLength(2);
      expect(token.top[0]).toMatchObject({ text: null, id: token.id });
    }
  });
});
