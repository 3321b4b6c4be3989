import { groupByKey, type Grouping } from './grouping.ts';
import type { NetworkEdges } from './network-edges.ts';
import { PriorityQueue } from './priority-queue.ts';

/**
 * Fewest bytes from each state to the end of its rule; Infinity if the end cannot be reached.
 * Dijkstra's algorithm backwards from the rule ends; a call costs its callee plus its return
 * state (Knuth, "A generalization of Dijkstra's algorithm", 1977).
 */
export function minimumLengths(edges: NetworkEdges): Float64Array {
  const { stateCount } = edges;
  const lengths = new Float64Array(stateCount).fill(Infinity);
  const settled = new Uint8Array(stateCount);
  const queue = new PriorityQueue();
  const lower = (state: number, length: number): void => {
    if (length >= at(lengths, state)) return;
    lengths[state] = length;
    queue.push(length, state);
  };
  const byEpsilon = groupByKey(edges.epsilonTo, stateCount);
  const byByte = groupByKey(edges.byteTo, stateCount);
  const byCallee = groupByKey(edges.callTarget, stateCount);
  const byReturn = groupByKey(edges.callReturn, stateCount);

  const relaxCalls = (calls: Grouping, state: number): void => {
    forEachOf(calls, state, (call) => {
      const length =
        at(lengths, edges.callTarget[call] ?? 0) + at(lengths, edges.callReturn[call] ?? 0);
      lower(edges.callSource[call] ?? 0, length);
    });
  };
  for (const end of edges.ruleEnds) lower(end, 0);
  for (let state = queue.pop(); state !== null; state = queue.pop()) {
    if (settled[state] === 1) continue;
    settled[state] = 1;
    const length = at(lengths, state);
    forEachOf(byEpsilon, state, (edge) => lower(edges.epsilonSource[edge] ?? 0, length));
    forEachOf(byByte, state, (edge) => lower(edges.byteSource[edge] ?? 0, length + 1));
    relaxCalls(byCallee, state);
    relaxCalls(byReturn, state);
  }
  return lengths;
}

function at(lengths: Float64Array, state: number): number {
  return lengths[state] ?? Infinity;
}

function forEachOf(group: Grouping, key: number, visit: (item: number) => void): void {
  const end = group.from[key + 1] ?? 0;
  for (let index = group.from[key] ?? 0; index < end; index++) visit(group.items[index] ?? 0);
}
