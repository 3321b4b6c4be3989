import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../runtime/src/engine/engine.ts';
import { loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import { argmax } from '../../runtime/src/sampling/token-set.ts';
import { soak } from '../support/runtime-soak.ts';
import { chat, type Json, RuntimeProcess, starter } from './runtime-process.ts';

const greedy = { temperature: 0, max_new_tokens: 24 };

/**
 * The oracle: the model alone, one sequence in an empty context, no scheduler. Logits of two batch
 * shapes differ by rounding (f16 sums in another order), so where the best two are closer than
 * `NEAR_TIE`, the other one counts as right too, and the answers may part there.
 */
const NEAR_TIE = 0.05;

class Oracle {
  readonly #engine: Engine;

  constructor() {
    const sizes = { cells: 1024, sequences: 1, threads: 1 };
    this.#engine = loadEngine({ modelPath: starter, ...sizes });
  }

  dispose(): void {
    this.#engine.dispose();
  }

  /** Throws unless greedy decoding of the prompt gives these tokens. Returns whether all agreed. */
  check(prompt: readonly number[], output: readonly number[]): boolean {
    this.#engine.clear();
    let logits = this.#compute(prompt, 0);
    for (const [at, token] of output.entries()) {
      const best = argmax(logits, null);
      if (token !== best) {
        const behind = logits[best]! - logits[token]!;
        if (behind > NEAR_TIE) {
          throw new Error(
            `token ${at}: ${token} instead of ${best}, whose logit is ${behind} more`,
          );
        }
        return false;
      }
      logits = this.#compute([token], prompt.length + at);
    }
    return true;
  }

  tokens(text: string): number[] {
    return this.#engine.vocabulary.tokenize(text, { addSpecial: true, parseSpecial: true });
  }

  #compute(tokens: readonly number[], from: number): Float32Array {
    this.#engine.forward(
      tokens.map((token, index) => ({
        token,
        position: from + index,
        sequence: 0,
        wantsLogits: index === tokens.length - 1,
      })),
    );
    return this.#engine.logits(tokens.length - 1);
  }
}

describe('greedy answers are those of the model alone', () => {
  const countries = ['France', 'Italy', 'Japan', 'Spain', 'Egypt', 'Peru', 'Kenya', 'Norway'];
  const prompts = countries.map((country) => chat(`What is the capital of ${country}?`));
  let oracle: Oracle;
  let runtime: RuntimeProcess;

  beforeAll(async () => {
    oracle = new Oracle();
    // Room for two conversations: everything else is evicted, to host memory.
    runtime = await RuntimeProcess.start(['--max-total-tokens', '256', '--context-length', '256']);
  });
  afterAll(async () => {
    oracle?.dispose();
    await runtime?.stop();
  });

  const check = (results: readonly Json[]): number =>
    results.filter((result, i) => oracle.check(oracle.tokens(prompts[i]!), result.output_ids))
      .length;

  it('one after the other, sharing a prefix', async () => {
    const results: Json[] = [];
    for (const text of prompts) {
      results.push(await runtime.generate({ text, sampling_params: greedy }));
    }
    expect(results.slice(1).every(({ meta_info }) => meta_info.cached_tokens > 15)).toBe(true);
    expect(check(results)).toBeGreaterThan(countries.length / 2);
  });

  it('in one batch, under eviction and retraction', async () => {
    await runtime.post('/flush_cache', '');
    const sampling_params = { ...greedy, max_new_tokens: 40, ignore_eos: true };
    const results: Json[] = await runtime.generate({ text: prompts, sampling_params });
    const retractions = results.map(({ meta_info }) => meta_info.total_retractions);
    expect(Math.max(...retractions)).toBeGreaterThan(0);
    expect(check(results)).toBeGreaterThan(countries.length / 2);
  });

  it('from host memory, with an exact count of cached tokens', async () => {
    const long = chat(`${'Answer in one word. '.repeat(12)}What is the capital of France?`);
    const ask = () => runtime.generate({ text: long, sampling_params: greedy });
    const first = await ask();
    for (const text of prompts) {
      const filler = `${text}${'something else entirely '.repeat(20)}`;
      await runtime.generate({ text: filler, sampling_params: { max_new_tokens: 1 } });
    }
    const { body: before } = await runtime.get('/dump_state');
    expect(before.state.host.tokens).toBeGreaterThan(500);
    const again = await ask();
    expect(again.meta_info.cached_tokens).toBe(first.meta_info.prompt_tokens - 1);
    oracle.check(oracle.tokens(long), again.output_ids);
    expect(again.text).toBe(first.text);
  });

  it('with jump-forward and without: the same fields, fewer steps', async () => {
    const plain = await RuntimeProcess.start(['--disable-jump-forward']);
    try {
      const regex = '\\{"country": "France", "capital": "[A-Za-z]{1,12}", "continent": "Europe"\\}';
      const body = {
        text: chat('What is the capital of France?'),
        sampling_params: { temperature: 0, max_new_tokens: 100, regex },
      };
      const steps = async (one: RuntimeProcess) => {
        const count = async () => (await one.get('/dump_state')).body.state.steps;
        const before = await count();
        const { text } = await one.generate(body);
        expect(text).toMatch(new RegExp(`^${regex}$`));
        return { steps: (await count()) - before, text };
      };
      const [jumping, slow] = [await steps(runtime), await steps(plain)];
      expect(jumping.steps * 2).toBeLessThan(slow.steps);
      const streamed = await runtime.events('/generate', { ...body, stream: true });
      expect(JSON.parse(streamed.at(-2)!).text).toBe(jumping.text);
    } finally {
      await plain.stop();
    }
  });

  it('after a rest, in which the cache moved to host memory', async () => {
    const roomy = await RuntimeProcess.start(['--log-level', 'error']);
    try {
      const [sea, text] = ['sea', 'land'].map((what) =>
        chat(`${`Tell me about the ${what}. `.repeat(110)}What is the capital of France?`),
      );
      const ask = () => roomy.generate({ text, sampling_params: greedy });
      const first = await ask();
      await roomy.generate({ text: sea, sampling_params: greedy });
      const cells = async () => (await roomy.get('/dump_state')).body.state.cells.cached;
      expect(await cells()).toBeGreaterThan(1024);
      while ((await cells()) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
      const again = await ask();
      expect(again.meta_info.cached_tokens).toBe(first.meta_info.prompt_tokens - 1);
      expect(again.text).toBe(first.text);
    } finally {
      await roomy.stop();
    }
  });
});

describe('state on request', () => {
  it('is a line on SIGUSR2, whatever the log level', async () => {
    const runtime = await RuntimeProcess.start(['--log-level', 'error']);
    try {
      runtime.child.kill('SIGUSR2');
      const [, line] = await runtime.waitForOutput(/SGLNB_STATE (.*)\n/);
      const dump = JSON.parse(line!);
      expect(dump).toMatchObject({ violation: null, requests: [], state: { running: 0 } });
    } finally {
      await runtime.stop();
    }
  });
});

describe('SIGTERM', () => {
  it('lets running requests finish, or aborts them after a while; refuses new ones', async () => {
    const runtime = await RuntimeProcess.start(['--log-level', 'error']);
    try {
      const endless = { temperature: 0, ignore_eos: true, max_new_tokens: 900 };
      const text = Array.from({ length: 32 }, (_, i) => `Request number ${i}`);
      const long = runtime.generate({ text, sampling_params: endless });
      const short = runtime.generate({ text: 'A short one', sampling_params: greedy });
      const running = async () => (await runtime.get('/dump_state')).body.requests.length;
      while ((await running()) < 32) await new Promise((resolve) => setTimeout(resolve, 10));
      runtime.child.kill('SIGTERM');
      while ((await runtime.get('/health')).status === 200);
      const refused = await runtime.post('/generate', { text: 'x' });
      expect(refused.status).toBe(503);
      expect(refused.body.error.message).toBe('The server is shutting down.');
      expect((await short).meta_info.finish_reason.type).not.toBe('abort');
      const ends = (await long).map(({ meta_info }: Json) => meta_info.finish_reason.type);
      expect(ends.every((type: string) => type === 'length' || type === 'abort')).toBe(true);
      expect(await runtime.exited).toBe(0);
    } finally {
      await runtime.stop();
    }
  });
});

describe('soak', () => {
  it('survives random traffic with every cell accounted for', { timeout: 120_000 }, async () => {
    const report = await soak(Number(process.env['SOAK_SECONDS'] ?? 8));
    expect(report.errors).toEqual([]);
    expect(report.violations).toEqual([]);
    expect(report.requests).toBeGreaterThan(50);
    expect(report.aborted).toBeGreaterThan(5);
    const { cells, running, queued } = report.end.state;
    expect({ running, queued, inUse: cells.inUse }).toEqual({ running: 0, queued: 0, inUse: 0 });
    expect(report.flushed.state).toMatchObject({
      cells: { all: 256, cached: 0, inUse: 0 },
      host: { tokens: 0, bytes: 0 },
      // One is for transfers to host memory.
      freeSequences: 255,
    });
    expect(report.exitCode).toBe(0);
  });
});
