import { DEAD } from './automaton/automaton.ts';
import type { CompiledGrammar } from './compiled-grammar.ts';
import type { Matcher, TokenMask } from './constraint.ts';
import { allowsLonger } from './masks/longer-token.ts';

const NO_BYTES = new Uint8Array(0);
const END = -1;

/**
 * Where a matcher stood after each token: a linked list from the newest back to the start, shared
 * by forks. `state` is valid in `epoch` only and found again from the tokens when that has passed.
 */
interface Step {
  readonly before: Step | null;
  readonly token: number;
  state: number;
  epoch: number;
}

/** One request's position in a grammar. */
export class GrammarMatcher implements Matcher {
  readonly #grammar: CompiledGrammar;
  #step: Step;

  constructor(grammar: CompiledGrammar, step?: Step) {
    const { start, epoch } = grammar.automaton;
    this.#grammar = grammar;
    this.#step = step ?? { before: null, token: END, state: start, epoch };
  }

  mask(): TokenMask {
    if (this.isEnded) return new Int32Array((this.#grammar.trie.vocabularySize + 31) >> 5);
    return this.#grammar.mask(this.#state());
  }

  get knowsMask(): boolean {
    return this.isEnded || this.#grammar.knowsMask(this.#state());
  }

  allows(token: number): boolean {
    return this.#after(token) !== null;
  }

  accept(token: number): boolean {
    const state = this.#after(token);
    if (state === null) return false;
    this.#step = { before: this.#step, token, state, epoch: this.#grammar.automaton.epoch };
    return true;
  }

  /** The state after a token; null if it is not allowed. */
  #after(token: number): number | null {
    if (this.isEnded) return null;
    const { automaton, trie } = this.#grammar;
    const state = this.#state();
    if (trie.isEnd(token)) return automaton.isAccepting(state) ? END : null;
    return this.#afterBytes(state, trie.bytes(token));
  }

  rollback(count: number): void {
    for (let taken = 0; taken < count; taken++) {
      if (this.#step.before === null) throw new RangeError('rollback past the first token');
      this.#step = this.#step.before;
    }
  }

  forcedBytes(): Uint8Array {
    return this.isEnded ? NO_BYTES : this.#grammar.automaton.forcedBytes(this.#state());
  }

  allowsLonger(bytes: Uint8Array): boolean {
    const { automaton, trie } = this.#grammar;
    return !this.isEnded && allowsLonger(automaton, trie, this.#state(), bytes);
  }

  get canEnd(): boolean {
    return this.isEnded || this.#grammar.automaton.isAccepting(this.#state());
  }

  get mustEnd(): boolean {
    return this.isEnded || this.#grammar.automaton.isFinal(this.#state());
  }

  canCompleteWithin(tokens: number): boolean {
    if (this.isEnded) return true;
    const bytes = this.#grammar.automaton.minimumBytes(this.#state());
    return this.#grammar.minimumTokens(bytes) <= tokens;
  }

  fork(): Matcher {
    return new GrammarMatcher(this.#grammar, this.#step);
  }

  /** An end token was accepted. */
  get isEnded(): boolean {
    return this.#step.state === END;
  }

  #afterBytes(state: number, bytes: Uint8Array): number | null {
    if (bytes.length === 0) return null;
    let current = state;
    for (const byte of bytes) {
      current = this.#grammar.automaton.step(current, byte);
      if (current === DEAD) return null;
    }
    return current;
  }

  /** The current state, in the current epoch; frees the automaton first if it grew too large. */
  #state(): number {
    const { automaton } = this.#grammar;
    if (automaton.isOverBudget) automaton.flush(automaton.start);
    if (this.#step.epoch !== automaton.epoch) this.#replay();
    return this.#step.state;
  }

  /** Steps the tokens again, from the newest step that is still valid. */
  #replay(): void {
    const { automaton, trie } = this.#grammar;
    const stale: Step[] = [];
    let step: Step | null = this.#step;
    while (step !== null && step.epoch !== automaton.epoch) {
      stale.push(step);
      step = step.before;
    }
    let state = step?.state ?? automaton.start;
    for (const redone of stale.reverse()) {
      // The start has no token; every other step was accepted once and is accepted again.
      if (redone.before !== null) {
        state = trie.isEnd(redone.token)
          ? END
          : (this.#afterBytes(state, trie.bytes(redone.token)) ?? DEAD);
      }
      redone.state = state;
      redone.epoch = automaton.epoch;
    }
  }
}
