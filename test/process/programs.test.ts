/** The kinds of programs that SGLang's own tests and examples have, on the runtime and the starter model, in both guests. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { HostBridge } from '../../extension/kernel/guest/guest.ts';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import { findPython, runPython } from '../kernel/sglang/support/run-python.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { RuntimeProcess } from './runtime-process.ts';

const hasPython = findPython() !== null;
let runtime: RuntimeProcess;
let bridge: HostBridge;

let bundled: KernelDriver;

beforeAll(async () => {
  runtime = await RuntimeProcess.start();
  bundled = new KernelDriver({ endpoint: runtime.url });
});
afterAll(async () => {
  await bundled.close();
  await runtime.stop();
});
beforeEach(() => {
  const ignore = (): void => undefined;
  bridge = createHostBridge({
    emit: ignore,
    onGen: ignore,
    cwd: process.cwd(),
    defaultEndpoint: runtime.url,
  });
});
afterEach(() => bridge.dispose());

/** The source's own assertions are the test; it must get to its end. */
async function check(source: string): Promise<void> {
  const program = `import sglang as sgl\n${source}\nreport("end")\n`;
  const { reports, error, stderr } = await runPython(program, bridge);
  if (error !== null) throw new Error(error.traceback + stderr);
  expect(reports).toEqual(['end']);
  const { outcome, text } = await bundled.run(`report = print\n${program}`);
  expect(outcome, text).toEqual({ status: 'ok' });
  expect(text).toMatch(/^end$/m);
}

describe.skipIf(!hasPython)('programs (need a Python 3 on this machine)', () => {
  test('few examples, then a decision', () =>
    check(`
@sgl.function
def mood(s, text):
    s += "Text: I love it.\\nMood: good\\nText: I hate it.\\nMood: bad\\n"
    s += "Text: " + text + "\\nMood:" + sgl.select("mood", [" good", " bad"])
states = mood.run_batch([{"text": t} for t in ("So nice.", "So ugly.", "Fine.")], num_threads=2)
assert all(s["mood"] in (" good", " bad") for s in states)
assert len(states[0].get_meta_info("mood")["normalized_prompt_logprobs"]) == 2
`));

  test('JSON by a regex', () =>
    check(`
import json
@sgl.function
def character(s, name):
    s += name + " is a character.\\n"
    s += sgl.gen("json", max_tokens=64, regex=r'\\{"age": [1-9][0-9]{0,2}, "alive": (true|false)\\}')
value = json.loads(character.run(name="Ann")["json"])
assert set(value) == {"age", "alive"} and isinstance(value["alive"], bool)
`));

  test('a dialogue of several turns, streamed', () =>
    check(`
@sgl.function
def talk(s, questions):
    s += sgl.system("Be brief.")
    for i, question in enumerate(questions):
        s += sgl.user(question)
        s += sgl.assistant(sgl.gen(f"a{i}", max_tokens=8, temperature=0))
state = talk.run(questions=["Hi.", "And then?"], stream=True)
pieces = list(state.text_iter())
assert "".join(pieces) == state.text()
assert [m["role"] for m in state.messages()] == ["system", "user", "assistant", "user", "assistant"]
`));

  test('forks that are joined, as in a tree of thoughts', () =>
    check(`
@sgl.function
def tips(s, topic):
    s += "Tips on " + topic + ":\\n"
    forks = s.fork(3)
    for i, f in enumerate(forks):
        f += f"Tip {i}:" + sgl.gen("tip", max_tokens=6, stop="\\n")
    forks.join()
    s += "".join(f"- {f['tip']}\\n" for f in forks) + "Best:" + sgl.select("best", ["0", "1", "2"])
state = tips.run(topic="sleep")
assert state["best"] in "012" and state.text().count("\\n- ") == 3
`));

  test('typed gens, whose values Python can read', () =>
    check(`
import json
@sgl.function
def city(s, name):
    s += name + " is a city. As JSON:\\n"
    with s.var_scope("record"):
        s += '{"name": ' + sgl.gen_string("name", max_tokens=12, stop=["\\n"]) + ',\\n"people": '
        s += sgl.gen(dtype=int, max_tokens=6) + ', "big": '
        s += sgl.gen("big", dtype=bool) + ', "area": ' + sgl.gen("area", dtype=float, max_tokens=6) + "}"
state = city.run(name="Rome", temperature=0.3)
assert state["record"].startswith('{"name": ') and state["record"].endswith("}") and state["record"] in state.text()
assert state["big"] in ("True", "False") and isinstance(float(state["area"]), float)
@sgl.function
def hours(s):
    s += "A day has " + sgl.gen_int("hours", max_tokens=3) + "hours and a year " + sgl.gen_int("days", max_tokens=4)
state = hours.run(temperature=0.1)
assert all(int(state[name]) is not None for name in ("hours", "days"))
`));

  test('a tool, whose result becomes part of the text', () =>
    check(`
@sgl.function
def multiply(s, lhs, rhs):
    s += f"To multiply {lhs} and {rhs}, call multiply({lhs}, {rhs}).\\nSo: multiply(" + sgl.gen("call", stop=")", max_tokens=8) + ")"
    with s.var_scope("answer"):
        s += str(lhs * rhs)
state = multiply(lhs=257, rhs=983, temperature=0)
assert int(state["answer"]) == 257 * 983 and state.text().endswith(state["answer"])
`));

  test('reasoning and acting, in a loop that a choice ends', () =>
    check(`
@sgl.function
def react(s, question):
    s += "Question: " + question + "\\n"
    for i in range(1, 5):
        s += f"Thought {i}:" + sgl.gen(stop=["\\n"], max_tokens=8) + f"\\nAct {i}:"
        s += sgl.select(f"action_{i}", [" Search", " Finish"])
        if s[f"action_{i}"] == " Finish":
            s += "[" + sgl.gen("answer", stop="]", max_tokens=8) + "]\\n"
            break
        s += "[" + sgl.gen(stop="]", max_tokens=8) + f"]\\nObservation {i}: nothing\\n"
state = react.run(question="Where is Berlin?", temperature=0)
state.sync()
actions = [state[f"action_{i}"] for i in range(1, 5) if f"action_{i}" in state]
assert set(actions) <= {" Search", " Finish"} and ("answer" in state) == (actions[-1] == " Finish")
`));

  test('a skeleton whose points are written in parallel, unnamed gens, an expert who answers', () =>
    check(`
@sgl.function
def expand(s, topic):
    s += "Tips on " + topic + ": 1." + sgl.gen(stop=["\\n"], max_tokens=6) + " 2." + sgl.gen(stop=["\\n"], max_tokens=6) + "\\n"
    forks = s.fork(5)
    for i in range(5):
        forks[i] += f"Detail {i}:" + sgl.gen("detailed_tip", stop=["\\n"], max_tokens=6)
    forks.join()
    for i in range(5):
        s += f"{i}:" + forks[i]["detailed_tip"] + "\\n"
    s += "In short:" + sgl.gen("summary", max_tokens=6)
state = expand.run(topic="sleep", temperature=0.3)
assert isinstance(state["summary"], str) and len(state["detailed_tip"]) == 5
@sgl.function
def expert(s, question):
    s += "Question: " + question + "\\nAn expert on this is" + sgl.gen("expert", stop=[".", "\\n"], max_tokens=8) + ".\\n"
    s += "For example, " + s["expert"] + " would say" + sgl.gen("answer", max_tokens=8)
state = expert.run(question="What is the capital of France?", temperature=0.1)
assert "For example, " + state["expert"] in state.text()
`));

  test('statements that are encoded in parallel; a regex; at least so many tokens', () =>
    check(`
import re
@sgl.function
def noah(s):
    s += "Hear this.\\n"
    forks = s.fork(3)
    forks += lambda i: f"Statement {i}: Noah likes tea.\\n"
    forks.join("concate_and_append")
    s += "Who?" + sgl.gen("answer", max_tokens=4)
assert "Statement 2: Noah" in noah.run().text()
IP = r"((25[0-5]|2[0-4]\\d|[01]?\\d\\d?).){3}(25[0-5]|2[0-4]\\d|[01]?\\d\\d?)"
@sgl.function
def dns(s):
    s += "The address of the name server is " + sgl.gen("ip", temperature=0, regex=IP)
assert re.fullmatch(IP, dns.run()["ip"])
@sgl.function
def long(s):
    s += "Once" + sgl.gen("story", min_tokens=64, max_tokens=128)
assert long.run().get_meta_info("story")["completion_tokens"] >= 64
`));

  test('few examples in a batch, as a list and as a generator: the same decisions', () =>
    check(`
SHOTS = "".join(f"Number {n} is {'even' if n % 2 == 0 else 'odd'}.\\n" for n in range(20))
@sgl.function
def parity(s, number):
    s += SHOTS + f"Number {number} is" + sgl.select("parity", choices=[" even", " odd"])
batch = [{"number": n} for n in range(40)]
lists = [s["parity"] for s in parity.run_batch(batch, temperature=0, num_threads=64, progress_bar=True)]
generated = [s["parity"] for s in parity.run_batch(batch, temperature=0, num_threads=64, generator_style=True)]
assert lists == generated and set(lists) <= {" even", " odd"}
`));

  test("the same server through OpenAI's API: chat, streams, choices, schemas, completions", () =>
    check(`
import json
chat = sgl.OpenAI("starter", base_url="${runtime.url}/v1", api_key="k", max_retries=0)
whole = sgl.OpenAI("starter", is_chat_model=False, base_url="${runtime.url}/v1", api_key="k", max_retries=0)
@sgl.function
def ask(s, question):
    s += sgl.user(question) + sgl.assistant(sgl.gen("answer", max_tokens=12, temperature=0))
question = "What is the capital of Germany?"
states = ask.run_batch([{"question": question}] * 8, backend=chat)
(answer,) = {state["answer"] for state in states}
stream = ask.run(question=question, backend=chat, stream=True)
assert "".join(stream.text_iter("answer")) == answer == ask.run(question=question)["answer"]
@sgl.function
def decide(s):
    s += sgl.user("Is Berlin in Germany?") + sgl.assistant(sgl.select("it", ["yes", "no"]))
assert decide.run(backend=chat)["it"] in ("yes", "no")
SCHEMA = json.dumps({"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]})
@sgl.function
def record(s):
    s += sgl.user("JSON, please.") + sgl.assistant(sgl.gen("json", max_tokens=60, temperature=0, json_schema=SCHEMA))
assert isinstance(json.loads(record.run(backend=chat)["json"])["age"], int)
@sgl.function
def complete(s):
    s += "The capital of France is" + sgl.gen("city", max_tokens=4, temperature=0, stop=".")
assert complete.run(backend=whole)["city"] == complete.run()["city"]
assert chat.token_usage.completion_tokens > 8 and whole.token_usage.prompt_tokens > 0
`));

  test('a program that calls itself', () =>
    check(`
@sgl.function
def down(s, depth):
    s += f"{depth}:" + sgl.gen("g", max_tokens=1)
    if depth > 0:
        s += down(depth=depth - 1)["g"]
    s += "end"
state = down.run(depth=20)
assert state.text().startswith("20:") and state.text().endswith("end")
`));
});

test('the programs were tested', ({ skip }) => {
  skip(!hasPython, 'not run: this machine has no python3');
  expect(hasPython).toBe(true);
});
