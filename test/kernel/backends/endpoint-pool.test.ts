import { beforeEach, describe, expect, test } from 'vitest';
import {
  ConnectionLostError,
  RequestAbortedError,
  ServerStatusError,
  ServerUnreachableError,
  UnsupportedByBackendError,
  type Backend,
  type BackendError,
  type ChoiceEvidence,
  type Completion,
  type GenerateParams,
} from '../../../extension/kernel/backends/backend.ts';
import { EndpointPool } from '../../../extension/kernel/backends/endpoint-pool.ts';
import { PrefixMemory } from '../../../extension/kernel/backends/prefix-memory.ts';
import { resolveSampling } from '../../../extension/kernel/sglang/sampling-params.ts';

const ignore = (): void => undefined;
const params = (gen = {}): GenerateParams => resolveSampling({}, gen, []);
const prompt = (text: string) => ({ text, messages: [], images: [] });
const LONG = 'x'.repeat(1000);

/** A server that answers with its name, holds requests while `gate` is closed, and fails on demand. */
class FakeServer implements Backend {
  readonly url: string;
  readonly modelInfo = {};
  modelPath = 'lab/model';
  down: BackendError | null = null;
  /** Requests that were answered. */
  readonly answered: string[] = [];
  flushes = 0;
  /** What a stream yields before `down` breaks it. */
  parts: readonly string[] = [];
  readonly #held: (() => void)[] = [];
  held = false;

  constructor(name: string) {
    this.url = `http://${name}`;
  }

  release(): void {
    this.held = false;
    for (const go of this.#held.splice(0)) go();
  }

  get waiting(): number {
    return this.#held.length;
  }

  async generate({ text }: { readonly text: string }): Promise<readonly Completion[]> {
    if (this.held) await new Promise<void>((resolve) => this.#held.push(resolve));
    if (this.down) throw this.down;
    this.answered.push(text);
    return [{ text: this.url, meta: {} }];
  }

  async *generateStream(): AsyncGenerator<Completion, void> {
    for (const text of this.parts) yield { text, meta: {} };
    if (this.down) throw this.down;
  }

  async scoreChoices(): Promise<ChoiceEvidence> {
    if (this.down) throw this.down;
    return { tokens: [], outputTokens: [this.url], unconditional: null };
  }

  async cachePrefix({ text }: { readonly text: string }): Promise<void> {
    if (this.down) throw this.down;
    this.answered.push(text);
  }

  async flushCache(): Promise<void> {
    this.flushes += 1;
  }

  async serverInfo() {
    if (this.down) throw this.down;
    return { status: 'ready' };
  }
}

let a: FakeServer;
let b: FakeServer;
let clock: number;
let notices: string[];
let connections: string[];
let signal: AbortSignal;

beforeEach(() => {
  a = new FakeServer('a');
  b = new FakeServer('b');
  clock = 1000;
  notices = [];
  connections = [];
  signal = new AbortController().signal;
});

function pool(): Promise<EndpointPool> {
  const options = {
    notice: (text: string) => notices.push(text),
    now: () => clock,
    connect: async (url: string): Promise<Backend> => {
      connections.push(url);
      const server = url === a.url ? a : b;
      if (server.down) throw server.down;
      return server;
    },
  };
  return EndpointPool.connect([a.url, b.url], options, signal);
}

const lost = (): BackendError => new ConnectionLostError('lost');

async function ask(servers: EndpointPool, text: string): Promise<string> {
  const [completion] = await servers.generate(prompt(text), params(), ignore, signal);
  return completion?.text ?? '';
}

describe('the choice of a server', () => {
  test('takes the idlest for prompts without a common beginning', async () => {
    const servers = await pool();
    a.held = true;
    const first = ask(servers, 'one');
    expect(await ask(servers, 'two')).toBe(b.url);
    a.release();
    expect(await first).toBe(a.url);
  });

  test('spreads requests that start at the same moment', async () => {
    const servers = await pool();
    await Promise.all(Array.from({ length: 8 }, (_, i) => ask(servers, `${i}`)));
    expect([a.answered.length, b.answered.length]).toEqual([4, 4]);
  });

  test('stays where a long beginning is known, until that server is much busier', async () => {
    const servers = await pool();
    b.held = true;
    const blocked = ask(servers, 'else'); // goes to a or b; both are idle
    await Promise.resolve();
    b.release();
    await blocked;
    const home = await ask(servers, `${LONG}first`);
    const homeServer = home === a.url ? a : b;
    for (let i = 0; i < 3; i += 1) expect(await ask(servers, `${LONG}${i}`)).toBe(home);
    homeServer.held = true;
    const waiting = Array.from({ length: 4 }, (_, i) => ask(servers, `${LONG}w${i}`));
    await expect.poll(() => homeServer.waiting).toBe(4);
    expect(await ask(servers, `${LONG}overflow`)).not.toBe(home);
    homeServer.release();
    await Promise.all(waiting);
  });
});

describe('a server that fails', () => {
  test.each([
    ['lost', lost()],
    ['unreachable', new ServerUnreachableError('gone')],
    ['unavailable', new ServerStatusError('busy', 503, '')],
  ])('hands its request on (%s), once with a notice', async (_name, failure) => {
    const servers = await pool();
    a.down = failure;
    const answers = await Promise.all(Array.from({ length: 6 }, (_, i) => ask(servers, `${i}`)));
    expect(new Set(answers)).toEqual(new Set([b.url]));
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(
      /^The server http:\/\/a does not answer; 1 of 2 servers do the work/,
    );
  });

  test('is left alone for a while that grows, then greeted, and works again', async () => {
    const servers = await pool();
    a.down = lost();
    await ask(servers, '0');
    await ask(servers, '1');
    connections.length = 0;
    await ask(servers, '2');
    expect(connections).toEqual([]);
    clock += 1001;
    b.held = true; // so that the idlest is a
    const busy = ask(servers, '3');
    const next = ask(servers, '4');
    await expect.poll(() => connections).toEqual([a.url]);
    b.release();
    expect([await busy, await next]).toEqual([b.url, b.url]);
    clock += 1001; // the second pause is twice as long
    await ask(servers, '5');
    expect(connections).toHaveLength(1);
    clock += 1000;
    a.down = null;
    await Promise.all([ask(servers, '6'), ask(servers, '7')]);
    expect(a.answered.length).toBeGreaterThan(0);
    expect(notices.at(-1)).toBe('The server http://a answers again and takes its share.');
  });

  test('fails the request when no other is left, with the last reason', async () => {
    const servers = await pool();
    a.down = b.down = lost();
    await expect(ask(servers, 'x')).rejects.toThrow('lost');
    // And is tried again, not remembered for ever.
    a.down = null;
    expect(await ask(servers, 'x')).toBe(a.url);
  });

  test('is not the one to blame for a wrong request or an interrupt', async () => {
    const servers = await pool();
    a.down = b.down = new ServerStatusError('bad regex', 400, '');
    await expect(ask(servers, 'x')).rejects.toThrow('bad regex');
    a.down = b.down = new RequestAbortedError('stop');
    await expect(ask(servers, 'x')).rejects.toThrow('stop');
    expect(notices).toEqual([]);
  });

  test('hands choices and prefixes on too', async () => {
    const servers = await pool();
    a.down = lost();
    for (let i = 0; i < 2; i += 1) {
      const evidence = await servers.scoreChoices(prompt('q'), ['x'], false, ignore, signal);
      expect(evidence.outputTokens).toEqual([b.url]);
    }
    await servers.cachePrefix(prompt(LONG), signal);
    expect(b.answered).toEqual([LONG]);
    await servers.flushCache(signal);
    expect([a.flushes, b.flushes]).toEqual([0, 1]);
    expect(await servers.serverInfo(signal)).toMatchObject({
      status: 'ready',
      endpoints: [
        { url: a.url, healthy: false },
        { url: b.url, healthy: true },
      ],
    });
  });
});

describe('a stream that breaks', () => {
  async function texts(servers: EndpointPool, gen: object): Promise<string[]> {
    const parts: string[] = [];
    const answer = servers.generateStream(prompt('s'), params(gen), ignore, signal);
    try {
      for await (const { text } of answer) parts.push(text);
    } catch (error) {
      parts.push(String(error));
    }
    return parts;
  }

  /** `a` breaks after its parts; the first stream goes to it. */
  async function broken(gen: object): Promise<string[]> {
    a.down = null;
    const servers = await pool();
    a.down = lost();
    return texts(servers, gen);
  }

  beforeEach(() => {
    b.parts = ['B', 'Be', 'Ber'];
  });

  test('goes on elsewhere before its first text', async () => {
    expect(await broken({ temperature: 1 })).toEqual(['B', 'Be', 'Ber']);
    expect(notices).toHaveLength(1);
  });

  test('never takes text back: greedy answers go on, sampled ones fail', async () => {
    a.parts = ['B', 'Be'];
    expect(await broken({ temperature: 0 })).toEqual(['B', 'Be', 'Be', 'Ber']);
    expect(await broken({ temperature: 1 })).toEqual(['B', 'Be', 'Error: lost']);
  });
});

describe('connecting', () => {
  test('needs one server that answers; the other joins later', async () => {
    a.down = new ServerUnreachableError('nobody');
    const servers = await pool();
    expect(servers.modelPath).toBe('lab/model');
    expect(notices[0]).toContain('http://a does not answer');
    b.down = new ServerUnreachableError('nobody at all');
    await expect(pool()).rejects.toThrow(/nobody/);
  });

  test('refuses servers of different models, now and later', async () => {
    b.modelPath = 'lab/other';
    await expect(pool()).rejects.toThrow(UnsupportedByBackendError);
    b.modelPath = 'lab/model';
    const servers = await pool();
    a.down = lost();
    await ask(servers, '1');
    await ask(servers, '2');
    a.down = null;
    a.modelPath = 'lab/other';
    b.down = lost();
    await expect(ask(servers, '3')).rejects.toThrow(/different models/);
  });
});

test('the memory of prefixes counts whole blocks and forgets the oldest', () => {
  const memory = new PrefixMemory();
  memory.add(LONG);
  expect(memory.match(LONG)).toBe(896);
  expect(memory.match(`${LONG.slice(0, 500)}y${LONG}`)).toBe(384);
  expect(memory.match('other')).toBe(0);
  for (let i = 0; i < 10; i += 1) memory.add(`${i}`.repeat(128 * 1000));
  expect(memory.match(LONG)).toBe(0);
  expect(memory.match('9'.repeat(128 * 1000))).toBe(128 * 1000);
});
