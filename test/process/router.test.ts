/** SGLang's own router in front of two runtimes: what docs/deployment.md recommends for many servers. */
import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../extension/kernel/processes/free-port.ts';
import { paintPng } from '../support/png.ts';
import { pythonWith } from '../support/python-packages.ts';
import { ok, startedKernels } from '../support/started-kernels.ts';
import { type Json, RuntimeProcess } from './runtime-process.ts';

const VERSION = '0.3.2';
const found = await pythonWith(`sglang-router-${VERSION}`, [`sglang-router==${VERSION}`]);
const title = found.missing === null ? "SGLang's router" : `skipped: ${found.missing}`;

const { start } = startedKernels();
const square = paintPng(64, 64, (x, y) =>
  x > 16 && x < 48 && y > 16 && y < 48 ? [40, 70, 200] : [248, 248, 248],
).toString('base64');

const PROGRAMS = `
from sglang import *
@function
def story(s, number: int):
    s += user(f"Tell me story {number}")
    s += assistant(gen("text", max_tokens=80, temperature=0, ignore_eos=True))
@function
def look(s):
    s += user(image("data:image/png;base64,${square}") + "Describe the image in one short sentence.")
    s += assistant(gen("text", max_tokens=20, temperature=0))
@function
def pick(s):
    s += "The capital of France is" + select("c", [" Paris", " Rome"])
`;

describe.skipIf(found.python === null)(title, () => {
  let workers: RuntimeProcess[] = [];
  let router: ChildProcess;
  let url = '';
  let log = '';

  const ask = async (path: string): Promise<Json> => (await fetch(url + path)).json();
  const healthy = async (): Promise<Json[]> =>
    (await ask('/workers')).workers.filter(({ is_healthy }: Json) => is_healthy);

  /** Starts the router; false when it ended instead of finding its workers. */
  async function isUp(urls: readonly string[]): Promise<boolean> {
    const [port, metrics] = [await freePort(), await freePort()];
    url = `http://127.0.0.1:${port}`;
    const options = ['--port', `${port}`, '--prometheus-port', `${metrics}`];
    const launch = ['-m', 'sglang_router.launch_router', '--worker-urls', ...urls, ...options];
    log = '';
    router = spawn(found.python ?? '', launch, { stdio: ['ignore', 'pipe', 'pipe'] });
    const collect = (text: Buffer): void => void (log += text.toString());
    router.stdout?.on('data', collect);
    router.stderr?.on('data', collect);
    while ((await healthy().catch(() => [])).length < 2) {
      if (router.exitCode !== null) return false;
      await delay(100);
    }
    return true;
  }

  beforeAll(async () => {
    const flags = ['--threads', '1'];
    workers = await Promise.all([RuntimeProcess.start(flags), RuntimeProcess.start(flags)]);
    const urls = workers.map((worker) => worker.url);
    for (let attempt = 1; !(await isUp(urls)); attempt += 1) {
      // Whoever else connects meanwhile may be given a port that was free.
      if (attempt === 3 || !log.includes('Address already in use'))
        throw new Error(`the router ended:\n${log.slice(-3000)}`);
    }
  });
  afterAll(async () => {
    router?.kill('SIGKILL');
    await Promise.all(workers.map((worker) => worker.stop()));
  });

  it('knows the model by the name that the runtimes serve', async () => {
    const { data } = await ask('/v1/models');
    const served = await workers[0]!.get('/v1/models');
    expect(data.map(({ id }: Json) => id)).toEqual(served.body.data.map(({ id }: Json) => id));
  });

  it('carries programs: batches, streams, choices, images', async () => {
    const kernel = start({ endpoint: url });
    await ok(kernel, PROGRAMS);
    const code = `states = story.run_batch([{"number": i} for i in range(8)], num_threads=8)
print(sum(len(s["text"]) > 20 for s in states))
state = story.run(number=9, stream=True)
print(len(list(state.text_iter("text"))) > 5)
print(pick.run()["c"], "|", look.run()["text"])`;
    expect(await ok(kernel, code)).toBe('8\nTrue\n Paris | A blue square on a white background.\n');
  });

  it('finishes a batch of which a server died', async () => {
    const kernel = start({ endpoint: url });
    await ok(kernel, PROGRAMS);
    const run = kernel.execute(
      'states = story.run_batch([{"number": i} for i in range(16)], num_threads=8)\n' +
        'print(sum(len(s["text"]) > 20 for s in states))',
    );
    const done = () => kernel.events.filter((event) => event.type === 'gen').length;
    await kernel.until(() => done() >= 3);
    workers[0]!.child.kill('SIGKILL');
    const finished = await kernel.finished(run);
    expect([finished.outcome, finished.text]).toEqual([{ status: 'ok' }, '16\n']);
  });
});
