import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadEngine } from '../../runtime/src/engine/llama-engine.ts';
import { promptLogprob } from '../../runtime/src/sampling/logprobs.ts';
import { argmax } from '../../runtime/src/sampling/token-set.ts';
import { chat, type Json, root, RuntimeProcess, starter } from './runtime-process.ts';

const greedy = { temperature: 0, max_new_tokens: 24 };
let runtime: RuntimeProcess;

beforeAll(async () => {
  runtime = await RuntimeProcess.start(['--model-path', 'Qwen/Qwen2.5-1.5B-Instruct'], {
    SGLNB_MODELS: join(tmpdir(), 'no-models-here'),
  });
});
afterAll(() => runtime?.stop());

describe('starting', () => {
  it('runs the starter model for a model that is not here, and says so', async () => {
    expect(runtime.output).toMatch(
      /^NOTICE: The model Qwen\/Qwen2.5-1.5B-Instruct is not on this/m,
    );
    const { body } = await runtime.get('/get_model_info');
    expect(body).toMatchObject({ model_path: 'Qwen/Qwen2.5-1.5B-Instruct', is_generation: true });
  });

  it('says that it is ready as SGLang does', () => {
    expect(runtime.output).toMatch(
      /^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] The server is fired up and ready to roll!$/m,
    );
    expect(runtime.output).toContain(`Uvicorn running on http://127.0.0.1:${runtime.port}`);
  });

  it.each([
    [
      'an unknown flag',
      ['--modle-path', 'x'],
      2,
      'unknown flag --modle-path; did you mean --model-path?',
    ],
    [
      'a wrong number',
      ['--port', 'many'],
      2,
      '--port must be a whole number, 0 to 65535; got "many"',
    ],
    ['a missing value', ['--model-path'], 2, '--model-path needs a value'],
    [
      'a missing file',
      ['--model-path', './no/such.gguf'],
      3,
      'There is no model at ./no/such.gguf',
    ],
  ])('refuses %s', async (_, args, code, message) => {
    const end = await RuntimeProcess.runToEnd(args);
    expect(end.output).toContain(message);
    expect(end.code).toBe(code);
  });

  it('refuses a truncated model file and one that is not GGUF', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'models-'));
    const truncated = join(folder, 'truncated.gguf');
    writeFileSync(truncated, readFileSync(starter).subarray(0, 300_000));
    const other = join(folder, 'other.gguf');
    writeFileSync(other, 'not a model');
    for (const file of [truncated, other]) {
      const end = await RuntimeProcess.runToEnd(['--model-path', file, '--port', '0']);
      expect(end.output).toMatch(/^error: .*\.gguf/m);
      expect(end.code).toBe(3);
    }
    rmSync(folder, { recursive: true });
  });

  it('says when the port is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const end = await RuntimeProcess.runToEnd(['--port', String(port)]);
    expect(end.output).toContain(`Port ${port} on 127.0.0.1 is taken`);
    expect(end.code).toBe(4);
    await new Promise((resolve) => server.close(resolve));
  });

  it('ends when its parent is gone', async () => {
    const script = `
      const { spawn } = require('node:child_process');
      const child = spawn(process.execPath, ['${join(root, 'runtime/src/main.ts')}', '--port', '0',
        '--parent-pid', String(process.pid)], { stdio: ['ignore', 'pipe', 'inherit'] });
      child.stdout.on('data', (chunk) => process.stdout.write(chunk));
    `;
    const parent = spawn(process.execPath, ['-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    const info = await new Promise<{ pid: number }>((resolve) => {
      parent.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        const match = output.match(/SGLNB_RUNTIME (.*)\n/);
        if (match) resolve(JSON.parse(match[1]!));
      });
    });
    parent.kill('SIGKILL');
    const isAlive = () => {
      try {
        return process.kill(info.pid, 0);
      } catch {
        return false;
      }
    };
    while (isAlive()) await new Promise((resolve) => setTimeout(resolve, 50));
    expect(isAlive()).toBe(false);
  });
});

describe('/generate', () => {
  it('answers a question', async () => {
    const result = await runtime.generate({
      text: chat('What is the capital of France?'),
      sampling_params: greedy,
    });
    expect(result.text).toContain('Paris');
    expect(result.meta_info).toMatchObject({ finish_reason: { type: 'stop' }, prompt_tokens: 26 });
    expect(result.meta_info.completion_tokens).toBe(result.output_ids.length);
  });

  it('streams cumulative text and ends with [DONE]', async () => {
    const body = { text: chat('What is the capital of Germany?'), sampling_params: greedy };
    const whole = await runtime.generate(body);
    const events = await runtime.events('/generate', { ...body, stream: true });
    expect(events.pop()).toBe('[DONE]');
    const pieces = events.map((event) => JSON.parse(event));
    expect(pieces.length).toBeGreaterThan(3);
    for (const [i, piece] of pieces.entries()) {
      expect(piece.text.startsWith(pieces[i - 1]?.text ?? '')).toBe(true);
      expect(piece.meta_info.finish_reason === null).toBe(i < pieces.length - 1);
    }
    expect(pieces.at(-1).text).toBe(whole.text);
  });

  it('runs a list as one batch, with the answers of each alone, in order', async () => {
    const text = ['France', 'Italy', 'Japan', 'Spain'].map((country) =>
      chat(`What is the capital of ${country}?`),
    );
    await runtime.post('/flush_cache', '');
    const batch = await runtime.generate({ text, sampling_params: greedy });
    for (const [i, prompt] of text.entries()) {
      await runtime.post('/flush_cache', '');
      const alone = await runtime.generate({ text: prompt, sampling_params: greedy });
      expect(batch[i].text).toBe(alone.text);
    }
  });

  it('streams a list with the index of each answer', async () => {
    const text = [chat('What is the capital of Norway?'), chat('What is the capital of Peru?')];
    const events = await runtime.events('/generate', {
      text,
      sampling_params: greedy,
      stream: true,
    });
    expect(events.pop()).toBe('[DONE]');
    const last = new Map(events.map((event) => JSON.parse(event)).map((e) => [e.index, e]));
    expect([...last.keys()].toSorted((a, b) => a - b)).toEqual([0, 1]);
    expect(last.get(0).text).toContain('Oslo');
    expect(last.get(1).text).toContain('Lima');
  });

  it('gives n answers, other at each seed, the same at the same', async () => {
    const body = {
      text: chat('Tell me a joke.'),
      sampling_params: { max_new_tokens: 16, n: 3, temperature: 1, sampling_seed: 7 },
    };
    const first = await runtime.generate(body);
    expect(first).toHaveLength(3);
    const again = await runtime.generate(body);
    expect(again.map((r: Json) => r.text)).toEqual(first.map((r: Json) => r.text));
  });

  it('takes input_ids, PUT, and max_new_tokens 0; cached_tokens is exact', async () => {
    await runtime.post('/flush_cache', '');
    const ids = Array.from({ length: 40 }, (_, i) => 300 + i);
    const body = { input_ids: ids, sampling_params: { max_new_tokens: 0 } };
    const { body: first } = await runtime.post('/generate', body, { method: 'PUT' });
    expect(first).toMatchObject({
      text: '',
      meta_info: {
        cached_tokens: 0,
        prompt_tokens: 40,
        finish_reason: { type: 'length', length: 0 },
      },
    });
    const [second, third] = await runtime.generate({
      input_ids: [
        [...ids, 7, 8],
        [...ids.slice(0, 30), 7],
      ],
      sampling_params: { max_new_tokens: 1 },
    });
    expect(second.meta_info.cached_tokens).toBe(40);
    expect(third.meta_info.cached_tokens).toBe(30);
  });

  it('keeps to a regex', async () => {
    const { text, meta_info } = await runtime.generate({
      text: chat('When was Albert Einstein born?'),
      sampling_params: { temperature: 0, max_new_tokens: 30, regex: '\\d{1,2} (March|May) \\d{4}' },
    });
    expect(text).toMatch(/^\d{1,2} (March|May) \d{4}$/);
    // Where nothing may follow, the output ends with the model's own end token, `<|im_end|>`.
    expect(meta_info.finish_reason).toEqual({ type: 'stop', matched: 2 });
  });

  it('scores prompt tokens as the raw engine does', async () => {
    const engine = loadEngine({ modelPath: starter, cells: 512, sequences: 1, threads: 1 });
    const ids = engine.vocabulary.tokenize(chat('What is the capital of France?') + 'Paris', {
      addSpecial: true,
      parseSpecial: true,
    });
    engine.forward(
      ids.map((token, position) => ({ token, position, sequence: 0, wantsLogits: true })),
    );
    const expected = ids
      .slice(1)
      .map((token, i) => promptLogprob(engine.logits(i), token, 0).logprob);
    const last = argmax(engine.logits(ids.length - 1), null);
    engine.dispose();
    const { meta_info } = await runtime.generate({
      input_ids: ids,
      sampling_params: { max_new_tokens: 1, temperature: 0 },
      return_logprob: true,
      logprob_start_len: 0,
      top_logprobs_num: 2,
      return_text_in_logprobs: true,
    });
    const [head, ...scored] = meta_info.input_token_logprobs;
    expect(head).toEqual([null, ids[0], '<|im_start|>']);
    expect(scored.map((entry: Json) => entry[1])).toEqual(ids.slice(1));
    scored.forEach((entry: Json, i: number) => expect(entry[0]).toBeCloseTo(expected[i]!, 1));
    expect(meta_info.input_top_logprobs[0]).toBeNull();
    expect(meta_info.output_top_logprobs[0]).toHaveLength(2);
    expect(meta_info.output_token_logprobs[0][1]).toBe(last);
  });

  it('scores choices as the frontend asks for them', async () => {
    await runtime.post('/flush_cache', '');
    const prompt = chat('What is the capital of France?') + 'The capital is ';
    const prefix = await runtime.generate({ text: prompt, sampling_params: { max_new_tokens: 0 } });
    const tokens = prefix.meta_info.prompt_tokens;
    const results = await runtime.generate({
      text: ['Paris', 'London', 'cheese'].map((choice) => prompt + choice),
      sampling_params: { max_new_tokens: 0, temperature: 0 },
      return_logprob: true,
      return_text_in_logprobs: true,
      logprob_start_len: tokens - 2,
    });
    const means = results.map(({ meta_info }: Json) => {
      expect(meta_info.cached_tokens).toBe(tokens - 2);
      const [head, ...rest] = meta_info.input_token_logprobs;
      expect(head[0]).toBeNull();
      expect(rest.length).toBe(meta_info.prompt_tokens - tokens + 1);
      return rest.reduce((sum: number, [logprob]: Json) => sum + logprob, 0) / rest.length;
    });
    expect(means.indexOf(Math.max(...means))).toBe(0);
  });
});

describe('bad requests', () => {
  const text = 'x';
  it.each<[string, unknown, number, string]>([
    ['no JSON', '{"text":', 400, 'the body is not JSON'],
    ['no prompt', {}, 400, 'Either text, input_ids or input_embeds should be provided.'],
    [
      'negative length',
      { text, sampling_params: { max_new_tokens: -1 } },
      400,
      'max_new_tokens must be at least 0, got -1.',
    ],
    [
      'unknown key',
      { text, sampling_params: { max_tokens: 5 } },
      400,
      'Unknown sampling parameter: max_tokens',
    ],
    ['an image', { text, image_data: 'abc' }, 400, 'The image is neither PNG, JPEG, GIF nor WebP'],
    [
      'long prompt',
      { text: 'word '.repeat(3000) },
      400,
      "longer than the model's context length (1024 tokens)",
    ],
    ['invalid regex', { text, sampling_params: { regex: 'a(b' } }, 400, 'position 1'],
    ['never matching regex', { text, sampling_params: { regex: '[^\\s\\S]' } }, 400, 'regex'],
    ['huge prompt', { text: 'y'.repeat(10_000_000) }, 400, 'longer than the model'],
    ['huge body', `{"text":"${'y'.repeat(65 << 20)}"}`, 413, 'larger than 64 MiB'],
    [
      'token out of range',
      { input_ids: [1, 99_999] },
      400,
      'input_ids: 99999 is not a token of this model',
    ],
  ])('are answered: %s', async (_, body, status, message) => {
    const answer = await runtime.post('/generate', body);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(message);
  });

  it('are answered by their status also when streaming', async () => {
    const body = { text, stream: true, sampling_params: { regex: 'a(b' } };
    expect((await runtime.post('/generate', body)).status).toBe(400);
  });

  it('to unknown routes and methods', async () => {
    expect(await runtime.get('/nope')).toEqual({ status: 404, body: { detail: 'Not Found' } });
    expect((await runtime.get('/generate')).status).toBe(405);
  });
});

describe('other routes', () => {
  it('tell about the server', async () => {
    const { body } = await runtime.get('/get_server_info');
    expect(body).toMatchObject({
      status: 'ready',
      context_length: 1024,
      max_total_num_tokens: 8192,
    });
    expect((await runtime.get('/v1/models')).body.data[0]).toMatchObject({
      id: 'Qwen/Qwen2.5-1.5B-Instruct',
      owned_by: 'sglang',
    });
    for (const path of ['/health', '/health_generate']) {
      expect(await runtime.get(path)).toEqual({ status: 200, body: '' });
    }
  });

  it('flush the cache by GET and POST', async () => {
    for (const method of ['GET', 'POST']) {
      const { status, body } = await runtime.get('/flush_cache', { method });
      expect(status).toBe(200);
      expect(body).toContain('Cache flushed.');
    }
    const { body } = await runtime.get('/server_info');
    expect(body.internal_states[0].cached_tokens).toBe(0);
  });

  it('log what they did, in the words of SGLang', async () => {
    const sampling_params = { max_new_tokens: 90, ignore_eos: true };
    await runtime.generate({ text: 'log lines', sampling_params });
    await runtime.waitForOutput(
      /\[.* TP0\] Prefill batch\. #new-seq: 1, #new-token: \d+, #cached-token: \d+, cache hit rate: \d+\.\d\d%, token usage: 0\.\d\d, #running-req: 0, #queue-req: 0/,
    );
    await runtime.waitForOutput(
      /\[.* TP0\] Decode batch\. #running-req: 1, #token: \d+, token usage: 0\.\d\d, gen throughput \(token\/s\): \d+\.\d\d, #queue-req: 0/,
    );
    await runtime.waitForOutput(/INFO: {5}127\.0\.0\.1:\d+ - "POST \/generate HTTP\/1\.1" 200 OK/);
  });
});

describe('OpenAI routes', () => {
  const question = { role: 'user', content: 'What is the capital of Italy?' };
  const messages = [{ role: 'system', content: 'You are a helpful assistant.' }, question];

  it('chat by the template of the model', async () => {
    const { status, body } = await runtime.post('/v1/chat/completions', {
      messages,
      temperature: 0,
      logprobs: true,
      top_logprobs: 1,
    });
    expect(status).toBe(200);
    const [choice] = body.choices;
    expect(choice.message.content).toContain('Rome');
    expect(choice).toMatchObject({ finish_reason: 'stop', matched_stop: 2 });
    expect(choice.logprobs.content).toHaveLength(body.usage.completion_tokens);
  });

  it('continue a last message of the assistant', async () => {
    const { body } = await runtime.post('/v1/chat/completions', {
      messages: [...messages, { role: 'assistant', content: 'The capital of Italy is' }],
      temperature: 0,
    });
    expect(body.choices[0].message.content).toMatch(/^ Rome/);
  });

  it('stream pieces, usage and [DONE]', async () => {
    const body = {
      messages,
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    };
    const events = await runtime.events('/v1/chat/completions', body);
    expect(events.pop()).toBe('[DONE]');
    const chunks = events.map((event) => JSON.parse(event));
    expect(chunks.pop().usage.completion_tokens).toBeGreaterThan(3);
    expect(chunks[0].choices[0].delta.role).toBe('assistant');
    expect(chunks.map((chunk) => chunk.choices[0].delta.content).join('')).toContain('Rome');
    expect(chunks.at(-1).choices[0].finish_reason).toBe('stop');
  });

  it('complete lists of prompts', async () => {
    const { body } = await runtime.post('/v1/completions', {
      prompt: ['Once upon', 'The'],
      max_tokens: 3,
      echo: true,
    });
    expect(body.choices.map((choice: Json) => choice.index)).toEqual([0, 1]);
    expect(body.choices[0].text).toMatch(/^Once upon/);
  });

  it('keep to a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { year: { type: 'integer' } },
      required: ['year'],
    };
    const { body } = await runtime.post('/v1/chat/completions', {
      messages,
      max_tokens: 60,
      temperature: 0,
      response_format: { type: 'json_schema', json_schema: { name: 'y', schema } },
    });
    const [choice] = body.choices;
    if (choice.finish_reason === 'stop') {
      expect(JSON.parse(choice.message.content).year).toBeTypeOf('number');
    } else {
      expect(choice.message.content).toMatch(/^\{/);
    }
  });

  it.each<[string, object, string]>([
    ['/v1/completions', {}, 'prompt should be provided'],
    ['/v1/completions', { prompt: 'a', top_p: 7 }, 'top_p must be in (0, 1], got 7.'],
    ['/v1/chat/completions', { messages: 3 }, 'messages must be a list with at least one message'],
    ['/v1/chat/completions', { messages, tools: [{}] }, 'tools[0] must be'],
    [
      '/v1/chat/completions',
      { messages, response_format: { type: 'xml' } },
      'response_format must be',
    ],
  ])('%s refuses %j', async (path, request, message) => {
    const { status, body } = await runtime.post(path, request);
    expect(status).toBe(400);
    expect(body).toMatchObject({ object: 'error', type: 'BadRequestError', code: 400 });
    expect(body.message).toContain(message);
  });
});

describe('what a request reports', () => {
  it('log probabilities of tokens that the client names, in the prompt and behind it', async () => {
    const ids = [300, 301, 302];
    const body = {
      text: 'The capital of France is',
      sampling_params: { ...greedy, max_new_tokens: 2 },
      return_logprob: true,
      logprob_start_len: 1,
      token_ids_logprob: ids,
      top_logprobs_num: 4000,
    };
    const [result, [listed, bare]] = await Promise.all([
      runtime.generate(body),
      runtime.generate({
        ...body,
        text: [body.text, body.text],
        token_ids_logprob: [[301], null],
        top_logprobs_num: 0,
      }),
    ]);
    const { meta_info: meta } = result;
    expect(meta.input_token_ids_logprobs[0]).toBeNull();
    expect(meta.input_token_ids_logprobs).toHaveLength(meta.input_token_logprobs.length);
    for (const side of ['input', 'output']) {
      for (const [at, row] of meta[`${side}_token_ids_logprobs`].entries()) {
        if (row === null) continue;
        const top = new Map(meta[`${side}_top_logprobs`][at].map(([p, id]: Json) => [id, p]));
        expect(row.map(([, id]: Json) => id)).toEqual(ids);
        for (const [logprob, id] of row) {
          if (top.has(id)) expect(logprob).toBe(top.get(id));
        }
      }
    }
    expect(listed.meta_info.output_token_ids_logprobs[0]).toHaveLength(1);
    expect(bare.meta_info).not.toHaveProperty('output_token_ids_logprobs');
    const wrong = await runtime.post('/generate', { ...body, token_ids_logprob: [99_999] });
    expect(wrong).toMatchObject({ status: 400 });
    expect(wrong.body.error.message).toContain('token_ids_logprob: 99999 is not a token');
  });

  it('that no output can match within max_new_tokens; what of a schema is not enforced', async () => {
    const cut = await runtime.generate({
      text: 'x',
      sampling_params: { ...greedy, max_new_tokens: 3, regex: '[a-z]{500}' },
    });
    expect(cut.meta_info.constraint_warnings).toEqual([
      'No output can match the regex within max_new_tokens (3).',
    ]);
    expect(cut.meta_info.finish_reason).toMatchObject({
      type: 'length',
      message: 'The output was cut at max_new_tokens before it matched the regex.',
    });
    const schema = JSON.stringify({ type: 'array', items: { type: 'integer' }, uniqueItems: true });
    const loose = await runtime.generate({
      text: 'x',
      sampling_params: { ...greedy, json_schema: schema },
    });
    expect(loose.meta_info.constraint_warnings).toHaveLength(1);
    const fine = await runtime.generate({
      text: 'x',
      sampling_params: { ...greedy, regex: '[a-z]{2}' },
    });
    expect(fine.meta_info).not.toHaveProperty('constraint_warnings');
  });
});

describe('aborting', () => {
  const endless = { text: 'on and on', sampling_params: { max_new_tokens: 900, ignore_eos: true } };
  const idle = async () => {
    for (;;) {
      const { inUse, running, queued } = await runtime.freeCells();
      if (running + queued === 0) return inUse;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };

  it.each([true, false])(
    'frees everything when the client goes away (stream: %s)',
    async (stream) => {
      const aborter = new AbortController();
      const bodies = Array.from({ length: 4 }, (_, i) => ({ ...endless, text: `${i} on`, stream }));
      const requests = bodies.map((body) =>
        fetch(`${runtime.url}/generate`, {
          method: 'POST',
          body: JSON.stringify(body),
          signal: aborter.signal,
        }).then((response) => response.text()),
      );
      while ((await runtime.freeCells()).running === 0);
      aborter.abort();
      await Promise.allSettled(requests);
      expect(await idle()).toBe(0);
    },
  );

  it('ends a request by its rid', async () => {
    const request = runtime.generate({ ...endless, rid: 'my-request' });
    while ((await runtime.freeCells()).running === 0);
    await runtime.post('/abort_request', { rid: 'my-request' });
    const result = await request;
    expect(result.meta_info).toMatchObject({ id: 'my-request', finish_reason: { type: 'abort' } });
    expect(await idle()).toBe(0);
  });

  it('ends a batch, the answers of n, and everything', async () => {
    const ends = (results: Json) => results.map((one: Json) => one.meta_info.finish_reason.type);
    const batch = runtime.generate({ ...endless, text: ['a', 'b'], rid: ['one', 'two'] });
    const many = runtime.generate({
      ...endless,
      sampling_params: { ...endless.sampling_params, n: 3 },
      rid: 'three',
    });
    while ((await runtime.freeCells()).running < 5);
    expect((await runtime.post('/abort_request', { rid: 'no-such' })).status).toBe(200);
    await runtime.post('/abort_request', { rid: 'three' });
    expect(ends(await many)).toEqual(['abort', 'abort', 'abort']);
    expect((await runtime.freeCells()).running).toBe(2);
    await runtime.post('/abort_request', { abort_all: true });
    expect(ends(await batch)).toEqual(['abort', 'abort']);
    expect(await idle()).toBe(0);
  });

  it('does not take an empty rid for everything', async () => {
    const request = runtime.generate({ ...endless, rid: 'still-here' });
    while ((await runtime.freeCells()).running === 0);
    const answer = await runtime.post('/abort_request', {});
    expect(answer).toMatchObject({ status: 400 });
    expect((await runtime.freeCells()).running).toBe(1);
    await runtime.post('/abort_request', { rid: 'still-here' });
    expect((await request).meta_info.finish_reason.type).toBe('abort');
  });
});

describe('with other options', () => {
  it('asks for the key, except for /health', async () => {
    const guarded = await RuntimeProcess.start([
      '--api-key',
      'secret',
      '--logprob-layout',
      'v0.4.3',
    ]);
    try {
      expect(await guarded.get('/v1/models')).toEqual({
        status: 401,
        body: { error: 'Unauthorized' },
      });
      expect((await guarded.get('/health')).status).toBe(200);
      const headers = { Authorization: 'Bearer secret' };
      const { status, body } = await guarded.post(
        '/generate',
        {
          text: 'a b c',
          sampling_params: { max_new_tokens: 0 },
          return_logprob: true,
          logprob_start_len: 1,
        },
        { headers },
      );
      expect(status).toBe(200);
      const { input_token_logprobs: scored, prompt_tokens: count } = body.meta_info;
      expect(scored).toHaveLength(count - 2);
      expect(scored[0][0]).toBeLessThan(0);
    } finally {
      await guarded.stop();
    }
  });

  it('works without sharing, queues what does not fit, and drains on SIGTERM', async () => {
    const small = await RuntimeProcess.start(
      ['--disable-radix-cache', '--max-running-requests', '2', '--max-total-tokens', '256'].concat([
        '--host',
        '0.0.0.0',
        '--tp',
        '2',
        '--context-length',
        '200',
      ]),
    );
    expect(small.output).toContain(
      'NOTICE: --host 0.0.0.0: this runtime listens on 127.0.0.1 only',
    );
    expect(small.output).toContain('NOTICE: --tp has no effect here');
    const sampling_params = { max_new_tokens: 60, ignore_eos: true, temperature: 0 };
    const text = Array.from({ length: 9 }, (_, i) => `Request number ${i} `.repeat(4));
    const answers = small.generate({ text, sampling_params });
    await small.waitForOutput(/Prefill batch/);
    small.child.kill('SIGTERM');
    const results = await answers;
    expect(results.map((r: Json) => r.meta_info.completion_tokens)).toEqual(text.map(() => 60));
    expect(await small.exited).toBe(0);
  });
});
