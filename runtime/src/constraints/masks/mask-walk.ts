import { ambiguityError, DEAD, UNKNOWN, type Automaton } from '../automaton/automaton.ts';
import type { TokenMask } from '../constraint.ts';
import { NODE_WORDS, type TokenTrie } from './token-trie.ts';

/**
 * Positions visited for one mask, a fraction of a second's worth: a constraint that needs more would
 * keep all requests waiting. Schemas with dozens of optional properties, counts in the thousands and
 * vocabularies of 256k tokens stay below a hundredth of it.
 */
const MAXIMUM_POSITIONS_VISITED = 2_000_000;

export interface WalkResult {
  readonly mask: TokenMask;
  /** The number of the state now: it changes when the automaton had to be flushed on the way. */
  readonly state: number;
}

/**
 * Allowed tokens in a state: those whose bytes all lead on, and the end tokens if it accepts. This
 * is the inner loop of constrained decoding (up to a million nodes), hence the plain arrays.
 */
export function walkMask(automaton: Automaton, trie: TokenTrie, state: number): WalkResult {
  const { nodes, nextEqual } = trie;
  const { of: classOf, count: classCount } = automaton.classes;
  const mask = new Int32Array((trie.vocabularySize + 31) >> 5);
  const states = new Int32Array(trie.longestToken + 1);
  const path = new Uint8Array(trie.longestToken + 1);
  const workLimit = automaton.positionsVisited + MAXIMUM_POSITIONS_VISITED;
  let { transitions } = automaton;
  let root = state;
  states[0] = root;
  const end = nodes.length;
  let node = 0;
  while (node < end) {
    const label = nodes[node] ?? 0;
    const depth = label >> 8;
    const byte = label & 0xff;
    const from = states[depth] ?? 0;
    let next = transitions[from * classCount + (classOf[byte] ?? 0)] ?? UNKNOWN;
    path[depth] = byte;
    if (next === UNKNOWN) {
      next = automaton.step(from, byte);
      if (automaton.positionsVisited > workLimit) throw ambiguityError();
      if (automaton.isOverBudget) {
        root = flushAndRetrace(automaton, root, states, path, depth + 1);
        next = states[depth + 1] ?? DEAD;
      }
      ({ transitions } = automaton);
    }
    if (next === DEAD) {
      node = nodes[node + 1] ?? end;
      continue;
    }
    states[depth + 1] = next;
    for (let token = nodes[node + 2] ?? -1; token >= 0; token = nextEqual[token] ?? -1) {
      mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
    }
    node += NODE_WORDS;
  }
  if (automaton.isAccepting(root)) {
    for (const token of trie.endTokens)
      mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
  }
  return { mask, state: root };
}

/** Frees the automaton in the middle of a walk and finds the states of the path again. */
function flushAndRetrace(
  automaton: Automaton,
  root: number,
  states: Int32Array,
  path: Uint8Array,
  length: number,
): number {
  const kept = automaton.flush(root);
  states[0] = kept;
  for (let index = 0; index < length; index++) {
    states[index + 1] = automaton.step(states[index] ?? 0, path[index] ?? 0);
  }
  return kept;
}
