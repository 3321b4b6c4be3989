import { beforeEach, expect, test } from 'vitest';
import { DebugRelay } from '../../../extension/kernel/debug-relay.ts';
import type { DebugControl, DebugEvent } from '../../../extension/protocol/debug-protocol.ts';

let sent: DebugEvent[];
let controls: DebugControl[];
let relay: DebugRelay;
beforeEach(() => {
  sent = [];
  controls = [];
  relay = new DebugRelay({
    send: (event) => sent.push(event),
    control: (command) => controls.push(command),
  });
});

const GO_ON = { kind: 'resume', step: 'continue' } as const;
const ask = (id: number) => ({ kind: 'ask', id, question: { kind: 'stack' } }) as const;
const calm = new AbortController().signal;

function stop(id: number, signal = calm): Promise<unknown> {
  const thread = { id, name: `t${id}` };
  const event = { kind: 'stopped', thread, reason: 'breakpoint', text: null };
  return relay.call({ op: 'debug', event }, signal);
}

function answer(thread: number, id: number): Promise<unknown> {
  return relay.call({ op: 'debug', event: { kind: 'answer', id, thread, result: null } }, calm);
}

const told = (): readonly string[] =>
  sent.splice(0).map((event) => {
    if (event.kind === 'stopped') return `stopped ${event.thread.id}`;
    return 'thread' in event ? `${event.kind} ${event.thread}` : event.kind;
  });

test('nothing stands still without a debugger', async () => {
  expect(await stop(1)).toEqual(GO_ON);
  expect(told()).toEqual([]);
});

test('stacks speak one after the other; each gets the commands that are meant for it', async () => {
  relay.receive({ kind: 'pause' });
  expect(controls).toEqual([{ kind: 'pause' }]);
  const [first, second] = [stop(1), stop(2)];
  expect(told()).toEqual(['stopped 1']);
  relay.receive(ask(1));
  expect(await first).toEqual(ask(1));
  const next = answer(1, 1);
  relay.receive(GO_ON);
  expect(await next).toEqual(GO_ON);
  expect(told()).toEqual(['answer 1', 'stopped 2']);
  relay.receive(GO_ON);
  expect(await second).toEqual(GO_ON);
  relay.receive(ask(2));
  expect(told()).toEqual(['refusal null']);
});

test('others wait for the end of a step, unless it waits for them', async () => {
  relay.receive({ kind: 'pause' });
  const [first] = [stop(1), stop(2)];
  relay.receive({ kind: 'resume', step: 'over' });
  expect(await first).toEqual({ kind: 'resume', step: 'over' });
  const again = stop(1);
  expect(told()).toEqual(['stopped 1', 'stopped 1']);
  relay.receive({ kind: 'resume', step: 'over' });
  await again;
  await expect.poll(told).toEqual(['stopped 2']);
});

test('an interrupted stack makes room for the next, and the debugger is told', async () => {
  relay.receive({ kind: 'pause' });
  const interruption = new AbortController();
  const first = stop(1, interruption.signal);
  const second = stop(2);
  interruption.abort();
  await expect(first).rejects.toThrow('interrupted');
  expect(told()).toEqual(['stopped 1', 'continued 1', 'stopped 2']);
  relay.runEnded();
  expect(await second).toEqual(GO_ON);
});

test('all go on when the debugger leaves, whatever is on its way', async () => {
  relay.receive({ kind: 'pause' });
  const [first, second] = [stop(1), stop(2)];
  relay.receive(ask(1));
  await first;
  relay.receive(ask(2));
  relay.detach();
  expect(controls.at(-1)).toEqual({ kind: 'detach' });
  expect(await second).toEqual(GO_ON);
  expect(await answer(1, 1)).toEqual(GO_ON);
  expect(await stop(3)).toEqual(GO_ON);
  expect(told()).toEqual(['stopped 1', 'refusal null', 'refusal null']);
});
