/** `num_api_spec_tokens`: what is asked of OpenAI's API, and what programs get. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { BridgeMessage, HostBridge } from '../../../extension/kernel/guest/guest.ts';
import { createHostBridge } from '../../../extension/kernel/guest/host-bridge.ts';
import type { JsonObject, JsonValue } from '../../../extension/protocol/kernel-protocol.ts';
import { RecordedService } from '../../support/recorded-service.ts';

const never = new AbortController().signal;
const FORM = 'Name: Ann.\nBirthday: 1 May.\nJob: pilot.\nWelcome.\n';

let service: RecordedService;
let url: string;
let bridge: HostBridge;
beforeEach(async () => {
  service = new RecordedService();
  url = await service.listen();
  bridge = createHostBridge({ emit: () => {}, onGen: () => {}, cwd: '.', defaultEndpoint: null });
});
afterEach(async () => {
  await bridge.dispose();
  await service.close();
});

async function ask(message: BridgeMessage): Promise<JsonValue> {
  const reply = await bridge.call(message, never);
  if ('error' in reply) throw new Error(reply.error.message);
  return reply.ok;
}

/** A state on a backend, with speculation; its number is 1. */
async function begin(chat: boolean, more: JsonObject = {}): Promise<void> {
  const options = { model: 'm', is_chat_model: chat, max_retries: 0 };
  const connected = await ask({ op: 'backend', kind: 'openai', url, options });
  // SAFETY: the answer of `backend`.
  const { id } = connected as { id: number };
  const base = { op: 'new', sid: 1, backend: id, program: 'p', stream: false, sampling: {} };
  bridge.post({ ...base, speculate: 64, ...more });
}

const append = (...exprs: JsonObject[]): void => bridge.post({ op: 'submit', sid: 1, exprs });
const text = (value: string): JsonObject => ({ t: 'text', v: value });
const gen = (name: string, sampling: JsonObject = { stop: '\n' }): JsonObject => ({
  t: 'gen',
  name,
  sampling,
  at: null,
});

async function value(name: string): Promise<JsonValue> {
  const answer = (await ask({ op: 'get', sid: 1, name })) as JsonObject;
  if (answer['status'] === 'value') return answer['value'] ?? null;
  throw new Error(JSON.stringify(answer));
}

describe('a completion model', () => {
  const completion = (content: string, tokens: number) => ({
    body: {
      choices: [{ index: 0, text: content, finish_reason: 'stop' }],
      usage: { prompt_tokens: 5, completion_tokens: tokens },
    },
  });
  const lines = [
    text('Name:'),
    gen('name'),
    text('\nBirthday:'),
    gen('birthday'),
    text('\nJob:'),
    gen('job'),
    text('\nWelcome.\n'),
  ];

  test('one request serves the gens that follow, while the program agrees with it', async () => {
    service.answers = [completion(FORM.slice('Name:'.length), 30)];
    await begin(false);
    append(...lines);
    expect([await value('name'), await value('birthday'), await value('job')]).toEqual([
      ' Ann.',
      ' 1 May.',
      ' pilot.',
    ]);
    expect(await ask({ op: 'text', sid: 1 })).toBe(FORM);
    expect(service.requests.map(({ body }) => body)).toEqual([
      expect.objectContaining({ prompt: 'Name:', max_tokens: 128 }),
    ]);
    expect(service.requests[0]?.body).not.toHaveProperty('stop');
    expect(await ask({ op: 'meta', sid: 1, name: 'job', timeout: null })).toEqual({});
  });

  test('where the program writes something else, it is asked again from there', async () => {
    service.answers = [completion(' Ann.\nAge: 3\n', 8), completion(' 2 June.\nJob: cook.\n', 9)];
    await begin(false);
    append(...lines);
    expect([await value('birthday'), await value('job')]).toEqual([' 2 June.', ' cook.']);
    expect(service.requests.map(({ body }) => body['prompt'])).toEqual([
      'Name:',
      'Name: Ann.\nBirthday:',
    ]);
  });

  test('a gen gets no more tokens than it wants', async () => {
    service.answers = [completion(' a long story without a line end', 60), completion(' a', 1)];
    await begin(false);
    append(gen('short', { max_new_tokens: 1 }));
    expect(await value('short')).toBe(' a');
    expect(service.requests.map(({ body }) => body['max_tokens'])).toEqual([64, 1]);
  });

  test('another temperature, or several answers, is another request', async () => {
    service.answers = [completion(' x\ny\nz\n', 6)];
    await begin(false);
    append(gen('a'), text('\n'), gen('b', { stop: '\n', temperature: 0 }), gen('c', { n: 2 }));
    await value('c');
    expect(service.requests.map(({ body }) => body['temperature'])).toEqual([1, 0, 1]);
  });
});

describe('a chat model', () => {
  const message = (content: string) => ({
    body: { choices: [{ index: 0, message: { role: 'assistant', content } }] },
  });
  const block = [
    { t: 'begin', role: 'user' },
    text('Someone new.'),
    { t: 'end', role: 'user' },
    { t: 'begin', role: 'assistant' },
    text('Name:'),
    gen('name'),
    text('\nBirthday:'),
    gen('birthday'),
    text('\nJob:'),
    gen('job', { stop: ['\n'] }),
    { t: 'end', role: 'assistant' },
  ];

  test('one request for a message with several gens', async () => {
    service.answers = [message(FORM)];
    await begin(true);
    append(...block);
    expect([await value('name'), await value('job')]).toEqual([' Ann.', ' pilot.']);
    expect(service.requests.map(({ body }) => [body['messages'], body['max_tokens']])).toEqual([
      [[{ role: 'user', content: 'Someone new.' }], 64],
    ]);
    expect((await ask({ op: 'messages', sid: 1 })) as JsonValue[]).toContainEqual({
      role: 'assistant',
      content: 'Name: Ann.\nBirthday: 1 May.\nJob: pilot.',
    });
  });

  test('the last gen may end with the message', async () => {
    service.answers = [message('Name: Ann.\nBirthday: 1 May.\nJob: pilot')];
    await begin(true);
    append(...block);
    expect(await value('job')).toBe(' pilot');
    expect(service.requests).toHaveLength(1);
  });

  test('an answer in another form is asked for again; three of them are an error', async () => {
    service.answers = [message('Sure!'), message(FORM)];
    await begin(true);
    append(...block);
    expect(await value('birthday')).toBe(' 1 May.');
    expect(service.requests).toHaveLength(2);
  });

  test('three answers in another form are an error that shows the last', async () => {
    service.answers = [message('Sure! Here you go')];
    await begin(true);
    append(...block);
    await expect(value('name')).rejects.toThrow(/form of the program .*Sure! Here you go/);
    expect(service.requests).toHaveLength(3);
  });

  test('not with a stream', async () => {
    await begin(true, { stream: true });
    append(...block);
    await expect(value('name')).rejects.toThrow(/cannot be used with stream=True/);
    expect(service.requests).toEqual([]);
  });
});
