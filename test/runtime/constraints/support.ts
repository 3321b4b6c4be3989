import { removeOuterAnchors } from '../../../runtime/src/constraints/regex/anchors.ts';
import { Automaton, DEAD } from '../../../runtime/src/constraints/automaton/automaton.ts';
import {
  createConstraintCompiler,
  type CompilerOptions,
} from '../../../runtime/src/constraints/compiler.ts';
import {
  ConstraintError,
  type ConstraintCompiler,
  type ConstraintVocabulary,
  type Matcher,
  type TokenMask,
} from '../../../runtime/src/constraints/constraint.ts';
import type { RuleSet } from '../../../runtime/src/constraints/syntax/grammar-node.ts';
import { buildNetwork } from '../../../runtime/src/constraints/network/network-builder.ts';
import { compactNetwork } from '../../../runtime/src/constraints/network/network-compaction.ts';
import { parseRegex } from '../../../runtime/src/constraints/regex/regex-parser.ts';

export type TokenText = string | readonly number[];

/** A vocabulary of the given texts (or raw bytes); `null` is a control token. */
export class ListVocabulary implements ConstraintVocabulary {
  readonly size: number;
  readonly endOfGeneration: readonly number[];
  readonly #tokens: readonly (Uint8Array | null)[];

  constructor(tokens: readonly (TokenText | null)[], endOfGeneration: readonly number[]) {
    this.#tokens = tokens.map((token) => (token === null ? null : toBytes(token)));
    this.size = tokens.length;
    this.endOfGeneration = endOfGeneration;
  }

  bytes(token: number, special: boolean): Uint8Array {
    const bytes = this.#tokens[token];
    if (bytes === null) return special ? toBytes('<control>') : new Uint8Array(0);
    return bytes ?? new Uint8Array(0);
  }

  isControl(token: number): boolean {
    return this.#tokens[token] === null;
  }
}

export function toBytes(text: TokenText): Uint8Array {
  return typeof text === 'string' ? new TextEncoder().encode(text) : Uint8Array.from(text);
}

export const ALL_BYTES = new Uint8Array(256).fill(1);

export function automatonOf(rules: RuleSet, words?: number): Automaton {
  return new Automaton(compactNetwork(buildNetwork(rules), ALL_BYTES), words);
}

export function regexAutomaton(pattern: string, words?: number): Automaton {
  const body = removeOuterAnchors(parseRegex(pattern));
  return automatonOf({ rules: new Map([['root', body]]), root: 'root' }, words);
}

/** The state after the text, or DEAD. */
export function stepText(automaton: Automaton, text: TokenText): number {
  let state = automaton.start;
  for (const byte of toBytes(text)) {
    state = automaton.step(state, byte);
    if (state === DEAD) return DEAD;
  }
  return state;
}

/** The text is the beginning of a match. */
export function isPrefix(automaton: Automaton, text: TokenText): boolean {
  return stepText(automaton, text) !== DEAD;
}

export function isMatch(automaton: Automaton, text: TokenText): boolean {
  const state = stepText(automaton, text);
  return state !== DEAD && automaton.isAccepting(state);
}

/** Texts whose membership is not as expected; empty when all is well. */
export function mismatches(
  automaton: Automaton,
  accepts: readonly TokenText[],
  rejects: readonly TokenText[],
): string[] {
  return [
    ...accepts.filter((text) => !isMatch(automaton, text)).map((text) => `refuses ${show(text)}`),
    ...rejects.filter((text) => isMatch(automaton, text)).map((text) => `accepts ${show(text)}`),
  ];
}

function show(text: TokenText): string {
  return JSON.stringify(text);
}

/** What a call throws, as `CODE@position`, or 'nothing'. */
export function errorOf(call: () => unknown): string {
  try {
    call();
    return 'nothing';
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    return `${error.code}@${error.position}`;
  }
}

export function messageOf(call: () => unknown): string {
  try {
    call();
    return '';
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    return error.message;
  }
}

export function allowed(mask: TokenMask): number[] {
  const tokens: number[] = [];
  mask.forEach((word, index) => {
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) tokens.push(index * 32 + bit);
  });
  return tokens;
}

export function compilerFor(
  vocabulary: ConstraintVocabulary,
  options?: CompilerOptions,
): ConstraintCompiler {
  return createConstraintCompiler(vocabulary, options);
}

export function regexMatcher(vocabulary: ConstraintVocabulary, pattern: string): Matcher {
  return compilerFor(vocabulary).compile({ kind: 'regex', pattern }).start();
}

/** Deterministic pseudo-random numbers in [0, 1) (mulberry32). */
export function randomSource(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
