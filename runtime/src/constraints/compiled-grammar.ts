import type { Automaton } from './automaton/automaton.ts';
import type { Grammar, Matcher, TokenMask } from './constraint.ts';
import { GrammarMatcher } from './grammar-matcher.ts';
import type { MaskCache } from './masks/mask-cache.ts';
import { walkMask } from './masks/mask-walk.ts';
import type { TokenTrie } from './masks/token-trie.ts';

/** Distinguishes automata, and the epochs of one automaton, in keys of the shared mask cache. */
let nextSerial = 0;
const STATES_PER_SERIAL = 2 ** 26;

export interface GrammarParts {
  readonly automaton: Automaton;
  readonly trie: TokenTrie;
  readonly masks: MaskCache;
  readonly warnings: readonly string[];
}

/** A constraint ready for use with one vocabulary. Shared by all requests that name it. */
export class CompiledGrammar implements Grammar {
  readonly automaton: Automaton;
  readonly trie: TokenTrie;
  readonly minimumBytes: number;
  readonly warnings: readonly string[];
  readonly #masks: MaskCache;
  #serial = nextSerial++;
  #serialEpoch = 0;

  constructor(parts: GrammarParts) {
    this.automaton = parts.automaton;
    this.trie = parts.trie;
    this.#masks = parts.masks;
    this.warnings = parts.warnings;
    this.minimumBytes = this.automaton.minimumBytes(this.automaton.start);
  }

  start(): Matcher {
    return new GrammarMatcher(this);
  }

  canCompleteWithin(tokens: number): boolean {
    return this.minimumTokens(this.minimumBytes) <= tokens;
  }

  /** Tokens needed for `bytes` bytes, from below: no token is longer than the longest. */
  minimumTokens(bytes: number): number {
    return Math.ceil(bytes / Math.max(1, this.trie.longestToken));
  }

  knowsMask(state: number): boolean {
    return this.#masks.get(this.#key(state)) !== undefined;
  }

  /** Allowed tokens in a state of the current epoch; may flush, see `Automaton`. */
  mask(state: number): TokenMask {
    const cached = this.#masks.get(this.#key(state));
    if (cached !== undefined) return cached;
    const { mask, state: now } = walkMask(this.automaton, this.trie, state);
    this.#masks.set(this.#key(now), mask);
    return mask;
  }

  #key(state: number): number {
    if (this.#serialEpoch !== this.automaton.epoch) {
      this.#serial = nextSerial++;
      this.#serialEpoch = this.automaton.epoch;
    }
    return this.#serial * STATES_PER_SERIAL + state;
  }
}
