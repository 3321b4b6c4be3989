import { ConstraintError } from '../constraint.ts';
import { groupByKey } from './grouping.ts';
import { minimumLengths } from './minimum-lengths.ts';
import type { NetworkDraft } from './network-draft.ts';
import { collectEdges, type NetworkEdges } from './network-edges.ts';
import type { Network } from './network.ts';
import { refuseLeftRecursion } from './left-recursion-check.ts';

/**
 * Finishes a network: edges that cannot lead to an end are dropped, so that no byte is ever
 * allowed which leads into a dead end. `usableBytes[b]` is 0 for bytes that no token contains.
 * Throws UNMATCHABLE if nothing is left, UNSUPPORTED for left recursion.
 */
export function compactNetwork(draft: NetworkDraft, usableBytes: Uint8Array): Network {
  const edges = dropUnusableBytes(collectEdges(draft), usableBytes);
  const minimumBytes = minimumLengths(edges);
  if (minimumBytes[edges.start] === Infinity) {
    throw new ConstraintError('UNMATCHABLE', 'no output can ever match this constraint', null);
  }
  const productive = dropDeadEnds(edges, minimumBytes);
  refuseLeftRecursion(productive, minimumBytes);
  return index(productive, minimumBytes);
}

function dropUnusableBytes(edges: NetworkEdges, usable: Uint8Array): NetworkEdges {
  const isUsable = (edge: number): boolean => {
    const high = edges.byteHigh[edge] ?? 0;
    for (let byte = edges.byteLow[edge] ?? 0; byte <= high; byte++) {
      if (usable[byte] !== 0) return true;
    }
    return false;
  };
  return keepBytes(edges, isUsable);
}

function dropDeadEnds(edges: NetworkEdges, lengths: Float64Array): NetworkEdges {
  const reaches = (states: Int32Array, edge: number): boolean =>
    lengths[states[edge] ?? 0] !== Infinity;
  const kept = keepBytes(edges, (edge) => reaches(edges.byteTo, edge));
  const epsilons = (_: number, edge: number): boolean => reaches(edges.epsilonTo, edge);
  const calls = (_: number, edge: number): boolean =>
    reaches(edges.callTarget, edge) && reaches(edges.callReturn, edge);
  return {
    ...kept,
    epsilonSource: edges.epsilonSource.filter(epsilons),
    epsilonTo: edges.epsilonTo.filter(epsilons),
    callSource: edges.callSource.filter(calls),
    callTarget: edges.callTarget.filter(calls),
    callReturn: edges.callReturn.filter(calls),
  };
}

function keepBytes(edges: NetworkEdges, keep: (edge: number) => boolean): NetworkEdges {
  const kept = (_: number, edge: number): boolean => keep(edge);
  return {
    ...edges,
    byteSource: edges.byteSource.filter(kept),
    byteLow: edges.byteLow.filter(kept),
    byteHigh: edges.byteHigh.filter(kept),
    byteTo: edges.byteTo.filter(kept),
  };
}

/** Sorts the edges by the state they leave. */
function index(edges: NetworkEdges, minimumBytes: Float64Array): Network {
  const { stateCount } = edges;
  const epsilons = groupByKey(edges.epsilonSource, stateCount);
  const bytes = groupByKey(edges.byteSource, stateCount);
  const calls = groupByKey(edges.callSource, stateCount);
  const isRuleEnd = new Uint8Array(stateCount);
  for (const end of edges.ruleEnds) isRuleEnd[end] = 1;
  const isAbsorbing = new Uint8Array(stateCount);
  for (const head of edges.absorbingHeads) isAbsorbing[head] = 1;
  return {
    stateCount,
    epsilonFrom: epsilons.from,
    epsilonTo: epsilons.items.map((edge) => edges.epsilonTo[edge] ?? 0),
    byteFrom: bytes.from,
    byteLow: Uint8Array.from(bytes.items, (edge) => edges.byteLow[edge] ?? 0),
    byteHigh: Uint8Array.from(bytes.items, (edge) => edges.byteHigh[edge] ?? 0),
    byteTo: bytes.items.map((edge) => edges.byteTo[edge] ?? 0),
    callFrom: calls.from,
    callTarget: calls.items.map((edge) => edges.callTarget[edge] ?? 0),
    callReturn: calls.items.map((edge) => edges.callReturn[edge] ?? 0),
    isRuleEnd,
    isAbsorbing,
    minimumBytes,
    start: edges.start,
  };
}
