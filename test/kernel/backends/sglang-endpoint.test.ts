import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { GenerateParams, SentRequest } from '../../../extension/kernel/backends/backend.ts';
import { HttpClient } from '../../../extension/kernel/backends/http.ts';
import { SglangEndpoint } from '../../../extension/kernel/backends/sglang-endpoint.ts';
import { resolveSampling } from '../../../extension/kernel/sglang/sampling-params.ts';
import { MockSglangServer, type MockOptions } from '../sglang/support/mock-sglang-server.ts';

const signal = new AbortController().signal;
const ignore = (): void => undefined;
let server: MockSglangServer;
let client: HttpClient;

beforeEach(() => {
  client = new HttpClient();
});

afterEach(async () => {
  await client.close();
  await server.close();
});

async function connect(options: MockOptions = {}): Promise<SglangEndpoint> {
  server = new MockSglangServer(options);
  const endpoint = await SglangEndpoint.connect(`${await server.listen()}/`, client, signal);
  server.requests.length = 0;
  return endpoint;
}

const prompt = (text: string, images: string[] = []) => ({ text, messages: [], images });
const params = (gen = {}): GenerateParams => resolveSampling({}, gen, []);

test('connecting asks for the model', async () => {
  server = new MockSglangServer();
  const endpoint = await SglangEndpoint.connect(`${await server.listen()}/`, client, signal);
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'GET /get_model_info',
  ]);
  expect(endpoint.modelPath).toBe('Qwen/Qwen2.5-1.5B-Instruct');
  expect(endpoint.url.endsWith('/')).toBe(false);
});

describe('the body of a gen', () => {
  test("has exactly the frontend's keys in its order", async () => {
    const endpoint = await connect();
    await endpoint.generate(prompt('hi'), params(), ignore, signal);
    expect(JSON.stringify(server.requests[0]?.body)).toBe(
      '{"text":"hi","sampling_params":{"skip_special_tokens":true,"spaces_between_special_tokens":true,' +
        '"max_new_tokens":128,"min_new_tokens":0,"stop":[],"stop_token_ids":[],"temperature":1,"top_p":1,' +
        '"top_k":-1,"min_p":0,"frequency_penalty":0,"presence_penalty":0,"ignore_eos":false,"regex":null,' +
        '"json_schema":null}}',
    );
  });

  test('later parameters are sent only when they are set', async () => {
    const endpoint = await connect();
    const gen = { n: 2, stop_regex: 'b+', return_logprob: true, top_logprobs_num: 2 };
    expect(await endpoint.generate(prompt('hi'), params(gen), ignore, signal)).toHaveLength(2);
    const body = server.requests[0]?.body as { sampling_params: object };
    expect(Object.keys(body)).toEqual([
      'text',
      'sampling_params',
      'return_logprob',
      'top_logprobs_num',
    ]);
    expect(body.sampling_params).toMatchObject({ n: 2, stop_regex: 'b+' });
  });

  test('extensions go under the names of the server', async () => {
    const endpoint = await connect();
    const gen = { ebnf: 'root ::= "a"', repetition_penalty: 1.1, seed: 7 };
    await endpoint.generate(prompt('hi'), params(gen), ignore, signal);
    expect(server.requests[0]?.body).toMatchObject({
      sampling_params: { ebnf: 'root ::= "a"', repetition_penalty: 1.1, sampling_seed: 7 },
    });
  });

  test('one image is text, several are a list; the record leaves their data out', async () => {
    const endpoint = await connect();
    const seen: SentRequest[] = [];
    const remember = (request: SentRequest): number => seen.push(request);
    await endpoint.generate(prompt('hi', ['YQ==']), params(), remember, signal);
    await endpoint.generate(prompt('hi', ['YQ==', 'Yg==']), params(), remember, signal);
    const sent = server.requests.map(({ body }) => (body as { image_data: unknown }).image_data);
    expect(sent).toEqual(['YQ==', ['YQ==', 'Yg==']]);
    expect(seen[0]?.body).toMatchObject({ image_data: '(4 characters of base64)' });
  });
});

test('a stream yields the growing text', async () => {
  const endpoint = await connect();
  const texts: string[] = [];
  for await (const { text } of endpoint.generateStream(prompt('hi'), params(), ignore, signal))
    texts.push(text);
  expect(texts).toEqual([' Paris', ' Paris is', ' Paris is nice']);
  expect(server.requests[0]?.body).toMatchObject({ stream: true });
});

test("an error inside a stream keeps the server's words", async () => {
  const endpoint = await connect({ answer: '' });
  server.failure = { status: 200, body: { error: { message: 'out of memory' } } };
  await expect(endpoint.generate(prompt('hi'), params(), ignore, signal)).rejects.toThrow(
    'out of memory',
  );
});

test("choices behind SGLang's router, which refuses lists, are asked one by one from then on", async () => {
  const lists = await connect();
  const choices = [' Paris', ' London town'];
  const asked = { ...prompt('The capital is', ['YQ==', 'Yg==']) };
  const expected = await lists.scoreChoices(asked, choices, true, ignore, signal);
  await server.close();
  const endpoint = await connect({ refusesLists: true });
  expect(await endpoint.scoreChoices(asked, choices, true, ignore, signal)).toEqual(expected);
  const bodies = () => server.requests.map(({ body }) => body as Record<string, unknown>);
  expect(bodies().map(({ text, input_ids }) => text ?? typeof input_ids)).toEqual([
    'The capital is',
    ['The capital is Paris', 'The capital is London town'],
    'The capital is Paris',
    'The capital is London town',
    'object',
    'object',
  ]);
  expect(bodies().slice(2, 4)).toEqual([
    expect.objectContaining({ image_data: ['YQ==', 'Yg=='] }),
    expect.objectContaining({ image_data: ['YQ==', 'Yg=='] }),
  ]);
  server.requests.length = 0;
  await endpoint.scoreChoices(asked, choices, false, ignore, signal);
  expect(bodies().map(({ text }) => text)).toEqual([
    'The capital is',
    'The capital is Paris',
    'The capital is London town',
  ]);
});

describe.each(['2024', '2025'] as const)(
  'choices, log probabilities as servers of %s send them',
  (layout) => {
    const score = async (text: string, choices: string[], unconditional = false) => {
      const endpoint = await connect({ logprobLayout: layout });
      return endpoint.scoreChoices(prompt(text), choices, unconditional, ignore, signal);
    };
    const texts = (evidence: Awaited<ReturnType<typeof score>>) =>
      evidence.tokens.map((tokens) => tokens.map(([, , text]) => text));

    test('a prompt that ends in a blank is tokenised anew with the choice', async () => {
      const evidence = await score('The capital of France is ', ['Paris', 'London town']);
      expect(texts(evidence)).toEqual([[' Paris'], [' London', ' town']]);
      expect(server.requests[1]?.body).toMatchObject({
        logprob_start_len: 4,
        return_text_in_logprobs: true,
      });
    });

    test('the unchanged last token of the prompt is left out', async () => {
      const evidence = await score('The capital of France is', [' Paris', ' London town']);
      expect(texts(evidence)).toEqual([[' Paris'], [' London', ' town']]);
    });

    test('unconditional log probabilities belong to the same tokens', async () => {
      const evidence = await score('The capital is', [' Paris', ' London town'], true);
      const ids = (rows: typeof evidence.tokens) => rows.map((row) => row.map(([, id]) => id));
      expect(ids(evidence.unconditional!)).toEqual(ids(evidence.tokens));
      expect(server.requests[2]?.body).toMatchObject({ logprob_start_len: 0 });
    });

    test('what cannot be scored is said, not divided by', async () => {
      await expect(score('', ['Paris'])).rejects.toThrow('cannot score the choice "Paris"');
      await server.close();
      await expect(score('The capital is', [''])).rejects.toThrow('cannot score the choice ""');
    });
  },
);
