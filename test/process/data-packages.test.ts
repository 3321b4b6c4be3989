/** Programs beside numpy, pandas and datasets, in an environment of the user's own. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MockSglangServer } from '../kernel/sglang/support/mock-sglang-server.ts';
import { KernelDriver } from '../support/kernel-driver.ts';
import { pythonWith } from '../support/python-packages.ts';

const found = await pythonWith('data-packages', ['numpy', 'pandas', 'datasets']);
if (found.missing !== null) console.warn(`data packages ${found.missing}`);

describe.skipIf(found.missing !== null)('an environment with numpy, pandas and datasets', () => {
  const server = new MockSglangServer();
  let kernel: KernelDriver;
  beforeAll(async () => {
    const executable = found.python ?? 'python3';
    const guest = { kind: 'cpython', executable } as const;
    kernel = new KernelDriver({ guest, endpoint: await server.listen() });
  });
  afterAll(async () => {
    await kernel.close();
    await server.close();
  });

  test('runs a batch over a dataset, in threads, and programs within a map', async () => {
    const { text, outcome } = await kernel.run(`import threading, time
import datasets, numpy as np, pandas as pd
from sglang import *
datasets.disable_progress_bars()
rows = datasets.Dataset.from_dict({"q": [f"What is {i}?" for i in range(40)], "label": list(range(40))})
threads, at_once = set(), [0, 0]
@function
def qa(s, q):
    threads.add(threading.get_ident())
    at_once[0] += 1
    at_once[1] = max(at_once)
    time.sleep(0.02)
    at_once[0] -= 1
    s += user(q) + assistant(gen("a", max_tokens=3, return_logprob=True))
states = qa.run_batch([{"q": row["q"]} for row in rows], num_threads=8)
frame = pd.DataFrame({"q": rows["q"], "answer": [s["a"] for s in states], "text": [s.text() for s in states]})
print(frame.answer.value_counts().to_dict(), len(threads), at_once[1] > 1, bool(frame.text.str.contains("What is 39").iloc[-1]))
answered = rows.map(lambda row: {"answer": qa.run(q=row["q"])["a"]})
print(answered.num_rows, answered[39]["answer"], sorted(answered.column_names))
@function
def takes_numbers(s, n, choices):
    s += "n" + str(n) + gen("x", max_tokens=int(n)) + select("c", [str(c) for c in choices])
state = takes_numbers.run(np.int64(3), pd.Series([" a", " b"]))
state["mean"] = np.float64(0.5)
state["array"] = np.arange(3)
print(state["x"], state["c"] in (" a", " b"), state["mean"], state["array"].sum())
@function
def numpy_in_gen(s): s += "n" + gen("x", max_tokens=np.int64(3), temperature=np.float32(0))
try: print(numpy_in_gen.run()["x"])
except Exception as e: print(type(e).__name__, e)`);
    expect(outcome, text).toEqual({ status: 'ok' });
    expect(text.split('\n')).toEqual([
      "{' Paris is nice': 40} 8 True True",
      "40  Paris is nice ['answer', 'label', 'q']",
      ' Paris is nice True 0.5 3',
      ' Paris is nice',
      '',
    ]);
  });
});

test('data packages were tested', ({ skip }) => {
  skip(found.missing !== null, found.missing ?? '');
  expect(found.python).not.toBeNull();
});
