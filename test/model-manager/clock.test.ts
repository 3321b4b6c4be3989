/** The wall clock jumps (summer time, sleep, a user who sets it): nothing here may notice. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { EndpointPool } from '../../extension/kernel/backends/endpoint-pool.ts';
import {
  ConnectionLostError,
  type Backend,
  type Completion,
} from '../../extension/kernel/backends/backend.ts';
import { waitBefore } from '../../extension/kernel/backends/remote-service.ts';
import { resolveSampling } from '../../extension/kernel/sglang/sampling-params.ts';
import {
  downloadFile,
  DOWNLOAD_DEFAULTS,
  type DownloadProgress,
} from '../../extension/model-manager/download.ts';
import { HubClient } from '../../extension/model-manager/hub-client.ts';
import { FakeHub, sha256 } from '../support/fake-hub.ts';

const YEARS = 10 * 365 * 86_400_000;
const JUMPS = [YEARS, -2 * YEARS, 3600_000];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

function jump(by: number): void {
  vi.setSystemTime(Date.now() + by);
}

it('a download goes on, with a speed that makes sense', async () => {
  const hub = await FakeHub.start();
  const folder = mkdtempSync(join(tmpdir(), 'clock-'));
  try {
    const bytes = Buffer.alloc(300_000, 7);
    hub.host('a/b/c.gguf', bytes);
    for (let i = 0; i < 3; i += 1) hub.misbehaviours.push({ kind: 'cut', after: 60_000 });
    const jumps = [...JUMPS];
    const seen: DownloadProgress[] = [];
    const client = new HubClient({ base: hub.url, token: null, answerMilliseconds: 5_000 });
    const file = { path: 'c.gguf', size: bytes.length, sha256: sha256(bytes) };
    const target = join(folder, 'c.gguf');
    await downloadFile(client, client.fileUrl('a/b', 'c.gguf'), file, target, {
      ...DOWNLOAD_DEFAULTS,
      retryMilliseconds: 1,
      onProgress: (progress) => {
        seen.push(progress);
        const by = jumps.pop();
        if (by !== undefined) jump(by);
      },
    });
    expect(jumps).toEqual([]);
    expect(readFileSync(target).equals(bytes)).toBe(true);
    for (const { bytesPerSecond } of seen) {
      expect(bytesPerSecond).toBeGreaterThanOrEqual(0);
      expect(Number.isFinite(bytesPerSecond)).toBe(true);
    }
  } finally {
    await hub.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

it('a server that failed rests as long as it should, however the clock jumps', async () => {
  const connections: string[] = [];
  const server = (url: string): Backend => ({
    url,
    modelInfo: {},
    modelPath: 'lab/model',
    generate: async (): Promise<readonly Completion[]> => {
      if (url === 'http://a') throw new ConnectionLostError('lost');
      return [{ text: url, meta: {} }];
    },
    generateStream: async function* () {},
    scoreChoices: async () => ({ tokens: [], outputTokens: [], unconditional: null }),
    cachePrefix: async () => {},
    flushCache: async () => {},
    serverInfo: async () => ({}),
  });
  const { signal } = new AbortController();
  const pool = await EndpointPool.connect(
    ['http://a', 'http://b'],
    {
      notice: () => {},
      connect: async (url) => {
        connections.push(url);
        return server(url);
      },
    },
    signal,
  );
  connections.length = 0;
  const prompt = { text: 'x', messages: [], images: [] };
  for (const by of JUMPS) {
    const params = resolveSampling({}, {}, []);
    expect(await pool.generate(prompt, params, () => {}, signal)).toMatchObject([
      { text: 'http://b' },
    ]);
    jump(by);
  }
  // Within its first second of rest it is not even greeted.
  expect(connections).toEqual([]);
});

it('a retry waits its time', () => {
  for (const by of JUMPS) {
    jump(by);
    expect(waitBefore(new ConnectionLostError('lost'), 0, 0.5)).toBe(0.375);
  }
});
