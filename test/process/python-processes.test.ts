/**
 * Processes that cells fork, by multiprocessing or themselves: they find the functions of cells, what they
 * print is seen whole, and they never disturb the notebook's own Python.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { interpreters, VERSIONS } from '../support/interpreters.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const found = interpreters();
const server = new MockSglangServer();
beforeAll(() => server.listen());
afterAll(() => server.close());

const SETUP = `import multiprocessing as mp, os, sys
from concurrent.futures import ProcessPoolExecutor
from sglang import *
@function
def ask(s):
    s += user("x") + assistant(gen("a"))
def square(x): return x * x
def talk(x): print("x" * 20_000, flush=True)
def program(x): return ask.run()["a"]
def refused(x):
    try: return program(x)
    except RuntimeError as error: return str(error)`;

describe.skipIf(process.platform !== 'linux').each(VERSIONS)('Python %s', (version) => {
  const here = found.get(version);
  const name = here === undefined ? `not run: python${version} not found` : 'forks processes';
  test.skipIf(here === undefined)(name, async () => {
    const endpoint = `http://127.0.0.1:${server.port}`;
    const kernel = new KernelDriver(here === undefined ? {} : { guest: here.guest, endpoint });
    const printed = async (code: string): Promise<string> => {
      const { text, outcome } = await kernel.run(code, 'cell');
      expect(outcome).toEqual({ status: 'ok' });
      return text;
    };
    // The program may still choose another way itself.
    expect(await printed(`${SETUP}\nprint(mp.get_start_method(allow_none=True))`)).toBe('None\n');
    expect(
      await printed(
        'with mp.Pool(2) as pool: print(pool.map(square, range(4)))\nwith ProcessPoolExecutor(2) as pool: print(list(pool.map(square, range(4))))',
      ),
    ).toBe('[0, 1, 4, 9]\n[0, 1, 4, 9]\n');
    const said = await printed('with mp.Pool(2) as pool: pool.map(talk, range(6))');
    expect(said.match(/x/g)).toHaveLength(120_000);
    // A program there would wait for an answer that its parent gets.
    const words = await printed(
      'print(program(0))\nwith mp.Pool(1) as pool: print(pool.map_async(refused, [1]).get(timeout=20))',
    );
    expect(words).toContain('no SGLang programs');
    expect(
      await printed('child = os.fork()\nif child: os.waitpid(child, 0)\nprint("parent")'),
    ).toMatch(/parent\n/);
    expect(kernel.garbage).toEqual([]);
    await kernel.close();
  });
});
