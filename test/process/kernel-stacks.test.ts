/** Many suspended Python stacks in the WebAssembly guest, while garbage is collected and frames are walked. */
import { expect, test } from 'vitest';
import { KernelDriver } from '../support/kernel-driver.ts';

test('the garbage collector and frame walks leave suspended stacks alone', async () => {
  const kernel = new KernelDriver({});
  const { outcome, run } = await kernel.run(`
import asyncio, gc, sys, time
import _sgl_transport as transport
class Node: pass
def depth():
    frame, count = sys._getframe(), 0
    while frame is not None:
        frame, count = frame.f_back, count + 1
    return count
kept = []
def body(i):
    expected = depth()
    for turn in range(12):
        node = Node()
        node.me, node.all = node, [Node() for _ in range(50)]
        time.sleep(0.001 * (i % 3))
        gc.collect(turn % 3)
        assert depth() == expected and node.me is node and len(node.all) == 50
    kept.append(i)
transport.join_all([transport.spawn(lambda i=i: body(i)) for i in range(24)])
async def waits(i):
    await asyncio.sleep(0.001)
    gc.collect(1)
    time.sleep(0.001)
    return i
assert await asyncio.gather(*[waits(i) for i in range(8)]) == list(range(8))
print(sorted(kept) == list(range(24)))
`);
  await kernel.close();
  expect({ outcome, text: kernel.textOf(run) }).toEqual({
    outcome: { status: 'ok' },
    text: 'True\n',
  });
});
