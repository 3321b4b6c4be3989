import type { NetworkDraft } from './network-draft.ts';

/** Edges of a network as columns, in no particular order. */
export interface NetworkEdges {
  readonly stateCount: number;
  readonly epsilonSource: Int32Array;
  readonly epsilonTo: Int32Array;
  readonly byteSource: Int32Array;
  readonly byteLow: Uint8Array;
  readonly byteHigh: Uint8Array;
  readonly byteTo: Int32Array;
  readonly callSource: Int32Array;
  /** Start state of the called rule. */
  readonly callTarget: Int32Array;
  readonly callReturn: Int32Array;
  readonly ruleStarts: readonly number[];
  readonly ruleEnds: readonly number[];
  readonly ruleNames: readonly (string | null)[];
  /** Heads of loops that exit straight to the end of their rule. */
  readonly absorbingHeads: readonly number[];
  readonly start: number;
}

/**
 * Takes the edges over from a draft. States whose only edge reads nothing are skipped, so that
 * what means the same is the same state: a call in the last place of a loop returns to its head.
 */
export function collectEdges(draft: NetworkDraft): NetworkEdges {
  const skip = skipTargets(draft);
  const target = (state: number): number => skip[state] ?? state;
  const epsilons = column(draft.epsilons, 2);
  const bytes = column(draft.bytes, 4);
  const calls = column(draft.calls, 3);
  const ruleEnds = new Set(draft.ruleEnd);
  const absorbingHeads: number[] = [];
  for (let index = 0; index < draft.loops.length; index += 2) {
    if (ruleEnds.has(target(draft.loops[index + 1] ?? 0))) {
      absorbingHeads.push(draft.loops[index] ?? 0);
    }
  }
  return {
    stateCount: draft.stateCount,
    epsilonSource: epsilons(0),
    epsilonTo: epsilons(1).map(target),
    byteSource: bytes(0),
    byteLow: Uint8Array.from(bytes(1)),
    byteHigh: Uint8Array.from(bytes(2)),
    byteTo: bytes(3).map(target),
    callSource: calls(0),
    callTarget: calls(1).map((rule) => target(draft.ruleStart[rule] ?? 0)),
    callReturn: calls(2).map(target),
    ruleStarts: draft.ruleStart.map(target),
    ruleEnds: draft.ruleEnd,
    ruleNames: draft.ruleName,
    absorbingHeads,
    start: target(draft.ruleStart[draft.rootRule] ?? 0),
  };
}

/** Reads column `offset` of records of `width` numbers. */
function column(records: readonly number[], width: number): (offset: number) => Int32Array {
  return (offset) => {
    const values = new Int32Array(records.length / width);
    for (let index = 0; index < values.length; index++) {
      values[index] = records[index * width + offset] ?? 0;
    }
    return values;
  };
}

/** For each state the first state on its way that does more than lead on. */
function skipTargets(draft: NetworkDraft): Int32Array {
  const degree = new Int32Array(draft.stateCount);
  const only = new Int32Array(draft.stateCount).fill(-1);
  const count = (records: readonly number[], width: number): void => {
    for (let index = 0; index < records.length; index += width) {
      const from = records[index] ?? 0;
      degree[from] = (degree[from] ?? 0) + 1;
    }
  };
  count(draft.epsilons, 2);
  count(draft.bytes, 4);
  count(draft.calls, 3);
  for (let index = 0; index < draft.epsilons.length; index += 2) {
    only[draft.epsilons[index] ?? 0] = draft.epsilons[index + 1] ?? -1;
  }
  const leadsOn = (state: number): boolean => degree[state] === 1 && (only[state] ?? -1) >= 0;
  const result = new Int32Array(draft.stateCount).fill(-1);
  for (let state = 0; state < draft.stateCount; state++) {
    const path: number[] = [];
    let current = state;
    while ((result[current] ?? -1) < 0 && leadsOn(current)) {
      result[current] = current; // a cycle that only leads on to itself stays where it is
      path.push(current);
      current = only[current] ?? current;
    }
    const end = (result[current] ?? -1) < 0 ? current : (result[current] ?? current);
    for (const passed of path) result[passed] = end;
    result[current] = end;
  }
  return result;
}
