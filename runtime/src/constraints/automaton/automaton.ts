import { byteClasses, type ByteClasses } from './byte-classes.ts';
import { CallStacks } from './call-stacks.ts';
import { ConstraintError } from '../constraint.ts';
import type { Network } from '../network/network.ts';
import { grown, StateTable } from './state-table.ts';

export const DEAD = -1;
/** In `transitions`: not computed yet, ask `step`. */
export const UNKNOWN = -2;

/** About 24 MB; a flush costs each matcher one pass over its output. */
export const DEFAULT_AUTOMATON_WORDS = 6_000_000;
/** Positions one state may stand for; only absurdly ambiguous grammars come near. */
const MAXIMUM_POSITIONS = 200_000;
/** Longest run of forced bytes reported at once. */
const MAXIMUM_FORCED = 4096;

/**
 * The network made deterministic, state by state as they are visited (lazy subset construction).
 * States are small integers. When their memory passes the budget, `isOverBudget` becomes true and
 * the owner calls `flush`: all numbers become meaningless, `epoch` changes, and whoever holds a
 * number steps its bytes again from `start`.
 */
export class Automaton {
  readonly classes: ByteClasses;
  readonly #network: Network;
  readonly #maximumWords: number;
  readonly #stacks: CallStacks;
  readonly #visitedFlat: Uint32Array;
  readonly #visitedStacked = new Set<number>();
  #visit = 0;
  #positionsVisited = 0;
  #table = new StateTable();
  #transitions = new Int32Array(64).fill(UNKNOWN);
  #epoch = 0;
  #start = 0;
  #workStates: number[] = [];
  #workStacks: number[] = [];

  constructor(network: Network, maximumWords: number = DEFAULT_AUTOMATON_WORDS) {
    this.#network = network;
    this.#maximumWords = maximumWords;
    this.classes = byteClasses(network);
    this.#stacks = new CallStacks(network);
    this.#visitedFlat = new Uint32Array(network.stateCount);
    this.#start = this.#initialState();
  }

  get start(): number {
    return this.#start;
  }

  get epoch(): number {
    return this.#epoch;
  }

  /**
   * The state after class c in state q at [q · classes.count + c]. For loops that look at very
   * many transitions; replaced whenever `step` computes a new one.
   */
  get transitions(): Int32Array {
    return this.#transitions;
  }

  /** Positions looked at so far: a measure of the time spent on new states. */
  get positionsVisited(): number {
    return this.#positionsVisited;
  }

  get stateCount(): number {
    return this.#table.count;
  }

  get stackCount(): number {
    return this.#stacks.size;
  }

  get isOverBudget(): boolean {
    const words =
      this.#table.words + 4 * this.#stacks.size + this.#table.count * this.classes.count;
    return words > this.#maximumWords;
  }

  /** The state after `byte`, or DEAD. */
  step(state: number, byte: number): number {
    const byteClass = this.classes.of[byte] ?? 0;
    const known = this.#transitions[state * this.classes.count + byteClass] ?? UNKNOWN;
    return known === UNKNOWN ? this.#compute(state, byteClass) : known;
  }

  isAccepting(state: number): boolean {
    return this.#table.isAccepting(state);
  }

  /** Accepts, and nothing may follow. */
  isFinal(state: number): boolean {
    return this.isAccepting(state) && this.#table.positions(state).states.length === 0;
  }

  /** Fewest bytes that complete a match from `state`. */
  minimumBytes(state: number): number {
    if (this.isAccepting(state)) return 0;
    const { states, stacks } = this.#table.positions(state);
    let least = Infinity;
    for (let index = 0; index < states.length; index++) {
      const own = this.#network.minimumBytes[states[index] ?? 0] ?? Infinity;
      least = Math.min(least, own + this.#stacks.minimumBytes(stacks[index] ?? 0));
    }
    return least;
  }

  /** Bytes that every match continues with; ends where there is a choice or the text may end. */
  forcedBytes(state: number): Uint8Array {
    const forced: number[] = [];
    let current = state;
    while (forced.length < MAXIMUM_FORCED && !this.isAccepting(current)) {
      const byteClass = this.#onlyClass(current);
      if (byteClass < 0) break;
      forced.push(this.classes.representative[byteClass] ?? 0);
      current = this.#stepClass(current, byteClass);
    }
    return Uint8Array.from(forced);
  }

  /** Forgets all states but `keep`, whose new number is returned. */
  flush(keep: number): number {
    const { states, stacks } = this.#table.positions(keep);
    const accepting = this.isAccepting(keep);
    const kept = Array.from(states, (state, index) => ({
      state,
      calls: this.#stacks.unroll(stacks[index] ?? 0),
    }));
    this.#epoch++;
    this.#table = new StateTable();
    this.#transitions = new Int32Array(64).fill(UNKNOWN);
    this.#stacks.clear();
    this.#start = this.#initialState();
    const keys = kept.map(({ state, calls }) => {
      const stack = calls.reduce((below, call) => this.#stacks.push(below, call), 0);
      return stack * this.#network.stateCount + state;
    });
    return this.#intern(keys, accepting);
  }

  #stepClass(state: number, byteClass: number): number {
    const known = this.#transitions[state * this.classes.count + byteClass] ?? UNKNOWN;
    return known === UNKNOWN ? this.#compute(state, byteClass) : known;
  }

  /** The class of the only byte that may follow; -1 if there are more. */
  #onlyClass(state: number): number {
    let only = -1;
    for (let byteClass = 0; byteClass < this.classes.count; byteClass++) {
      if (this.#stepClass(state, byteClass) === DEAD) continue;
      if (only >= 0 || this.classes.isSingle[byteClass] !== 1) return -1;
      only = byteClass;
    }
    return only;
  }

  #initialState(): number {
    this.#workStates.push(this.#network.start);
    this.#workStacks.push(0);
    return this.#closure();
  }

  #compute(state: number, byteClass: number): number {
    const { byteFrom, byteLow, byteHigh, byteTo } = this.#network;
    const byte = this.classes.representative[byteClass] ?? 0;
    const { states, stacks } = this.#table.positions(state);
    for (let index = 0; index < states.length; index++) {
      const from = states[index] ?? 0;
      const end = byteFrom[from + 1] ?? 0;
      for (let edge = byteFrom[from] ?? 0; edge < end; edge++) {
        if (byte < (byteLow[edge] ?? 0) || byte > (byteHigh[edge] ?? 0)) continue;
        this.#workStates.push(byteTo[edge] ?? 0);
        this.#workStacks.push(stacks[index] ?? 0);
      }
    }
    const next = this.#workStates.length === 0 ? DEAD : this.#closure();
    this.#transitions[state * this.classes.count + byteClass] = next;
    return next;
  }

  /** Follows everything that reads no byte from the positions on the work list. */
  #closure(): number {
    const { epsilonFrom, epsilonTo, callFrom, callTarget, callReturn, isRuleEnd } = this.#network;
    const { byteFrom, stateCount } = this.#network;
    const keys: number[] = [];
    let accepting = false;
    this.#beginVisit();
    for (;;) {
      const state = this.#workStates.pop();
      const stack = this.#workStacks.pop();
      if (state === undefined || stack === undefined) break;
      if (!this.#isFirstVisit(state, stack)) continue;
      this.#positionsVisited++;
      if ((byteFrom[state] ?? 0) < (byteFrom[state + 1] ?? 0))
        keys.push(stack * stateCount + state);
      if (keys.length > MAXIMUM_POSITIONS) {
        this.#workStates = [];
        this.#workStacks = [];
        throw ambiguityError();
      }
      const epsilonEnd = epsilonFrom[state + 1] ?? 0;
      for (let edge = epsilonFrom[state] ?? 0; edge < epsilonEnd; edge++) {
        this.#workStates.push(epsilonTo[edge] ?? 0);
        this.#workStacks.push(stack);
      }
      const callEnd = callFrom[state + 1] ?? 0;
      for (let edge = callFrom[state] ?? 0; edge < callEnd; edge++) {
        this.#workStates.push(callTarget[edge] ?? 0);
        this.#workStacks.push(this.#stacks.push(stack, callReturn[edge] ?? 0));
      }
      if (isRuleEnd[state] !== 1) continue;
      if (stack === 0) {
        accepting = true;
      } else {
        this.#workStates.push(this.#stacks.top(stack));
        this.#workStacks.push(this.#stacks.below(stack));
      }
    }
    return this.#intern(keys, accepting);
  }

  #beginVisit(): void {
    this.#visit++;
    if (this.#visitedStacked.size > 0) this.#visitedStacked.clear();
  }

  #isFirstVisit(state: number, stack: number): boolean {
    if (stack === 0) {
      if (this.#visitedFlat[state] === this.#visit) return false;
      this.#visitedFlat[state] = this.#visit;
      return true;
    }
    const before = this.#visitedStacked.size;
    return this.#visitedStacked.add(stack * this.#network.stateCount + state).size > before;
  }

  #intern(keys: readonly number[], accepting: boolean): number {
    const sorted = Float64Array.from(keys).sort();
    const id = this.#table.intern(sorted, this.#network.stateCount, accepting);
    const needed = (id + 1) * this.classes.count;
    while (needed > this.#transitions.length) {
      const wider = grown(this.#transitions);
      wider.fill(UNKNOWN, this.#transitions.length);
      this.#transitions = wider;
    }
    return id;
  }
}

export function ambiguityError(): ConstraintError {
  return new ConstraintError(
    'TOO_LARGE',
    'the constraint is too ambiguous: too many ways to read the output so far',
    null,
  );
}
