import { beforeEach, describe, expect, it } from 'vitest';
import {
  CellDebugAdapter,
  type DebuggedRun,
} from '../../extension/src/debug/cell-debug-adapter.ts';
import type { DapEvent, DapResponse } from '../../extension/src/debug/dap-messages.ts';
import type {
  DebugCommand,
  DebugControl,
  DebugEvent,
} from '../../extension/protocol/debug-protocol.ts';

const CELL = 'vscode-notebook-cell:/n.sglnb#c1';

/** A run that does nothing by itself: the test is its kernel. */
class ScriptedRun implements DebuggedRun {
  readonly commands: DebugCommand[] = [];
  controls: readonly DebugControl[] = [];
  interrupts = 0;
  onEvent: (event: DebugEvent) => void = () => {};
  readonly #end = Promise.withResolvers<void>();
  readonly texts = {
    cell: 'Cell 1',
    locals: 'Locals',
    globals: 'Variables',
    uncaught: 'Uncaught',
    raised: 'Raised',
    elsewhere: 'elsewhere',
    badHits: 'bad hits',
  };

  run(controls: readonly DebugControl[], onEvent: (event: DebugEvent) => void): Promise<void> {
    this.controls = controls;
    this.onEvent = onEvent;
    return this.#end.promise;
  }

  end(): void {
    this.#end.resolve();
  }

  fail(reason: string): void {
    this.#end.reject(new Error(reason));
  }

  command(command: DebugCommand): void {
    this.commands.push(command);
  }

  interrupt(): void {
    this.interrupts += 1;
  }

  sourceOf(path: string) {
    return path === CELL ? { cell: 'c1' } : null;
  }

  shown() {
    return { name: 'Cell 1', path: CELL };
  }

  stop(id = 1, text: string | null = null): void {
    const thread = { id, name: `program ${id}` };
    this.onEvent({ kind: 'stopped', thread, reason: 'breakpoint', text });
  }

  /** Answers the last question. */
  answer(result: unknown): void {
    const last = this.commands.at(-1);
    if (last?.kind !== 'ask') throw new Error('no question');
    this.onEvent({ kind: 'answer', id: last.id, thread: 1, result });
  }
}

describe('a debug adapter', () => {
  let run: ScriptedRun;
  let adapter: CellDebugAdapter;
  let sent: (DapResponse | DapEvent)[];
  let seq: number;

  beforeEach(() => {
    run = new ScriptedRun();
    sent = [];
    seq = 0;
    adapter = new CellDebugAdapter(run, (message) => sent.push(message));
  });

  async function request(command: string, given: object = {}): Promise<DapResponse> {
    seq += 1;
    const number = seq;
    await adapter.receive({ type: 'request', seq: number, command, arguments: { ...given } });
    const found = sent.find((each) => each.type === 'response' && each.request_seq === number);
    if (found?.type !== 'response') throw new Error(`no response to ${command}`);
    return found;
  }

  const events = (): readonly string[] =>
    sent.flatMap((each) => (each.type === 'event' ? [each.event] : []));

  async function begin(...breakpoints: readonly object[]): Promise<DapResponse> {
    await request('initialize');
    await request('launch');
    const set = await request('setBreakpoints', { source: { path: CELL }, breakpoints });
    await request('setExceptionBreakpoints', { filters: ['raised'] });
    await request('configurationDone');
    return set;
  }

  it('runs the cell when it is configured, with all breakpoints, and ends with it', async () => {
    const set = await begin({ line: 2, condition: 'x' }, { line: 3, hitCondition: 'often' });
    expect(set.body).toEqual({
      breakpoints: [
        { verified: true, line: 2 },
        { verified: false, line: 3, message: 'bad hits' },
      ],
    });
    expect(run.controls).toEqual([
      { kind: 'breakpoints', source: { cell: 'c1' }, breakpoints: [{ line: 2, condition: 'x' }] },
      { kind: 'exceptions', filters: ['raised'] },
    ]);
    expect(run.commands).toEqual([]);
    run.end();
    await expect.poll(events).toEqual(['initialized', 'terminated']);
    await request('disconnect');
    expect(run.commands).toEqual([]);
  });

  it('refuses breakpoints elsewhere; those set during the run reach it at once', async () => {
    await begin();
    const elsewhere = { source: { path: '/x.js' }, breakpoints: [{ line: 1 }] };
    const { body } = await request('setBreakpoints', elsewhere);
    expect(body).toEqual({ breakpoints: [{ verified: false, message: 'elsewhere' }] });
    await request('setBreakpoints', { source: { path: CELL }, breakpoints: [{ line: 9 }] });
    expect(run.commands).toEqual([
      { kind: 'breakpoints', source: { cell: 'c1' }, breakpoints: [{ line: 9 }] },
    ]);
  });

  it('shows frames, and nothing of stacks that go on', async () => {
    await begin();
    run.stop(3, 'Oh');
    expect(sent.at(-1)).toMatchObject({
      event: 'stopped',
      body: { reason: 'breakpoint', threadId: 3, allThreadsStopped: false, text: 'Oh' },
    });
    expect((await request('threads')).body).toEqual({
      threads: [
        { id: 1, name: 'Cell 1' },
        { id: 3, name: 'program 3' },
      ],
    });
    const asked = request('stackTrace', { threadId: 3 });
    run.answer([{ id: 7, name: '<module>', line: 4, source: { cell: 'c1' } }]);
    expect((await asked).body).toEqual({
      totalFrames: 1,
      stackFrames: [
        { id: 7, name: 'Cell 1', line: 4, column: 1, source: { name: 'Cell 1', path: CELL } },
      ],
    });
    const other = await request('stackTrace', { threadId: 1 });
    expect(other.body).toEqual({ stackFrames: [], totalFrames: 0 });
  });

  it('answers open questions with a refusal when the stack goes on, and later ones, too', async () => {
    await begin();
    run.stop();
    const asked = request('evaluate', { expression: 'x', context: 'watch' });
    run.onEvent({ kind: 'continued', thread: 1 });
    expect(await asked).toMatchObject({ success: false, message: 'The cell runs.' });
    expect(await request('scopes', { frameId: 1 })).toMatchObject({ success: false });
    expect(await request('frobnicate')).toMatchObject({ success: false });
  });

  it('interrupts for Stop, and lets the cell go on when the workbench leaves', async () => {
    await begin();
    await request('terminate');
    expect(run.interrupts).toBe(1);
    adapter.dispose();
    expect(run.commands).toEqual([{ kind: 'detach' }]);
  });

  it('says why a cell could not run', async () => {
    await begin();
    run.fail('no kernel');
    await expect.poll(events).toEqual(['initialized', 'output', 'terminated']);
    expect(sent.find((each) => each.type === 'event' && each.event === 'output')).toMatchObject({
      body: { output: 'no kernel\n' },
    });
  });
});
