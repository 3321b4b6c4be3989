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
