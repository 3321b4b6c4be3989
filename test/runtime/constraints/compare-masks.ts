import { expect } from 'vitest';
import { DEAD, type Automaton } from '../../../runtime/src/constraints/automaton/automaton.ts';
import type { CompilerOptions } from '../../../runtime/src/constraints/compiler.ts';
import type {
  ConstraintSource,
  ConstraintVocabulary,
} from '../../../runtime/src/constraints/constraint.ts';
import { allowed, compilerFor, randomSource } from './support.ts';

interface Comparison {
  readonly vocabulary: ConstraintVocabulary;
  readonly source: ConstraintSource;
  /** The same language, stepped byte by byte and never flushed. */
  readonly reference: Automaton;
  readonly seed: number;
  readonly walks?: number;
  readonly options?: CompilerOptions;
}

/**
 * Compares every bit of every mask on random walks with stepping each token's bytes on its own;
 * takes tokens back on the way. Returns the number of decisions compared.
 */
export function compareMasks(comparison: Comparison): number {
  const { vocabulary, source, reference, seed, walks = 4, options = {} } = comparison;
  const grammar = compilerFor(vocabulary, options).compile(source);
  const random = randomSource(seed);
  let decisions = 0;
  for (let walk = 0; walk < walks; walk++) {
    const matcher = grammar.start();
    const taken: number[] = [];
    let state = reference.start;
    for (let step = 0; step < 30; step++) {
      const expected = tokensAllowedIn(reference, state, vocabulary);
      decisions += vocabulary.size;
      const actual = allowed(matcher.mask());
      expect(actual, `${JSON.stringify(source)}, walk ${walk}, step ${step}`).toEqual(expected);
      const token = actual[Math.floor(random() * actual.length)];
      if (token === undefined) break;
      expect(matcher.accept(token)).toBe(true);
      if (vocabulary.endOfGeneration.includes(token)) break;
      for (const byte of vocabulary.bytes(token, false)) state = reference.step(state, byte);
      taken.push(token);
      if (step % 7 === 6) {
        matcher.rollback(3);
        for (const again of taken.slice(-3)) expect(matcher.accept(again)).toBe(true);
      }
    }
  }
  return decisions;
}

function tokensAllowedIn(
  reference: Automaton,
  state: number,
  vocabulary: ConstraintVocabulary,
): number[] {
  const tokens: number[] = [];
  for (let token = 0; token < vocabulary.size; token++) {
    const isEnd = vocabulary.endOfGeneration.includes(token);
    const isAllowed = isEnd
      ? reference.isAccepting(state)
      : !vocabulary.isControl(token) && leadsOn(reference, state, vocabulary.bytes(token, false));
    if (isAllowed) tokens.push(token);
  }
  return tokens;
}

function leadsOn(reference: Automaton, from: number, bytes: Uint8Array): boolean {
  let state = from;
  for (const byte of bytes) {
    state = reference.step(state, byte);
    if (state === DEAD) return false;
  }
  return bytes.length > 0;
}
