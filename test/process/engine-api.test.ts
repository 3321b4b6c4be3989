/** `sgl.Runtime` and `sgl.Engine`: servers that belong to a program, on the starter model. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { isAlive } from '../../extension/kernel/processes/process-tree.ts';
import { KernelDriver } from '../support/kernel-driver.ts';

const starter = join(import.meta.dirname, '../../runtime/starter-model/starter.gguf');
const kernels: KernelDriver[] = [];

afterEach(async () => {
  await Promise.all(kernels.splice(0).map((kernel) => kernel.close()));
});

/** Runs the cell, which must end well, and waits until every process that it started has ended. */
async function check(code: string, expected: string): Promise<void> {
  expect(existsSync(starter), `${starter} is missing`).toBe(true);
  const kernel = new KernelDriver({});
  kernels.push(kernel);
  const { outcome, run } = await kernel.run(code);
  expect(outcome).toEqual({ status: 'ok' });
  expect(kernel.textOf(run)).toContain(expected);
  const started = kernel.events.flatMap((event) =>
    event.type === 'process' ? [event.process] : [],
  );
  expect(started.length).toBeGreaterThan(0);
  for (const { pid } of started) {
    while (isAlive(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

test('an Engine generates, for one prompt and for many, also asynchronously, and ends', () =>
  check(
    `
import sglang as sgl
engine = sgl.Engine(model_path=${JSON.stringify(starter)})
greedy = {"temperature": 0, "max_new_tokens": 4}
one = engine.generate("Once", greedy)
many = engine.generate(["Once", "The"], greedy)
later = await engine.async_generate("Once", sampling_params=greedy)
pieces = [chunk["text"] for chunk in engine.generate("Once", greedy, stream=True)]
assert pieces[-1] == one["text"] and all(pieces[-1].startswith(p) for p in pieces), pieces
last = None
async for last in await engine.async_generate("Once", greedy, stream=True): pass
assert last["text"] == one["text"] and last["meta_info"]["completion_tokens"] == 4, last
try: engine.encode("Once")
except ValueError as e: assert "404" in str(e) or "embed" in str(e).lower() or "Not Found" in str(e), e
assert one["meta_info"]["completion_tokens"] <= 4
assert many[0]["text"] == one["text"] == later["text"], (one, many, later)
engine.shutdown()
print("engine", len(many))
`,
    'engine 2',
  ));

test('a Runtime is a backend of programs, and ends', () =>
  check(
    `
import json, sglang as sgl
runtime = sgl.Runtime(model_path=${JSON.stringify(starter)})
@sgl.function
def program(s):
    s += "Once" + sgl.gen("a", max_tokens=4, temperature=0)
state = program.run(backend=runtime)
answer = json.loads(runtime.generate("Once", {"max_new_tokens": 4, "temperature": 0}))
assert answer["text"] == state["a"], (answer, state["a"])
pieces = [piece async for piece in runtime.async_generate("Once", {"max_new_tokens": 4, "temperature": 0})]
assert "".join(pieces) == state["a"], pieces
assert 30000 <= runtime.port < 40000, runtime.port
assert (await runtime.get_server_info())["version"] == runtime.endpoint.get_server_info()["version"]
for refused in (lambda: runtime.encode("Once"), lambda: runtime.generate("Once", {"max_new_tokens": -1})):
    try: refused()
    except ValueError as e: assert "refused" in str(e), e
    else: raise AssertionError("was answered")
try: runtime.endpoint.start_profile()
except RuntimeError as e: assert "404" in str(e), e
runtime.shutdown()
print("runtime ended")
`,
    'runtime ended',
  ));
