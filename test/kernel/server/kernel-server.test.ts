/** The kernel server on a scripted guest: what the driver sees, in order. */
import { expect, test, vi } from 'vitest';
import {
  KernelServer,
  type GuestHooks,
  type ProcessHooks,
} from '../../../extension/kernel/kernel-server.ts';
import type { CellResult, PythonGuest } from '../../../extension/kernel/guest/guest.ts';
import type { DebugControl } from '../../../extension/protocol/debug-protocol.ts';
import type { KernelEvent, KernelRequest } from '../../../extension/protocol/kernel-protocol.ts';

class ScriptedGuest implements PythonGuest {
  readonly version = '3.14.0';
  readonly hooks: GuestHooks;
  executed: string[] = [];
  controls: string[] = [];
  interrupts = 0;
  disposed = false;
  #finish: ((result: CellResult) => void) | null = null;

  constructor(hooks: GuestHooks) {
    this.hooks = hooks;
  }

  execute(_cell: unknown, code: string): Promise<CellResult> {
    this.executed.push(code);
    return new Promise((resolve) => (this.#finish = resolve));
  }

  finish(result: CellResult = { status: 'ok' }): void {
    this.#finish?.(result);
    this.#finish = null;
  }

  interrupt(): void {
    this.interrupts += 1;
  }

  control(command: DebugControl): void {
    this.controls.push(command.kind);
  }

  query(query: { readonly kind: string }): Promise<string> {
    return query.kind === 'programs'
      ? Promise.reject(new Error('no programs'))
      : Promise.resolve(query.kind);
  }

  async dispose(): Promise<void> {
    this.disposed = true;
    this.finish(failure('KernelDied'));
  }
}

function failure(name: string): CellResult & { status: 'error' } {
  return { status: 'error', error: { name, message: 'm', traceback: 't', line: 1, cellId: 'c' } };
}

interface Setup {
  readonly server: KernelServer;
  readonly events: KernelEvent[];
  readonly guests: ScriptedGuest[];
  readonly stopped: number[];
  readonly kills: () => number;
  readonly processHooks: () => ProcessHooks;
  /** Lets everything that is ready happen, then tells what was sent since the last call. */
  readonly seen: () => Promise<readonly string[]>;
}

async function setup(
  startGuest?: (hooks: GuestHooks) => Promise<PythonGuest>,
  first: KernelRequest = initialize,
): Promise<Setup> {
  const events: KernelEvent[] = [];
  const guests: ScriptedGuest[] = [];
  const stopped: number[] = [];
  let kills = 0;
  let processHooks: ProcessHooks | null = null;
  const server = new KernelServer({
    send: (event) => events.push(event),
    keepsUp: () => Promise.resolve(),
    startGuest: async (_request, hooks) => {
      if (startGuest) return startGuest(hooks);
      const guest = new ScriptedGuest(hooks);
      guests.push(guest);
      return guest;
    },
    createProcesses: (_request, hooks) => {
      processHooks = hooks;
      return {
        handle: () => Promise.resolve({ ok: null }),
        control: async () => {},
        stateOf: async () => null,
        killAll: async () => void (kills += 1),
      };
    },
    onStopped: (code) => stopped.push(code),
    escalation: { wasm: 2_000, cpython: 10_000 },
  });
  server.receive(first);
  let shown = 0;
  const seen = async (): Promise<readonly string[]> => {
    await settle();
    const fresh = events
      .slice(shown)
      .map(describe)
      .filter((text) => text !== '');
    shown = events.length;
    return fresh;
  };
  return {
    server,
    events,
    guests,
    stopped,
    kills: () => kills,
    processHooks: () => processHooks!,
    seen,
  };
}

const initialize: KernelRequest = {
  type: 'initialize',
  protocolVersion: 1,
  cwd: '/book',
  guest: { kind: 'wasm' },
  env: {},
  endpoint: null,
  model: null,
};

function execute(run: string, code = run, stopOnError = true): KernelRequest {
  return { type: 'execute', run, cell: { id: 'c', label: 'cell 1' }, code, stopOnError };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
}

function describe(event: KernelEvent): string {
  switch (event.type) {
    case 'status':
      return event.status;
    case 'started':
      return `${event.run} started ${event.executionOrder}`;
    case 'finished':
      return `${event.run} ${event.outcome.status}`;
    case 'output':
      return `${event.run} ${event.output.kind}${event.output.kind === 'stream' ? ` ${event.output.text.trim()}` : ''}`;
    case 'reply':
      return `reply ${event.id} ${JSON.stringify(event.result)}`;
    case 'reply_error':
      return `reply_error ${event.id} ${event.message}`;
    case 'input_request':
      return `input_request ${event.prompt}`;
    case 'model_request':
      return `model_request ${event.name}`;
    case 'ready':
      return 'ready';
    case 'debug':
      return `debug ${JSON.stringify(event.event)}`;
    case 'gen':
    case 'log':
    case 'process':
      return '';
    default:
      return event satisfies never;
  }
}

test('cells run one after the other, also those that came before Python was ready', async () => {
  const { server, guests, seen } = await setup();
  server.receive(execute('a'));
  server.receive(execute('b'));
  expect(await seen()).toEqual(['starting', 'ready', 'busy', 'a started 1']);
  guests[0]!.finish();
  expect(await seen()).toEqual(['a ok', 'busy', 'b started 2']);
  guests[0]!.finish();
  expect(await seen()).toEqual(['b ok', 'idle']);
});

test('a failure aborts what is queued behind it', async () => {
  const { server, guests, seen } = await setup();
  for (const run of ['a', 'b', 'c']) server.receive(execute(run));
  await seen();
  guests[0]!.finish(failure('ValueError'));
  expect(await seen()).toEqual(['a error', 'a error', 'b aborted', 'c aborted', 'idle']);
});

test('without stopOnError the queue goes on', async () => {
  const { server, guests, seen } = await setup();
  server.receive(execute('a', 'a', false));
  server.receive(execute('b'));
  await seen();
  guests[0]!.finish(failure('ValueError'));
  expect(await seen()).toEqual(['a error', 'a error', 'busy', 'b started 2']);
});

test('what a cell printed leaves before its end', async () => {
  const { server, guests, seen } = await setup();
  server.receive(execute('a'));
  await seen();
  guests[0]!.hooks.listener.output({ kind: 'stream', name: 'stdout', text: 'x' });
  guests[0]!.finish();
  expect(await seen()).toEqual(['a stream x', 'a ok', 'idle']);
});

test('output while nothing runs belongs to no run', async () => {
  const { processHooks, seen } = await setup();
  await seen();
  processHooks().output({ kind: 'display', data: { 'text/plain': '' }, displayId: null });
  expect(await seen()).toEqual(['null display']);
});

test('the server numbers results', async () => {
  const { server, guests, events, seen } = await setup();
  server.receive(execute('a'));
  await seen();
  guests[0]!.hooks.listener.output({
    kind: 'result',
    data: { 'text/plain': '1' },
    executionOrder: 0,
  });
  expect(events.at(-1)).toMatchObject({ output: { executionOrder: 1 } });
});

test('an interrupt aborts the queue and reaches the guest', async () => {
  const { server, guests, seen } = await setup();
  server.receive(execute('a'));
  server.receive(execute('b'));
  await seen();
  server.receive({ type: 'interrupt' });
  expect(await seen()).toEqual(['b aborted', 'interrupting']);
  expect(guests[0]!.interrupts).toBe(1);
  guests[0]!.finish({ status: 'interrupted', error: failure('KeyboardInterrupt').error });
  expect(await seen()).toEqual(['a error', 'a interrupted', 'idle']);
});

test('an interrupt while nothing runs does nothing', async () => {
  const { server, guests, seen } = await setup();
  await seen();
  server.receive({ type: 'interrupt' });
  expect(await seen()).toEqual([]);
  expect(guests[0]!.interrupts).toBe(0);
});

test('a cell that does not stop costs the state, and the user is told', async () => {
  vi.useFakeTimers();
  try {
    const { server, guests, kills, seen } = await setup();
    server.receive(execute('a'));
    await seen();
    server.receive({ type: 'interrupt' });
    vi.advanceTimersByTime(1_999);
    expect(await seen()).toEqual(['interrupting']);
    vi.advanceTimersByTime(1);
    const told = (await seen()).join('\n');
    expect(told).toMatch(/a stream The cell did not stop within 2 seconds.*variables are lost/);
    expect(told).toMatch(/a interrupted\nrestarted\nidle$/);
    expect(guests.map((guest) => guest.disposed)).toEqual([true, false]);
    expect(kills()).toBe(1);
    server.receive(execute('b'));
    expect(await seen()).toEqual(['busy', 'b started 1']);
  } finally {
    vi.useRealTimers();
  }
});

test('a cell that stops in time keeps its guest', async () => {
  vi.useFakeTimers();
  try {
    const { server, guests, seen } = await setup();
    server.receive(execute('a'));
    await seen();
    server.receive({ type: 'interrupt' });
    guests[0]!.finish({ status: 'interrupted', error: failure('KeyboardInterrupt').error });
    await seen();
    server.receive(execute('b'));
    vi.advanceTimersByTime(10_000);
    await seen();
    expect(guests).toHaveLength(1);
  } finally {
    vi.useRealTimers();
  }
});

test('a restart ends the running cell, the queue and the programs', async () => {
  const { server, guests, kills, seen } = await setup();
  server.receive(execute('a'));
  server.receive(execute('b'));
  await seen();
  server.receive({ type: 'restart' });
  expect(await seen()).toEqual([
    'b aborted',
    'a stream The kernel was restarted.',
    'a interrupted',
    'restarted',
    'idle',
  ]);
  expect([guests.length, guests[0]!.disposed, kills()]).toEqual([2, true, 1]);
});

test('a guest that dies is replaced and its cell ends', async () => {
  const { server, guests, events, seen } = await setup();
  server.receive(execute('a'));
  await seen();
  guests[0]!.finish(failure('KernelDied'));
  guests[0]!.hooks.listener.died('out of memory');
  expect(await seen()).toEqual(['a error', 'a error', 'restarted', 'idle']);
  expect(
    events.find((event) => event.type === 'status' && event.status === 'restarted'),
  ).toMatchObject({
    reason: expect.stringContaining('out of memory'),
  });
});

test('a guest that keeps dying is given up', async () => {
  const { events, guests, stopped, seen } = await setup();
  await seen();
  for (let death = 0; death < 4; death += 1) {
    guests.at(-1)!.hooks.listener.died('broken');
    await seen();
  }
  expect(guests).toHaveLength(4);
  expect(events.at(-1)).toMatchObject({
    status: 'stopped',
    reason: expect.stringContaining('4 times in a row'),
  });
  expect(stopped).toEqual([1]);
});

test('a late word of an old guest is not heard', async () => {
  const { server, guests, seen } = await setup();
  await seen();
  server.receive({ type: 'restart' });
  await seen();
  guests[0]!.hooks.listener.output({ kind: 'clear', wait: false });
  guests[0]!.hooks.listener.died('again');
  expect(await seen()).toEqual([]);
});

test('Python that does not start ends every run with the reason', async () => {
  const { server, stopped, events, seen } = await setup(() =>
    Promise.reject(new Error('no python at /x')),
  );
  server.receive(execute('a'));
  expect(await seen()).toEqual(['starting', 'a error', 'a error', 'stopped']);
  expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining('no python at /x') });
  expect(stopped).toEqual([1]);
});

test('another protocol version is refused with what to do', async () => {
  const { events, stopped, seen } = await setup(undefined, { ...initialize, protocolVersion: 99 });
  expect(await seen()).toEqual(['stopped']);
  expect(events.at(-1)).toMatchObject({ reason: expect.stringContaining('update both') });
  expect(stopped).toEqual([1]);
});

test('questions are answered while a cell runs', async () => {
  const { server, seen } = await setup();
  server.receive(execute('a'));
  await seen();
  server.receive({ type: 'query', id: 1, query: { kind: 'variables', limit: 5 } });
  server.receive({ type: 'query', id: 2, query: { kind: 'programs' } });
  expect(await seen()).toEqual(['reply 1 "variables"', 'reply_error 2 no programs']);
});

test('input is asked for, answered once, and ends with its cell', async () => {
  const { server, guests, processHooks, seen } = await setup();
  server.receive(execute('a'));
  await seen();
  const answers = [1, 2, 3].map((n) =>
    processHooks().ask(`q${n}`, false, new AbortController().signal),
  );
  expect(await seen()).toEqual(['input_request q1', 'input_request q2', 'input_request q3']);
  server.receive({ type: 'input_reply', request: 1, value: 'x' });
  server.receive({ type: 'input_reply', request: 2, value: null });
  server.receive({ type: 'input_reply', request: 2, value: 'late' });
  guests[0]!.finish();
  expect(await Promise.all(answers)).toEqual(['x', null, null]);
});

test('shutdown aborts the queue, ends the programs and exits 0', async () => {
  const { server, guests, kills, stopped, seen } = await setup();
  server.receive(execute('a'));
  server.receive(execute('b'));
  await seen();
  server.receive({ type: 'shutdown' });
  server.receive({ type: 'shutdown' });
  expect((await seen()).slice(0, 1)).toEqual(['b aborted']);
  expect([kills(), stopped, guests[0]!.disposed]).toEqual([1, [0], true]);
});
