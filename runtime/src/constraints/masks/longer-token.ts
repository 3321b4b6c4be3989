import { DEAD, type Automaton } from '../automaton/automaton.ts';
import { NODE_WORDS, type TokenTrie } from './token-trie.ts';

/**
 * Whether, in a state, an allowed token begins with `bytes` and is longer. Looks only at the tokens
 * below those bytes in the trie, not at a whole mask.
 */
export function allowsLonger(
  automaton: Automaton,
  trie: TokenTrie,
  state: number,
  bytes: Uint8Array,
): boolean {
  let at = state;
  for (const byte of bytes) {
    at = automaton.step(at, byte);
    if (at === DEAD) return false;
  }
  const node = find(trie, bytes);
  return node >= 0 && leadsToToken(automaton, trie, node, at);
}

/** Index of the node at the end of `bytes`; −1 if no token begins with them. */
function find({ nodes }: TokenTrie, bytes: Uint8Array): number {
  let from = 0;
  let end = nodes.length;
  let node = -1;
  for (const byte of bytes) {
    node = from;
    while (node < end && ((nodes[node] ?? 0) & 0xff) !== byte) node = nodes[node + 1] ?? end;
    if (node >= end) return -1;
    from = node + NODE_WORDS;
    end = nodes[node + 1] ?? end;
  }
  return node;
}

/** Whether a token below `node`, which is reached in `state`, is allowed. */
function leadsToToken(
  automaton: Automaton,
  { nodes }: TokenTrie,
  node: number,
  state: number,
): boolean {
  const top = (nodes[node] ?? 0) >> 8;
  const states = [state];
  const end = nodes[node + 1] ?? nodes.length;
  let next = node + NODE_WORDS;
  while (next < end) {
    const label = nodes[next] ?? 0;
    const depth = (label >> 8) - top;
    const reached = automaton.step(states[depth - 1] ?? DEAD, label & 0xff);
    if (reached === DEAD) {
      next = nodes[next + 1] ?? end;
      continue;
    }
    if ((nodes[next + 2] ?? -1) >= 0) return true;
    states[depth] = reached;
    next += NODE_WORDS;
  }
  return false;
}
