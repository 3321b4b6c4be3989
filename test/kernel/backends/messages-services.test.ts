/** Conformance with Anthropic's and Google's APIs, against servers that answer in their shapes. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Backend, Prompt, SentRequest } from '../../../extension/kernel/backends/backend.ts';
import { createServiceBackend } from '../../../extension/kernel/backends/service-backends.ts';
import { resolveSampling } from '../../../extension/kernel/sglang/sampling-params.ts';
import type { JsonObject } from '../../../extension/protocol/kernel-protocol.ts';
import { RecordedService, sse } from '../../support/recorded-service.ts';

const never = new AbortController().signal;
const seen: SentRequest[] = [];
const remember = (request: SentRequest): number => seen.push(request);
const image = { type: 'image_url', image_url: { url: 'data:image/jpeg;base64,YQ==' } };
const prompt: Prompt = {
  text: '',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: [{ type: 'text', text: 'hi' }, image] },
    { role: 'assistant', content: 'yes?' },
    { role: 'user', content: 'go' },
  ],
  images: ['YQ=='],
  open: { role: 'assistant', text: '' },
};
const schema = { type: 'object', properties: { a: { type: 'string' } } };

let service: RecordedService;
let url: string;
let close: () => Promise<void>;

beforeEach(async () => {
  service = new RecordedService();
  url = await service.listen();
});
afterEach(async () => {
  await close();
  await service.close();
});

let notices: string[];

function connect(kind: string, given: JsonObject = {}): Backend {
  notices = [];
  const options = { model: 'model-1', api_key: 'key-123', max_retries: 0, ...given };
  const notice = (text: string): number => notices.push(text);
  const { backend, client } = createServiceBackend(kind, url, options, undefined, notice);
  close = () => client.close();
  return backend;
}

const generate = (backend: Backend, gen: JsonObject = {}) =>
  backend.generate(prompt, resolveSampling({}, gen, []), remember, never);

async function stream(backend: Backend): Promise<string> {
  let latest = '';
  const params = resolveSampling({}, {}, []);
  for await (const { text } of backend.generateStream(prompt, params, remember, never)) {
    latest = text;
  }
  return latest;
}

/** A program without roles. */
const plain: Prompt = { text: '<image>Q: go?\nA:', messages: [], images: ['/9j/YQ=='] };

const pick = (backend: Backend, method = 'token_length_normalized') =>
  backend.pickChoice?.(prompt, ['x', 'y'], method, remember, never);

describe('Anthropic', () => {
  const answerOf = (block: object) => ({
    id: 'msg_1',
    type: 'message',
    role: 'assistant',
    content: [block],
    stop_reason: 'end_turn',
    usage: { input_tokens: 12, output_tokens: 3 },
  });

  test('gets the system message apart, and images as blocks', async () => {
    service.answers = [{ body: answerOf({ type: 'text', text: 'Hi.' }) }];
    const backend = connect('anthropic');
    const meta = { prompt_tokens: 12, completion_tokens: 3, finish_reason: { type: 'end_turn' } };
    expect(await generate(backend, { stop: 'END' })).toEqual([{ text: 'Hi.', meta }]);
    const [request] = service.requests;
    expect(request?.path).toBe('/v1/messages');
    expect(request?.headers).toMatchObject({
      'x-api-key': 'key-123',
      'anthropic-version': '2023-06-01',
    });
    const source = { type: 'base64', media_type: 'image/jpeg', data: 'YQ==' };
    expect(request?.body).toEqual({
      model: 'model-1',
      system: 'Be brief.',
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'hi' },
            { type: 'image', source },
          ],
        },
        { role: 'assistant', content: 'yes?' },
        { role: 'user', content: 'go' },
      ],
      max_tokens: 128,
      stop_sequences: ['END'],
    });
  });

  test('keeps to a schema, and decides, with a tool', async () => {
    const use = (input: object) => answerOf({ type: 'tool_use', id: 't', name: 'answer', input });
    service.answers = [{ body: use({ a: 'b' }) }, { body: use({ choice: 'y' }) }];
    const backend = connect('anthropic');
    const [answer] = await generate(backend, { json_schema: JSON.stringify(schema) });
    expect(answer?.text).toBe('{"a":"b"}');
    expect(service.requests[0]?.body).toMatchObject({
      tools: [{ name: 'answer', input_schema: schema }],
      tool_choice: { type: 'tool', name: 'answer' },
    });
    expect(await pick(backend)).toMatchObject({ chosen: 1 });
    await expect(pick(backend, 'greedy_token_selection')).rejects.toThrow('log probabilities');
    await expect(generate(backend, { regex: 'a' })).rejects.toThrow('regular expression');
    await expect(generate(backend, { n: 2 })).rejects.toThrow('n must be 1');
    expect(service.requests).toHaveLength(2);
  });

  const start = sse({ type: 'message_start', message: { usage: { input_tokens: 5 } } });
  const delta = (text: string) =>
    sse({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
  const stop = sse({ type: 'message_stop' }, 'message_stop');

  test('streams', async () => {
    const end = { type: 'message_delta', delta: { stop_reason: 'end_turn' } };
    const last = sse({ ...end, usage: { output_tokens: 2 } });
    service.answers = [{ events: [start, delta('He'), delta('llo'), last, stop] }];
    const backend = connect('anthropic');
    expect(await stream(backend)).toBe('Hello');
    expect(await backend.serverInfo(never)).toMatchObject({
      token_usage: { prompt_tokens: 5, completion_tokens: 2 },
    });
  });

  test('counts the tokens of a stream once, however often it tells them', async () => {
    const told = (tokens: number) =>
      sse({ type: 'message_delta', delta: {}, usage: { output_tokens: tokens } });
    service.answers = [{ events: [start, delta('a'), told(3), delta('b'), told(7), stop] }];
    const backend = connect('anthropic');
    await stream(backend);
    expect(await backend.serverInfo(never)).toMatchObject({
      token_usage: { prompt_tokens: 5, completion_tokens: 7 },
    });
  });

  test('takes the text of a program without roles as one message', async () => {
    service.answers = [{ body: answerOf({ type: 'text', text: 'yes' }) }];
    await connect('anthropic').generate(plain, resolveSampling({}, {}, []), remember, never);
    expect(service.requests[0]?.body['messages']).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'base64', media_type: 'image/jpeg', data: '/9j/YQ==' } },
          { type: 'text', text: 'Q: go?\nA:' },
        ],
      },
    ]);
  });

  test('decides with models that take no temperature, and asks them only once', async () => {
    const message = '`temperature` is deprecated for this model.';
    const error = { type: 'error', error: { type: 'invalid_request_error', message } };
    const use = answerOf({ type: 'tool_use', id: 't', name: 'answer', input: { choice: 'y' } });
    service.answers = [{ status: 400, body: error }, { body: use }];
    const backend = connect('anthropic');
    expect(await pick(backend)).toMatchObject({ chosen: 1 });
    expect(await pick(backend)).toMatchObject({ chosen: 1 });
    expect(service.requests.map(({ body }) => body['temperature'])).toEqual([
      0,
      undefined,
      undefined,
    ]);
  });

  test.each<[JsonObject, string]>([
    [{ stop: '\n' }, 'only blanks or line ends'],
    [{ json_schema: '{"type": "array"}' }, 'must be one of {"type": "object"}'],
  ])('refuses %j before any request', async (gen, message) => {
    await expect(generate(connect('anthropic'), gen)).rejects.toThrow(message);
    expect(service.requests).toEqual([]);
  });

  test('says once what it leaves out', async () => {
    service.answers = [{ body: answerOf({ type: 'text', text: 'a' }) }];
    const backend = connect('anthropic');
    await generate(backend, { min_p: 0.1, seed: 1, presence_penalty: 0 });
    await generate(backend, { min_p: 0.1 });
    expect(notices).toEqual(['model-1 takes no min_p, seed: left out of its requests.']);
  });

  test('has gateways know the user by a token', async () => {
    service.answers = [{ body: answerOf({ type: 'text', text: 'a' }) }];
    await generate(connect('anthropic', { api_key: null, token: 'token-1' }));
    expect(service.requests[0]?.headers).toMatchObject({
      authorization: 'Bearer token-1',
      'anthropic-version': '2023-06-01',
    });
    expect(service.requests[0]?.headers['x-api-key']).toBeUndefined();
  });

  test.each<[string, object, string]>([
    ['a stream that ends early', { events: [start, delta('a')] }, 'ended before'],
    ['an error in a stream', { events: [sse({ error: { message: 'Overloaded' } })] }, 'Overloaded'],
  ])('%s', async (_, answer, message) => {
    service.answers = [answer];
    await expect(stream(connect('anthropic'))).rejects.toThrow(message);
  });
});

describe('Gemini', () => {
  const answerOf = (text: string, finishReason: string | null = 'STOP') => ({
    candidates: [
      {
        content: { role: 'model', parts: [{ text }] },
        ...(finishReason === null ? {} : { finishReason }),
      },
    ],
    usageMetadata: { promptTokenCount: 4, candidatesTokenCount: 1 },
  });

  test('gets contents, and answers', async () => {
    service.answers = [{ body: answerOf('Hi.') }];
    const meta = { prompt_tokens: 4, completion_tokens: 1, finish_reason: { type: 'stop' } };
    const gen = { json_schema: JSON.stringify(schema), n: 2 };
    expect(await generate(connect('gemini'), gen)).toEqual([{ text: 'Hi.', meta }]);
    const [request] = service.requests;
    expect(request?.path).toBe('/models/model-1:generateContent');
    expect(request?.headers['x-goog-api-key']).toBe('key-123');
    expect(request?.body).toEqual({
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [
        {
          role: 'user',
          parts: [{ text: 'hi' }, { inlineData: { mimeType: 'image/jpeg', data: 'YQ==' } }],
        },
        { role: 'model', parts: [{ text: 'yes?' }] },
        { role: 'user', parts: [{ text: 'go' }] },
      ],
      generationConfig: {
        maxOutputTokens: 128,
        temperature: 1,
        topP: 1,
        candidateCount: 2,
        responseMimeType: 'application/json',
        responseJsonSchema: schema,
      },
    });
  });

  test('no limit is left out; Anthropic needs one', async () => {
    service.answers = [{ body: answerOf('Hi.') }];
    const unlimited = resolveSampling({ max_new_tokens: null }, {}, []);
    await connect('gemini').generate(plain, unlimited, remember, never);
    expect(service.requests[0]?.body['generationConfig']).toEqual({ temperature: 1, topP: 1 });
    await expect(connect('anthropic').generate(plain, unlimited, remember, never)).rejects.toThrow(
      'max_new_tokens must be a number',
    );
    expect(service.requests).toHaveLength(1);
  });

  test('streams, and counts the tokens once', async () => {
    service.answers = [{ events: [sse(answerOf('He', null)), sse(answerOf('llo'))] }];
    const backend = connect('gemini');
    expect(await stream(backend)).toBe('Hello');
    expect(service.requests[0]?.path).toBe('/models/model-1:streamGenerateContent?alt=sse');
    expect(await backend.serverInfo(never)).toMatchObject({
      token_usage: { prompt_tokens: 4, completion_tokens: 1 },
    });
  });

  test('decides between choices; Vertex AI has a bearer token', async () => {
    service.answers = [{ body: answerOf('{"choice":"x"}') }];
    expect(await pick(connect('vertex'))).toMatchObject({ chosen: 0 });
    expect(service.requests[0]?.headers.authorization).toBe('Bearer key-123');
  });

  test('says why nothing came', async () => {
    service.answers = [{ body: { promptFeedback: { blockReason: 'SAFETY' } } }];
    await expect(generate(connect('gemini'))).rejects.toThrow('refused the prompt: SAFETY');
    service.answers = [{ events: [sse(answerOf('a', null))] }];
    await expect(stream(connect('gemini'))).rejects.toThrow('ended before');
  });

  test('counts thoughts, which are billed as the answer', async () => {
    const usageMetadata = { promptTokenCount: 4, candidatesTokenCount: 1, thoughtsTokenCount: 20 };
    service.answers = [{ body: { ...answerOf('Hi.'), usageMetadata } }];
    const backend = connect('gemini');
    const [answer] = await generate(backend, { seed: 7 });
    expect(answer?.meta['completion_tokens']).toBe(21);
    expect(service.requests[0]?.body['generationConfig']).toMatchObject({ seed: 7 });
    expect(notices).toEqual([]);
  });

  test('takes the text of a program without roles as one message', async () => {
    service.answers = [{ body: answerOf('yes') }];
    await connect('gemini', { model: 'models/flash' }).generate(
      { ...plain, images: [], text: 'Q: go?' },
      resolveSampling({}, {}, []),
      remember,
      never,
    );
    expect(service.requests[0]?.path).toBe('/models/flash:generateContent');
    expect(service.requests[0]?.body['contents']).toEqual([
      { role: 'user', parts: [{ text: 'Q: go?' }] },
    ]);
  });

  test('says why an answer was kept back, but lets one be empty', async () => {
    service.answers = [{ body: { candidates: [{ finishReason: 'SAFETY' }] } }];
    await expect(generate(connect('gemini'))).rejects.toThrow('model-1 gave no answer: SAFETY');
    service.answers = [{ events: [sse({ candidates: [{ finishReason: 'RECITATION' }] })] }];
    await expect(stream(connect('gemini'))).rejects.toThrow('gave no answer: RECITATION');
    service.answers = [{ body: { candidates: [{ content: {}, finishReason: 'MAX_TOKENS' }] } }];
    expect((await generate(connect('gemini')))[0]?.text).toBe('');
  });
});
