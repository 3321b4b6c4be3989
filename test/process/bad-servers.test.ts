/** Programs on servers that misbehave: each failure is an error with its cause, and nothing hangs. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { HostBridge } from '../../extension/kernel/guest/guest.ts';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import type { KernelOutput } from '../../extension/protocol/kernel-protocol.ts';
import { findPython, runPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const missing = findPython() === null ? 'not run: this machine has no python3' : null;
let server: Server;
let bridge: HostBridge;
let url: string;
let answer: (response: ServerResponse) => void;
let outputs: KernelOutput[];
let bundled: KernelDriver;
beforeAll(() => {
  bundled = new KernelDriver();
});
afterAll(() => bundled.close());

beforeEach(async () => {
  server = createServer((request, response) => {
    request.resume().on('end', () => {
      if (request.method === 'GET') response.end('{"model_path":"Qwen/Qwen2.5-1.5B-Instruct"}');
      else answer(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  outputs = [];
  bridge = createHostBridge({
    emit: (output) => outputs.push(output),
    onGen: () => undefined,
    cwd: '.',
    defaultEndpoint: null,
  });
});
afterEach(async () => {
  await bridge.dispose();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** Runs a program with one gen in both guests, streamed or not, and compares the error that its reader sees. */
async function check(stream: boolean, expected: RegExp): Promise<void> {
  const source = sourceOf(stream);
  const { reports, error, stderr } = await runPython(source, bridge);
  if (error !== null) throw new Error(error.traceback + stderr);
  compare(reports, expected, 8);
  const told = 'import json; report = lambda value: print(json.dumps(value))';
  const run = await bundled.run(`${told}${source}`);
  expect(run.outcome, run.text).toEqual({ status: 'ok' });
  compare(
    run.printed
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    expected,
    6,
  );
}

const sourceOf = (stream: boolean): string => `
import sglang as sgl
from sglang import *
@function
def p(s):
    s += user("q") + assistant(gen("a"))
    s += user("after") + assistant(select("b", ["x", "y"]))
state = p.run(backend=RuntimeEndpoint(${JSON.stringify(url)}, timeout=0.5), stream=${stream ? 'True' : 'False'})
def seen(work):
    try: return ["no error", str(work())]
    except KeyError as e: return [type(e).__name__, str(e), e.line, e.request and e.request["url"]]
pieces = []
def read():
    for piece in state.text_iter("a"): pieces.append(piece)
report([seen(read) if ${stream ? 'True' : 'False'} else seen(lambda: state["a"]), seen(lambda: state["b"])])
state.text(), state.messages(), state.sync()
report(type(state.error()).__name__)
`;

/** `line`: of the gen, in the text that the guest ran. */
function compare(reports: readonly unknown[], expected: RegExp, line: number): void {
  const [first, second] = reports[0] as [unknown[], unknown[]];
  const place = [line, `${url}/generate`];
  expect(first).toEqual(['GenerationError', expect.stringMatching(expected), ...place]);
  expect(second).toEqual(['GenerationError', expect.stringMatching(expected), ...place]);
  expect(reports[1]).not.toBe('NoneType');
}

const json = (text: string) => (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
};
const sse = (text: string, ending: 'end' | 'destroy' | 'stall') => (response: ServerResponse) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' }).write(text, () => {
    if (ending === 'end') response.end();
    else if (ending === 'destroy') response.destroy();
  });
};
const EVENT = 'data: {"text":"Par","meta_info":{}}\n\n';

test.for<readonly [what: string, answer: (response: ServerResponse) => void, error: RegExp]>([
  ['garbage', json('\u0000<html>'), /did not answer with JSON/],
  ['nothing', json(''), /did not answer with JSON/],
  ['null', json('null'), /has no text: null/],
  ['a number for the text', json('{"text":5,"meta_info":{}}'), /has no text/],
  ['an empty list', json('[]'), /no completion/],
  ['a list of numbers', json('[1]'), /has no text/],
  ['an error with status 200', json('{"error":{"message":"out of memory"}}'), /out of memory/],
  ['500 and HTML', (r) => r.writeHead(500).end('<h1>oops</h1>'), /answered 500: <h1>oops/],
  ['a closed connection', (r) => r.destroy(), /was lost/],
  [
    'half an answer',
    (r) => void r.writeHead(200, { 'content-length': 99 }).write('{"te', () => r.destroy()),
    /was lost/,
  ],
  ['silence', () => undefined, /did not answer in time/],
])('%s', async ([, given, error], { skip }) => {
  skip(missing !== null, missing ?? '');
  answer = given;
  await check(false, error);
});

test.for<readonly [what: string, answer: (response: ServerResponse) => void, error: RegExp]>([
  ['half an event', sse(`${EVENT}data: {"text":"Pa`, 'destroy'), /was lost/],
  ['half an event and a proper end', sse(`${EVENT}data: {"text":"Pa`, 'end'), /ended before/],
  ['an end without its mark', sse(EVENT, 'end'), /ended before/],
  ['silence in between', sse(EVENT, 'stall'), /did not answer in time/],
  ['an event that is no JSON', sse(`${EVENT}data: {{\n\n`, 'end'), /did not answer with JSON/],
  ['an event of another type', sse('data: [1,2]\n\n', 'end'), /has no text/],
  [
    'an error in the stream',
    sse(`${EVENT}data: {"error":{"message":"aborted"}}\n\n`, 'end'),
    /aborted/,
  ],
  ['a status', (r) => r.writeHead(503).end('busy'), /answered 503: busy/],
])('a stream: %s', async ([, given, error], { skip }) => {
  skip(missing !== null, missing ?? '');
  answer = given;
  await check(true, error);
});

/** Most memory that the kernel's process has had, bytes; 0 where the system does not tell. */
function peakOf({ process: { pid } }: KernelDriver): number {
  if (process.platform !== 'linux') return 0;
  const [, kibibytes] = /VmHWM:\s*(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) * 1024;
}

const CHUNK = Buffer.alloc(1 << 20, 'x');
const GIBIBYTE = 1024;

/** Writes a piece again and again, as fast as the reader takes it; calls `end` after `count`. */
function pour(response: ServerResponse, piece: Buffer, count: number, end: () => void): void {
  let left = count;
  const more = (): void => {
    while (left > 0) {
      left -= 1;
      if (!response.write(piece)) return void response.once('drain', more);
    }
    end();
  };
  more();
}

test('a gibibyte of stream that is one line is refused, in bounded memory', async ({ skip }) => {
  skip(missing !== null, missing ?? '');
  answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: ');
    pour(response, CHUNK, GIBIBYTE, () => response.end());
  };
  const before = [process.memoryUsage().rss, peakOf(bundled)] as const;
  await check(true, /longer than \d+ characters/);
  expect(process.memoryUsage().rss - before[0]).toBeLessThan(600 << 20);
  expect(peakOf(bundled) - before[1]).toBeLessThan(600 << 20);
});

test('a gibibyte of comments before an answer is read, in bounded memory', async ({ skip }) => {
  skip(missing !== null, missing ?? '');
  answer = (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const comment = Buffer.concat([Buffer.from(':'), CHUNK.subarray(2), Buffer.from('\n')]);
    pour(response, comment, GIBIBYTE, () => response.end('data: {"text":5}\n\n'));
  };
  const before = [process.memoryUsage().rss, peakOf(bundled)] as const;
  await check(true, /has no text/);
  expect(process.memoryUsage().rss - before[0]).toBeLessThan(600 << 20);
  expect(peakOf(bundled) - before[1]).toBeLessThan(600 << 20);
});
