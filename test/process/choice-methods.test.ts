/** Methods of choosing that a program brings along, as SGLang's `choices_method` takes them, in both guests. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { findPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const python = findPython();
const GUESTS: readonly (readonly [name: string, guest: GuestChoice | null])[] = [
  ['WebAssembly', { kind: 'wasm' }],
  ['CPython', python === null ? null : { kind: 'cpython', executable: python }],
];

const PRELUDE = `import json, time, traceback
from sglang import *
from sglang.lang.choices import ChoicesDecision, ChoicesSamplingMethod
seen = []
def raised(work):
    try: return work()
    except BaseException as e: return type(e).__name__ + ": " + str(e)
class Last(ChoicesSamplingMethod):
    def __call__(self, *, choices, normalized_prompt_logprobs, input_token_logprobs,
                 output_token_logprobs, unconditional_token_logprobs=None):
        seen.append((choices, normalized_prompt_logprobs, input_token_logprobs, unconditional_token_logprobs))
        return ChoicesDecision(decision=choices[-1], meta_info={"by": "last", "kind": Last})
class WithoutPrompt(Last):
    @property
    def requires_unconditional_logprobs(self): return True
class Renamed(type(token_length_normalized)):
    def __call__(self, **k): return ChoicesDecision(k["choices"][0].upper(), {"nan": float("nan")})
def broken(**k): raise ZeroDivisionError("my method")
@function
def sky(s, method):
    s += "The sky is" + select("colour", [" blue", " red"], choices_method=method) + "."
    s += gen("after", choices=[" yes", " no"], choices_method=method)`;

describe.each(GUESTS)('%s', (_, guest) => {
  const server = new MockSglangServer();
  let kernel: KernelDriver;
  beforeAll(async () => {
    if (guest === null) return;
    kernel = new KernelDriver({ guest, endpoint: await server.listen() });
    expect((await kernel.run(PRELUDE)).outcome).toEqual({ status: 'ok' });
  });
  beforeEach(({ skip }) => {
    skip(guest === null, 'not run: this machine has no python3');
    server.requests.length = 0;
  });
  afterAll(async () => {
    await kernel?.close();
    await server.close();
  });

  async function check(code: string, ...lines: readonly string[]): Promise<void> {
    const { printed, outcome } = await kernel.run(code);
    expect({ outcome, text: printed }).toEqual({
      outcome: { status: 'ok' },
      text: lines.map((line) => `${line}\n`).join(''),
    });
  }

  test('decides with the evidence that SGLang gives it', () =>
    check(
      `state = sky.run(Last())
print(state["colour"], state["after"], state.text())
print(state.get_meta_info("colour"), state.stream_executor.meta_info["after"]["by"])
choices, means, tokens, alone = seen[0]
print(choices, all(abs(m - sum(t[0] for t in row) / len(row)) < 1e-9 for m, row in zip(means, tokens)), alone)
print(repr(select("c", ["a"], choices_method=broken))[:46])`,
      ' red  no The sky is red. no',
      "{'by': 'last', 'kind': <class '__main__.Last'>} last",
      "[' blue', ' red'] True None",
      "Select(c, choices=['a'], choices_method=<funct",
    ));

  test('gets the log probabilities without the prompt when it asks for them', async () => {
    await check(
      'del seen[:]\nsky.run(WithoutPrompt()).sync()\nprint([len(each[3]) for each in seen])',
      '[2, 2]',
    );
    expect(
      server.requests.filter(({ body }) => JSON.stringify(body).includes('input_ids')),
    ).toHaveLength(2);
  });

  test('may derive from a method of SGLang, decide for no choice, and tell what is no JSON', () =>
    check(
      `state = sky.run(Renamed())
print(state.text(), state.get_meta_info("colour"))
print(json.dumps(state._repr_mimebundle_()["application/vnd.sglang.state+json"]).count('"chosen": true'))`,
      "The sky is BLUE. YES {'nan': nan}",
      '0',
    ));

  test('works in forks, batches, streams and coroutines', () =>
    check(
      `@function
def forked(s, m):
    f = s.fork(2)
    f += "q" + select("c", [" a", " b"], choices_method=m)
    f.join()
print(forked.run(Last())["c"])
print({s["colour"] for s in sky.run_batch([{"method": Last()}] * 40)})
stream = sky.run(Last(), stream=True)
print(list(stream.text_iter("colour")), "".join(stream.text_iter()))
state = await sky.run_async(Last())
print(state["colour"], state.get_meta_info("colour")["by"])
@function
async def awaits(s):
    s += "q" + select("c", [" a", " b"], choices_method=Last())
    return await s["c"], (await s.get_meta_info("c"))["by"]
print(awaits.run().ret_value)`,
      "[' b', ' b']",
      "{' red'}",
      "[' red'] The sky is red. no",
      ' red last',
      "(' b', 'last')",
    ));

  test('an exception of it is the cause of the failure, with its own traceback', () =>
    check(
      `state = sky.run(broken)
try: state["colour"]
except KeyError as e:
    print(type(e).__name__, e, e.line, "in broken" in "".join(traceback.format_exception(type(e), e, e.__traceback__)))
print(repr(state.error()), raised(lambda: state["after"]), repr(state.text()))
print(raised(lambda: sky.run(broken, use_thread=False)))
print([type(s.error()).__name__ for s in sky.run_batch([{"method": m} for m in (Last(), broken, Last())])])`,
      "GenerationError 'colour' was not generated: my method 21 True",
      "ZeroDivisionError('my method') GenerationError: 'after' was not generated: my method 'The sky is'",
      'ZeroDivisionError: my method',
      "['NoneType', 'ZeroDivisionError', 'NoneType']",
    ));

  test('what is no method, and what is no decision, is said', () =>
    check(
      `print(raised(lambda: select("c", ["a"], choices_method="greedy")))
class Named:
    def __call__(self, **k): return "x"
    def __repr__(self): return "<Named>"
print(sky.run(Named()).error())`,
      "TypeError: choices_method must be a ChoicesSamplingMethod or another callable, not 'greedy'",
      "choices_method <Named> must answer a ChoicesDecision whose decision is a string, not 'x'",
    ));

  test('a service that scores no given text refuses it before any request', () =>
    check(
      `chat = OpenAI("gpt-4o", base_url="http://127.0.0.1:1", api_key="k")
@function
def asks(s): s += user("q") + assistant(select("c", [" a", " b"], choices_method=Last()))
error = asks.run(backend=chat).error()
print(type(error).__name__, str(error)[:75])`,
      'NotImplementedError A choices_method of your own needs the log probabilities of the choices, an',
    ));

  test('a program whose gen failed before it never calls it', async () => {
    server.failure = { status: 400, body: { error: { message: 'bad thing' } } };
    await check(
      'del seen[:]\nstate = sky.run(Last())\nprint("bad thing" in str(state.error()), seen)',
      'True []',
    );
    server.failure = null;
  });

  test('one that never ends is interrupted with its cell', async () => {
    const run = kernel.execute(
      'def slow(**k):\n    print("in it", flush=True)\n    while True: time.sleep(0.01)\nsky.run(slow)["colour"]',
    );
    await kernel.until(() => kernel.textOf(run).includes('in it'));
    kernel.interrupt();
    expect((await kernel.finished(run)).outcome).toEqual({ status: 'interrupted' });
    await check('print(sky.run(Last())["colour"])', ' red');
  });
});
