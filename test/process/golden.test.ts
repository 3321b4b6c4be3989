/**
 * The recorded programs of SGLang's Python frontend, executed in both guests: they must lead to
 * the same requests and results, except where the table below says what is better and why.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { startPyodideGuest } from '../../extension/kernel/guest/pyodide-guest.ts';
import { locateResources } from '../../extension/kernel/resources.ts';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import type { BridgeMessage, BridgeReply } from '../../extension/kernel/guest/guest.ts';
import type { JsonValue } from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { findPython, runPython } from '../kernel/sglang/support/run-python.ts';
import { compareRecorded, type Difference, type Recorded } from '../support/recorded-traffic.ts';

const GOLDEN = fileURLToPath(new URL('../../../shared/golden/', import.meta.url));
const KERNEL = fileURLToPath(new URL('../../extension/kernel', import.meta.url));
const missing = existsSync(GOLDEN) ? null : `not run: ${GOLDEN} is not here`;
const withoutPython =
  missing ?? (findPython() === null ? 'not run: this machine has no python3' : null);

const PREFILL = '"max_new_tokens":0';

const DIFFERENCES: Readonly<Record<string, Difference>> = {
  tutorial_fork: {
    reason:
      'fork always has the server compute the shared text first; SGLang does so by chance of timing',
    added: [PREFILL],
  },
  group_iadd_list: { reason: 'as tutorial_fork', added: ['"text":"p"'] },
  two_images: {
    reason: 'a state may hold several images',
    result: '"err":"None"',
    added: ['"image_data":["YQ==","Yg=="]'],
  },
  image_missing_file: {
    reason: 'the error names the file',
    result: "FileNotFoundError('No such file: /nonexistent.png')",
  },
  stop_list_mutation: {
    reason: "the program's own stop list is never changed",
    result: '["Q"]',
    added: ['"stop":["Q","<|im_end|>"],'],
    removed: ['"stop":["Q","<|im_end|>","<|im_end|>"]'],
  },
  select_UnconditionalLikelihoodNormalized: {
    reason: 'works: the third request asks for the log probabilities from the start',
    result: '"c":"London town"',
    added: ['"logprob_start_len":0'],
    removed: ['"return_logprob":true'],
  },
  select_temperature_nonzero: {
    reason: 'the error says what is wrong',
    result: 'need temperature 0',
  },
  select_none_choices: {
    reason: 'the error says what is wrong',
    result: 'AssertionError: select needs choices',
  },
  concate_and_append_default: {
    reason: 'always works on text: no server has the route that SGLang asks, and the program hung',
    result: '"text":"Base. Statement 0\\nStatement 1\\nQ Paris is nice"',
    added: ['Base. Statement 0\\nStatement 1\\nQ'],
    removed: ['src_rids', '"Base. Statement 0\\n"', '"Base. Statement 1\\n"'],
  },
  append_int: {
    reason: 'the error says what is wrong',
    result: 'only text and expressions can be appended',
  },
  http_400_on_gen: {
    reason: "reading a failed variable tells the cause, and the error is the server's own message",
    result:
      "GenerationError:'answer' was not generated: The server at URL/generate answered 400: bad thing",
  },
  http_400_on_stream: {
    reason: 'an iterator over a failed program raises instead of just ending',
    result: 'GenerationError: The server at URL/generate answered 400: bad thing',
  },
  user_reads_failed_var: {
    reason: 'as http_400_on_gen',
    result:
      "GenerationError: 'x' was not generated: The server at URL/generate answered 400: bad thing",
  },
  no_backend: {
    reason: 'the error says what to do',
    result: 'Please specify a backend: set_default_backend(',
  },
  bind_unknown: { reason: 'the error says what is wrong', result: "qa has no parameter 'nope'" },
  spec_on_runtime_endpoint: {
    reason: 'num_api_spec_tokens is ignored with a warning where it cannot matter',
    result: '"None"',
    added: ['"text":"Name:"', 'Job:'],
  },
  tutorial_image: {
    reason: 'messages name the real type of an image',
    result: 'data:image/png;base64,',
  },
  gen_n_stop_regex: {
    reason: 'n > 1 works: the value is a list',
    result: '"err":"None"',
  },
};

/** Differences from v0.5.6 alone. */
const HEAD_DIFFERENCES: Readonly<Record<string, Difference>> = {
  tutorial_fork: {
    reason: "the program's own parameter n wins over the option n of run, which v0.5 added",
    result: '"answer":[" Paris is nice"," Paris is nice"," Paris is nice"]',
    added: [PREFILL, '"temperature":0.7', '"temperature":0.7', '"temperature":0.7'],
  },
};

/** Recorded, but the recorded program itself leaves it out where `run` has a parameter `n`. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  compile_run: 'compiled programs are compared in differential.test.ts',
};

/**
 * Runs the recorded programs in either guest: their `mock` is the server of this test, which answers
 * the shell lines `log`, `clear` and `fail …`; their threads are the guest's own tasks.
 */
const prelude = (port: number, output: string): string => `
import json, os, sys, threading, types
import _sgl_transport as _t
def _ask(command):
    return json.loads(_t.call({"op": "shell", "command": command, "capture": True})["stdout"])
class _Log:
    def clear(self): _ask("clear")
    def __iter__(self): return iter(_ask("log"))
class _Mock(types.ModuleType):
    LOG = _Log()
    def start(self): return ${port}
    def __setattr__(self, name, value): _ask("fail " + json.dumps(value and list(value(None))))
class _Thread:
    def __init__(self, target, daemon): self.target = target
    def start(self): self.task = _t.spawn(self.target)
    def join(self, timeout): self.task.join()
def _exit(code): raise SystemExit(code)
sys.modules["mock"], threading.Thread, os._exit = _Mock("mock"), _Thread, _exit
sys.argv = ["programs.py", ${JSON.stringify(output)}]
__file__ = "programs.py"
`;

type Run = (source: string, folder: string, shell: (command: string) => unknown) => Promise<void>;

const runOnCPython: Run = async (source, folder, shell) => {
  const bridge = createHostBridge({
    emit: () => undefined,
    onGen: () => undefined,
    cwd: folder,
    defaultEndpoint: null,
    processCall: async (message) => shellReply(message, shell),
  });
  const { error, stderr } = await runPython(source, bridge, undefined, folder);
  await bridge.dispose();
  if (error !== null && error.type !== 'SystemExit') throw new Error(error.traceback + stderr);
};

const runOnWasm: Run = async (source, folder, shell) => {
  const guest = await startPyodideGuest({
    resources: locateResources(KERNEL),
    cwd: folder,
    environment: {},
    endpoint: null,
    cacheFolder: null,
    listener: {
      output: () => undefined,
      log: () => undefined,
      keepsUp: async () => undefined,
      died: () => undefined,
    },
    onGen: () => undefined,
    processCall: async (message) => shellReply(message, shell),
  });
  const result = await guest.execute({ id: 'c1', label: 'cell 1' }, source);
  await guest.dispose();
  if (result.status !== 'ok' && result.error.name !== 'SystemExit')
    throw new Error(result.error.traceback);
};

function shellReply(message: BridgeMessage, shell: (command: string) => unknown): BridgeReply {
  // Whose runtime an address is: nobody's of this kernel.
  if (message.op === 'server_state') return { ok: null };
  const command = message['command'];
  const answer = shell(typeof command === 'string' ? command : '');
  return { ok: { code: 0, stdout: JSON.stringify(answer) } };
}

async function record(run: Run): Promise<Map<string, Recorded>> {
  const server = new MockSglangServer();
  await server.listen();
  const folder = mkdtempSync(join(tmpdir(), 'golden-'));
  const source =
    prelude(server.port, 'recorded.jsonl') + readFileSync(`${GOLDEN}programs.py`, 'utf8');
  try {
    await run(source, folder, (command) => answerShell(server, command));
    const output = readFileSync(join(folder, 'recorded.jsonl'), 'utf8');
    // Python 3.13 gave `re.error` another name.
    const sameName = output.replaceAll('PatternError: ', 'error: ');
    return parse(sameName.replaceAll(`http://127.0.0.1:${server.port}`, 'URL'));
  } finally {
    await server.close();
    rmSync(folder, { recursive: true });
  }
}

function answerShell(server: MockSglangServer, command: string): unknown {
  if (command === 'log') return server.requests;
  if (command === 'clear') server.requests.length = 0;
  else {
    const failure = JSON.parse(command.replace('fail ', '')) as [number, JsonValue] | null;
    server.failure = failure === null ? null : { status: failure[0], body: failure[1] };
  }
  return null;
}

function parse(lines: string): Map<string, Recorded> {
  const records = lines.split('\n').filter((line) => line !== '');
  return new Map(
    records.map((line) => JSON.parse(line) as Recorded).map((entry) => [entry.case, entry]),
  );
}

const GUESTS: readonly (readonly [name: string, run: Run, unavailable: string | null])[] = [
  ['WebAssembly', runOnWasm, missing],
  ['CPython', runOnCPython, withoutPython],
];

describe.each(GUESTS)('recorded traffic, %s', (_guest, run, unavailable) => {
  let ours: Map<string, Recorded>;
  beforeAll(async () => {
    if (unavailable === null) ours = await record(run);
  });

  describe.each([
    ['v0.4.3', 'v043.jsonl'],
    ['v0.5.6', 'head.jsonl'],
  ])('%s', (_version, file) => {
    const head = file === 'head.jsonl';
    const recorded =
      missing === null ? parse(readFileSync(GOLDEN + file, 'utf8')) : new Map<string, Recorded>();
    // Without recordings one test stands for all of them, and says so.
    test.for(missing === null ? [...recorded.keys()] : ['all cases'])('%s', (name, { skip }) => {
      skip(unavailable !== null, unavailable ?? '');
      skip(name in LEFT_OUT, LEFT_OUT[name]);
      const difference = (head ? HEAD_DIFFERENCES[name] : undefined) ?? DIFFERENCES[name];
      compareRecorded(recorded.get(name)!, ours.get(name)!, difference, head);
    });
  });

  test('every difference in the table is one', ({ skip }) => {
    skip(unavailable !== null, unavailable ?? '');
    expect(Object.keys(DIFFERENCES).filter((name) => !ours.has(name))).toEqual([]);
  });
});

test('the documentation lists every difference', () => {
  const text = readFileSync(new URL('../../docs/sglang-compatibility.md', import.meta.url), 'utf8');
  const names = [...Object.keys(DIFFERENCES), ...Object.keys(HEAD_DIFFERENCES)];
  expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});
