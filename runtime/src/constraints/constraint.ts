/**
 * What the scheduler needs from a constraint on the output (regex, JSON schema, EBNF).
 * A `Grammar` is compiled once per pattern and vocabulary and shared; a `Matcher` is one request's
 * position in it.
 */

export interface Grammar {
  /** A matcher at the start of the grammar. */
  start(): Matcher;
  /** Bytes of the shortest output that matches. */
  readonly minimumBytes: number;
  /**
   * False if no match can be completed in `tokens` tokens (not counting the end token); true does
   * not promise that one can: the estimate assumes that every token is as long as the longest one.
   */
  canCompleteWithin(tokens: number): boolean;
  /** What of the source is not enforced, one sentence each; empty for regex and EBNF. */
  readonly warnings: readonly string[];
}

/** Bit i of word i >> 5 is set when token i may come next. End-of-generation tokens included. */
export type TokenMask = Int32Array;

export interface Matcher {
  /**
   * Allowed next tokens. The array is shared and must not be written. No bit is set after the end,
   * or when the vocabulary has no token for what must come next. May throw `ConstraintError`
   * TOO_LARGE for absurdly ambiguous grammars, as may `accept` and `forcedBytes`.
   */
  mask(): TokenMask;
  /** `mask` has been computed before, for this or another request: asking for it costs nothing. */
  readonly knowsMask: boolean;
  /** Whether the mask allows a token, without computing it. */
  allows(token: number): boolean;
  /** Advances by a token; false (and unchanged) if the mask does not allow it. */
  accept(token: number): boolean;
  /** Takes the last `count` accepted tokens back, end tokens included. */
  rollback(count: number): void;
  /** Bytes that must come next whatever the model says; empty when there is a choice. */
  forcedBytes(): Uint8Array;
  /** Whether an allowed next token begins with `bytes` and is longer. */
  allowsLonger(bytes: Uint8Array): boolean;
  /** The output may end here. */
  readonly canEnd: boolean;
  /** Nothing but the end may follow. */
  readonly mustEnd: boolean;
  /** An independent matcher at the same position. */
  fork(): Matcher;
}

export type ConstraintSource =
  | { readonly kind: 'regex'; readonly pattern: string }
  | { readonly kind: 'json_schema'; readonly schema: string }
  | { readonly kind: 'ebnf'; readonly grammar: string };

/** What a compiler must know of a vocabulary; a subset of the engine's `Vocabulary`. */
export interface ConstraintVocabulary {
  readonly size: number;
  bytes(token: number, special: boolean): Uint8Array;
  isControl(token: number): boolean;
  readonly endOfGeneration: readonly number[];
}

export interface ConstraintCompiler {
  /** Throws `ConstraintError` when the source is invalid or unsupported. Cached per source. */
  compile(source: ConstraintSource): Grammar;
}

/**
 * Invalid or unsupported constraint. `position` is a 0-based offset into the source in characters
 * (code points, as Python counts), null if unknown. Messages name the place: a position, a line
 * and column, or a JSON pointer.
 */
export class ConstraintError extends Error {
  readonly code: 'INVALID' | 'UNSUPPORTED' | 'UNMATCHABLE' | 'TOO_LARGE';
  readonly position: number | null;

  constructor(code: ConstraintError['code'], message: string, position: number | null) {
    super(message);
    this.name = 'ConstraintError';
    this.code = code;
    this.position = position;
  }
}
