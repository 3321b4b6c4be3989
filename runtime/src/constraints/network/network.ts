/**
 * A recursive transition network over bytes: one finite automaton per rule, whose edges read a
 * byte, read nothing, or *call* another rule and continue at a return state. Built by
 * `network-builder.ts`, finished by `network-compaction.ts`, run by `automaton.ts`.
 *
 * Edges of state q are entries [from[q], from[q + 1]) of the arrays of their sort.
 */
export interface Network {
  readonly stateCount: number;
  readonly epsilonFrom: Int32Array;
  readonly epsilonTo: Int32Array;
  readonly byteFrom: Int32Array;
  readonly byteLow: Uint8Array;
  readonly byteHigh: Uint8Array;
  readonly byteTo: Int32Array;
  readonly callFrom: Int32Array;
  /** Start state of the called rule. */
  readonly callTarget: Int32Array;
  readonly callReturn: Int32Array;
  /** 1 for the end state of a rule: pop the call stack, or accept if it is empty. */
  readonly isRuleEnd: Uint8Array;
  /**
   * 1 for the head of a loop that ends its rule, whose language L satisfies LL = L: returning to
   * it twice is the same as once, so it need not be pushed on top of itself.
   */
  readonly isAbsorbing: Uint8Array;
  /** Fewest bytes from a state to the end of its rule. */
  readonly minimumBytes: Float64Array;
  readonly start: number;
}
