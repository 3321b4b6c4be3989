/**
 * The Python tree. Every node carries UTF-16 offsets `[start, end)` into the text it was parsed from.
 * What the parser could not read is a `Missing` expression or an `Invalid` statement; there is
 * always a tree.
 */

export interface Span {
  readonly start: number;
  readonly end: number;
}

/* ------------------------------------------------------------------ expressions */

export interface Name extends Span {
  readonly kind: 'Name';
  readonly id: string;
}

/** Numbers, `None`, `True`, `False`, `...`. `raw` is the source text. */
export interface Constant extends Span {
  readonly kind: 'Constant';
  readonly type: 'int' | 'float' | 'complex' | 'bool' | 'None' | 'Ellipsis';
  readonly raw: string;
}

/** One quoted token of a (possibly implicitly concatenated) string. */
export interface StringPiece extends Span {
  readonly prefix: string;
  /** Offsets of the text between the quotes. */
  readonly contentStart: number;
  readonly contentEnd: number;
  readonly terminated: boolean;
}

export type TemplatePart =
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'field'; readonly value: Expression; readonly conversion: string | null };

/** `value` is the decoded text (bytes: as Latin-1), `null` if the string has replacement fields. */
export interface Str extends Span {
  readonly kind: 'Str';
  readonly value: string | null;
  readonly bytes: boolean;
  readonly pieces: readonly StringPiece[];
  /** Text and replacement fields in order; a plain string is one text part. */
  readonly parts: readonly TemplatePart[];
}

export interface Binary extends Span {
  readonly kind: 'Binary';
  readonly operator: string;
  readonly left: Expression;
  readonly right: Expression;
}

export interface Unary extends Span {
  readonly kind: 'Unary';
  readonly operator: string;
  readonly operand: Expression;
}

export interface BoolOp extends Span {
  readonly kind: 'BoolOp';
  readonly operator: 'and' | 'or';
  readonly left: Expression;
  readonly right: Expression;
}

/** `a < b <= c`: `operators[i]` stands between operands `i` and `i + 1`. */
export interface Compare extends Span {
  readonly kind: 'Compare';
  readonly operators: readonly string[];
  readonly operands: readonly Expression[];
}

export interface Argument extends Span {
  readonly star: '' | '*' | '**';
  readonly name: Name | null;
  readonly value: Expression;
}

export interface Call extends Span {
  readonly kind: 'Call';
  readonly callee: Expression;
  readonly args: readonly Argument[];
  /** Offsets of the parentheses; `close` is -1 when it is missing. */
  readonly open: number;
  readonly close: number;
}

export interface Attribute extends Span {
  readonly kind: 'Attribute';
  readonly object: Expression;
  readonly attribute: Name;
}

export interface Subscript extends Span {
  readonly kind: 'Subscript';
  readonly object: Expression;
  readonly index: Expression;
}

export interface Slice extends Span {
  readonly kind: 'Slice';
  readonly parts: readonly (Expression | null)[];
}

export interface Sequence extends Span {
  readonly kind: 'Tuple' | 'List' | 'Set';
  readonly elements: readonly Expression[];
}

/** `key: null` is `**value`. */
export interface DictEntry {
  readonly key: Expression | null;
  readonly value: Expression;
}

export interface Dict extends Span {
  readonly kind: 'Dict';
  readonly entries: readonly DictEntry[];
}

export interface ComprehensionClause extends Span {
  readonly target: Expression;
  readonly iterable: Expression;
  readonly conditions: readonly Expression[];
  readonly isAsync: boolean;
}

export interface Comprehension extends Span {
  readonly kind: 'Comprehension';
  readonly type: 'list' | 'set' | 'dict' | 'generator';
  readonly element: Expression;
  readonly value: Expression | null;
  readonly clauses: readonly ComprehensionClause[];
}

export interface Lambda extends Span {
  readonly kind: 'Lambda';
  readonly parameters: readonly Parameter[];
  readonly body: Expression;
}

export interface Conditional extends Span {
  readonly kind: 'Conditional';
  readonly test: Expression;
  readonly body: Expression;
  readonly orElse: Expression;
}

export interface Await extends Span {
  readonly kind: 'Await';
  readonly value: Expression;
}

export interface Yield extends Span {
  readonly kind: 'Yield';
  readonly from: boolean;
  readonly value: Expression | null;
}

export interface Starred extends Span {
  readonly kind: 'Starred';
  readonly value: Expression;
}

export interface Walrus extends Span {
  readonly kind: 'Walrus';
  readonly target: Name;
  readonly value: Expression;
}

/** An expression was expected at `start`. */
export interface Missing extends Span {
  readonly kind: 'Missing';
}

export type Expression =
  | Name
  | Constant
  | Str
  | Binary
  | Unary
  | BoolOp
  | Compare
  | Call
  | Attribute
  | Subscript
  | Slice
  | Sequence
  | Dict
  | Comprehension
  | Lambda
  | Conditional
  | Await
  | Yield
  | Starred
  | Walrus
  | Missing;

/* ------------------------------------------------------------------ statements */

export interface Parameter extends Span {
  readonly star: '' | '*' | '**';
  /** `null` for the bare `*` and `/` separators. */
  readonly name: Name | null;
  readonly annotation: Expression | null;
  readonly defaultValue: Expression | null;
  readonly separator: '' | '*' | '/';
}

export interface TypeParameter extends Span {
  readonly name: Name;
  readonly bound: Expression | null;
  readonly defaultValue: Expression | null;
}

export type Block = readonly Statement[];

export interface FunctionDef extends Span {
  readonly kind: 'FunctionDef';
  readonly name: Name;
  readonly decorators: readonly Expression[];
  readonly typeParameters: readonly TypeParameter[];
  readonly parameters: readonly Parameter[];
  readonly returns: Expression | null;
  readonly body: Block;
  readonly isAsync: boolean;
  /** Offset of `def` (or `async`), after the decorators. */
  readonly headStart: number;
}

export interface ClassDef extends Span {
  readonly kind: 'ClassDef';
  readonly name: Name;
  readonly decorators: readonly Expression[];
  readonly typeParameters: readonly TypeParameter[];
  readonly bases: readonly Argument[];
  readonly body: Block;
}

export interface ExpressionStatement extends Span {
  readonly kind: 'Expression';
  readonly value: Expression;
}

export interface Assign extends Span {
  readonly kind: 'Assign';
  readonly targets: readonly Expression[];
  readonly value: Expression;
}

export interface AugmentedAssign extends Span {
  readonly kind: 'AugmentedAssign';
  readonly target: Expression;
  /** Without the `=`, e.g. `+`. */
  readonly operator: string;
  readonly value: Expression;
}

export interface AnnotatedAssign extends Span {
  readonly kind: 'AnnotatedAssign';
  readonly target: Expression;
  readonly annotation: Expression;
  readonly value: Expression | null;
}

export interface Return extends Span {
  readonly kind: 'Return';
  readonly value: Expression | null;
}

export interface Raise extends Span {
  readonly kind: 'Raise';
  readonly exception: Expression | null;
  readonly cause: Expression | null;
}

export interface Assert extends Span {
  readonly kind: 'Assert';
  readonly test: Expression;
  readonly message: Expression | null;
}

export interface Delete extends Span {
  readonly kind: 'Delete';
  readonly targets: readonly Expression[];
}

export interface Simple extends Span {
  readonly kind: 'Pass' | 'Break' | 'Continue';
}

export interface ImportAlias extends Span {
  /** Dotted name; `*` for a star import. */
  readonly path: string;
  readonly name: Name;
  readonly alias: Name | null;
}

export interface Import extends Span {
  readonly kind: 'Import';
  readonly names: readonly ImportAlias[];
}

export interface ImportFrom extends Span {
  readonly kind: 'ImportFrom';
  readonly module: string;
  /** Leading dots. */
  readonly level: number;
  readonly names: readonly ImportAlias[];
}

export interface NameDeclaration extends Span {
  readonly kind: 'Global' | 'Nonlocal';
  readonly names: readonly Name[];
}

export interface If extends Span {
  readonly kind: 'If';
  readonly test: Expression;
  readonly body: Block;
  /** An `elif` is an `If` as the only statement here. */
  readonly orElse: Block;
}

export interface While extends Span {
  readonly kind: 'While';
  readonly test: Expression;
  readonly body: Block;
  readonly orElse: Block;
}

export interface For extends Span {
  readonly kind: 'For';
  readonly target: Expression;
  readonly iterable: Expression;
  readonly body: Block;
  readonly orElse: Block;
  readonly isAsync: boolean;
}

export interface ExceptHandler extends Span {
  readonly type: Expression | null;
  readonly name: Name | null;
  readonly body: Block;
}

export interface Try extends Span {
  readonly kind: 'Try';
  readonly body: Block;
  readonly handlers: readonly ExceptHandler[];
  readonly orElse: Block;
  readonly finallyBody: Block;
}

export interface WithItem extends Span {
  readonly context: Expression;
  readonly target: Expression | null;
}

export interface With extends Span {
  readonly kind: 'With';
  readonly items: readonly WithItem[];
  readonly body: Block;
  readonly isAsync: boolean;
}

export interface MatchCase extends Span {
  readonly pattern: Pattern;
  readonly guard: Expression | null;
  readonly body: Block;
}

export interface Match extends Span {
  readonly kind: 'Match';
  readonly subject: Expression;
  readonly cases: readonly MatchCase[];
}

/** `children` are the sub-patterns of sequences, mappings and classes, in source order. */
export type Pattern =
  | ({ readonly kind: 'ValuePattern'; readonly value: Expression } & Span)
  | ({
      readonly kind: 'CapturePattern';
      readonly name: Name | null;
      /** `*rest` in a sequence. */
      readonly isStarred?: true;
    } & Span)
  | ({ readonly kind: 'OrPattern'; readonly children: readonly Pattern[] } & Span)
  | ({ readonly kind: 'AsPattern'; readonly pattern: Pattern; readonly name: Name } & Span)
  | ({ readonly kind: 'SequencePattern'; readonly children: readonly Pattern[] } & Span)
  | ({
      readonly kind: 'MappingPattern';
      readonly keys: readonly Expression[];
      readonly children: readonly Pattern[];
    } & Span)
  | ({
      readonly kind: 'ClassPattern';
      readonly type: Expression;
      readonly children: readonly Pattern[];
    } & Span);

export interface TypeAlias extends Span {
  readonly kind: 'TypeAlias';
  readonly name: Name;
  readonly typeParameters: readonly TypeParameter[];
  readonly value: Expression;
}

/** An IPython line: `!ls`, `%time f()`, `name?`. `target` is set for `files = !ls`. */
export interface Magic extends Span {
  readonly kind: 'Magic';
  readonly target: Expression | null;
  readonly text: string;
}

/** Tokens that form no statement. */
export interface Invalid extends Span {
  readonly kind: 'Invalid';
}

export type Statement =
  | FunctionDef
  | ClassDef
  | ExpressionStatement
  | Assign
  | AugmentedAssign
  | AnnotatedAssign
  | Return
  | Raise
  | Assert
  | Delete
  | Simple
  | Import
  | ImportFrom
  | NameDeclaration
  | If
  | While
  | For
  | Try
  | With
  | Match
  | TypeAlias
  | Magic
  | Invalid;

export interface SyntaxProblem extends Span {
  readonly message: string;
}

export interface Comment extends Span {
  readonly text: string;
}

export interface Module {
  readonly text: string;
  readonly body: Block;
  readonly errors: readonly SyntaxProblem[];
  readonly comments: readonly Comment[];
  /** What was parsed, if the text holds both versions of a merge: the first one, in its place. */
  readonly code?: string;
}
