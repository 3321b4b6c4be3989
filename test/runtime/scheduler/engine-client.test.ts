import { describe, expect, it } from 'vitest';
import { EngineClient, EngineThreadError } from '../../../runtime/src/scheduler/engine-client.ts';
import type { EngineThreadData, Progress } from '../../../runtime/src/scheduler/messages.ts';
import { GREEDY } from './scheduler-bench.ts';

const data: Omit<EngineThreadData, 'signal'> = {
  engine: { modelPath: 'none.gguf', cells: 64, sequences: 4, batchTokens: 64, threads: 1 },
  projector: null,
  prefillTokens: 64,
  maxRunning: null,
  disableRadixCache: false,
  disableJumpForward: false,
  hostCacheBytes: 0,
  schedulePolicy: 'lpm' as const,
};
const request = {
  id: 1,
  inputIds: [1, 2],
  sampling: GREEDY,
  logprobs: null,
  stream: false,
};

/** A client of a thread that runs `program`, in which `port` is the parent's. */
function start(program: string): Promise<EngineClient> {
  const source = `import { parentPort as port } from 'node:worker_threads';\n${program}`;
  return EngineClient.start({
    data,
    onLog: () => {},
    thread: new URL(`data:text/javascript,${encodeURIComponent(source)}`),
  });
}

const ready = `port.postMessage({ type: 'ready', model: {}, limits: {} });`;

describe('EngineClient', () => {
  it('rejects with the reason when the engine cannot start', async () => {
    const failed = start(
      `port.postMessage({ type: 'failed', code: 'MODEL_INVALID', message: 'no' });`,
    );
    await expect(failed).rejects.toThrow(EngineThreadError);
    await expect(start('throw new Error("broken program")')).rejects.toThrow('broken program');
  });

  it.each([
    [
      'says that it cannot go on',
      `port.postMessage({ type: 'failed', code: 'X', message: 'cause' })`,
    ],
    ['throws', `throw new Error('cause')`],
  ])('answers every request and call when the thread %s', async (_, end) => {
    const client = await start(`${ready}\nport.on('message', () => { ${end} });`);
    const answers: Progress[] = [];
    client.submit([request, { ...request, id: 2 }], (progress) => answers.push(progress));
    const state = client.state();
    const error = await client.broken;
    expect(error.message).toContain('cause');
    expect(answers.map(({ id, finish }) => [id, finish?.type])).toEqual([
      [1, 'abort'],
      [2, 'abort'],
    ]);
    expect(JSON.stringify(answers[0]!.finish)).toContain('cause');
    await expect(state).rejects.toThrow(EngineThreadError);
    expect(client.running).toBe(0);
  });

  it('delivers progress to the listener of each request', async () => {
    const client = await start(`${ready}
      port.on('message', (message) => {
        if (message.type === 'stop') process.exit(0);
        const progress = message.requests.map(({ id }) => ({ id, finish: { type: 'length', length: id } }));
        port.postMessage({ type: 'progress', progress });
      });`);
    const first = new Promise<Progress>((resolve) => client.submit([request], resolve));
    const second = new Promise<Progress>((resolve) =>
      client.submit([{ ...request, id: 2 }], resolve),
    );
    expect((await first).finish).toEqual({ type: 'length', length: 1 });
    expect((await second).finish).toEqual({ type: 'length', length: 2 });
    await client.stop();
  });
});
