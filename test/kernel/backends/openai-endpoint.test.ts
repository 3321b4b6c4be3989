/** Conformance with OpenAI's API, against a server that answers in its shapes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, Prompt, SentRequest } from '../../../extension/kernel/backends/backend.ts';
import { createServiceBackend } from '../../../extension/kernel/backends/service-backends.ts';
import { resolveSampling } from '../../../extension/kernel/sglang/sampling-params.ts';
import type { JsonObject } from '../../../extension/protocol/kernel-protocol.ts';
import { RecordedService, sse } from '../../support/recorded-service.ts';

const KEY = 'sk-test-0123456789';
const never = new AbortController().signal;
const chat: Prompt = {
  text: 'USER:hi\nASSISTANT:',
  messages: [{ role: 'user', content: 'hi' }],
  images: [],
  open: { role: 'assistant', text: '' },
};
const usage = { prompt_tokens: 9, completion_tokens: 2, total_tokens: 11 };
const answerOf = (content: string) => ({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
  usage,
});
const chunk = (content: string, finish: string | null = null) =>
  sse({
    id: 'chatcmpl-1',
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content }, finish_reason: finish }],
  });

let service: RecordedService;
let url: string;
let seen: SentRequest[];
let close: (() => Promise<void>)[];
const remember = (request: SentRequest): number => seen.push(request);

beforeEach(async () => {
  [service, seen, close] = [new RecordedService(), [], []];
  url = await service.listen();
});
afterEach(async () => {
  await Promise.all(close.map((one) => one()));
  await service.close();
});

let notices: string[];

function connect(options: JsonObject = {}, kind = 'openai'): Backend {
  notices = [];
  const all = { model: 'gpt-4o-mini', api_key: KEY, ...options };
  const notice = (text: string): number => notices.push(text);
  const { backend, client } = createServiceBackend(kind, `${url}/v1/`, all, undefined, notice);
  close.push(() => client.close());
  return backend;
}

const generate = (backend: Backend, gen: JsonObject = {}, prompt = chat) =>
  backend.generate(prompt, resolveSampling({}, gen, []), remember, never);

async function stream(backend: Backend): Promise<string[]> {
  const texts: string[] = [];
  const params = resolveSampling({}, {}, []);
  for await (const { text } of backend.generateStream(chat, params, remember, never)) {
    texts.push(text);
  }
  return texts;
}

describe('a chat model', () => {
  test('gets messages and answers with text, usage and reason', async () => {
    service.answers = [{ body: answerOf('Hello.') }];
    const backend = connect();
    expect(await generate(backend, { stop: ['\n'], max_new_tokens: 5 })).toEqual([
      {
        text: 'Hello.',
        meta: {
          id: 'chatcmpl-1',
          prompt_tokens: 9,
          completion_tokens: 2,
          finish_reason: { type: 'stop' },
        },
      },
    ]);
    const [request] = service.requests;
    expect(request?.path).toBe('/v1/chat/completions');
    expect(request?.headers.authorization).toBe(`Bearer ${KEY}`);
    expect(request?.body).toEqual({
      model: 'gpt-4o-mini',
      messages: [{ role: 'user', content: 'hi' }],
      max_tokens: 5,
      stop: ['\n'],
      temperature: 1,
      top_p: 1,
      frequency_penalty: 0,
      presence_penalty: 0,
    });
    expect(JSON.stringify(seen)).not.toContain(KEY);
    expect(await backend.serverInfo(never)).toEqual({
      model: 'gpt-4o-mini',
      cost: null,
      token_usage: { prompt_tokens: 9, completion_tokens: 2 },
    });
  });

  test('streams the growing text', async () => {
    const last = sse({ id: 'chatcmpl-1', choices: [], usage });
    service.answers = [{ events: [chunk('He'), chunk('llo', 'stop'), last, 'data: [DONE]\n\n'] }];
    expect(await stream(connect())).toEqual(['He', 'Hello', 'Hello']);
    expect(service.requests[0]?.body).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test('counts the tokens of a stream once, though every event tells the sum so far', async () => {
    const told = (content: string, tokens: number) =>
      sse({
        choices: [{ index: 0, delta: { content }, finish_reason: null }],
        usage: { prompt_tokens: 9, completion_tokens: tokens },
      });
    service.answers = [{ events: [told('a', 1), told('b', 2), 'data: [DONE]\n\n'] }];
    const backend = connect();
    expect(await stream(backend)).toEqual(['a', 'ab']);
    expect(await backend.serverInfo(never)).toMatchObject({
      token_usage: { prompt_tokens: 9, completion_tokens: 2 },
    });
  });

  test('may answer with nothing but its reasoning', async () => {
    const message = { role: 'assistant', content: null, reasoning: 'hm' };
    service.answers = [{ body: { choices: [{ index: 0, message, finish_reason: 'length' }] } }];
    expect(await generate(connect())).toEqual([
      { text: '', meta: { finish_reason: { type: 'length' }, reasoning_content: 'hm' } },
    ]);
  });

  test('takes the text of a program without roles only behind a proxy', async () => {
    service.answers = [{ body: answerOf('yes') }];
    const text: Prompt = { text: 'Q: go?', messages: [], images: [] };
    await generate(connect({ whole_text: true }), {}, text);
    expect(service.requests[0]?.body['messages']).toEqual([{ role: 'user', content: 'Q: go?' }]);
    await expect(generate(connect(), {}, text)).rejects.toThrow('right after sgl.assistant');
  });

  test('gets headers of the program, which take the place of ours', async () => {
    service.answers = [{ body: answerOf('x') }];
    await generate(connect({ default_headers: { 'X-Title': 'a', Authorization: 'Basic b' } }));
    expect(service.requests[0]?.headers).toMatchObject({
      'x-title': 'a',
      authorization: 'Basic b',
    });
  });

  test('keeps to a JSON schema, strictly where the schema allows it', async () => {
    service.answers = [{ body: answerOf('{}') }];
    const schema = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'] };
    await generate(connect(), { json_schema: JSON.stringify(schema) });
    expect(service.requests[0]?.body['response_format']).toEqual({
      type: 'json_schema',
      json_schema: {
        name: 'answer',
        schema: { ...schema, additionalProperties: false },
        strict: true,
      },
    });
  });

  test.each([
    [{ regex: 'a+' }, 'regular expression'],
    [{ dtype: 'int' }, 'dtype='],
    [{ ebnf: 'root ::= "a"' }, 'grammar'],
    [{ json_schema: 'nonsense' }, 'json_schema must be'],
  ])('refuses %j before any request', async (gen, message) => {
    await expect(generate(connect(), gen)).rejects.toThrow(message);
    expect(service.requests).toEqual([]);
  });

  test('refuses to go on within a message', async () => {
    const open = { role: 'assistant', text: 'Once ' };
    await expect(generate(connect(), {}, { ...chat, open })).rejects.toThrow(
      'sgl.gen must be right after sgl.assistant',
    );
    expect(service.requests).toEqual([]);
  });

  test('decides between choices by constrained output', async () => {
    service.answers = [{ body: answerOf('{"choice":"no"}') }];
    const picked = await connect().pickChoice?.(
      chat,
      ['yes', 'no'],
      'token_length_normalized',
      remember,
      never,
    );
    expect(picked).toMatchObject({ chosen: 1 });
    const format = service.requests[0]?.body['response_format'];
    expect(format.json_schema.schema.properties.choice.enum).toEqual(['yes', 'no']);
  });

  test('says so when a server ignores the choices or their method', async () => {
    service.answers = [{ body: answerOf('maybe') }];
    const pick = (method: string) =>
      connect().pickChoice?.(chat, ['yes', 'no'], method, remember, never);
    await expect(pick('token_length_normalized')).rejects.toThrow('ignores response_format');
    await expect(pick('greedy_token_selection')).rejects.toThrow('needs log probabilities');
    expect(service.requests).toHaveLength(1);
  });
});

test.each(['gpt-4o-mini', 'o3-mini'])('%s: no limit is left out', async (model) => {
  service.answers = [{ body: answerOf('x') }];
  const unlimited = resolveSampling({ max_new_tokens: null }, {}, []);
  await connect({ model }).generate(chat, unlimited, remember, never);
  expect(Object.keys(service.requests[0]?.body ?? {})).not.toContainEqual(
    expect.stringContaining('tokens'),
  );
});

test('reasoning models take their own parameters', async () => {
  service.answers = [{ body: answerOf('x') }];
  await generate(connect({ model: 'o3-mini' }), { temperature: 0.2, max_new_tokens: 7 });
  expect(Object.keys(service.requests[0]?.body ?? {})).toEqual([
    'model',
    'messages',
    'max_completion_tokens',
  ]);
  expect(notices).toEqual(['o3-mini takes no temperature: left out of its requests.']);
  await expect(generate(connect({ model: 'o1' }), { stop: ['x'] })).rejects.toThrow('stop');
});

test('Azure has its key in another header and a version in the path', async () => {
  service.answers = [{ body: answerOf('x') }];
  await generate(connect({ api_version: '2024-10-21' }, 'azure'));
  expect(service.requests[0]?.path).toBe('/v1/chat/completions?api-version=2024-10-21');
  expect(service.requests[0]?.headers['api-key']).toBe(KEY);
  await generate(connect({ api_key: null, token: 'entra' }, 'azure'), { top_k: 3 });
  expect(service.requests[1]?.headers.authorization).toBe('Bearer entra');
  expect(service.requests[1]?.headers['api-key']).toBeUndefined();
  expect(service.requests[1]?.body).not.toHaveProperty('top_k');
  expect(notices).toEqual(['gpt-4o-mini takes no top_k: left out of its requests.']);
});

describe('a completion model', () => {
  const options = { model: 'base', is_chat_model: false };
  const echo = (index: number, tokens: string[], logprobs: (number | null)[], at: number[]) => ({
    index,
    text: tokens.join(''),
    logprobs: { tokens, token_logprobs: logprobs, top_logprobs: [], text_offset: at },
  });

  test('gets the text', async () => {
    service.answers = [{ body: { choices: [{ text: ' b', index: 0, finish_reason: 'length' }] } }];
    const prompt = { text: 'a', messages: [], images: [] };
    const gen = { n: 1, top_k: 3, seed: 1 };
    expect(await generate(connect(options), gen, prompt)).toEqual([
      { text: ' b', meta: { finish_reason: { type: 'length' } } },
    ]);
    expect(service.requests[0]).toMatchObject({
      path: '/v1/completions',
      body: { prompt: 'a', top_k: 3, seed: 1 },
    });
  });

  test('writes text between quotation marks, and whole numbers of digits, as SGLang has it', async () => {
    service.answers = [{ body: { choices: [{ text: '24', index: 0, finish_reason: 'stop' }] } }];
    const prompt = { text: 'hours: ', messages: [], images: [] };
    const [text] = await generate(connect(options), { dtype: 'str', stop: '\n' }, prompt);
    expect(text?.text).toBe('"24"');
    expect(service.requests[0]?.body).toMatchObject({ prompt: 'hours: "', stop: ['"'] });
    // Any of OpenAI's own: only there the ids of the digits are known.
    const [number] = await generate(connect(options, 'azure'), { dtype: 'int' }, prompt);
    expect(number?.text).toBe('24');
    expect(service.requests[1]?.body).toMatchObject({
      prompt: 'hours: ',
      stop: [' '],
      logit_bias: { '15': 100, '24': 100, '220': 100, '100257': 100 },
    });
  });

  test.each<[JsonObject]>([[{ dtype: 'int' }], [{ dtype: 'float' }], [{ dtype: 'bool' }]])(
    'refuses %j on another server before any request',
    async (gen) => {
      const prompt = { text: 'a', messages: [], images: [] };
      await expect(generate(connect(options), gen, prompt)).rejects.toThrow('dtype=');
      expect(service.requests).toEqual([]);
    },
  );

  test('tells log probabilities as SGLang does', async () => {
    const logprobs = {
      tokens: ['a', 'b'],
      token_logprobs: [-1, -2],
      top_logprobs: [{ c: -3, a: -1 }, null],
    };
    service.answers = [{ body: { choices: [{ text: 'ab', index: 0, logprobs }] } }];
    const gen = { return_logprob: true, top_logprobs_num: 2 };
    const [answer] = await generate(connect(options), gen, { text: '', messages: [], images: [] });
    expect(service.requests[0]?.body['logprobs']).toBe(2);
    expect(answer?.meta).toEqual({
      output_token_logprobs: [
        [-1, -1, 'a'],
        [-2, -1, 'b'],
      ],
      output_top_logprobs: [
        [
          [-1, -1, 'a'],
          [-3, -1, 'c'],
        ],
        [],
      ],
    });
  });

  test('scores the choices by echo', async () => {
    const choices = [
      echo(0, ['Q:', ' yes'], [null, -0.5], [0, 2]),
      echo(1, ['Q:', ' no'], [null, -2], [0, 2]),
    ];
    service.answers = [{ body: { choices } }];
    const prompt = { text: 'Q:', messages: [], images: [] };
    const backend = connect(options);
    const found = await backend.scoreChoices(prompt, [' yes', ' no'], false, remember, never);
    expect(found.tokens).toEqual([[[-0.5, -1, ' yes']], [[-2, -1, ' no']]]);
    expect(service.requests[0]?.body).toMatchObject({ echo: true, logprobs: 1, max_tokens: 0 });
  });

  test('says so when a server gives no scores', async () => {
    service.answers = [{ body: { choices: [{ index: 0, text: 'Q: a', logprobs: null }] } }];
    const prompt = { text: 'Q:', messages: [], images: [] };
    await expect(
      connect(options).scoreChoices(prompt, [' a'], false, remember, never),
    ).rejects.toThrow('does not support echo');
  });
});

describe('a service in trouble', () => {
  const busy = {
    status: 429,
    headers: { 'retry-after': '0' },
    body: { error: { message: 'slow' } },
  };

  test('is asked again', async () => {
    service.answers = [busy, { body: answerOf('ok') }];
    expect((await generate(connect()))[0]?.text).toBe('ok');
    service.answers = [busy, { events: [chunk('ok', 'stop'), 'data: [DONE]\n\n'] }];
    expect(await stream(connect())).toEqual(['ok']);
    expect(service.requests).toHaveLength(4);
  });

  test('is given up in the end', async () => {
    service.answers = [busy];
    await expect(generate(connect({ max_retries: 1 }))).rejects.toThrow('answered 429: slow');
    expect(service.requests).toHaveLength(2);
  });

  test('never gets its key printed, nor asked again for a wrong one', async () => {
    service.answers = [{ status: 401, body: { error: { message: `Incorrect key: ${KEY}` } } }];
    const failure: unknown = await generate(connect()).catch((error: unknown) => error);
    const text = failure instanceof Error ? failure.message + JSON.stringify(failure) : '';
    expect(text).toContain('OPENAI_API_KEY');
    expect(text).not.toContain(KEY);
    expect(service.requests).toHaveLength(1);
  });

  test('is quoted as it is where the key only stands in for one', async () => {
    service.answers = [{ status: 404, body: { error: { message: 'no gpt-4o-mini' } } }];
    await expect(generate(connect({ api_key: '-' }))).rejects.toThrow('no gpt-4o-mini');
  });

  test('keeps the budget for what an abandoned stream may have used', async () => {
    service.answers = [{ events: [chunk('a')], stall: true }];
    const backend = connect({ token_budget: 150 });
    const params = resolveSampling({}, { max_new_tokens: 60 }, []);
    for await (const _ of backend.generateStream(chat, params, remember, never)) break;
    await expect(generate(backend, { max_new_tokens: 60 })).rejects.toThrow('token_budget=150');
  });

  test.each<[string, object, string]>([
    ['garbage', { body: '<html>' }, 'did not answer with JSON'],
    ['another type', { body: [1] }, 'Check base_url'],
    ['no choices', { body: {} }, 'Check base_url'],
    ['choices of a wrong type', { body: { choices: [7] } }, 'Check base_url'],
    ['an error with status 200', { body: { error: { message: 'no model' } } }, 'no model'],
    ['half an answer', { body: '{"choices":', cut: true }, 'was lost'],
  ])('answers %s', async (_, answer, message) => {
    service.answers = [answer];
    await expect(generate(connect({ max_retries: 0 }))).rejects.toThrow(message);
  });

  test.each<[string, string[], string]>([
    ['half an event', [chunk('a'), 'data: {"choi'], 'ended before it was complete'],
    ['garbage', [chunk('a'), 'data: <html>\n\n'], 'did not answer with JSON'],
    ['an error', [chunk('a'), sse({ error: { message: 'overloaded' } })], 'overloaded'],
    ['nothing of use', [sse({}), 'data: [DONE]\n\n'], 'Check base_url'],
  ])('streams %s', async (_, events, message) => {
    service.answers = [{ events }];
    await expect(stream(connect({ max_retries: 0 }))).rejects.toThrow(message);
  });

  test('that stalls meets its deadline, or the interrupt', async () => {
    service.answers = [{ events: [chunk('a')], stall: true }];
    await expect(stream(connect({ deadline: 0.05 }))).rejects.toThrow('within 0.05 seconds');
    const abort = new AbortController();
    const params = resolveSampling({}, {}, []);
    const pieces = connect().generateStream(chat, params, remember, abort.signal);
    await pieces[Symbol.asyncIterator]().next();
    abort.abort();
    await expect(pieces[Symbol.asyncIterator]().next()).rejects.toThrow('cancelled');
  });
});
