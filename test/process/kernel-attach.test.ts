/** Real kernels that outlive the driver that started them. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { isAlive, readKernelRecords } from '../../extension/src/kernel-client/kernel-records.ts';
import {
  KernelSession,
  type InputQuestion,
  type RunSink,
  type SessionListener,
} from '../../extension/src/kernel-client/kernel-session.ts';
import type { DebugEvent } from '../../extension/protocol/debug-protocol.ts';
import type { KernelOutput, RunOutcome } from '../../extension/protocol/kernel-protocol.ts';

const entry = join(
  dirname(fileURLToPath(import.meta.url)),
  '..',
  '..',
  'extension',
  'kernel',
  'main.ts',
);
const NOTEBOOK = 'file:///a/notebook.sglnb';
const cell = { id: 'c1', label: 'cell 1' };

/** What a cell shows, as VS Code would have it in the end. */
class Cell implements RunSink {
  text = '';
  order: number | null = null;
  outcome = '';
  asked: string[] = [];
  ended = Promise.withResolvers<void>();
  start(order: number | null): void {
    this.order = order;
    this.text = '';
  }
  output(output: KernelOutput): void {
    if (output.kind === 'stream') this.text += output.text;
  }
  async ask({ prompt }: InputQuestion): Promise<string | null> {
    this.asked.push(prompt);
    return prompt === 'later? ' ? new Promise(() => {}) : 'Ada';
  }
  async end(outcome: RunOutcome): Promise<void> {
    this.outcome = outcome.status;
    this.ended.resolve();
  }
  async fail(name: string, message: string): Promise<void> {
    this.outcome = `${name}: ${message}`;
    this.ended.resolve();
  }
}

let folder: string;
const sessions: KernelSession[] = [];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kernels-'));
});
afterEach(async () => {
  await Promise.all(sessions.splice(0).map((session) => session.stop()));
  expect(readKernelRecords(folder)).toEqual([]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newWindow(
  keepAlive = 60_000,
  isWindowThere: () => Promise<unknown> = async () => {},
): { session: KernelSession; log: string[] } {
  const log: string[] = [];
  const listener: SessionListener = {
    status: (status) => log.push(status),
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
      entry,
      cwd: folder,
      guest: { kind: 'wasm' },
      endpoint: null,
      endpointOptions: {},
      model: null,
      env: {},
      interruptTimeout: 5000,
      detached: { folder, notebook: NOTEBOOK, keepAlive, isWindowThere },
    }),
    listener,
  );
  sessions.push(session);
  return { session, log };
}

const record = () => {
  const [only] = readKernelRecords(folder);
  if (!only) throw new Error('no kernel has a record');
  return only;
};

it('lets a cell that its debugger holds go on when the window is gone', async () => {
  const first = newWindow();
  const events: DebugEvent[] = [];
  const breakpoints = [{ line: 2 }, { line: 3 }];
  const code = 'print("begins")\nprint("goes on")\nprint("ends")';
  void first.session.execute(cell, code, new Cell(), {
    controls: [{ kind: 'breakpoints', source: { cell: cell.id }, breakpoints }],
    event: (event) => events.push(event),
  });
  await expect.poll(() => events.length).toBe(1);
  expect(events[0]).toMatchObject({ kind: 'stopped', reason: 'breakpoint' });
  await first.session.leave();

  const second = newWindow();
  const after = new Cell();
  await second.session.attach(record(), false, () => after);
  await after.ended.promise;
  expect([after.outcome, after.text]).toEqual(['ok', 'begins\ngoes on\nends\n']);
});

it('goes on without a window, and shows the next one all of its output', async () => {
  const first = newWindow();
  const before = new Cell();
  void first.session.execute(
    cell,
    'import time\nkept = 7\nfor i in range(30):\n    print("line", i, flush=True)\n    time.sleep(0.05)',
    before,
  );
  await expect.poll(() => before.text).toContain('line 3\n');
  await first.session.leave();
  expect(first.session.pid).toBeUndefined();
  expect(before.outcome).toBe('');

  const second = newWindow();
  const after = new Cell();
  await second.session.attach(record(), false, (run) => {
    expect(run.cell).toEqual(cell);
    return after;
  });
  await after.ended.promise;
  expect(after.outcome).toBe('ok');
  expect(after.order).toBe(1);
  expect(after.text).toBe(Array.from({ length: 30 }, (_, line) => `line ${line}\n`).join(''));
  const next = new Cell();
  await second.session.execute(cell, 'print(kept)', next);
  expect([next.text, next.order]).toEqual(['7\n', 2]);

  // What was drawn a while ago is not told again; what ended just now or in between is.
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  void second.session.execute(cell, 'time.sleep(0.3); print("unseen")', new Cell());
  await expect.poll(() => second.log.at(-1)).toBe('busy');
  await second.session.leave();
  await new Promise((resolve) => setTimeout(resolve, 600));
  const third = newWindow();
  const unseen = new Cell();
  const told: string[] = [];
  await third.session.attach(record(), false, (run) => {
    told.push(run.code);
    return unseen;
  });
  await unseen.ended.promise;
  expect(told).toEqual(['time.sleep(0.3); print("unseen")']);
  expect(unseen.text).toBe('unseen\n');
});

it('asks the next window what the cell still waits for', async () => {
  const first = newWindow();
  const cut = new Cell();
  void first.session.execute(cell, 'print(input("name? ")); print(input("later? "))', cut);
  await expect.poll(() => cut.asked).toEqual(['name? ', 'later? ']);
  await first.session.leave();
  const second = newWindow();
  const after = new Cell();
  await second.session.attach(record(), false, () => after);
  await expect.poll(() => after.asked).toEqual(['later? ']);
  // What was answered before is told as text.
  expect(after.text).toBe('name? Ada\nAda\n');
  second.session.interrupt();
  await after.ended.promise;
  expect(after.outcome).toBe('interrupted');
});

it('serves one window; another takes over only when told to, and the first is told', async () => {
  const first = newWindow();
  const running = new Cell();
  const run = first.session.execute(cell, 'import time\ntime.sleep(600)', running);
  await expect.poll(() => first.log.at(-1)).toBe('busy');
  const second = newWindow();
  await expect(second.session.attach(record(), false, () => null)).rejects.toMatchObject({
    code: 'KERNEL_IN_USE',
  });
  expect(second.session.pid).toBeUndefined();
  expect(record().driven).toBe(true);
  await second.session.attach(record(), true, () => null);
  await run;
  expect(running.outcome).toBe('KernelDied: Another window has attached to this kernel.');
  expect(second.session.pid).toBe(record().pid);
  // The cell of the run is in no window: it can be interrupted all the same.
  await expect.poll(() => second.log.at(-1)).toBe('busy');
  second.session.interrupt();
  await expect.poll(() => second.log.at(-1)).toBe('idle');
});

it('goes to the next window when its own no longer answers', async () => {
  const first = newWindow(60_000, () => new Promise(() => {}));
  const running = new Cell();
  const run = first.session.execute(
    cell,
    'import time\nprint("begun", flush=True)\ntime.sleep(7)\nprint("done")',
    running,
  );
  await expect.poll(() => running.text).toBe('begun\n');
  const [second, third] = [newWindow(), newWindow()];
  const after = new Cell();
  const attached = second.session.attach(record(), false, () => after);
  const refused = expect(third.session.attach(record(), false, () => null)).rejects.toMatchObject({
    code: 'KERNEL_IN_USE',
  });
  await Promise.all([attached, refused, run, after.ended.promise]);
  expect(running.outcome).toBe('KernelDied: Another window has attached to this kernel.');
  expect(after.text).toBe('begun\ndone\n');
});

it('goes to the window that waits when its own lets go', async () => {
  const first = newWindow(60_000, () => new Promise(() => {}));
  const cut = new Cell();
  await first.session.execute(cell, 'kept = 3', cut);
  const second = newWindow();
  const attached = second.session.attach(record(), false, () => null);
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(second.session.pid).toBeUndefined();
  const asked = performance.now();
  await first.session.leave();
  await attached;
  expect(performance.now() - asked).toBeLessThan(4_000);
  const next = new Cell();
  await second.session.execute(cell, 'print(kept)', next);
  expect(next.text).toBe('3\n');
});

it('lets in only who knows the token, and keeps it from other users', async () => {
  const { session } = newWindow();
  await session.execute(cell, '1', new Cell());
  const { id, address, token } = record();
  expect(statSync(join(folder, `${id}.json`)).mode & 0o077).toBe(0);
  expect(statSync(dirname(address)).mode & 0o077).toBe(0);
  for (const greeting of [
    `{"type":"attach","token":"${token.slice(1)}x","protocolVersion":1,"takeOver":true,"keepAlive":1}\n`,
    '{"type":"shutdown"}\n',
    'GET / HTTP/1.1\n\n',
  ]) {
    const socket = connect(address);
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.write(greeting);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).not.toContain('attached');
  }
  const still = new Cell();
  await session.execute(cell, 'print("here")', still);
  expect(still.text).toBe('here\n');
});

it('ends when no window comes back, and leaves nothing behind', async () => {
  const { session } = newWindow(1);
  await session.execute(cell, '1', new Cell());
  const { pid, address } = record();
  await session.leave();
  await expect.poll(() => isAlive(pid)).toBe(false);
  expect(() => statSync(address)).toThrow('ENOENT');
  expect(readdirSync(folder).filter((name) => name.endsWith('.json'))).toEqual([]);
});

it('ends with its window when it is not to stay', async () => {
  const { session } = newWindow(0);
  await session.execute(cell, '1', new Cell());
  const { pid } = record();
  await session.leave();
  await expect.poll(() => isAlive(pid)).toBe(false);
});

it('ends when its record is gone, for nobody can find it any more', async () => {
  const { session } = newWindow();
  await session.execute(cell, '1', new Cell());
  const { pid, id } = record();
  await session.leave();
  rmSync(join(folder, `${id}.json`));
  await expect.poll(() => isAlive(pid)).toBe(false);
});

it('says how a kernel ended, also one that another window started', async () => {
  const first = newWindow();
  const killed = new Cell();
  void first.session.execute(cell, 'import time\ntime.sleep(600)', killed);
  await expect.poll(() => first.log.at(-1)).toBe('busy');
  first.session.kill();
  await killed.ended.promise;
  expect(killed.outcome).toMatch(/^KernelDied: The kernel was ended by SIGKILL/);
  expect(readKernelRecords(folder)).toEqual([]);

  await first.session.execute(cell, '1', new Cell());
  const { pid, id } = record();
  expect(readFileSync(join(folder, `${id}.log`), 'utf8')).toBe('');
  await first.session.leave();
  const second = newWindow();
  await second.session.attach(record(), false, () => null);
  const later = new Cell();
  void second.session.execute(cell, 'import time\ntime.sleep(600)', later);
  await expect.poll(() => second.log.at(-1)).toBe('busy');
  process.kill(pid, 'SIGKILL');
  await later.ended.promise;
  expect(later.outcome).toMatch(/^KernelDied: The kernel has ended\. Run the cell again/);
});
