/**
 * What the interpreter adds to each gen: a program of many gens against a server that answers at
 * once, beside the same number of bare requests to that server. Prints milliseconds per gen and
 * their difference, medians over the runs. Goal: at most 0.5 ms.
 */
import { createServer, request, Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHostBridge } from '../../extension/kernel/guest/host-bridge.ts';
import type { BridgeMessage, HostBridge } from '../../extension/kernel/guest/guest.ts';

const GENS = 500;
const RUNS = 9;
const ANSWER = JSON.stringify({ text: 'x', meta_info: { prompt_tokens: 1, completion_tokens: 1 } });
const signal = new AbortController().signal;

const server = createServer((incoming, response) => {
  incoming.resume().on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(incoming.method === 'GET' ? '{"model_path":"null"}' : ANSWER);
  });
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const bridge = createHostBridge({
  emit: () => undefined,
  onGen: () => undefined,
  cwd: '.',
  defaultEndpoint: null,
});
const backend = (await call(bridge, { op: 'backend', kind: 'sglang', url, options: {} })) as {
  id: number;
};
const agent = new Agent({ keepAlive: true, maxSockets: 1 });

let states = 0;
const interpreted: number[] = [];
const bare: number[] = [];
for (let run = 0; run <= RUNS; run++) {
  const [first, second] = [await time(runProgram), await time(runBare)];
  if (run === 0) continue; // warm-up
  interpreted.push(first);
  bare.push(second);
}

const [ours, theirs] = [median(interpreted), median(bare)];
console.log(
  `interpreter   ${ours.toFixed(3)} ms per gen (${GENS} gens in a row, median of ${RUNS} runs)`,
);
console.log(`bare request  ${theirs.toFixed(3)} ms`);
console.log(`overhead      ${(ours - theirs).toFixed(3)} ms per gen (goal: <= 0.5)`);

await bridge.dispose();
agent.destroy();
server.close();

/** States of ten gens, one after the other, each read before the next is appended. */
async function runProgram(): Promise<void> {
  const sampling = { max_new_tokens: 1 };
  let sid = 0;
  for (let index = 0; index < GENS; index++) {
    if (index % 10 === 0) {
      sid = ++states;
      bridge.post({
        op: 'new',
        sid,
        backend: backend.id,
        program: 'bench',
        stream: false,
        sampling,
      });
    }
    const exprs = [
      { t: 'begin', role: 'user' },
      { t: 'text', v: 'q' },
      { t: 'end', role: 'user' },
      { t: 'gen', name: 'a', sampling: {}, at: null },
    ];
    bridge.post({ op: 'submit', sid, exprs });
    await call(bridge, { op: 'get', sid, name: 'a', outer: false });
  }
}

async function runBare(): Promise<void> {
  const body = JSON.stringify({ text: 'q', sampling_params: { max_new_tokens: 1 } });
  for (let index = 0; index < GENS; index++) {
    await new Promise<void>((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': body.length };
      const sent = request(`${url}/generate`, { method: 'POST', agent, headers }, (response) => {
        response.resume().on('end', resolve);
      });
      sent.on('error', reject).end(body);
    });
  }
}

async function time(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / GENS;
}

async function call(target: HostBridge, message: BridgeMessage): Promise<unknown> {
  const reply = await target.call(message, signal);
  if ('error' in reply) throw new Error(reply.error.message);
  return reply.ok;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}
