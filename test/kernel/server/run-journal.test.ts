import { expect, it } from 'vitest';
import { RunJournal } from '../../../extension/kernel/run-journal.ts';
import type { KernelEvent, KernelOutput } from '../../../extension/protocol/kernel-protocol.ts';

function journal(limit?: number): RunJournal {
  const made = new RunJournal(limit, () => 1234);
  for (const run of ['a', 'b']) {
    const cell = { id: run, label: `cell ${run}` };
    made.request({ type: 'execute', run, cell, code: `code of ${run}`, stopOnError: true });
  }
  made.event({ type: 'status', status: 'busy', reason: null });
  made.event({ type: 'started', run: 'a', executionOrder: 1 });
  return made;
}

const show = (kept: RunJournal, output: KernelOutput): void =>
  kept.event({ type: 'output', run: 'a', output });
const print = (kept: RunJournal, text: string): void =>
  show(kept, { kind: 'stream', name: 'stdout', text });
const bundle = (text: string) => ({ 'text/plain': text });

/** Events as words. */
function words(events: readonly KernelEvent[]): string[] {
  return events.map((event) => {
    if (event.type === 'status') return event.status;
    if (event.type === 'finished') return `finished ${event.run}`;
    if (event.type !== 'output') return event.type;
    const { output } = event;
    if (output.kind === 'stream') return `${output.name} ${output.text}`;
    if (output.kind === 'display' || output.kind === 'update')
      return `${output.kind} ${output.data['text/plain']}`;
    return output.kind;
  });
}

it('tells of runs that wait, run or have ended unseen, and of what they showed', () => {
  const kept = journal();
  print(kept, 'one ');
  print(kept, 'two');
  expect(kept.runs).toEqual([
    { run: 'a', cell: { id: 'a', label: 'cell a' }, code: 'code of a', startedAt: 1234 },
    { run: 'b', cell: { id: 'b', label: 'cell b' }, code: 'code of b', startedAt: null },
  ]);
  expect(words(kept.replay())).toEqual(['started', 'stdout one two', 'busy']);
  kept.event({ type: 'finished', run: 'a', outcome: { status: 'ok' }, milliseconds: 1 });
  expect(kept.busy).toBe(true);
  expect(words(kept.replay())).toEqual(['started', 'stdout one two', 'finished a', 'busy']);
});

it('tells what was asked and answered as text, without passwords', () => {
  const kept = journal();
  const ask = (request: number, prompt: string, password: boolean): void =>
    kept.event({ type: 'input_request', request, run: 'a', prompt, password });
  ask(1, 'name? ', false);
  ask(2, 'key? ', true);
  ask(3, 'more? ', false);
  ask(4, 'waits? ', false);
  kept.request({ type: 'input_reply', request: 1, value: 'Ada' });
  kept.request({ type: 'input_reply', request: 2, value: 'secret' });
  kept.request({ type: 'input_reply', request: 3, value: null });
  expect(words(kept.replay())).toEqual([
    'started',
    'stdout name? Ada\nkey? \nmore? \n',
    'input_request',
    'busy',
  ]);
});

it('forgets a run only when its end has been drawn', () => {
  const kept = journal();
  kept.settled('a');
  expect(kept.runs.map(({ run }) => run)).toEqual(['a', 'b']);
  for (const run of ['a', 'b'])
    kept.event({ type: 'finished', run, outcome: { status: 'ok' }, milliseconds: 1 });
  expect(kept.busy).toBe(false);
  kept.settled('a');
  expect(kept.runs.map(({ run }) => run)).toEqual(['b']);
});

it('keeps the latest of displays that are updated, and nothing of what was cleared', () => {
  const kept = journal();
  print(kept, 'gone');
  show(kept, { kind: 'clear', wait: false });
  show(kept, { kind: 'display', data: bundle('0 %'), displayId: 'bar' });
  for (const percent of ['10 %', '20 %'])
    show(kept, { kind: 'update', data: bundle(percent), displayId: 'bar' });
  expect(words(kept.replay())).toEqual(['started', 'clear', 'display 0 %', 'update 20 %', 'busy']);
});

it('drops the oldest outputs beyond its limit, and says so', () => {
  const kept = journal(300_000);
  for (const letter of 'abc') print(kept, letter.repeat(200_000));
  const shown = words(kept.replay());
  expect(shown[1]).toMatch(/^stderr \[0\.4 MiB of earlier output were dropped/);
  expect(shown.slice(2)).toEqual([`stdout ${'c'.repeat(200_000)}`, 'busy']);
});

it('asks a later driver what was not answered', () => {
  const kept = journal();
  for (const request of [1, 2])
    kept.event({ type: 'input_request', request, run: 'a', prompt: '?', password: false });
  kept.request({ type: 'input_reply', request: 1, value: 'x' });
  expect(kept.replay().filter((event) => event.type === 'input_request')).toEqual([
    { type: 'input_request', request: 2, run: 'a', prompt: '?', password: false },
  ]);
  kept.event({ type: 'finished', run: 'a', outcome: { status: 'interrupted' }, milliseconds: 1 });
  expect(words(kept.replay())).toEqual(['started', 'stdout ?x\n', 'finished a', 'busy']);
});

it('tells which programs run, and of a restart as of an idle kernel', () => {
  const kept = journal();
  const process = { command: 'x', kind: 'shell', url: null } as const;
  kept.event({ type: 'process', process: { ...process, id: 1, pid: 1, exit: null } });
  kept.event({ type: 'process', process: { ...process, id: 2, pid: 2, exit: null } });
  kept.event({
    type: 'process',
    process: { ...process, id: 1, pid: 1, exit: { code: 0, signal: null } },
  });
  kept.event({ type: 'status', status: 'restarted', reason: null });
  expect(
    kept.replay().flatMap((event) => (event.type === 'process' ? [event.process.pid] : [])),
  ).toEqual([2]);
  expect(words(kept.replay()).at(-1)).toBe('idle');
});

it('makes room with runs whose end was seen before it drops anything of others', () => {
  const kept = journal(300_000);
  print(kept, 'a'.repeat(200_000));
  kept.event({ type: 'finished', run: 'a', outcome: { status: 'ok' }, milliseconds: 1 }, true);
  kept.event({ type: 'started', run: 'b', executionOrder: 2 });
  const output = { kind: 'stream', name: 'stdout', text: 'b'.repeat(200_000) } as const;
  kept.event({ type: 'output', run: 'b', output });
  expect(words(kept.replay())).toEqual(['started', `stdout ${output.text}`, 'busy']);
});
