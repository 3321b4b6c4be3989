import { ConstraintError } from '../constraint.ts';
import { groupByKey } from './grouping.ts';
import type { NetworkEdges } from './network-edges.ts';

/**
 * A rule that can call itself before a byte is read would push for ever. Front ends rewrite what
 * they can; what is left (for example behind an optional part) is refused here.
 */
export function refuseLeftRecursion(edges: NetworkEdges, minimumBytes: Float64Array): void {
  const epsilons = groupByKey(edges.epsilonSource, edges.stateCount);
  const calls = groupByKey(edges.callSource, edges.stateCount);

  /** Start states of rules that can be called from `start` before a byte is read. */
  const firstCalls = (start: number): Set<number> => {
    const called = new Set<number>();
    const seen = new Set<number>();
    const pending = [start];
    for (let state = pending.pop(); state !== undefined; state = pending.pop()) {
      if (seen.has(state)) continue;
      seen.add(state);
      for (let at = epsilons.from[state] ?? 0; at < (epsilons.from[state + 1] ?? 0); at++) {
        pending.push(edges.epsilonTo[epsilons.items[at] ?? 0] ?? 0);
      }
      for (let at = calls.from[state] ?? 0; at < (calls.from[state + 1] ?? 0); at++) {
        const edge = calls.items[at] ?? 0;
        const target = edges.callTarget[edge] ?? 0;
        called.add(target);
        if (minimumBytes[target] === 0) pending.push(edges.callReturn[edge] ?? 0);
      }
    }
    return called;
  };

  const graph = new Map(edges.ruleStarts.map((start) => [start, firstCalls(start)]));
  edges.ruleStarts.forEach((start, rule) => {
    if (!reachesItself(graph, start)) return;
    const name = edges.ruleNames[rule] ?? 'of a repetition';
    throw new ConstraintError(
      'UNSUPPORTED',
      `rule ${name} can call itself without reading anything (left recursion behind an ` +
        'optional part or in a repetition); write it with a repetition instead',
      null,
    );
  });
}

function reachesItself(graph: ReadonlyMap<number, ReadonlySet<number>>, start: number): boolean {
  const seen = new Set<number>();
  const pending = [...(graph.get(start) ?? [])];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next === start) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    pending.push(...(graph.get(next) ?? []));
  }
  return false;
}
