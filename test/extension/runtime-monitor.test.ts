import { createServer, type Server } from 'node:http';
import { afterEach, expect, it } from 'vitest';
import {
  describeRuntime,
  readRuntimeInfo,
} from '../../extension/src/runtime-manager/runtime-info.ts';
import {
  RuntimeMonitor,
  type WatchedRuntime,
} from '../../extension/src/runtime-manager/runtime-monitor.ts';

const INFO = {
  served_model_name: 'org/starter',
  memory: { process_bytes: 300 * 2 ** 20 },
  internal_states: [{ last_gen_throughput: 41.6, running_requests: 2, queued_requests: 0 }],
};
const METRICS = [
  '# TYPE sglang:cache_hit_rate gauge',
  'sglang:cache_hit_rate{model_name="org/starter"} 0.8',
].join('\n');
const words = {
  speed: (rate: number) => `last ${rate} tok/s`,
  cached: (percent: number) => `${percent} % cached`,
  gpu: (used: string, total: string) => `GPU ${used} of ${total}`,
};

let close: (() => void)[] = [];
afterEach(() => {
  for (const end of close.splice(0)) end();
});

async function runtime(): Promise<{ url: string; server: Server; answers: { ok: boolean } }> {
  const answers = { ok: true };
  const server = createServer((request, response) => {
    if (!answers.ok) return void response.writeHead(503).end();
    response.end(request.url === '/metrics' ? METRICS : JSON.stringify(INFO));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close.push(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, server, answers };
}

it('says in a line what a runtime tells of itself', () => {
  expect(describeRuntime(readRuntimeInfo(INFO, METRICS), words)).toBe(
    'starter · last 42 tok/s · 80 % cached · 300 MiB',
  );
});

it('tells the memory of GPUs, all together', () => {
  const device = (kind: string, free: number) => ({ name: 'x', kind, free, total: 8 * 2 ** 30 });
  const devices = [device('gpu', 5 * 2 ** 30), device('cpu', 1), device('igpu', 7 * 2 ** 30)];
  const withGpus = { ...INFO, memory: { ...INFO.memory, devices } };
  expect(describeRuntime(readRuntimeInfo(withGpus, METRICS), words)).toBe(
    'starter · last 42 tok/s · 80 % cached · 300 MiB · GPU 4.0 GiB of 16.0 GiB',
  );
  const odd = [null, { kind: 'gpu' }, { kind: 'gpu', free: 'a', total: 0 }];
  expect(readRuntimeInfo({ memory: { devices: odd } }, '').gpu).toBe(null);
});

it('takes what is missing or odd as unknown', () => {
  for (const odd of [null, 'x', [], { internal_states: 3, memory: [] }]) {
    const info = readRuntimeInfo(odd, 'no metrics');
    expect(Object.values(info).filter((value) => value !== null)).toEqual([]);
    expect(describeRuntime(info, words)).toBe('');
  }
});

it('does not call a runtime silent for one answer that it owes', async () => {
  const { url, server } = await runtime();
  let answered = 0;
  let owed = 0;
  server.removeAllListeners('request');
  server.on('request', (request, response) => {
    // Every other round goes without an answer, as the first one after a sleep does.
    if (request.url !== '/metrics') answered += 1;
    if (answered % 2 === 0) {
      owed += 1;
      return void response.writeHead(503).end();
    }
    response.end(request.url === '/metrics' ? METRICS : JSON.stringify(INFO));
  });
  const log: string[] = [];
  const kinds = new Set<string | undefined>();
  const monitor = new RuntimeMonitor({
    runtimes: () => [{ pid: 7, url }],
    changed: () => kinds.add(monitor.health(7)?.kind),
    log: (message) => log.push(message),
    interval: 1_000,
  });
  close.push(() => monitor.dispose());
  monitor.refresh();
  await expect.poll(() => owed, { timeout: 15_000 }).toBeGreaterThan(3);
  expect([...kinds]).toContain('ready');
  expect([...kinds]).not.toContain('silent');
  expect(log).toEqual([]);
});

it('sees a runtime start, serve, fall silent, answer again and end', async () => {
  const { url, answers } = await runtime();
  answers.ok = false;
  let present: WatchedRuntime[] = [{ pid: 7, url }];
  const log: string[] = [];
  let changes = 0;
  const monitor = new RuntimeMonitor({
    runtimes: () => present,
    changed: () => (changes += 1),
    log: (message) => log.push(message),
    interval: 30,
  });
  close.push(() => monitor.dispose());
  monitor.refresh();
  await expect.poll(() => monitor.health(7)?.kind).toBe('starting');
  answers.ok = true;
  await expect.poll(() => monitor.health(7)?.kind).toBe('ready');
  answers.ok = false;
  await expect.poll(() => monitor.health(7)?.kind).toBe('silent');
  answers.ok = true;
  await expect.poll(() => monitor.health(7)?.kind).toBe('ready');
  expect(log[0]).toContain('The runtime 7 at http://127.0.0.1');
  expect(log.at(-1)).toBe('The runtime 7 answers again.');
  present = [];
  monitor.refresh();
  expect(monitor.health(7)).toBeUndefined();
  expect(changes).toBeGreaterThanOrEqual(4);
});
