/** Interrupts at random moments of everything that a cell can be doing, in both guests. */
import { spawnSync } from 'node:child_process';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KernelDriver } from '../support/kernel-driver.ts';
import { seededRandom } from '../support/seeded-random.ts';

/** Interrupts per case; `SGLNB_STRESS=50` for a long run. */
const ROUNDS = Number(process.env['SGLNB_STRESS'] ?? 4);
const random = seededRandom(7);

/** A server whose gens never end. */
let silent: Server;
let url = '';
beforeAll(async () => {
  silent = createServer((request, response) => {
    if (request.url === '/generate') return;
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ model_path: 'm', tokenizer_path: 'm', is_generation: true, data: [] }),
    );
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
});
afterAll(() => {
  silent.closeAllConnections();
  silent.close();
});

const PROGRAM = `
import sglang as sgl
sgl.set_default_backend(sgl.RuntimeEndpoint("URL"))

@sgl.function
def ask(s, q="q"):
    s += q + sgl.gen("a")
    return s["a"]

@sgl.function
def busy(s, q="q"):
    s += q
    while True: pass
`;

const CASES: Readonly<Record<string, string>> = {
  'a busy loop': 'while True: pass',
  'a loop that allocates': 'while True: d = {k: str(k) for k in range(50)}',
  'waiting in state["x"]': 'ask.run()',
  'a batch': 'ask.run_batch([{"q": str(i)} for i in range(64)])',
  'a batch of busy bodies': 'busy.run_batch([{"q": str(i)} for i in range(3)])',
  'a stream': 'for piece in ask.run(stream=True).text_iter(): pass',
  'a fork':
    '@sgl.function\ndef forks(s):\n    f = s.fork(3)\n    f += sgl.gen("a")\n    f.join()\nforks.run()["a"]',
  'asyncio.sleep': 'import asyncio\nawait asyncio.sleep(1000)',
  'many short awaits': 'import asyncio\nwhile True: await asyncio.sleep(0)',
  'time.sleep': 'import time\ntime.sleep(1000)',
  'many short sleeps': 'import time\nwhile True: time.sleep(0.001)',
  'a shell line': '!sleep 1000',
  'endless printing': 'i = 0\nwhile True:\n    i += 1\n    print(i)',
  'input()': 'input("? ")',
  wait_for_server:
    'from sglang.utils import wait_for_server\nwait_for_server("http://127.0.0.1:9")',
  'an except that catches all errors':
    'while True:\n    try:\n        while True: pass\n    except Exception: pass',
};

function describeGuest(name: string, start: () => KernelDriver): void {
  describe(name, () => {
    let kernel: KernelDriver;
    beforeAll(async () => {
      kernel = start();
      expect((await kernel.run(PROGRAM.replace('URL', url))).outcome).toEqual({ status: 'ok' });
    });
    afterAll(() => kernel.close());

    test.each(Object.entries(CASES))('%s', async (_, code) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        const run = kernel.execute(code, 'busy cell');
        await kernel.event((event) => event.type === 'started' && event.run === run);
        await new Promise((resolve) => setTimeout(resolve, random.below(40)));
        kernel.interrupt();
        const { outcome, outputs } = await kernel.finished(run);
        expect(outcome).toEqual({ status: 'interrupted' });
        const last = outputs.at(-1);
        // Only the rare interrupt that had to restart Python ends with a message instead.
        if (last?.kind === 'error') expect(last.error.name).toBe('KeyboardInterrupt');
        else {
          expect(last).toMatchObject({
            kind: 'stream',
            text: expect.stringContaining('variables are lost'),
          });
          await kernel.run(PROGRAM.replace('URL', url));
        }
        kernel.events.length = 0;
      }
      const after = await kernel.run('print(6 * 7)');
      expect([after.outcome.status, after.text]).toEqual(['ok', '42\n']);
    });

    test('the traceback tells where the cell was', async () => {
      for (const code of [
        '\nwhile True: pass',
        '\nask.run()',
        '\nawait asyncio.sleep(99)',
        '\ntime.sleep(99)',
      ]) {
        const run = kernel.execute(`import asyncio, time${code}`, 'where');
        await kernel.event((event) => event.type === 'started' && event.run === run);
        await new Promise((resolve) => setTimeout(resolve, 50));
        kernel.interrupt();
        const last = (await kernel.finished(run)).outputs.at(-1);
        expect(last, code).toMatchObject({
          kind: 'error',
          error: { name: 'KeyboardInterrupt', line: expect.any(Number) },
        });
      }
    });
  });
}

describeGuest('Python in WebAssembly', () => new KernelDriver());

test('a cell that cannot be interrupted is stopped by a restart, which the user is told', async () => {
  const kernel = new KernelDriver();
  try {
    const run = kernel.execute('sum(range(10**12))');
    await kernel.event((event) => event.type === 'started' && event.run === run);
    const queued = kernel.execute('1');
    kernel.interrupt();
    expect((await kernel.finished(queued)).outcome.status).toBe('aborted');
    const ended = await kernel.finished(run);
    expect(ended.outcome.status).toBe('interrupted');
    expect(ended.text).toContain('variables are lost');
    expect((await kernel.run('1 + 1')).outcome.status).toBe('ok');
  } finally {
    await kernel.close();
  }
});

const cpython = ['python3', 'python'].find(
  (name) => spawnSync(name, ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0,
);
if (cpython === undefined) test.skip('CPython: not run, this machine has no Python 3.9 or newer');
else
  describeGuest(
    `CPython (${cpython})`,
    () => new KernelDriver({ guest: { kind: 'cpython', executable: cpython } }),
  );
