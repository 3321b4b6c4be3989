import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  createHostBridge,
  type HostBridgeOptions,
} from '../../../extension/kernel/guest/host-bridge.ts';
import type {
  BridgeMessage,
  BridgeReply,
  HostBridge,
} from '../../../extension/kernel/guest/guest.ts';
import type { GenRecord, KernelOutput } from '../../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from './support/mock-sglang-server.ts';

let server: MockSglangServer;
let bridge: HostBridge;
let outputs: KernelOutput[];
let records: GenRecord[];
let backend: number;
const never = new AbortController().signal;

function open(options: Partial<HostBridgeOptions> = {}): HostBridge {
  [outputs, records] = [[], []];
  return createHostBridge({
    emit: (output) => outputs.push(output),
    onGen: (record) => records.push(record),
    cwd: '.',
    defaultEndpoint: null,
    ...options,
  });
}

beforeEach(async () => {
  server = new MockSglangServer();
  const url = await server.listen();
  bridge = open();
  const connected = await ask({ op: 'backend', kind: 'sglang', url, options: {} });
  backend = (connected as { id: number }).id;
});

afterEach(async () => {
  await bridge.dispose();
  await server.close();
});

async function ask(message: BridgeMessage, signal = never): Promise<unknown> {
  const reply = await bridge.call(message, signal);
  if ('error' in reply) throw new Error(`${reply.error.pythonType}: ${reply.error.message}`);
  return reply.ok;
}

function begin(sid: number, stream = false): void {
  bridge.post({ op: 'new', sid, backend, program: 'p', stream, sampling: {} });
}

function submit(
  sid: number,
  ...exprs: { t: string; [key: string]: string | object | null }[]
): void {
  bridge.post({ op: 'submit', sid, exprs: exprs as never });
}

const text = (v: string) => ({ t: 'text', v });
const gen = (name: string | null) => ({ t: 'gen', name, sampling: {}, at: ['<cell 1#1>', 3] });

describe('messages', () => {
  test('a program from start to end', async () => {
    begin(1);
    submit(1, text('The capital is'), gen('city'));
    expect(await ask({ op: 'get', sid: 1, name: 'city', outer: false })).toEqual({
      status: 'value',
      value: ' Paris is nice',
    });
    expect(await ask({ op: 'text', sid: 1 })).toBe('The capital is Paris is nice');
    expect(await ask({ op: 'meta', sid: 1, name: 'city', timeout: null })).toMatchObject({
      prompt_tokens: 3,
    });
    expect(await ask({ op: 'meta', sid: 1, name: 'none', timeout: 1 })).toBeNull();
    expect(await ask({ op: 'error', sid: 1 })).toBeNull();
  });

  test('fork computes the shared text once, when there are several and there is some', async () => {
    const prefills = () =>
      server.requests.filter((r) => JSON.stringify(r.body).includes('"max_new_tokens":0')).length;
    begin(1);
    await ask({ op: 'fork', sid: 1, ids: [2, 3] });
    expect(prefills()).toBe(0);
    submit(1, text('shared'));
    await ask({ op: 'fork', sid: 1, ids: [4] });
    expect(prefills()).toBe(0);
    await ask({ op: 'fork', sid: 1, ids: [5, 6] });
    expect(prefills()).toBe(1);
  });

  test('join answers the variables of each child', async () => {
    begin(1);
    await ask({ op: 'fork', sid: 1, ids: [2, 3] });
    submit(2, gen('a'));
    submit(3, gen(null));
    expect(await ask({ op: 'join', sid: 1, ids: [2, 3], mode: 'gather_variable' })).toEqual([
      { variables: { a: ' Paris is nice' }, unnamed: null, error: null },
      { variables: {}, unnamed: ' Paris is nice', error: null },
    ]);
  });

  test('a wait for meta information ends in time', async () => {
    const waiting = new AbortController();
    bridge = open({});
    const url = `http://127.0.0.1:${server.port}`;
    backend = ((await ask({ op: 'backend', kind: 'sglang', url, options: {} })) as { id: number })
      .id;
    begin(1);
    submit(1, gen('x'));
    const meta = ask({ op: 'meta', sid: 1, name: 'x', timeout: 0 }, waiting.signal);
    await expect(meta).rejects.toThrow("TimeoutError: Timeout while waiting for event 'x'");
  });

  test('outputs pass through in order', () => {
    const output = { kind: 'stream', name: 'stdout', text: 'hi' } as const;
    bridge.post({ op: 'output', output });
    expect(outputs).toEqual([output]);
  });

  test('positions of gens become cells', async () => {
    bridge = open({
      cellOf: (file) => (file === '<cell 1#1>' ? 'id-1' : null),
      defaultEndpoint: `http://127.0.0.1:${server.port}`,
    });
    backend = ((await ask({ op: 'default_backend' })) as { id: number }).id;
    begin(1);
    submit(1, gen('x'));
    await ask({ op: 'sync', sid: 1 });
    expect(records).toMatchObject([
      { program: 'p', name: 'x', cellId: 'id-1', line: 3, error: null },
    ]);
    expect(records[0]?.request?.body).toMatchObject({ text: '' });
  });
});

describe('trouble', () => {
  test('unknown calls, states and backends are answered, never thrown', async () => {
    await expect(ask({ op: 'nope' })).rejects.toThrow('RuntimeError: Unknown bridge call "nope".');
    await expect(ask({ op: 'text', sid: 99 })).rejects.toThrow('earlier session');
    await expect(ask({ op: 'flush_cache', backend: 99 })).rejects.toThrow('earlier session');
    await expect(ask({ op: 'text' })).rejects.toThrow('needs "sid" to be a number');
    await expect(ask({ op: 'toString' })).rejects.toThrow('Unknown bridge call');
  });

  test('a post that cannot be handled is said on stderr', () => {
    bridge.post({ op: 'submit', sid: 99, exprs: [] });
    bridge.post({ op: 'nope' });
    expect(outputs).toHaveLength(2);
    expect(outputs[0]).toMatchObject({ kind: 'stream', name: 'stderr' });
  });

  test('a malformed expression fails its state, not the kernel', async () => {
    begin(1);
    submit(1, { t: 'warp' });
    expect(await ask({ op: 'error', sid: 1 })).toMatchObject({ type: 'TypeError' });
  });

  test('a model without a known chat template is pointed out', async () => {
    const plain = new MockSglangServer({ model: 'gpt2' });
    const url = await plain.listen();
    await ask({ op: 'backend', kind: 'sglang', url, options: {} });
    expect(outputs).toMatchObject([
      { kind: 'display', data: { 'application/vnd.sglang.notice+json': { severity: 'warning' } } },
    ]);
    await ask({ op: 'backend', kind: 'sglang', url, options: { chat_template_name: 'default' } });
    expect(outputs).toHaveLength(1);
    await plain.close();
  });

  test('no default backend', async () => {
    expect(await ask({ op: 'default_backend' })).toBeNull();
  });

  test('processes are the business of whoever offers them', async () => {
    await expect(ask({ op: 'shell', command: 'ls', capture: false })).rejects.toThrow(
      'NotImplementedError',
    );
    const processCall = async (message: BridgeMessage): Promise<BridgeReply> => ({
      ok: message['command']!,
    });
    bridge = open({ processCall });
    expect(await ask({ op: 'shell', command: 'ls', capture: false })).toBe('ls');
  });
});

describe('the key of a server of this machine', () => {
  let questions: { answer(key: string): void }[];

  const authorizations = (): (string | undefined)[] =>
    server.requests
      .filter(({ path }) => path === '/generate')
      .map(({ headers }) => headers['authorization']);
  const answerNext = async (key: string): Promise<void> => {
    await expect.poll(() => questions.length).toBeGreaterThan(0);
    questions.shift()?.answer(key);
  };

  beforeEach(async () => {
    await bridge.dispose();
    questions = [];
    bridge = open({
      processCall: () =>
        new Promise((resolve) =>
          questions.push({
            answer: (key) => resolve({ ok: { key, serves: true, absence: null } }),
          }),
        ),
    });
    const url = `http://127.0.0.1:${server.port}`;
    const connecting = ask({ op: 'backend', kind: 'sglang', url, options: {} });
    await answerNext('first');
    backend = ((await connecting) as { id: number }).id;
    expect(questions).toEqual([]);
  });

  test('requests that start together ask for it once, and all carry it', async () => {
    for (let sid = 1; sid <= 50; sid += 1) {
      begin(sid);
      submit(sid, gen('x'));
    }
    await answerNext('second');
    await Promise.all(Array.from({ length: 50 }, (_, sid) => ask({ op: 'sync', sid: sid + 1 })));
    expect(questions).toEqual([]);
    expect(authorizations()).toEqual(Array.from({ length: 50 }, () => 'Bearer second'));
  });

  test('a request after the answer asks anew: a server that was started again has another key', async () => {
    for (const [sid, key] of ['second', 'third'].entries()) {
      begin(sid);
      submit(sid, gen('x'));
      await answerNext(key);
      await ask({ op: 'sync', sid });
    }
    expect(authorizations()).toEqual(['Bearer second', 'Bearer third']);
  });

  test('an interrupt fails only the requests that were there', async () => {
    begin(1);
    submit(1, gen('x'));
    await expect.poll(() => questions.length).toBe(1);
    bridge.interrupt();
    begin(2);
    submit(2, gen('x'));
    await answerNext('second');
    expect(await ask({ op: 'get', sid: 2, name: 'x', outer: false })).toMatchObject({
      status: 'value',
    });
    expect(await ask({ op: 'get', sid: 1, name: 'x', outer: false })).toMatchObject({
      status: 'failed',
    });
    expect(authorizations()).toEqual(['Bearer second']);
  });
});

describe('interrupts', () => {
  test('an aborted call is a KeyboardInterrupt', async () => {
    const controller = new AbortController();
    controller.abort();
    begin(1);
    await expect(ask({ op: 'sync', sid: 1 }, controller.signal)).rejects.toThrow(
      'KeyboardInterrupt',
    );
  });

  test('interrupting ends what waits and what runs, and the kernel goes on', async () => {
    begin(1);
    submit(1, gen('x'), gen('y'));
    const waiting = ask({ op: 'get', sid: 1, name: 'y', outer: false });
    bridge.interrupt();
    await expect(waiting).rejects.toThrow('KeyboardInterrupt');
    expect(await ask({ op: 'get', sid: 1, name: 'x', outer: false })).toMatchObject({
      status: 'failed',
    });
    begin(2);
    submit(2, gen('x'));
    expect(await ask({ op: 'get', sid: 2, name: 'x', outer: false })).toMatchObject({
      status: 'value',
    });
  });

  test('a state that was finished stays as it was', async () => {
    begin(1);
    submit(1, gen('x'));
    await ask({ op: 'sync', sid: 1 });
    bridge.interrupt();
    expect(await ask({ op: 'get', sid: 1, name: 'x', outer: false })).toMatchObject({
      status: 'value',
    });
  });
});
