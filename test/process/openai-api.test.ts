import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Json, RuntimeProcess } from './runtime-process.ts';

/** OpenAI's API, and what is read beside it, on the starter model. */
let runtime: RuntimeProcess;
beforeAll(async () => {
  runtime = await RuntimeProcess.start(['--enable-cache-report', '--served-model-name', 'org/m']);
});
afterAll(() => runtime?.stop());

const ask = [{ role: 'user', content: 'What is the capital of France?' }];
const greedy = { temperature: 0, max_tokens: 24 };

async function post(path: string, body: object): Promise<Json> {
  const answer = await runtime.post(path, body);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer));
  return answer.body;
}
const chat = (body: object) => post('/v1/chat/completions', { messages: ask, ...greedy, ...body });
const complete = (body: object) => post('/v1/completions', { prompt: 'The', ...greedy, ...body });

async function chunks(path: string, body: object): Promise<Json[]> {
  const events = await runtime.events(path, { ...body, stream: true });
  expect(events.pop()).toBe('[DONE]');
  return events.map((event) => JSON.parse(event));
}

/** Everything that choice `index` of a streamed answer said. */
function choiceOf(events: Json[], index: number): Json[] {
  return events.flatMap(({ choices }) => choices).filter((choice) => choice.index === index);
}

describe('streams', () => {
  it('chat: n choices, log probabilities, usage; the same as not streamed', async () => {
    const body = { messages: ask, ...greedy, n: 2, logprobs: true, top_logprobs: 2 };
    await chat(body);
    const whole = await chat(body);
    const events = await chunks('/v1/chat/completions', {
      ...body,
      stream_options: { include_usage: true },
    });
    const usage = events.at(-1);
    expect(usage).toMatchObject({
      choices: [],
      usage: whole.usage,
      object: 'chat.completion.chunk',
    });
    expect(whole.usage.prompt_tokens).toBe(26);
    expect(events.slice(0, -1).every((event) => event.usage === undefined)).toBe(true);
    for (const index of [0, 1]) {
      const choices = choiceOf(events, index);
      expect(choices[0].delta).toEqual({ role: 'assistant', content: '' });
      const expected = whole.choices[index];
      expect(choices.map(({ delta }) => delta.content ?? '').join('')).toBe(
        expected.message.content,
      );
      const entries = choices.flatMap(({ logprobs }) => logprobs?.content ?? []);
      expect(entries.map(({ token }) => token)).toEqual(
        expected.logprobs.content.map(({ token }: Json) => token),
      );
      expect(entries[0].top_logprobs).toHaveLength(2);
      expect(entries[0].bytes).toEqual([...Buffer.from(entries[0].token)]);
      expect(choices.at(-1)).toMatchObject({ delta: {}, finish_reason: 'stop' });
      expect(choices.slice(0, -1).every((one) => one.finish_reason === null)).toBe(true);
    }
  });

  it('completions: echo with log probabilities of the prompt', async () => {
    const body = { prompt: 'The capital of France is', ...greedy, echo: true, logprobs: 1 };
    const whole = await complete(body);
    const [choice] = whole.choices;
    expect(choice.text).toBe('The capital of France is Paris.');
    expect(choice.logprobs.tokens.slice(0, 3)).toEqual(['The', ' capital', ' of']);
    expect(choice.logprobs.token_logprobs[0]).toBeNull();
    expect(choice.logprobs.top_logprobs[0]).toBeNull();
    expect(Object.keys(choice.logprobs.top_logprobs[1])).toHaveLength(1);
    const events = choiceOf(await chunks('/v1/completions', body), 0);
    expect(events.map(({ text }) => text).join('')).toBe(choice.text);
    expect(events.flatMap(({ logprobs }) => logprobs?.tokens ?? [])).toEqual(
      choice.logprobs.tokens,
    );
  });

  it('several prompts in one request; usage with every event on demand', async () => {
    const { body: ids } = await runtime.post('/tokenize', { prompt: 'The capital of France is' });
    const events = await chunks('/v1/completions', {
      prompt: [ids.tokens, ids.tokens.slice(0, 4)],
      ...greedy,
      echo: true,
      stream_options: { continuous_usage_stats: true },
    });
    expect(
      choiceOf(events, 0)
        .map(({ text }) => text)
        .join(''),
    ).toMatch(/^The capital.* Paris\.$/);
    expect(choiceOf(events, 1)[0].text).toMatch(/^The capital of France/);
    expect(events.every(({ usage }) => usage.prompt_tokens === 9)).toBe(true);
  });
});

describe('tools', () => {
  const weather = {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: {
        type: 'object',
        properties: { city: { type: 'string', maxLength: 12 }, unit: { enum: ['C', 'F'] } },
        required: ['city', 'unit'],
      },
    },
  };
  const required = {
    tools: [weather],
    tool_choice: 'required',
    parallel_tool_calls: false,
    max_tokens: 200,
  };

  it('a required call is made, with arguments of its schema', async () => {
    const { choices } = await chat(required);
    expect(choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } });
    const [call] = choices[0].message.tool_calls;
    expect(call).toMatchObject({ type: 'function', function: { name: 'get_weather' } });
    expect(call.id).toMatch(/^call_[0-9a-f]{24}$/);
    const given = JSON.parse(call.function.arguments);
    expect(Object.keys(given).toSorted()).toEqual(['city', 'unit']);
    expect(['C', 'F']).toContain(given.unit);

    const streamed = choiceOf(
      await chunks('/v1/chat/completions', { messages: ask, ...greedy, ...required }),
      0,
    );
    const deltas = streamed.flatMap(({ delta }) => delta.tool_calls ?? []);
    expect(deltas).toMatchObject([{ index: 0, type: 'function', function: call.function }]);
    expect(streamed.at(-1).finish_reason).toBe('tool_calls');
  });

  it('a conversation goes on with the result of a call', async () => {
    const messages = [
      ...ask,
      {
        role: 'assistant',
        content: null,
        tool_calls: [
          {
            id: 'a',
            type: 'function',
            function: { name: 'get_weather', arguments: '{"city":"x"}' },
          },
        ],
      },
      { role: 'tool', tool_call_id: 'a', content: 'sunny' },
    ];
    const { choices } = await chat({ messages, tools: [weather] });
    expect(choices[0].finish_reason).toMatch(/stop|length/);
  });

  it('refuses what contradicts itself', async () => {
    const answer = await runtime.post('/v1/chat/completions', {
      messages: ask,
      ...required,
      regex: 'a',
    });
    expect(answer).toMatchObject({ status: 400, body: { type: 'BadRequestError' } });
    expect(answer.body.message).toContain('tool_choice decides the form of the answer');
  });
});

describe('bad requests name the field as the client wrote it', () => {
  it.each([
    ['/v1/completions', { prompt: 'x', best_of: 3 }, 'best_of is not supported'],
    ['/v1/completions', { prompt: 'x', suffix: 'y' }, 'suffix is not supported'],
    ['/v1/completions', { prompt: 'x', max_tokens: 'a' }, 'max_tokens must be a number'],
    ['/v1/completions', { prompt: 'x', temperature: -1 }, 'temperature must be non-negative'],
    ['/v1/completions', { prompt: 'x', stop: 3 }, 'stop must be a string or a list'],
    ['/v1/chat/completions', { messages: ask, functions: [] }, 'use tools and tool_choice'],
    [
      '/v1/chat/completions',
      { messages: ask, response_format: { type: 'json_schema' } },
      'response_format.json_schema.schema is missing',
    ],
    ['/v1/chat/completions', { messages: ask, regex: '(?=a)b' }, 'position 0'],
  ])('%s %j', async (path, body, message) => {
    const answer = await runtime.post(path, body);
    expect(answer).toMatchObject({ status: 400, body: { object: 'error', code: 400 } });
    expect(answer.body.message).toContain(message);
    expect(answer.body.message).not.toContain('sampling_params');
  });
});

describe('beside it', () => {
  it('names its model, also under an encoded name', async () => {
    const { body } = await runtime.get('/v1/models');
    expect(body.data).toMatchObject([{ id: 'org/m', owned_by: 'sglang', max_model_len: 1024 }]);
    expect((await runtime.get('/v1/models/org%2Fm')).body).toEqual(body.data[0]);
    expect((await runtime.get('/v1/models/other')).status).toBe(404);
  });

  it('tokenises and detokenises', async () => {
    const one = await post('/tokenize', { prompt: 'Hello <|im_end|>' });
    expect(one).toMatchObject({ count: one.tokens.length, max_model_len: 1024 });
    expect(await post('/detokenize', { tokens: one.tokens })).toEqual({ text: 'Hello ' });
    expect(
      await post('/v1/detokenize', { tokens: one.tokens, skip_special_tokens: false }),
    ).toEqual({ text: 'Hello <|im_end|>' });
    const two = await post('/v1/tokenize', { prompt: ['Grüße', ''], add_special_tokens: false });
    expect(two.count).toEqual([two.tokens[0].length, 0]);
    expect(await post('/detokenize', { tokens: two.tokens })).toEqual({ text: ['Grüße', ''] });
    expect(await post('/detokenize', { tokens: [] })).toEqual({ text: '' });
    for (const [path, body] of [
      ['/tokenize', { prompt: 3 }],
      ['/tokenize', {}],
      ['/detokenize', { tokens: [1, 999_999] }],
      ['/detokenize', { tokens: 'x' }],
    ] as const) {
      expect(await runtime.post(path, body)).toMatchObject({ status: 400, body: { code: 400 } });
    }
  });

  it('counts for Prometheus', async () => {
    const read = async (name: string): Promise<number> => {
      const { body } = await runtime.get('/metrics');
      const line = body.match(new RegExp(`^sglang:${name}\\{model_name="org/m"\\} (\\S+)$`, 'm'));
      return Number(line[1]);
    };
    const before = await read('prompt_tokens_total');
    const { usage } = await chat({});
    expect(usage.prompt_tokens_details.cached_tokens).toBeGreaterThan(20);
    expect(await read('prompt_tokens_total')).toBe(before + usage.prompt_tokens);
    expect(await read('cache_hit_rate')).toBeGreaterThan(0);
    expect(await read('num_running_reqs')).toBe(0);
    expect(await read('time_to_first_token_seconds_count')).toBeGreaterThan(0);
  });
});
