import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import {
  KernelSession,
  type InputQuestion,
  type RunSink,
  type SessionListener,
} from '../../extension/src/kernel-client/kernel-session.ts';
import type { KernelOutput, RunOutcome } from '../../extension/protocol/kernel-protocol.ts';

const entry = join(dirname(fileURLToPath(import.meta.url)), '..', 'support', 'scripted-kernel.mjs');

/** Writes what happened to a run as words. */
class RecordingSink implements RunSink {
  readonly events: string[] = [];
  readonly #answer: (prompt: string, over: AbortSignal) => string | null;
  constructor(answer: (prompt: string, over: AbortSignal) => string | null = () => null) {
    this.#answer = answer;
  }
  start(): void {
    this.events.push('start');
  }
  output(output: KernelOutput): void {
    this.events.push(output.kind === 'stream' ? output.text : output.kind);
  }
  async ask({ prompt }: InputQuestion, over: AbortSignal): Promise<string | null> {
    return this.#answer(prompt, over);
  }
  async end(outcome: RunOutcome): Promise<void> {
    this.events.push(outcome.status);
  }
  async fail(name: string, message: string): Promise<void> {
    this.events.push(`${name}: ${message}`);
  }
}

const sessions: KernelSession[] = [];
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.stop()));
});

function startSession(): { session: KernelSession; log: string[] } {
  const log: string[] = [];
  const listener: SessionListener = {
    status: (status) => log.push(`status ${status}`),
    gen: () => {},
    log: (_level, message) => log.push(message),
    background: () => {},
    runtimeFailed: () => {},
    started: (cell, order) => log.push(`started ${cell.id} as ${order}`),
    finished: (cell, outcome) => log.push(`finished ${cell.id}: ${outcome.status}`),
    processes: () => log.push('processes'),
    chooseModel: async (name) => `/models/${name}.gguf`,
  };
  const launch = {
    entry,
    cwd: dirname(entry),
    endpoint: null,
    guest: { kind: 'wasm' } as const,
    endpointOptions: {},
    model: null,
    env: {},
    interruptTimeout: 300,
  };
  const session = new KernelSession(() => launch, listener);
  sessions.push(session);
  return { session, log };
}

async function run(
  session: KernelSession,
  code: string,
  answer?: (prompt: string, over: AbortSignal) => string | null,
): Promise<string[]> {
  const sink = new RecordingSink(answer);
  await session.execute({ id: 'c', label: 'cell 1' }, code, sink);
  return sink.events;
}

describe('KernelSession', () => {
  it('starts the kernel with the first cell and routes outputs to their run', async () => {
    const { session, log } = startSession();
    expect(session.pid).toBeUndefined();
    expect(await run(session, 'say hello')).toEqual(['start', 'hello', 'ok']);
    expect(await run(session, 'raise no')).toEqual(['start', 'error', 'error']);
    expect(log).toContain('status idle');
  });

  it('survives a line that is no message', async () => {
    const { session, log } = startSession();
    expect(await run(session, 'garbage Segmentation what?')).toEqual(['start', 'ok']);
    expect(log).toContain('Segmentation what?');
  });

  it('interrupts a waiting cell', async () => {
    const { session } = startSession();
    const running = run(session, 'wait');
    await run(session, 'say the kernel is up');
    session.interrupt();
    expect(await running).toEqual(['start', 'interrupted']);
  });

  it('kills a kernel that ignores the interrupt, ends its cells, and starts anew', async () => {
    const { session, log } = startSession();
    const hanging = run(session, 'hang');
    await run(session, 'say up');
    session.interrupt();
    expect((await hanging).at(-1)).toMatch(/^KernelDied: The kernel was ended by SIGKILL/);
    expect(log).toContain('the kernel ignored the interrupt and was killed');
    expect(await run(session, 'say again')).toEqual(['start', 'again', 'ok']);
  });

  it('ends every run when the kernel dies, with its last words', async () => {
    const { session, log } = startSession();
    const waiting = run(session, 'wait');
    const dying = run(session, 'die');
    const queued = run(session, 'wait');
    for (const events of await Promise.all([waiting, dying, queued])) {
      expect(events.at(-1)).toMatch(/KernelDied: The kernel exited with code 3[^]*out of memory/);
    }
    expect(log.at(-1)).toBe('status stopped');
    expect(await run(session, 'say back')).toContain('back');
  });

  it('asks the user for input and passes the end of input on', async () => {
    const asked: string[] = [];
    const ada = (prompt: string): string => `${asked.push(prompt)} Ada`;
    const { session } = startSession();
    expect(await run(session, 'ask name?', ada)).toEqual(['start', '1 Ada', 'ok']);
    expect(asked).toEqual(['name?']);
    expect(await run(session, 'ask name?')).toEqual(['start', 'null', 'ok']);
  });

  it('says when cells start and end, and closes a question when its cell ends', async () => {
    const { session, log } = startSession();
    await run(session, 'ask name?', (_prompt, over) => {
      over.addEventListener('abort', () => log.push('nobody waits any more'));
      return 'typed';
    });
    expect(log).toEqual(
      expect.arrayContaining(['started c as 1', 'finished c: ok', 'nobody waits any more']),
    );
  });

  it('asks the kernel next to a running cell; a question fails when there is no kernel', async () => {
    const { session } = startSession();
    await expect(session.query({ kind: 'programs' })).rejects.toThrow('No kernel is running.');
    const waiting = run(session, 'wait');
    expect(await session.query({ kind: 'variables', limit: 3 })).toEqual({ asked: 'variables' });
    await expect(session.query({ kind: 'programs' })).rejects.toThrow('no programs');
    const unanswered = session.query({ kind: 'complete', code: '', offset: 0 });
    session.kill();
    await expect(unanswered).rejects.toThrow(/SIGKILL/);
    expect((await waiting).at(-1)).toMatch(/^KernelDied/);
  });

  it('runs a cell that comes during a restart on the new kernel', async () => {
    const { session } = startSession();
    await run(session, 'say one');
    const before = session.pid;
    const restarted = session.restart();
    expect(await run(session, 'say two')).toEqual(['start', 'two', 'ok']);
    await restarted;
    expect(session.pid).toBeDefined();
    expect(session.pid).not.toBe(before);
  });

  it('lists the programs that cells started until they end or the kernel does', async () => {
    const { session } = startSession();
    await run(session, 'start 77');
    expect(session.processes.map(({ pid, url }) => [pid, url])).toEqual([[77, 'http://x']]);
    await run(session, 'stop 77');
    expect(session.processes).toEqual([]);
    await run(session, 'start 78');
    session.kill();
    await expect.poll(() => session.processes).toEqual([]);
  });

  it('reports a kernel that cannot start', async () => {
    const listener: SessionListener = {
      status: () => {},
      started: () => {},
      finished: () => {},
      processes: () => {},
      gen: () => {},
      log: () => {},
      background: () => {},
      runtimeFailed: () => {},
      chooseModel: async () => null,
    };
    const session = new KernelSession(
      () => ({
        entry: join(entry, 'missing.mjs'),
        cwd: dirname(entry),
        endpoint: null,
        guest: { kind: 'wasm' } as const,
        endpointOptions: {},
        model: null,
        env: {},
        interruptTimeout: 100,
      }),
      listener,
    );
    expect((await run(session, 'say x')).at(-1)).toMatch(
      /KernelDied: The kernel exited with code 1[^]*missing\.mjs/,
    );
  });
});
