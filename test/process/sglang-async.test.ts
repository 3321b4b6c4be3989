/** Programs that are coroutines, and programs that go wrong, in both guests. */
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { findPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

/** Begins an answer to each generation that it never ends. */
class SilentServer implements AsyncDisposable {
  asked = 0;
  /** Those whose client went away. */
  left = 0;
  readonly #server = createServer((request, response) => {
    const isGeneration = request.url === '/generate';
    response.setHeader('content-type', 'application/json');
    if (!isGeneration) return void response.end('{"model_path":"m","is_generation":true}');
    this.asked += 1;
    response.once('close', () => (this.left += 1)).flushHeaders();
  });

  static async start(): Promise<SilentServer> {
    const silent = new SilentServer();
    await new Promise<void>((resolve) => silent.#server.listen(0, '127.0.0.1', resolve));
    return silent;
  }

  get url(): string {
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const GUESTS: readonly (readonly [name: string, guest: GuestChoice])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', { kind: 'cpython', executable: 'python3' }],
];

describe.each(GUESTS)('%s', (_name, guest) => {
  const server = new MockSglangServer();
  let kernel: KernelDriver;
  const missing =
    guest.kind === 'cpython' && findPython() === null ? 'this machine has no python3' : null;

  beforeAll(async () => {
    if (missing !== null) return;
    kernel = new KernelDriver({ guest, endpoint: await server.listen() });
    await check(
      `
import asyncio, sglang as sgl
from sglang import *
@function
async def talk(s, topic, depth=0):
    s += user(f"Talk about {topic}.") + assistant(gen("a"))
    answer = await s["a"]
    forks = await s.fork(2)
    for i, f in enumerate(forks):
        f += f"{i}" + gen("part", max_tokens=2)
    await forks.join()
    async with s.copy() as t:
        t += "aside" + gen("aside")
    s += "".join(await s["part"])
    with s.user():
        s += "and"
    s["own"] = len(answer)
    s += select("c", ["yes", "no"])
    return (await s["c"], await s.text(), len(await s.messages()))
@function
def plain(s, topic):
    s += topic + gen("a")
    s += s["a"]
@function
async def fails(s, i):
    s += "a" + gen("x")
    await s["x"]
    if i == 37: raise ValueError(f"item {i}")
print("defined")`,
      'defined\n',
    );
  });
  afterAll(async () => {
    await kernel?.close();
    await server.close();
  });

  async function check(code: string, text: string): Promise<void> {
    const { outcome, run } = await kernel.run(code);
    expect({ outcome, text: kernel.textOf(run) }).toEqual({ outcome: { status: 'ok' }, text });
  }

  test.for<readonly [what: string, code: string, text: string]>([
    [
      'run_async',
      'state = await talk.run_async("tea")\nprint(state["a"], state["own"], state["part"], state["aside"], state.ret_value[2])',
      " Paris is nice 14 [' Paris is nice', ' Paris is nice'] [' Paris is nice'] 4\n",
    ],
    [
      'run, which waits',
      'state = talk.run(topic="tea")\nprint(state.ret_value[0] in ("yes", "no"), state.text() == state.ret_value[1])',
      'True True\n',
    ],
    [
      'several at once, with a program that is no coroutine',
      'states = await asyncio.gather(talk.run_async("a"), plain.run_async(topic="b"))\nprint(states[1].text())',
      'b Paris is nice Paris is nice\n',
    ],
    [
      'batches, in the order of the items',
      'states = await talk.run_batch_async([{"topic": str(i)} for i in range(40)], num_threads=7)\nprint(all(f"about {i}." in s.text() for i, s in enumerate(states)), len(talk.run_batch([("x",), ("y",)])))',
      'True 2\n',
    ],
    [
      "an exception of the program's own code in item 37 of 100",
      'try: await fails.run_batch_async([{"i": i} for i in range(100)])\nexcept ValueError as e: print(e)',
      'item 37\n',
    ],
    [
      'a program that calls itself without an end',
      `
import sys
@function
def down(s, depth):
    s += "a" + gen("x", max_tokens=1)
    down(depth=depth + 1)
limit = sys.getrecursionlimit()
sys.setrecursionlimit(300)
try: down.run(depth=0)
except RecursionError: print("too deep")
finally: sys.setrecursionlimit(limit)
print(plain.run(topic="next").text())`,
      'too deep\nnext Paris is nice Paris is nice\n',
    ],
    [
      'an exception in the body of a fork',
      `
@function
def forking(s, i):
    s += "p"
    forks = s.fork(3)
    forks += lambda j: "x" + gen("g") if j != 1 else 1 / 0
    forks.join()
for work in (lambda: forking.run(i=1), lambda: forking.run_batch([{"i": i} for i in range(5)])):
    try: work()
    except ZeroDivisionError as e: print(repr(e))`,
      "ZeroDivisionError('division by zero')\nZeroDivisionError('division by zero')\n",
    ],
    [
      'a name that is never defined',
      '@function\nasync def p(s): await s["nope"]\ntry: await p.run_async()\nexcept KeyError as e: print(repr(e))',
      "KeyError('nope')\n",
    ],
    [
      'an iteration in parallel with others',
      `
@function
def streamed(s): s += "a" + gen("x")
async def read(): return "".join([p async for p in streamed.run(stream=True).text_async_iter("x")])
print(set(await asyncio.gather(*[read() for _ in range(20)])))`,
      "{' Paris is nice'}\n",
    ],
  ])('%s', async ([, code, text], { skip }) => {
    skip(missing !== null, `not run: ${missing ?? ''}`);
    await check(code, text);
  });

  test('a run that is cancelled is cancelled on the server, with its forks', async ({
    skip,
    onTestFinished,
  }) => {
    skip(missing !== null, `not run: ${missing ?? ''}`);
    await using silent = await SilentServer.start();
    const waiting = new KernelDriver({ guest, endpoint: silent.url });
    onTestFinished(async () => void (await waiting.close()));
    const { outcome, text } = await waiting.run(`
import asyncio
from sglang import *
@function
async def waits(s):
    s += "a" + gen("a")
    await s["a"]
@function
def waits_too(s):
    s += "a" + gen("a")
    s += s["a"]
@function
async def forks(s):
    for f in await s.fork(3): f += "a" + gen("a")
    await asyncio.sleep(60)
for program in (waits, waits_too, forks):
    try: await asyncio.wait_for(program.run_async(), 1)
    except asyncio.TimeoutError: print("late", end=" ")`);
    expect({ outcome, text }).toEqual({ outcome: { status: 'ok' }, text: 'late late late ' });
    await expect.poll(() => [silent.asked, silent.left]).toEqual([5, 5]);
  });

  test('a failed gen', async ({ skip }) => {
    skip(missing !== null, `not run: ${missing ?? ''}`);
    server.failure = { status: 400, body: { error: { message: 'bad thing' } } };
    await check(
      'try: await talk.run_async("x")\nexcept KeyError as e: print("bad thing" in str(e))',
      'True\n',
    );
    server.failure = null;
  });
});
