/**
 * The same programs on SGLang's own Python frontend and on ours, in both guests: what they ask the
 * server and what they see must be equal, except where the table says what is better and why.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { runPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { compareRecorded, type Difference, type Recorded } from '../support/recorded-traffic.ts';
import { findReferenceFrontend, REFERENCE_VERSION } from '../support/reference-frontend.ts';

const FOLDER = fileURLToPath(new URL('reference', import.meta.url));

const DIFFERENCES: Readonly<Record<string, Difference>> = {
  compiled_program: {
    reason: 'compiled programs run as any other; no server accepts what SGLang sends for them',
    added: ['"json_schema":null}}'],
    removed: ['"logprob_start_len":[null]'],
  },
  select_without_a_prompt: {
    reason: 'the error says why a choice cannot be scored; SGLang divides by zero',
    result: '"error":"NotImplementedError"',
  },
};

type Run = (url: string) => Promise<ReadonlyMap<string, unknown>>;

/** Runs the programs against a server of their own and cuts its recording at each case. */
async function record(run: Run): Promise<ReadonlyMap<string, Recorded>> {
  const server = new MockSglangServer();
  const url = await server.listen();
  try {
    const results = await run(url);
    const starts = server.requests.flatMap(({ path }, index) =>
      path.startsWith('/test/') ? [{ name: path.slice('/test/'.length), index }] : [],
    );
    return new Map(
      starts.slice(0, -1).map(({ name, index }, at) => {
        const requests = server.requests.slice(index + 1, starts[at + 1]?.index);
        const result: unknown = JSON.parse(JSON.stringify(results.get(name) ?? null));
        return [name, { case: name, result, requests: requests.filter(isProgram) }];
      }),
    );
  } finally {
    await server.close();
  }
}

const isProgram = ({ path }: { readonly path: string }): boolean => path !== '/test-fail';

const results = (entries: readonly unknown[]): ReadonlyMap<string, unknown> =>
  new Map(entries as readonly [string, unknown][]);

const onReference =
  (python: string): Run =>
  async (url) => {
    // The reference hangs in some cases; here nothing may.
    const source = `
import json, os, sys, threading
sys.path.insert(0, ${JSON.stringify(FOLDER)})
import programs
def guard(work):
    box = ["HANG"]
    def body(): box[0] = programs.raised(work)
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    thread.join(5)
    return box[0]
programs.run(${JSON.stringify(url)}, lambda *entry: print("\\n@" + json.dumps(entry), flush=True), guard)
os._exit(0)`;
    const { stdout } = await promisify(execFile)(python, ['-c', source], { timeout: 100_000 });
    const lines = stdout.split('\n').filter((line) => line.startsWith('@'));
    return results(lines.map((line) => JSON.parse(line.slice(1)) as unknown));
  };

const onCPython: Run = async (url) => {
  const ignore = (): void => undefined;
  const bridge = createHostBridge({
    emit: ignore,
    onGen: ignore,
    cwd: FOLDER,
    defaultEndpoint: null,
  });
  const source = `
import sys
sys.path.insert(0, ${JSON.stringify(FOLDER)})
import programs
programs.run(${JSON.stringify(url)}, lambda *entry: report(entry))`;
  const { reports, error, stderr } = await runPython(source, bridge);
  await bridge.dispose();
  if (error !== null) throw new Error(error.traceback + stderr);
  return results(reports);
};

const onWasm: Run = async (url) => {
  const kernel = new KernelDriver({});
  const programs = readFileSync(`${FOLDER}/programs.py`, 'utf8');
  const { outcome, run } = await kernel.run(
    `${programs}\nrun(${JSON.stringify(url)}, lambda *e: print("\\n@" + json.dumps(e)))`,
  );
  await kernel.close();
  expect(outcome).toEqual({ status: 'ok' });
  const lines = kernel.textOf(run).split('\n');
  return results(
    lines
      .filter((line) => line.startsWith('@'))
      .map((line) => JSON.parse(line.slice(1)) as unknown),
  );
};

const reference = await findReferenceFrontend();
if (reference.missing !== null) console.warn(`differential test ${reference.missing}`);
const names = [
  ...readFileSync(`${FOLDER}/programs.py`, 'utf8').matchAll(/^@case\ndef (\w+)/gm),
].map(([, name]) => name ?? '');
const random = Array.from({ length: 100 }, (_, seed) => `random_${seed}`);

describe(`SGLang ${REFERENCE_VERSION} and ours`, () => {
  let theirs: ReadonlyMap<string, Recorded>;
  beforeAll(async () => {
    if (reference.python !== null) theirs = await record(onReference(reference.python));
  });

  describe.each([
    ['CPython', onCPython],
    ['WebAssembly', onWasm],
  ])('%s', (_guest, run) => {
    let ours: ReadonlyMap<string, Recorded>;
    beforeAll(async () => {
      if (reference.python !== null) ours = await record(run);
    });

    test.for([...names, ...random])('%s', (name, { skip }) => {
      skip(reference.missing !== null, reference.missing ?? '');
      compareRecorded(theirs.get(name)!, ours.get(name)!, DIFFERENCES[name]);
    });
  });

  test('every case of the programs was compared, and every difference is of one of them', ({
    skip,
  }) => {
    skip(reference.missing !== null, reference.missing ?? '');
    expect([...theirs.keys()].toSorted()).toEqual([...names, ...random].toSorted());
    expect(Object.keys(DIFFERENCES).filter((name) => !theirs.has(name))).toEqual([]);
  });
});
