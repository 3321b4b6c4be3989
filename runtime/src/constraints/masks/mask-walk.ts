import { DEAD, type Automaton } from '../automaton/automaton.ts';
import type { MaskEntry } from './mask-cache.ts';
import { NODE_WORDS, type TokenTrie } from './token-trie.ts';

export interface WalkResult extends MaskEntry {
  /** The number of the state now: it changes when the automaton had to be flushed on the way. */
  readonly state: number;
}

/** Allowed tokens in a state: those whose bytes all lead on, and the end tokens if it accepts. */
export function walkMask(automaton: Automaton, trie: TokenTrie, state: number): WalkResult {
  const { nodes, nextEqual } = trie;
  const mask = new Int32Array((trie.vocabularySize + 31) >> 5);
  const states = new Int32Array(trie.longestToken + 1);
  const path = new Uint8Array(trie.longestToken + 1);
  let root = state;
  let count = 0;
  const allow = (token: number): void => {
    mask[token >> 5] = (mask[token >> 5] ?? 0) | (1 << (token & 31));
    count++;
  };
  states[0] = root;
  const end = nodes.length;
  let node = 0;
  while (node < end) {
    const label = nodes[node] ?? 0;
    const depth = label >> 8;
    const byte = label & 0xff;
    const next = automaton.step(states[depth] ?? 0, byte);
    if (next === DEAD) {
      node = nodes[node + 1] ?? end;
      continue;
    }
    path[depth] = byte;
    states[depth + 1] = next;
    let token = nodes[node + 2] ?? -1;
    while (token >= 0) {
      allow(token);
      token = nextEqual[token] ?? -1;
    }
    if (automaton.isOverBudget) root = flushAndRetrace(automaton, root, states, path, depth + 1);
    node += NODE_WORDS;
  }
  if (automaton.isAccepting(root)) for (const token of trie.endTokens) allow(token);
  return { mask, count, state: root };
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
