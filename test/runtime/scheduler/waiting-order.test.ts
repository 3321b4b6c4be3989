import { describe, expect, it } from 'vitest';
import { createConstraintCompiler } from '../../../runtime/src/constraints/compiler.ts';
import type { Request } from '../../../runtime/src/scheduler/request.ts';
import { RequestFactory } from '../../../runtime/src/scheduler/request-factory.ts';
import { inOrder, notePassedOver } from '../../../runtime/src/scheduler/waiting-order.ts';
import { SchedulerBench } from './scheduler-bench.ts';

const bench = new SchedulerBench();
const { vocabulary } = bench.engine;
const factory = new RequestFactory(vocabulary, createConstraintCompiler(vocabulary));

/** A queue of requests whose arrival is their place. */
function queue(length: number): Request[] {
  return Array.from({ length }, (_, arrival) => {
    const created = factory.create(bench.request('x'));
    if (!created.ok) throw new Error('refused');
    return Object.assign(created.request, { arrival });
  });
}

function arrivals(requests: readonly Request[]): number[] {
  return requests.map(({ arrival }) => arrival);
}

describe('inOrder', () => {
  it('puts the longest cached prefix first, equals by arrival', () => {
    const cached = [3, 0, 7, 3];
    const order = inOrder(queue(4), 'lpm', ({ arrival }) => cached[arrival]!);
    expect(arrivals(order)).toEqual([2, 0, 3, 1]);
    expect(arrivals(inOrder(queue(4), 'fcfs', () => 0))).toEqual([0, 1, 2, 3]);
  });

  it('puts those first who were passed over too often or made way before', () => {
    const waiting = queue(5);
    for (let round = 0; round < 16; round += 1) notePassedOver(waiting.slice(0, 3), [waiting[3]!]);
    waiting[4]!.retract();
    expect(arrivals(inOrder(waiting, 'lpm', ({ arrival }) => arrival))).toEqual([0, 1, 2, 4, 3]);
  });

  it('looks at the head of a long queue only', () => {
    for (const patience of [0, 16]) {
      const waiting = queue(1000);
      for (const request of waiting.slice(500)) request.passedOver = patience;
      let asked = 0;
      const order = inOrder(waiting, 'lpm', () => (asked += 1));
      expect(order).toHaveLength(64);
      expect(asked).toBe(patience === 0 ? 64 : 0);
    }
  });

  it('counts a round only for those who came before one that was taken', () => {
    const waiting = queue(3);
    notePassedOver([waiting[0]!, waiting[2]!], [waiting[1]!]);
    expect(waiting.map(({ passedOver }) => passedOver)).toEqual([1, 0, 0]);
  });
});
