/** The Python package `sglang` in both guests, the real interpreter, and a recording server. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import type { BridgeMessage, HostBridge } from '../../extension/kernel/guest/guest.ts';
import type {
  GenRecord,
  JsonValue,
  KernelOutput,
} from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { findPython, runPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver, REPORT, reportsIn } from '../support/kernel-driver.ts';

const server = new MockSglangServer();
const hasPython = findPython() !== null;
let bridge: HostBridge;
let outputs: KernelOutput[];
let records: GenRecord[];
let url: string;
let bundled: KernelDriver;

beforeAll(async () => {
  url = await server.listen();
  bundled = new KernelDriver();
});
afterAll(async () => {
  await bundled.close();
  await server.close();
});
beforeEach(async () => {
  await bridge?.dispose();
  [outputs, records, server.failure] = [[], [], null];
  server.requests.length = 0;
  bridge = createHostBridge({
    emit: (output) => outputs.push(output),
    onGen: (record) => records.push(record),
    cwd: process.cwd(),
    defaultEndpoint: null,
    cellOf: (file) => (file === '<cell>' ? 'c1' : null),
  });
});

const PRELUDE = `
import warnings
warnings.simplefilter("ignore")
import sglang as sgl
from sglang import *
set_default_backend(RuntimeEndpoint(URL))
def raised(work):
    try: return work()
    except BaseException as e: return type(e).__name__ + ": " + str(e)
@function
def qa(s, question):
    s += user(question)
    s += assistant(gen("answer"))
`;

/** What the prelude of the machine's Python has, for a cell. */
const CELL_PRELUDE = `${REPORT}from sglang.utils import http_request as _request
def fail(s=400):
    _request(URL + "/test-fail", json={} if s == 0 else {"status": s, "body": {"error": {"message": "bad thing"}}})
`;

/** Runs the source in both guests and compares what it reported. `fail(400)` makes the server refuse from then on. */
async function check(source: string, ...expected: unknown[]): Promise<void> {
  await checkHere(source, ...expected);
  // What tests look at afterwards are the requests of the first run.
  const [before, failure] = [server.requests.length, server.failure];
  server.failure = null;
  const run = await bundled.run(`URL = ${JSON.stringify(url)}\n${CELL_PRELUDE}${PRELUDE}${source}`);
  server.requests.length = before;
  server.failure = failure;
  expect(run.outcome).toEqual({ status: 'ok' });
  expect(reportsIn(run)).toEqual(expected);
}

/** On the machine's Python alone, whose bridge is this test's. */
async function checkHere(source: string, ...expected: unknown[]): Promise<void> {
  const prelude = `URL = ${JSON.stringify(url)}\ndef fail(s=400): _t.call({"op": "fail", "status": s})\n`;
  const { reports, error, stderr } = await runPython(
    prelude + PRELUDE + source,
    bridge,
    (message) => {
      if (message.op === 'interrupt') bridge.interrupt();
      else if (message.op === 'fail') {
        const status = Number(message['status']);
        server.failure =
          status === 0 ? null : { status, body: { error: { message: 'bad thing' } } };
      } else return null;
      return { ok: null };
    },
  );
  if (error !== null) throw new Error(error.traceback + stderr);
  expect(reports).toEqual(expected);
}

const ANSWER = ' Paris is nice';
const REFUSED = () => `The server at ${url}/generate answered 400: bad thing`;
const generates = () =>
  server.requests.filter(({ path }) => path === '/generate').map(({ body }) => body);

describe.runIf(hasPython)('programs', () => {
  test("own parameters win over run's options of the same name", () =>
    check(
      `
@function
def p(s, n, temperature, stop="x"):
    s += f"{n} {temperature} {stop}" + gen("a")
report(p.run(n=5, temperature="hot", stop="S", max_new_tokens=3).text())
report([s.text() for s in p.run_batch([{"n": 1, "temperature": 2}], temperature=0.5)])
`,
      `5 hot S${ANSWER}`,
      [`1 2 x${ANSWER}`],
    ));

  test('the options of run reach the server', async () => {
    await check('qa.run(question="q", temperature=0.25, max_new_tokens=7, stop=("X",)).sync()');
    expect(generates()[0]).toMatchObject({
      sampling_params: { temperature: 0.25, max_new_tokens: 7, stop: ['X', '<|im_end|>'] },
    });
  });

  test('values of any kind can be set; joins bring them along', () =>
    check(
      `
@function
def p(s):
    s["obj"] = {1, 2}
    f = s.fork(2)
    f += lambda i: "x" + gen("a")
    for i, c in enumerate(f): c["i"] = i; c["set"] = {i}
    f.join()
    s["late"] = s["i"]
st = p.run()
report(sorted(st["obj"])); report(st["a"]); report(st["late"]); report([sorted(v) for v in st["set"]])
report("a" in st); report("zzz" in st); report(raised(lambda: st["zzz"]))
`,
      [1, 2],
      [ANSWER, ANSWER],
      [0, 1],
      [[0], [1]],
      true,
      false,
      "KeyError: 'zzz'",
    ));

  test('a name that the program did not set is a KeyError that says which ones there are', () =>
    check(
      `
@function
def p(s):
    s["answer"] = 1
    s["reason"] = 2
def notes(state, name):
    try: state[name]
    except KeyError as error: return [type(error).__name__, str(error), *error.__notes__]
@function
def empty(s):
    s += "text"
report(notes(p.run(), "anser")); report(notes(p.run(), "zzz")); report(notes(empty.run(), "x"))
@function
def soon(s):
    s += gen("later", max_tokens=8)
report(notes(soon.run(), "late"))
`,
      ['KeyError', "'anser'", "Did you mean 'answer'? The program has set 'answer', 'reason'."],
      ['KeyError', "'zzz'", "The program has set 'answer', 'reason'."],
      ['KeyError', "'x'", 'The program has set no variable.'],
      ['KeyError', "'late'", "Did you mean 'later'? The program has set 'later'."],
    ));

  test('an argument that nothing has says which one may be meant', () =>
    check(
      `
def notes(work):
    try: work()
    except TypeError as error: return [str(error).split(" ", 1)[1].split(".")[0], *getattr(error, "__notes__", [])]
@function
async def waits(s, question):
    s += question
report(notes(lambda: qa.run("x", max_tokens=3)))
report(notes(lambda: qa.run("x", temprature=3)))
report(notes(lambda: qa.run("x", zzz=3)))
report(notes(lambda: qa.run_batch([{"question": "x"}], num_thread=3)))
report(notes(lambda: qa.run_batch([{"question": "x", "temperature": 0}])))
report(notes(lambda: waits.run("x", max_tokens=3)))
report(notes(lambda: function(lambda s, **rest: (lambda: None)(**rest)).run(max_tokens=3)))  # its own mistake
`,
      ["got an unexpected keyword argument 'max_tokens'", "Did you mean 'max_new_tokens'?"],
      ["got an unexpected keyword argument 'temprature'", "Did you mean 'temperature'?"],
      ["got an unexpected keyword argument 'zzz'"],
      ["got an unexpected keyword argument 'num_thread'", "Did you mean 'num_threads'?"],
      [
        "got an unexpected keyword argument 'temperature'",
        "'temperature' is an option of run_batch itself, not of its items.",
      ],
      ["got an unexpected keyword argument 'max_tokens'", "Did you mean 'max_new_tokens'?"],
      ["got an unexpected keyword argument 'max_tokens'"],
    ));

  test('copies outlive the state that they were made of; pickles would not, and are refused', () =>
    check(
      `
import copy, gc, pickle
kept = [copy.deepcopy({"state": qa.run("x")})["state"], copy.copy(qa.run("x"))]
gc.collect(); qa.run("y").sync()  # a new state tells the kernel which are gone
report([state["answer"] for state in kept])
report(raised(lambda: pickle.dumps(kept)).split(" and ")[0])
`,
      [' Paris is nice', ' Paris is nice'],
      "TypeError: a program's state lives in this kernel",
    ));

  test('nested forks give lists of lists; copy gives lists of one', () =>
    check(
      `
@function
def p(s):
    f = s.fork(2)
    for c in f:
        g = c.fork(2); g += gen("a"); g.join()
    f.join()
    with s.copy() as t: t += gen("b")
st = p.run()
report(st["a"]); report(st["b"])
`,
      [
        [ANSWER, ANSWER],
        [ANSWER, ANSWER],
      ],
      [ANSWER],
    ));

  test('a fork may go on after its join', () =>
    check(
      `
@function
def p(s):
    f = s.fork(1); f[0] += "a"; f.join(); f[0] += "b" + gen("c")
    report(f[0].text())
p.run()
`,
      `ab${ANSWER}`,
    ));

  test('programs call programs; return values and hashing work', () =>
    check(
      `
@function
def inner(s, tip): s += "Expand " + tip + gen("d")
@function
def outer(s):
    s += "t" + gen("t1")
    s += inner(tip=s["t1"])["d"]
    return 42
st = outer()
report(st.text()); report(st.ret_value); report({outer: 1}[outer])
`,
      `t${ANSWER}${ANSWER}`,
      42,
      1,
    ));

  test('several gens of one name, unnamed gens, roles as context managers, var_scope', () =>
    check(
      `
@function
def p(s):
    with s.user(): s += "q"
    with s.assistant():
        with s.var_scope("js"): s += "{" + gen() + "}"
st = p.run()
report(st["js"]); report(st[None]); report(st.messages()[-1])
`,
      `{${ANSWER}}`,
      ANSWER,
      { role: 'assistant', content: `{${ANSWER}}` },
    ));

  test('every gen is told to the kernel with its cell and line', async () => {
    await check('qa.run(question="q").sync()');
    expect(records).toMatchObject([
      { program: 'qa', name: 'answer', kind: 'gen', value: ANSWER, cellId: 'c1', promptTokens: 20 },
    ]);
    const line = (PRELUDE.split('\n').findIndex((text) => text.includes('gen("answer")')) ?? 0) + 1;
    // Lines before the prelude: two of the harness, two of `check`.
    expect(records[0]?.line).toBe(line + 4);
  });

  test('reasoning goes to a variable of its own, streamed or not', async () => {
    const thinking = new MockSglangServer({ answer: '<think>hm hm</think>\n42' });
    const address = await thinking.listen();
    await check(
      `
backend = RuntimeEndpoint(${JSON.stringify(address)})
@function
def p(s):
    s += user("q")
    s += assistant("So: " + separate_reasoning(gen("a"), model_type="qwen3"))
    s += s["a_reasoning_content"]
for stream in (False, True):
    state = p.run(backend=backend, stream=stream)
    report([state["a"].strip(), state["a_reasoning_content"], state.messages()[-1]["content"]])
report("".join(p.run(backend=backend, stream=True).text_iter("a")).strip())
report(repr(separate_reasoning(gen("v"), "qwen3")))
report([raised(lambda: separate_reasoning(gen("x"))), raised(lambda: separate_reasoning(gen("x"), "llama"))[:44]])
`,
      ['42', 'hm hm', 'So: 42'],
      ['42', 'hm hm', 'So: 42'],
      '42',
      "ExprList([Gen('v'), SeparateReasoning(model_type=qwen3, name=v_reasoning_content)])",
      ['ValueError: Model type must be specified', 'ValueError: Unsupported model type: llama. K'],
    );
    await thinking.close();
  });

  test('n > 1', () =>
    check(
      's = sgl.function(lambda s: s.__iadd__(gen("x", n=2) + "!")).run()\nreport(s["x"]); report(s.text())',
      [ANSWER, ANSWER],
      `${ANSWER}!`,
    ));

  test('the kernel has a default backend when the program sets none', async () => {
    await bridge.dispose();
    const options = { emit: () => undefined, onGen: () => undefined, cwd: '.' };
    bridge = createHostBridge({ ...options, defaultEndpoint: url });
    await checkHere('set_default_backend(None)\nreport(qa.run(question="q")["answer"])', ANSWER);
  });
});

describe.runIf(hasPython)('failures', () => {
  test('reading a failed variable raises a KeyError that tells the cause', () =>
    check(
      `
fail()
st = qa.run(question="q")
try: st["answer"]
except KeyError as e: report([type(e).__name__, str(e), type(e.__cause__).__name__, str(e.__cause__)])
report(repr(st.error())[:12])
`,
      ['GenerationError', `'answer' was not generated: ${REFUSED()}`, 'RuntimeError', REFUSED()],
      'RuntimeError',
    ));

  test('nothing hangs after a failure: append, fork, join, read', () =>
    check(
      `
@function
def p(s):
    s += gen("a")
    s.sync()
    s += "more" + gen("b")
    f = s.fork(2); f += gen("c"); f.join()
    s += gen("d")
fail()
st = p.run()
st.sync(); report(st.text()); report([raised(lambda n=n: st[n])[:15] for n in "abcd"])
`,
      '',
      ['GenerationError', 'GenerationError', 'GenerationError', 'GenerationError'],
    ));

  test('a join of which one fork failed raises when its list is read; the others stay readable', () =>
    check(
      `
@function
def p(s):
    f = s.fork(3)
    f[0] += gen("a"); f[0].sync(); fail(); f[1] += gen("a"); f[1].sync(); fail(0)
    f[2] += gen("a")
    f.join()
    report(raised(lambda: s["a"])); report(f[2]["a"])
p.run()
`,
      `GenerationError: 'a' was not generated: fork 1 failed: ${REFUSED()}`,
      ANSWER,
    ));

  test('an exception of the program itself comes out of run, run_batch and streams', () =>
    check(
      `
@function
def boom(s, x):
    s += "a" + gen("y")
    raise ValueError(f"user code {x}")
report(raised(lambda: boom.run(x=1)))
report(raised(lambda: boom.run_batch([{"x": 1}, {"x": 1}])))
st = boom.run(x=2, stream=True)
report(raised(lambda: list(st.text_iter())))
report(repr(boom.run(x=3, stream=True).error()))
`,
      'ValueError: user code 1',
      'ValueError: user code 1',
      'ValueError: user code 2',
      "ValueError('user code 3')",
    ));

  test('in a batch each failed program keeps its own error', async () => {
    await check(
      `
fail()
states = qa.run_batch([{"question": "a"}, {"question": "b"}], progress_bar=True)
report([type(s.error()).__name__ for s in states])
`,
      ['RuntimeError', 'RuntimeError'],
    );
    const last = outputs.filter(({ kind }) => kind === 'update').at(-1);
    expect(last).toMatchObject({
      data: { 'text/plain': expect.stringMatching(/^2\/2 programs, 2 failed\n1: .*error=/) },
    });
  });

  test('no server: the constructor says what to do', () =>
    check(
      'report("launch_server" in raised(lambda: RuntimeEndpoint("http://127.0.0.1:9")))\n' +
        'report(raised(lambda: RuntimeEndpoint("http://127.0.0.1:9"))[:16])',
      true,
      'ConnectionError:',
    ));

  test('use_thread=False raises where it happens', () =>
    check(
      'fail()\nreport(raised(lambda: qa.run(question="q", use_thread=False)))',
      `RuntimeError: ${REFUSED()}`,
    ));
});

describe.runIf(hasPython)('streams', () => {
  test('whole text and one variable', () =>
    check(
      `
st = qa.run(question="q", stream=True)
report("".join(st.text_iter()).endswith("assistant\\n${ANSWER}<|im_end|>\\n"))
st = qa.run(question="q", stream=True)
pieces = list(st.text_iter("answer")); report("".join(pieces)); report(st["answer"])
report("".join(st.text_iter("answer")))
report(list(st.text_iter("nope")))
`,
      true,
      ANSWER,
      ANSWER,
      ANSWER,
      [''],
    ));

  test('reading waits for what the body has not appended yet', () =>
    check(
      `
import time
@function
def slow(s):
    time.sleep(0.05); s += "a"; time.sleep(0.05); s += gen("x")
    s["seen"] = s.text()[:1]
st = slow.run(stream=True)
report(st["x"]); report(st["seen"]); report(slow.run(stream=True).text())
`,
      ANSWER,
      'a',
      `a${ANSWER}`,
    ));

  test('asynchronous iteration, with meta information', () =>
    check(
      `
import asyncio
async def read():
    st = qa.run(question="q", stream=True)
    return [x async for x in st.text_async_iter("answer", return_meta_data=True)]
got = asyncio.run(read())
report("".join(p for p, _ in got)); report(got[-1][1]["completion_tokens"])
`,
      ANSWER,
      3,
    ));
});

describe.runIf(hasPython)('prefixes', () => {
  const prefixes = () =>
    generates().filter((body) =>
      JSON.stringify(body).includes('"sampling_params":{"max_new_tokens":0}'),
    );

  test('are found without running the program', async () => {
    await check(
      `
calls = []
GREETING = "Hello to all of you who read this in the future, be welcome."
@function
def p(s, name):
    """Greets."""
    s += system(GREETING)
    s += user(f"{GREETING} I am " + name)
    calls.append(name)
    s += assistant(gen("a"))
p.run_batch([{"name": "A"}, {"name": "B"}])
report(sorted(calls))
`,
      ['A', 'B'],
    );
    expect(prefixes()).toEqual([
      {
        text:
          '<|im_start|>system\nHello to all of you who read this in the future, be welcome.<|im_end|>\n' +
          '<|im_start|>user\nHello to all of you who read this in the future, be welcome. I am ',
        sampling_params: { max_new_tokens: 0 },
      },
    ]);
  });

  test('bound arguments belong to them; short ones are not sent', async () => {
    await check(`
set_default_backend(RuntimeEndpoint(URL, chat_template_name="default"))
@function
def p(s, a, b):
    s += a
    s += b + gen("x")
p.bind(a="x" * 70).cache()
p.bind(a="x" * 10).cache()
`);
    expect(prefixes()).toMatchObject([{ text: 'x'.repeat(70) }]);
  });
});

describe.runIf(hasPython)('processes', () => {
  test('are started, awaited and ended by the kernel', async () => {
    const asked: BridgeMessage[] = [];
    const answers: Record<string, JsonValue> = {
      spawn_process: { pid: 7 },
      free_port: 31000,
      poll_process: -9,
      wait_for_server: null,
      kill_process: null,
    };
    await bridge.dispose();
    bridge = createHostBridge({
      emit: () => undefined,
      onGen: () => undefined,
      cwd: '.',
      defaultEndpoint: null,
      processCall: async (message) => {
        // Whose runtime an address is, before each request of a program's own HTTP client.
        if (message.op === 'server_state') return { ok: null };
        asked.push(message);
        return { ok: answers[message.op]! };
      },
    });
    await checkHere(
      `
from sglang.utils import *
p = execute_shell_command(r"python3 -m sglang.launch_server \\ --model-path C:\\m.gguf --port 30333")
wait_for_server("http://localhost:30333")
terminate_process(p)
report([p.pid, p.returncode])
from sglang.test.doc_patch import launch_server_cmd
report(launch_server_cmd("serve")[1])
`,
      [7, -9],
      31000,
    );
    expect(asked).toEqual([
      {
        op: 'spawn_process',
        command: 'python3 -m sglang.launch_server   --model-path C:\\m.gguf --port 30333',
      },
      { op: 'wait_for_server', url: 'http://localhost:30333', timeout: null },
      { op: 'kill_process', pid: 7 },
      { op: 'poll_process', pid: 7 },
      { op: 'free_port' },
      { op: 'spawn_process', command: 'serve --port 31000' },
    ]);
  });

  test("SGLang's server modules are refused with an explanation", () =>
    check('def load(): import sglang.srt.server\nreport("bundled runtime" in raised(load))', true));
});

describe.runIf(hasPython)('the rest of the package', () => {
  test('print_highlight shows text, not markup', async () => {
    await check('from sglang.utils import print_highlight\nprint_highlight("<b>&\\n")');
    expect(outputs).toEqual([
      {
        kind: 'display',
        displayId: null,
        data: {
          'application/vnd.sglang.highlight+json': { text: '<b>&\n' },
          'text/plain': '<b>&\n',
        },
      },
    ]);
  });

  test('states show themselves as data', () =>
    check(
      `
bundle = qa.run(question="q")._repr_mimebundle_()
state = bundle["application/vnd.sglang.state+json"]
report(bundle["text/plain"][:13])
report([(x["kind"], x["role"], x["text"]) for x in state["segments"] if x["text"]])
report([state["program"], state["running"], state["error"]])
`,
      'ProgramState(',
      [
        ['text', 'system', 'You are a helpful assistant.'],
        ['text', 'user', 'q'],
        ['gen', 'assistant', ANSWER],
      ],
      ['qa', false, null],
    ));

  test('module paths that programs import', () =>
    check(
      `
import importlib
for name in """sglang sglang.api sglang.lang.api sglang.utils sglang.global_config sglang.lang.ir sglang.lang.choices
sglang.lang.chat_template sglang.lang.interpreter sglang.lang.backend.runtime_endpoint sglang.lang.tracer
sglang.lang.backend.base_backend sglang.test.test_utils sglang.test.doc_patch""".split():
    importlib.import_module(name)
from sglang.lang.ir import REGEX_INT, SglFunction
from sglang.lang.interpreter import ProgramState
from sglang import global_config
report(REGEX_INT); report(global_config.enable_precache_with_tracing)
report([n for n in sgl.__all__ if not hasattr(sgl, n)])
report(repr(OpenAI("gpt-4", api_key="k")))
`,
      '[-+]?[0-9]+[ \\n]*',
      true,
      [],
      "OpenAI('gpt-4')",
    ));

  test('chat templates can be read, chosen and made', () =>
    check(
      `
from sglang.lang.chat_template import *
from sglang.lang.chat_template import get_chat_template_by_model_path
e = global_config.default_backend
report(e.chat_template.name)
e.chat_template = get_chat_template("llama-3-instruct")
report(qa.run(question="q").text()[:40])
own = ChatTemplate("own", None, {"user": ("<U>", "</U>"), "assistant": ("<A>", "</A>")}, ("</A>",))
register_chat_template(own)
report(RuntimeEndpoint(URL, chat_template_name="own").chat_template == own)
report(get_chat_template_by_model_path("google/gemma-2b-it").get_prompt([{"role": "user", "content": "hi"}]))
report(raised(lambda: get_chat_template("nope"))[:8])
`,
      'qwen',
      '<|start_header_id|>user<|end_header_id|>',
      true,
      '<start_of_turn>user\nhi<end_of_turn>\n',
      'KeyError',
    ));

  test('expressions show what they are', () =>
    check(
      `
report(repr("a" + gen("x") + user("q")))
report(repr(select("c", ["a"])))
report(raised(lambda: gen("x") + 5)); report(raised(lambda: gen("x", regex="(")).replace("PatternError", "error"))
`,
      "ExprList([Constant('a'), Gen('x'), RoleBegin(user), 'q', RoleEnd(user)])",
      "Select(c, choices=['a'], choices_method=<token_length_normalized>)",
      'AssertionError: 5: only text and expressions can be joined, not int',
      'error: missing ), unterminated subpattern at position 0',
    ));

  test('an interrupt fails what is under way; the next run works', () =>
    checkHere(
      `
st = qa.run(question="q")
_t.call({"op": "interrupt"})
report(raised(lambda: st["answer"]) in ("${ANSWER}", "GenerationError: 'answer' was not generated: the cell was interrupted"))
report(qa.run(question="q")["answer"])
`,
      true,
      ANSWER,
    ));
});

test('the package was tested', ({ skip }) => {
  skip(!hasPython, 'not run: this machine has no python3');
  expect(hasPython).toBe(true);
});
