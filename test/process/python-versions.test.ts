/**
 * The kernel's Python files in every version of Python that they promise: what each interpreter of this
 * machine says to the same cells is compared with what the bundled Python says.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { OLDEST_PYTHON } from '../../extension/python-environments/find-environments.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { interpreters, VERSIONS } from '../support/interpreters.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

/** A part of the language or of the notebook each; all of them print. */
const CELLS: readonly string[] = [
  'from sglang import *\nimport asyncio, re, sys, time',
  `@function
def ask(s, question, n=2):
    s += system("Be kind.") + user(question)
    s += assistant(gen("answer", max_tokens=8, stop=["Q"]))
    forks = s.fork(n)
    for i, f in enumerate(forks):
        f += user(f"Part {i}") + assistant(gen("part", temperature=0))
    forks.join()
    s += user("Sure?") + assistant("I say " + select("sure", choices=["yes", "no"]))
s = ask.run("Where?", n=3)
print(s["answer"], s["part"], s["sure"], s.messages()[0])`,
  `states = ask.run_batch([{"question": f"q{i}"} for i in range(12)], num_threads=5)
print([state["answer"] for state in states], ask.bind(n=1).run("x")["part"])`,
  `@function
def scopes(s):
    with s.var_scope("all"):
        s += "a" + gen_int("i") + gen("f", dtype=float) + gen("r", regex=r"\\d+")
    with s.user():
        s += "in a role"
    with s.copy() as other:
        other += gen("copied")
state = scopes.run()
print(state["all"], state["i"], state["copied"], repr(state))`,
  `stream = ask.run("Where?", stream=True)
print("".join(stream.text_iter("answer")), stream["sure"])
async def pieces():
    return [piece async for piece in ask.run("x", stream=True).text_async_iter("answer")]
print("".join(await pieces()))`,
  `@function
async def waits(s):
    s += user("a") + assistant(gen("one"))
    if "Paris" in await s["one"]:
        forks = await s.fork(2)
        forks += gen("two")
        await forks.join()
state = await waits.run_async()
print(state["two"], [each["one"] for each in await waits.run_batch_async([{}, {}])])`,
  `def ask_missing():
    ask.run("x")["missing"]
try:
    ask_missing()
except KeyError as error:
    print(type(error).__name__, error)
try:
    select("x", choices=None)
except AssertionError as error:
    print(error)
try:
    gen("x", regex="(")
except re.error as error:
    print(error)`,
  `print(ask.trace(question="q", n=2).last_node is not None, flush_cache())
from sglang.utils import read_jsonl, print_highlight
from sglang.lang.chat_template import get_chat_template
print(get_chat_template("chatml").stop_str)`,
  '!echo shell\nlines = !echo one; echo two\nprint(lines, lines.s)\n%env X=1',
  'class Rich:\n    def _repr_html_(self): return "<b>x</b>"\n    def __repr__(self): return "Rich()"\nRich()',
  'from __future__ import annotations\ndef f(x: Undefined | None = None): return x\nprint(f(1))',
  'if (n := 10) > 5: print(f"{n=}")\nprint({"a": 1} | {"b": 2}, "prefix".removeprefix("pre"))',
  `NAMES = ['a"b', "it's", "two\\nlines", "名前", "😀", "", " ", "__class__", "\\\\", "{x}"]
@function
def odd(s):
    for name in NAMES:
        s += gen(name, max_tokens=3)
s = odd.run()
print([s[name] for name in NAMES], sorted(s.stream_executor.variables) == sorted(NAMES))`,
  `@function
def down(s, depth):
    s += user(f"{depth}") + assistant(gen("v"))
    if depth:
        s["rest"] = down.run(depth=depth - 1)["v"]
print(down.run(depth=30)["rest"])`,
];

/** Fail in the same place with the same words. */
const FAILING: readonly string[] = [
  'def inner():\n    return 1 / 0\n\ndef outer():\n    inner()\n\nouter()',
  '@function\ndef breaks(s):\n    s += "a"\n    raise ValueError("mine")\nbreaks.run()',
  'breaks.run_batch([{}] * 4)',
  '@function\ndef bad_forks(s):\n    forks = s.fork(3)\n    forks += lambda i: gen("x") if i < 2 else 1 / 0\nbad_forks.run()',
  'def x(:\n  pass',
  'raise SystemExit(3)',
];

const found = interpreters();
const server = new MockSglangServer();
let expected: readonly string[];
beforeAll(async () => {
  await server.listen();
  expected = await said({ kind: 'wasm' });
});
afterAll(() => server.close());

/** What a guest says to the cells: text, values, and how each ended. */
async function said(guest: GuestChoice): Promise<string[]> {
  const kernel = new KernelDriver({ guest, endpoint: `http://127.0.0.1:${server.port}` });
  const answers: string[] = [];
  for (const [index, code] of [...CELLS, ...FAILING].entries()) {
    const run = await kernel.run(code, `cell ${index}`);
    const values = run.outputs.flatMap((each) => (each.kind === 'result' ? [each.data] : []));
    const { outcome } = run;
    const failure =
      outcome.status === 'error'
        ? [outcome.error.name, outcome.error.message, outcome.error.line]
        : [];
    answers.push(JSON.stringify([code, run.text, values, outcome.status, failure], null, 1));
  }
  expect(kernel.garbage).toEqual([]);
  await kernel.close();
  return answers.map((each) => each.replaceAll(kernel.cwd, 'FOLDER'));
}

test('the bundled Python runs every cell', () => {
  const statuses = expected.map((each) => (JSON.parse(each) as unknown[])[3]);
  const wanted = [...CELLS.map(() => 'ok'), ...FAILING.map(() => 'error')];
  expect(statuses, expected.join('\n')).toEqual(wanted);
});

/** Since Python 3.14 they are evaluated when somebody looks. */
test('annotations may name what does not exist yet', async () => {
  const kernel = new KernelDriver({ endpoint: `http://127.0.0.1:${server.port}` });
  const { text } = await kernel.run(`import sys
from sglang import *
@function
def later(s, x: Undefined, *, y: "Other" = 1):
    s += f"{x}{y} " + gen("a")
print(sys.version_info >= (3, 14), later.arg_names, later.run("x", y=2).text()[:3])
print(later.bind(y=3).run_batch([("q",), ("r",)])[1].text()[:3])
later?`);
  await kernel.close();
  expect(text).toContain("True ['x'] x2 \nr3 \n");
});

/** Holds where the oldest Python is not installed, too: its grammar is known to every newer one. */
test('every file of the guest is a program of the oldest Python', async () => {
  const [major, minor] = OLDEST_PYTHON;
  const kernel = new KernelDriver();
  const { text } = await kernel.run(`import ast, pathlib
def parses(text):
    try:
        return ast.parse(text, feature_version=(${major}, ${minor})) is not None
    except SyntaxError as error:
        return False
files = [*pathlib.Path("/lib/sglang-notebooks").rglob("*.py")]
print(len(files) > 40, parses("match x:\\n  case 1: pass"))
print([str(file) for file in files if not parses(file.read_text())])`);
  await kernel.close();
  expect(text).toBe('True False\n[]\n');
});

describe.each(VERSIONS)('Python %s', (version) => {
  const here = found.get(version);
  const name =
    here === undefined
      ? `not run: python${version} not found`
      : 'says what the bundled Python says';
  test.skipIf(here === undefined)(name, async () => {
    expect(await said(here?.guest ?? { kind: 'wasm' })).toEqual(expected);
  });
});

test.for([
  ['is killed', 'import os\nos.kill(os.getpid(), 9)'],
  [
    "writes into the kernel's own pipe",
    'import os, struct, time, _sgl_transport as t\nos.write(t._output, struct.pack("<I", 3) + b"abc")\ntime.sleep(60)',
  ],
])(
  'a Python that %s in the middle of a cell says so, and the next cell has a new one',
  async ([, code], { skip }) => {
    const first = VERSIONS.map((version) => found.get(version)).find((each) => each !== undefined);
    skip(first === undefined, 'not run: this machine has no python3');
    const kernel = new KernelDriver(first === undefined ? {} : { guest: first.guest });
    const run = await kernel.run(`x = 1\nprint("before", flush=True)\n${code}`);
    expect(run.outcome).toMatchObject({ status: 'error', error: { name: 'KernelDied' } });
    expect(run.text).toBe('before\n');
    expect((await kernel.run('print("x" in globals())')).text).toBe('False\n');
    await kernel.close();
  },
);
