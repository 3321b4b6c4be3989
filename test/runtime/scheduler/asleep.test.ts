import { expect, it } from 'vitest';
import { answerAsleep, type LastState } from '../../../runtime/src/scheduler/asleep.ts';
import type { FromEngine, ToEngine } from '../../../runtime/src/scheduler/messages.ts';

const last: LastState = {
  state: {
    running: 0,
    queued: 0,
    cells: { all: 10, cached: 4, inUse: 0 },
    host: { tokens: 0, bytes: 0 },
    freeSequences: 4,
    steps: 7,
    generatedTokens: 70,
    forcedTokens: 0,
    retractions: 0,
    lastThroughput: 3,
  },
  // SAFETY: handed on as it is.
  dump: {} as LastState['dump'],
};

it('answers all but work', () => {
  const posted: FromEngine[] = [];
  const answers = (
    [
      { type: 'state', call: 1 },
      { type: 'flush', call: 2 },
      { type: 'dump', call: 3 },
      { type: 'abort', ids: [9] },
      { type: 'generate', requests: [] },
      { type: 'stop' },
    ] satisfies ToEngine[]
  ).map((message) => answerAsleep(message, last, (answer) => posted.push(answer)));
  expect(answers).toEqual(['asleep', 'asleep', 'asleep', 'asleep', 'work', 'stop']);
  expect(posted).toEqual([
    { type: 'state', call: 1, state: last.state },
    { type: 'flushed', call: 2, done: true },
    { type: 'dump', call: 3, dump: last.dump },
  ]);
});
