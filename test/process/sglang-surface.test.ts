/**
 * What the recorded programs of SGLang do not reach: the rest of the package's public surface, in both
 * guests, which must say the same.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { findPython } from '../kernel/sglang/support/run-python.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const server = new MockSglangServer();
/** Answers with every byte there is. */
const files: Server = createServer((_, response) => {
  response.end(Buffer.from(Array.from({ length: 1024 }, (_, index) => index % 256)));
});
beforeAll(async () => {
  await server.listen();
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
});
afterAll(async () => {
  files.close();
  await server.close();
});

const PRELUDE = `import asyncio, re, json, sys
import sglang as sgl
from sglang import *
def raised(work):
    try: return work()
    except BaseException as e: return type(e).__name__ + ": " + str(e)
def graph(state):
    ids = {}
    text = state.last_node.print_graph_dfs()
    return re.sub(r"%(\\d+)", lambda m: "%" + str(ids.setdefault(m[1], len(ids) + 1)), text)
@function
def qa(s, q, extra="e"):
    s += user(q) + assistant(gen("a"))`;

const python = findPython();
const guests: [string, GuestChoice | null][] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', python === null ? null : { kind: 'cpython', executable: python }],
];

describe.each(guests)('%s', (_, guest) => {
  let kernel: KernelDriver;
  beforeAll(async () => {
    if (guest === null) return;
    kernel = new KernelDriver({ guest, endpoint: `http://127.0.0.1:${server.port}` });
    expect((await kernel.run(PRELUDE)).outcome).toEqual({ status: 'ok' });
  });
  afterAll(() => kernel?.close());

  /** Runs a cell, which must print exactly the lines. */
  const cell = (name: string, code: string, ...lines: readonly string[]): void => {
    test.skipIf(guest === null)(
      guest === null ? `not run: no python3 (${name})` : name,
      async () => {
        const { text, outcome, printed } = await kernel.run(code);
        expect(outcome, text).toEqual({ status: 'ok' });
        // Not what is told on stderr about failures that nobody waits for, which is a matter of timing.
        expect(printed).toBe(`${lines.join('\n')}\n`);
      },
    );
  };

  cell(
    'a trace follows programs that are called, forks, and values; nothing is generated',
    `@function
def sub(s, t): s += "sub" + t + gen("r")
@function
def caller(s, t):
    first, second = sub(t=t), sub("const", temperature=0)
    s += first["r"] + second["r"] + gen()
    forks = s.fork(2)
    forks += "z" + gen("f")
    forks.join()
    return forks
state = caller.trace(t="T")
print(graph(state))
print(graph(state.ret_value[1]))
print(sorted(state.variables), len(state.child_states), state["t"], len(state["f"]))`,
    "%1 = Constant('subT')",
    "%2 = %1 + Gen('r')",
    "%3 = Variable('r', source=%2)",
    "%4 = Constant('subconst')",
    "%5 = %4 + Gen('r')",
    "%6 = %3 + Variable('r', source=%5)",
    '%7 = %6 + Gen(None)',
    '',
    "%1 = Constant('subT')",
    "%2 = %1 + Gen('r')",
    "%3 = Variable('r', source=%2)",
    "%4 = Constant('subconst')",
    "%5 = %4 + Gen('r')",
    "%6 = %3 + Variable('r', source=%5)",
    '%7 = %6 + Gen(None)',
    '%8 = Fork(%7, number=2, position_ids_offset=None)',
    '%9 = GetForkItem(%8, index=1)',
    "%10 = %9 + Constant('z')",
    "%11 = %10 + Gen('f')",
    '',
    "['f', 'gen_0'] 2 T 2",
  );

  cell(
    'items of a batch that are no arguments are named',
    `print(raised(lambda: qa.run_batch([{"q": "1"}, ("2",)])))
print(raised(lambda: qa.run_batch(["a", "b"])))
print(raised(lambda: qa.run_batch([("1",), ("2", "e", "f")])))`,
    "TypeError: item 1 of the batch is not a dict, as item 0 is, but ('2',)",
    "TypeError: item 0 of the batch is not a tuple or list of arguments, but 'a'",
    'Exception: Given arguments mismatch the SGL function signature',
  );

  cell(
    'too few items for the forks of a group; an unknown variable of a run that does not stream',
    `@function
def forks(s):
    group = s.fork(3)
    print(raised(lambda: group.__iadd__(["a", "b"])))
    group += ["x", "y", "z", "more"]
    return [each.text() for each in group]
print(forks.run().ret_value)
print(raised(lambda: list(qa.run("q").text_iter("nope"))))
print(list(qa.run("q", stream=True).text_iter("nope")))`,
    'IndexError: list index out of range',
    "['ax', 'by', 'z']",
    "KeyError: 'nope'",
    "['']",
  );

  cell(
    'the executor, as programs use it',
    `state = qa.run("q")
executor = state.stream_executor
executor.variable_event["a"].wait()
print(executor.variable_event["a"].is_set(), executor.get_var("a") == state["a"], "zz" in executor.variable_event)
executor.set_var("b", [1])
print(state["b"], sorted(executor.variables), executor.variable_event["never"].wait(0.01))`,
    'True True False',
    "[1] ['a', 'b'] True",
  );

  cell(
    "the methods of choosing decide as SGLang's own test expects",
    `from sglang.lang.choices import ChoicesDecision, ChoicesSamplingMethod
choices = ["organ", "organism", "antidisestablishmentarianism"]
tokens = [[(-0.1 * len(t), i, t) for i, t in enumerate(row)] for row in (["organ"], ["organ", "ism"], ["ant", "id", "is"])]
rows = [[(p, 0, "t") for p in row] for row in ([-0.1], [-0.1, -0.3], [-0.4, -0.25, -0.1])]
alone = [[(None, 0, "t"), *[(p, 0, "t") for p in row]] for row in ([], [-1.0], [-0.3, -0.1])]
def decide(method, **more):
    return method(choices=choices, normalized_prompt_logprobs=[-0.2, -0.3, -0.1], input_token_logprobs=rows,
                  output_token_logprobs=[], **more)
print(decide(token_length_normalized).decision)
greedy = decide(greedy_token_selection)
print(greedy.decision, [len(row) for row in greedy.meta_info["greedy_logprob_matrix"]])
gain = decide(unconditional_likelihood_normalized, unconditional_token_logprobs=alone)
print(gain.decision, [round(x, 2) for x in gain.meta_info["normalized_unconditional_prompt_logprobs"]])
print(raised(lambda: decide(unconditional_likelihood_normalized))[:10])`,
    'antidisestablishmentarianism',
    'organ [3, 3, 3]',
    'organism [-0.1, 0.3, -0.12]',
    'ValueError',
  );

  cell(
    "schemas become regular expressions; SGLang's server itself is not here",
    `from sglang.srt.constrained.outlines_backend import build_regex_from_object
schema = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "maxLength": 9},
        "house": {"enum": ["Gryffindor", "a.b", 3]},
        "age": {"type": "integer"},
        "wand": {"anyOf": [{"$ref": "#/$defs/Wand"}, {"type": "null"}]},
        "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
        "when": {"type": "string", "pattern": "^[0-9]{4}$"},
        "score": {"type": "number"},
    },
    "required": ["name", "house", "wand"],
    "$defs": {"Wand": {"type": "object", "properties": {"wood": {"type": "string"}, "core": {"const": "x"}}}},
}
pattern = re.compile(build_regex_from_object(schema))
good = [
    {"name": 'H"é', "house": "a.b", "age": -3, "wand": None},
    {"name": "Harry", "house": 3, "wand": {"wood": "holly", "core": "x"}, "tags": ["a", "b"], "score": -1.5e3},
    {"name": "Harry", "house": "Gryffindor", "wand": {}, "when": "1980"},
    {"name": "Harry", "house": "Gryffindor", "wand": {"core": "x"}, "tags": ["a"]},
]
bad = [
    {"name": "H", "house": "a.b", "wand": None},
    {"name": "Harry", "house": "axb", "wand": None},
    {"name": "Harry", "house": 3},
    {"name": "Harry", "house": 3, "wand": None, "tags": []},
    {"name": "Harry", "house": 3, "wand": None, "tags": ["a", "b", "c"]},
    {"name": "Harry", "house": 3, "wand": None, "when": "80"},
    {"name": "Harry", "house": 3, "age": 1.5, "wand": None},
]
matches = lambda value: pattern.fullmatch(json.dumps(value, ensure_ascii=False)) is not None
print([matches(each) for each in good], [matches(each) for each in bad])
optional = re.compile(build_regex_from_object('{"type": "object", "properties": {"a": {"type": "null"}, "b": {"type": "boolean"}}}'))
print([optional.fullmatch(each) is not None for each in ("{}", '{"a": null}', '{"b":true}', '{"a": null, "b": false}', '{"b": true, "a": null}', "{,}")])
print(raised(lambda: build_regex_from_object({"$ref": "#"}))[:19], raised(lambda: build_regex_from_object("{}"))[:19])
print("bundled runtime" in raised(lambda: __import__("sglang.srt.managers.io_struct")))
print("%pip install transformers" in raised(lambda: __import__("sglang.srt.hf_transformers_utils").srt.hf_transformers_utils.get_tokenizer("x")))
print("bundled runtime" in raised(lambda: sgl.ServerArgs()))`,
    '[True, True, True, True] [False, False, False, False, False, False, False]',
    '[True, True, True, True, False, False]',
    'NotImplementedError NotImplementedError',
    'True',
    'True',
    'True',
  );

  cell(
    'generator_style yields in order, each as soon as it is done, and begins nothing that nobody takes',
    `import time
began, running, most = [], [0], [0]
@function
def item(s, i, seconds):
    began.append(i)
    running[0] += 1
    most[0] = max(most[0], running[0])
    time.sleep(seconds)
    running[0] -= 1
    s += str(i)
    if i == 37: raise ValueError("item 37")
batch = [{"i": i, "seconds": 1.5 if i == 3 else 0.01} for i in range(10)]
start, times = time.monotonic(), []
for state in item.run_batch(batch, num_threads=4, generator_style=True):
    times.append((state.text(), time.monotonic() - start > 1.4))
print(times, most)
del began[:]
states = item.run_batch([{"i": i, "seconds": 0} for i in range(1000)], num_threads=8, generator_style=True)
taken = []
def take():
    for state in states: taken.append(state.text())
print(raised(take), taken == [str(i) for i in range(37)], len(began) < 60)
del began[:]
few = item.run_batch([{"i": i, "seconds": 0} for i in range(1000)], num_threads=2, generator_style=True)
print(next(few).text(), few.close(), len(began) <= 203)
print([s.text() for s in item.run_batch([("0", 0), ("1", 0)], num_threads=1, generator_style=True)])`,
    "[('0', False), ('1', False), ('2', False), ('3', True), ('4', True), ('5', True), ('6', True), ('7', True), ('8', True), ('9', True)] [4]",
    'ValueError: item 37 True True',
    '0 None True',
    "['0', '1']",
  );

  cell(
    'verbosity prints the text of each run; special tokens are shown when asked for',
    `config = sgl.global_config
config.verbosity = 2
@function
def short(s): s += "text" + gen("a")
short.run()
config.verbosity = 0
config.skip_special_tokens_in_output = config.spaces_between_special_tokens_in_out = False
try: error = short.run()["a"]
finally: config.skip_special_tokens_in_output = config.spaces_between_special_tokens_in_out = True
short.run().sync()
print(short.bind_arguments, short.pin_prefix_rid, qa.arg_names, qa.arg_defaults, qa.func.__name__, qa.num_api_spec_tokens)`,
    'text Paris is nice',
    "{} None ['q', 'extra'] ['e'] qa None",
  );
  test.skipIf(guest === null)('… in the request', () => {
    const sampling = server.requests.flatMap(({ body }) => {
      const { text, sampling_params } = (body ?? {}) as {
        readonly text?: unknown;
        readonly sampling_params?: Record<string, unknown>;
      };
      return text === 'text' && sampling_params !== undefined ? [sampling_params] : [];
    });
    const flags = sampling.map((each) => [
      each['skip_special_tokens'],
      each['spaces_between_special_tokens'],
    ]);
    expect(flags.slice(-3)).toEqual([
      [true, true],
      [false, false],
      [true, true],
    ]);
  });

  cell(
    'numbers that JSON does not have, and names that are no text',
    `from math import inf, nan
state = qa.run("q")
state["n"], state["i"], state[5] = nan, [inf, -inf], "five"
print(state["n"], state["i"], state[5], state["a"], 5 in state, raised(lambda: state[6]), state.get_meta_info(6))
print(raised(lambda: gen(5)), raised(lambda: select(7, ["a"])), raised(lambda: state.var_scope(b"x").__enter__()))
@function
def sends(s, value): s += "text" + gen("x", temperature=value)
print(raised(lambda: sends.run(nan))[:76])
print(raised(lambda: sends.run(object()))[:74])
print(repr(sends.run(0.5)["x"]), state["a"])
display({"application/json": {"a": nan, "b": [inf]}}, raw=True)
@function
def forks(s, size):
    s += "text"
    group = s.fork(size)
    group += gen("y")
    group.join()
    return len(group), s.get_var("y") if size else s.text()
print(forks.run(0).ret_value, forks.run(2).ret_value, repr(sgl.function(lambda s: s.__iadd__(image(None)) and None).run().error()))`,
    'nan [inf, -inf] five  Paris is nice True KeyError: 6 None',
    'TypeError: the name of a variable must be text, not 5 TypeError: the name of a variable must be text, not 7 ' +
      "TypeError: the name of a variable must be text, not b'x'",
    "ValueError: ExprList([Constant('text'), Gen('x')]) cannot be sent to a serve",
    "TypeError: ExprList([Constant('text'), Gen('x')]) cannot be sent to a serv",
    "' Paris is nice'  Paris is nice",
    "(0, 'text') (2, [' Paris is nice', ' Paris is nice']) " +
      "TypeError('image() takes a file name, a URL, bytes or a PIL image, not None')",
  );

  cell(
    'the rest of sglang.utils',
    `import importlib.util
from sglang.utils import *
from sglang.test.test_utils import is_in_ci, select_sglang_backend
class Model:
    @classmethod
    def model_json_schema(cls): return {"type": "object"}
print(convert_json_schema_to_str("{}"), convert_json_schema_to_str({"a": 1}), convert_json_schema_to_str(Model))
print(raised(lambda: convert_json_schema_to_str(5))[:30])
port, lock = reserve_port("127.0.0.1")
print(0 < port < 65536, release_port(lock), is_in_ci(), resolve_obj_by_qualname("json.dumps") is json.dumps)
class Grows:
    def generate(self, prompt, sampling_params, stream): return iter([{"text": "a"}, {"text": "ab"}])
    async def async_generate(self, prompt, sampling_params, stream):
        async def events():
            for text in ("a", "ab", "ab", "abc"): yield {"text": text}
        return events()
async def pieces(): return [piece async for piece in async_stream_and_merge(Grows(), "p", {})]
print(stream_and_merge(Grows(), "p", {}), asyncio.run(pieces()))
url = sgl.lang.function.resolve_backend(None).base_url
body = {"text": "text", "sampling_params": {"max_new_tokens": 3}, "stream": True}
def streamed():
    response = http_request(url + "/generate", json=body, stream=True)
    return [line for line in response.iter_lines() if line][-1], http_request(url + "/get_model_info", verify=False).status_code
# Streams are of the package requests, which a Python of the user's own may not have.
expected = (b"data: [DONE]", 200) if importlib.util.find_spec("requests") else "ModuleNotFoundError"
found = raised(streamed)
print(found == expected or str(found).startswith(str(expected)), http_request(url + "/get_model_info").json()["is_generation"])
class Args: backend, host, port = "gpt-4o", "http://127.0.0.1", 1
print(select_sglang_backend(Args()), raised(lambda: select_sglang_backend(type("A", (), {"backend": "x"})))[:26])
print(get_exception_traceback().strip())`,
    '{} {"a": 1} {"type": "object"}',
    'ValueError: Cannot parse schem',
    'True None False True',
    "ab ['a', 'b', '', 'c']",
    'True True',
    "OpenAI('gpt-4o') ValueError: Invalid backen",
    'NoneType: None',
  );

  cell(
    'what cannot run here says so',
    `from sglang.lang.backend.base_backend import BaseBackend
from sglang.lang.ir import SglArgument, SglConcateAndAppend
class Mine(BaseBackend):
    def generate(self, s, params): return "x", {}
    def __repr__(self): return "<Mine>"
print(raised(lambda: qa.run("q", backend=Mine()))[:60])
print(raised(lambda: qa.run("q", backend="http://localhost"))[:60])
@function
def appends(s, expr): s += expr
print(repr(appends.run(SglArgument("q")).error()))
print(str(appends.run(SglConcateAndAppend([])).error())[:52])
from sglang.lang.chat_template import get_chat_template
mine = Mine()
mine.chat_template = get_chat_template("llama-2-chat")
print(graph(qa.trace(backend=mine)), end="")
print(flush_cache(), sorted(get_server_info())[:1])
print(callable(sgl.api.Runtime), callable(sgl.api.Engine))`,
    'TypeError: <Mine> is not connected to a server, so no progra',
    "TypeError: 'http://localhost' is not connected to a server, ",
    "ValueError('Argument(name=q, value=None) is part of a trace and cannot be appended to a program that runs')",
    'ConcateAndAppend cannot be appended; call forks.join',
    "%1 = Constant('[INST] ')",
    '%2 = %1 + Argument(name=q, value=None)',
    "%3 = %2 + Constant(' [/INST]')",
    "%4 = %3 + Gen('a')",
    "%5 = %4 + Constant(' </s><s>')",
    "None ['model_path']",
    'True True',
  );

  cell(
    'a gen can be looked into and changed; a state can be made by hand, with a template of its own',
    `from sglang.lang.chat_template import get_chat_template
from sglang.lang.interpreter import ProgramState, StreamExecutor
from sglang.lang.ir import SglCommitLazy, SglSamplingParams
expr = gen("x", max_tokens=3, seed=7)
expr.sampling_params.max_new_tokens = 5
print(expr.sampling_params.wire())
backend = sgl.lang.function.resolve_backend(None)
state = ProgramState(StreamExecutor(backend, {"q": 1}, SglSamplingParams(), get_chat_template("gemma-it"), False))
state += user("q") + assistant(expr + SglCommitLazy())
print(repr(state.text()), state.stream_executor.arguments, state.stream_executor.error_)
print([len(fork.messages()) for fork in state.stream_executor.fork(2)])`,
    "{'max_new_tokens': 5, 'seed': 7}",
    "'<start_of_turn>user\\nq<end_of_turn>\\n<start_of_turn>model\\n Paris is nice<end_of_turn>\\n' {'q': 1} None",
    '[2, 2]',
  );

  cell(
    'what a coroutine raises comes out of asyncio.run as it is',
    `async def bad():
    await asyncio.sleep(0.01)
    raise ValueError("mine")
async def good(): return 5
print(raised(lambda: asyncio.run(bad())), asyncio.run(good()))`,
    'ValueError: mine 5',
  );
  // asyncio.run() closes its loop, and Python then knows none; notebooks have one in every cell.
  cell('a loop is there in the next cell', 'print(asyncio.get_event_loop().is_closed())', 'False');

  test.skipIf(guest === null)('a download is the file, byte for byte', async () => {
    const { port } = files.address() as AddressInfo;
    // With an endpoint, requests to this machine would go there.
    const alone = new KernelDriver(guest === null ? {} : { guest });
    const { text, outcome } = await alone.run(`import sglang as sgl
from sglang.utils import download_and_cache_file
path = download_and_cache_file("http://127.0.0.1:${port}/x.bin", "x.bin")
print(open(path, "rb").read() == bytes(range(256)) * 4, sgl.flush_cache(None, empty_cache=False))
from sglang.lang.global_config import global_config as newer
print(newer is sgl.global_config)`);
    expect(outcome, text).toEqual({ status: 'ok' });
    expect(text).toBe('True False\nTrue\n');
    await alone.close();
  });
});
