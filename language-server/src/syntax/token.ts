/** Tokens of Python source. Whitespace and comments lie between them. */
export type TokenKind =
  | 'name'
  | 'number'
  | 'string'
  | 'operator'
  | 'newline'
  | 'indent'
  | 'dedent'
  | 'magic'
  | 'invalid'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  readonly start: number;
  readonly end: number;
  /** Source text of names and operators, empty otherwise. */
  readonly text: string;
}

/** Words that are never identifiers. `match`, `case`, `type` and `_` are soft and not listed. */
export const keywords: ReadonlySet<string> = new Set([
  'False',
  'None',
  'True',
  'and',
  'as',
  'assert',
  'async',
  'await',
  'break',
  'class',
  'continue',
  'def',
  'del',
  'elif',
  'else',
  'except',
  'finally',
  'for',
  'from',
  'global',
  'if',
  'import',
  'in',
  'is',
  'lambda',
  'nonlocal',
  'not',
  'or',
  'pass',
  'raise',
  'return',
  'try',
  'while',
  'with',
  'yield',
]);

/** Words that can begin a statement but can never stand inside brackets. */
export const statementKeywords: ReadonlySet<string> = new Set([
  'assert',
  'break',
  'class',
  'continue',
  'def',
  'del',
  'elif',
  'except',
  'finally',
  'global',
  'import',
  'nonlocal',
  'pass',
  'raise',
  'return',
  'try',
  'while',
  'with',
]);

/** Longest first: the lexer takes the first that fits. */
export const operators: readonly string[] = [
  '**=',
  '//=',
  '>>=',
  '<<=',
  '...',
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '&=',
  '|=',
  '^=',
  '@=',
  '->',
  ':=',
  '==',
  '!=',
  '<=',
  '>=',
  '<<',
  '>>',
  '**',
  '//',
  '+',
  '-',
  '*',
  '/',
  '%',
  '@',
  '&',
  '|',
  '^',
  '~',
  '<',
  '>',
  '(',
  ')',
  '[',
  ']',
  '{',
  '}',
  ',',
  ':',
  '.',
  ';',
  '=',
];
