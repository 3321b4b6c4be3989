/** Expressions, by precedence climbing. Every method returns a node and consumes what it can. */
import type {
  Argument,
  Comprehension,
  ComprehensionClause,
  DictEntry,
  Expression,
  Parameter,
  Str,
  StringPiece,
  TemplatePart,
} from './ast.ts';
import { tokenize } from './lexer.ts';
import { decodeText, isTemplatePrefix, scanString, templateRanges } from './string-literal.ts';
import { TokenCursor } from './token-cursor.ts';
import { keywords } from './token.ts';

/** Deeper nesting than this is refused instead of exhausting the stack. */
const maximumDepth = 120;
/** Operators, calls and prefixes in one row; the tree is as deep as the row is long. */
const maximumRow = 1200;

const binaryPrecedence: ReadonlyMap<string, number> = new Map([
  ['|', 1],
  ['^', 2],
  ['&', 3],
  ['<<', 4],
  ['>>', 4],
  ['+', 5],
  ['-', 5],
  ['*', 6],
  ['/', 6],
  ['//', 6],
  ['%', 6],
  ['@', 6],
]);
const comparisons: ReadonlySet<string> = new Set([
  '<',
  '>',
  '==',
  '>=',
  '<=',
  '!=',
  'in',
  'is',
  'not',
]);

export class ExpressionParser extends TokenCursor {
  #depth = 0;

  /** `a, b` is a tuple here. */
  protected expressionList(allowAssignment = false): Expression {
    const first = this.#element(allowAssignment);
    if (!this.at(',')) return first;
    const elements = [first];
    while (this.accept(',')) {
      if (!this.#startsExpression()) break;
      elements.push(this.#element(allowAssignment));
    }
    return { kind: 'Tuple', elements, start: first.start, end: this.previousEnd };
  }

  /** Targets of `for` and comprehensions stop before `in`. */
  protected targetList(): Expression {
    const first = this.#targetElement();
    if (!this.at(',')) return first;
    const elements = [first];
    while (this.accept(',') && !this.at('in', '=')) elements.push(this.#targetElement());
    return { kind: 'Tuple', elements, start: first.start, end: this.previousEnd };
  }

  #targetElement(): Expression {
    const { start } = this.token;
    if (!this.accept('*')) return this.#binary(1);
    return { kind: 'Starred', value: this.#binary(1), start, end: this.previousEnd };
  }

  #element(allowAssignment: boolean): Expression {
    const { start } = this.token;
    if (this.accept('*')) {
      return { kind: 'Starred', value: this.#binary(1), start, end: this.previousEnd };
    }
    return allowAssignment ? this.namedExpression() : this.expression();
  }

  protected namedExpression(): Expression {
    const value = this.expression();
    if (!this.at(':=') || value.kind !== 'Name') return value;
    this.advance();
    return {
      kind: 'Walrus',
      target: value,
      value: this.expression(),
      start: value.start,
      end: this.previousEnd,
    };
  }

  protected expression(): Expression {
    if (this.#depth >= maximumDepth) {
      this.fail('expression is nested too deeply');
      const hole = this.missing();
      if (this.#startsExpression()) this.advance();
      return hole;
    }
    this.#depth++;
    const result = this.#conditional();
    this.#depth--;
    return result;
  }

  #conditional(): Expression {
    if (this.at('lambda')) return this.#lambda();
    if (this.at('yield')) return this.yieldExpression();
    const body = this.#or();
    if (!this.at('if')) return body;
    this.advance();
    const test = this.#or();
    if (!this.expect('else')) {
      return {
        kind: 'Conditional',
        test,
        body,
        orElse: this.missing(),
        start: body.start,
        end: this.previousEnd,
      };
    }
    const orElse = this.expression();
    return { kind: 'Conditional', test, body, orElse, start: body.start, end: this.previousEnd };
  }

  #lambda(): Expression {
    const { start } = this.advance();
    const parameters = this.parameters(':', false);
    this.expect(':');
    return { kind: 'Lambda', parameters, body: this.expression(), start, end: this.previousEnd };
  }

  protected yieldExpression(): Expression {
    const { start } = this.advance();
    if (this.accept('from')) {
      return { kind: 'Yield', from: true, value: this.expression(), start, end: this.previousEnd };
    }
    const value = this.#startsExpression() ? this.expressionList() : null;
    return { kind: 'Yield', from: false, value, start, end: this.previousEnd };
  }

  /** Parameters up to (not including) `closer`. */
  protected parameters(closer: string, annotated: boolean): Parameter[] {
    const result: Parameter[] = [];
    while (!this.at(closer) && !this.atKind('newline') && !this.atKind('end')) {
      const before = this.index;
      result.push(this.#parameter(annotated));
      if (!this.accept(',') && !this.at(closer)) {
        this.fail(`expected ',' or '${closer}'`);
        if (this.index === before) this.advance();
      }
    }
    return result;
  }

  #parameter(annotated: boolean): Parameter {
    const { start } = this.token;
    const base = { annotation: null, defaultValue: null, name: null };
    if (this.accept('/'))
      return { ...base, star: '', separator: '/', start, end: this.previousEnd };
    const star = this.accept('**') ? '**' : this.accept('*') ? '*' : '';
    if (star === '*' && this.at(',', ')', ':')) {
      return { ...base, star: '', separator: '*', start, end: this.previousEnd };
    }
    const name = this.identifier('a parameter name');
    const annotation = annotated && this.accept(':') ? this.#starredAnnotation() : null;
    const defaultValue = this.accept('=') ? this.expression() : null;
    return { star, name, annotation, defaultValue, separator: '', start, end: this.previousEnd };
  }

  #starredAnnotation(): Expression {
    const { start } = this.token;
    if (!this.accept('*')) return this.expression();
    return { kind: 'Starred', value: this.expression(), start, end: this.previousEnd };
  }

  /* ---------------------------------------------------------------- operators */

  #or(): Expression {
    let left = this.#and();
    while (this.accept('or')) {
      const right = this.#and();
      left = { kind: 'BoolOp', operator: 'or', left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#not();
    while (this.accept('and')) {
      const right = this.#not();
      left = { kind: 'BoolOp', operator: 'and', left, right, start: left.start, end: right.end };
    }
    return left;
  }

  #not(): Expression {
    const starts: number[] = [];
    while (this.at('not') && starts.length < maximumRow) starts.push(this.advance().start);
    let operand = this.#comparison();
    for (const start of starts.reverse()) {
      operand = { kind: 'Unary', operator: 'not', operand, start, end: operand.end };
    }
    return operand;
  }

  #comparison(): Expression {
    const first = this.#binary(1);
    if (!this.#atComparison()) return first;
    const operands = [first];
    const found: string[] = [];
    while (this.#atComparison()) {
      found.push(this.#comparisonOperator());
      operands.push(this.#binary(1));
    }
    return {
      kind: 'Compare',
      operators: found,
      operands,
      start: first.start,
      end: this.previousEnd,
    };
  }

  #atComparison(): boolean {
    const { kind, text } = this.token;
    if ((kind !== 'operator' && kind !== 'name') || !comparisons.has(text)) return false;
    return text !== 'not' || this.peek(1).text === 'in';
  }

  #comparisonOperator(): string {
    const operator = this.advance().text;
    if (operator === 'not') return this.accept('in') ? 'not in' : operator;
    if (operator === 'is' && this.accept('not')) return 'is not';
    return operator;
  }

  #binary(minimum: number): Expression {
    let left = this.#unary();
    for (let row = 0; ; row++) {
      if (row >= maximumRow) return left;
      const { kind, text } = this.token;
      const precedence = kind === 'operator' ? binaryPrecedence.get(text) : undefined;
      if (precedence === undefined || precedence < minimum) return left;
      this.advance();
      const right = this.#binary(precedence + 1);
      left = { kind: 'Binary', operator: text, left, right, start: left.start, end: right.end };
    }
  }

  /** Sums and tighter: numbers of patterns, where `|` means something else. */
  protected additive(): Expression {
    return this.#binary(5);
  }

  #unary(): Expression {
    const prefixes: { readonly text: string; readonly start: number }[] = [];
    while (this.at('+', '-', '~') && prefixes.length < maximumRow) prefixes.push(this.advance());
    let operand = this.#power();
    for (const { text, start } of prefixes.reverse()) {
      operand = { kind: 'Unary', operator: text, operand, start, end: operand.end };
    }
    return operand;
  }

  #power(): Expression {
    const { start } = this.token;
    const isAwait = this.accept('await');
    let base = this.#postfix(this.#atom());
    if (isAwait) base = { kind: 'Await', value: base, start, end: base.end };
    if (!this.accept('**')) return base;
    const right = this.#unary();
    return { kind: 'Binary', operator: '**', left: base, right, start: base.start, end: right.end };
  }

  #postfix(atom: Expression): Expression {
    let node = atom;
    const { start } = atom;
    for (let row = 0; ; row++) {
      if (row >= maximumRow) return node;
      if (this.at('(')) {
        const open = this.advance().start;
        const args = this.callArguments();
        const close = this.at(')') ? this.advance().start : -1;
        if (close === -1) this.fail("expected ')'");
        node = { kind: 'Call', callee: node, args, open, close, start, end: this.previousEnd };
      } else if (this.at('[')) {
        this.advance();
        const index = this.#subscript();
        this.expect(']');
        node = { kind: 'Subscript', object: node, index, start, end: this.previousEnd };
      } else if (this.at('.')) {
        this.advance();
        const attribute = this.#attributeName();
        node = { kind: 'Attribute', object: node, attribute, start, end: this.previousEnd };
      } else return node;
    }
  }

  /** `state.` followed by a new line: the next line's name is not its attribute. */
  #attributeName(): Expression & { kind: 'Name' } {
    const { start, text, kind, end } = this.token;
    if (kind === 'name' && keywords.has(text)) {
      this.advance();
      this.fail(`'${text}' is a keyword`, start, end);
      return { kind: 'Name', id: text, start, end };
    }
    return this.identifier('an attribute name');
  }

  /** Arguments up to (not including) `)`. */
  protected callArguments(): Argument[] {
    const args: Argument[] = [];
    while (!this.at(')') && !this.atKind('newline') && !this.atKind('end')) {
      const before = this.index;
      args.push(this.#argument());
      if (this.accept(',')) continue;
      if (this.at(')') || this.atKind('newline') || this.atKind('end')) break;
      this.fail("expected ',' or ')'");
      // Another argument without its comma, or a stray token to step over.
      if (this.index === before || !this.#startsExpression()) this.advance();
    }
    return args;
  }

  #argument(): Argument {
    const { start } = this.token;
    const star = this.accept('**') ? '**' : this.accept('*') ? '*' : '';
    if (star !== '')
      return { star, name: null, value: this.expression(), start, end: this.previousEnd };
    if (
      this.token.kind === 'name' &&
      this.peek(1).text === '=' &&
      this.peek(1).kind === 'operator'
    ) {
      const token = this.advance();
      const name = { kind: 'Name' as const, id: token.text, start, end: token.end };
      this.advance();
      return { star, name, value: this.expression(), start, end: this.previousEnd };
    }
    const value = this.namedExpression();
    if (!this.#atComprehension()) return { star, name: null, value, start, end: this.previousEnd };
    const generator = this.#comprehension('generator', value, null, start);
    return { star, name: null, value: generator, start, end: this.previousEnd };
  }

  #subscript(): Expression {
    const first = this.#subscriptElement();
    if (!this.at(',')) return first;
    const elements = [first];
    while (this.accept(',') && !this.at(']')) elements.push(this.#subscriptElement());
    return { kind: 'Tuple', elements, start: first.start, end: this.previousEnd };
  }

  #subscriptElement(): Expression {
    const { start } = this.token;
    const isSlice = () => this.at(':');
    const first = isSlice() ? null : this.#element(true);
    if (!isSlice()) return first ?? this.missing();
    const parts: (Expression | null)[] = [first];
    while (this.accept(':')) parts.push(this.at(':', ']', ',') ? null : this.expression());
    return { kind: 'Slice', parts, start, end: this.previousEnd };
  }

  /* ---------------------------------------------------------------- atoms */

  #startsExpression(): boolean {
    const { kind, text } = this.token;
    if (kind === 'number' || kind === 'string') return true;
    if (kind === 'operator') return ['(', '[', '{', '+', '-', '~', '*', '...'].includes(text);
    if (kind !== 'name') return false;
    return (
      !keywords.has(text) ||
      ['None', 'True', 'False', 'not', 'lambda', 'await', 'yield'].includes(text)
    );
  }

  #atom(): Expression {
    const { kind, start, end, text } = this.token;
    if (kind === 'string') return this.string();
    if (kind === 'number') return this.#number();
    if (kind === 'operator') return this.#bracketed(text);
    if (kind === 'name' && !keywords.has(text)) {
      this.advance();
      return { kind: 'Name', id: text, start, end };
    }
    if (text === 'True' || text === 'False' || text === 'None') {
      this.advance();
      return { kind: 'Constant', type: text === 'None' ? 'None' : 'bool', raw: text, start, end };
    }
    if (text === 'lambda') return this.#lambda();
    this.fail('expected an expression');
    return this.missing();
  }

  #number(): Expression {
    const { start, end } = this.advance();
    const raw = this.text.slice(start, end);
    const isFloat = !/^0[xXoObB]/.test(raw) && /[.eE]/.test(raw);
    const type = /[jJ]$/.test(raw) ? 'complex' : isFloat ? 'float' : 'int';
    return { kind: 'Constant', type, raw, start, end };
  }

  #bracketed(operator: string): Expression {
    const { start, end } = this.token;
    if (operator === '(') return this.#parenthesised();
    if (operator === '[') return this.#list();
    if (operator === '{') return this.#dictOrSet();
    if (operator === '...') {
      this.advance();
      return { kind: 'Constant', type: 'Ellipsis', raw: '...', start, end };
    }
    this.fail('expected an expression');
    return this.missing();
  }

  #parenthesised(): Expression {
    const { start } = this.advance();
    if (this.accept(')')) return { kind: 'Tuple', elements: [], start, end: this.previousEnd };
    const first = this.#element(true);
    if (this.#atComprehension()) {
      const generator = this.#comprehension('generator', first, null, start);
      this.expect(')');
      return { ...generator, end: this.previousEnd };
    }
    if (!this.at(',')) {
      this.expect(')');
      return first;
    }
    const elements = this.#rest(first, ')');
    return { kind: 'Tuple', elements, start, end: this.previousEnd };
  }

  #list(): Expression {
    const { start } = this.advance();
    if (this.accept(']')) return { kind: 'List', elements: [], start, end: this.previousEnd };
    const first = this.#element(true);
    if (this.#atComprehension()) {
      const list = this.#comprehension('list', first, null, start);
      this.expect(']');
      return { ...list, end: this.previousEnd };
    }
    const elements = this.#rest(first, ']');
    return { kind: 'List', elements, start, end: this.previousEnd };
  }

  /** Further elements and the closing bracket. */
  #rest(first: Expression, closer: string): Expression[] {
    const elements = [first];
    while (this.accept(',')) {
      if (!this.#startsExpression()) break;
      elements.push(this.#element(true));
    }
    this.expect(closer);
    return elements;
  }

  #dictOrSet(): Expression {
    const { start } = this.advance();
    if (this.accept('}')) return { kind: 'Dict', entries: [], start, end: this.previousEnd };
    if (this.at('**')) return this.#dict(start, this.#dictEntry());
    const first = this.#element(true);
    if (this.at(':')) {
      this.advance();
      const value = this.expression();
      if (this.#atComprehension()) {
        const dict = this.#comprehension('dict', first, value, start);
        this.expect('}');
        return { ...dict, end: this.previousEnd };
      }
      return this.#dict(start, { key: first, value });
    }
    if (this.#atComprehension()) {
      const set = this.#comprehension('set', first, null, start);
      this.expect('}');
      return { ...set, end: this.previousEnd };
    }
    const elements = this.#rest(first, '}');
    return { kind: 'Set', elements, start, end: this.previousEnd };
  }

  #dict(start: number, first: DictEntry): Expression {
    const entries = [first];
    while (this.accept(',')) {
      if (!this.#startsExpression() && !this.at('**')) break;
      entries.push(this.#dictEntry());
    }
    this.expect('}');
    return { kind: 'Dict', entries, start, end: this.previousEnd };
  }

  #dictEntry(): DictEntry {
    if (this.accept('**')) return { key: null, value: this.#binary(1) };
    const key = this.expression();
    if (!this.expect(':')) return { key, value: this.missing() };
    return { key, value: this.expression() };
  }

  #atComprehension(): boolean {
    return this.at('for') || (this.at('async') && this.peek(1).text === 'for');
  }

  #comprehension(
    type: Comprehension['type'],
    element: Expression,
    value: Expression | null,
    start: number,
  ): Comprehension {
    const clauses: ComprehensionClause[] = [];
    while (this.#atComprehension()) clauses.push(this.#clause());
    return { kind: 'Comprehension', type, element, value, clauses, start, end: this.previousEnd };
  }

  #clause(): ComprehensionClause {
    const { start } = this.token;
    const isAsync = this.accept('async');
    this.expect('for');
    const target = this.targetList();
    this.expect('in');
    const iterable = this.#or();
    const conditions: Expression[] = [];
    while (this.accept('if')) conditions.push(this.#comprehensionCondition());
    return { target, iterable, conditions, isAsync, start, end: this.previousEnd };
  }

  #comprehensionCondition(): Expression {
    const value = this.#or();
    if (!this.at(':=') || value.kind !== 'Name') return value;
    this.advance();
    return {
      kind: 'Walrus',
      target: value,
      value: this.#or(),
      start: value.start,
      end: this.previousEnd,
    };
  }

  /* ---------------------------------------------------------------- strings */

  protected string(): Str {
    const { start } = this.token;
    const pieces: StringPiece[] = [];
    const parts: TemplatePart[] = [];
    while (this.atKind('string')) {
      const token = this.advance();
      const piece = this.#piece(token.start, token.end);
      pieces.push(piece);
      this.#partsOf(piece, parts);
    }
    const isPlain = parts.every((part) => part.kind === 'text');
    const value = isPlain
      ? parts.map((part) => (part.kind === 'text' ? part.value : '')).join('')
      : null;
    const bytes = /b/i.test(pieces[0]?.prefix ?? '');
    return { kind: 'Str', value, bytes, pieces, parts, start, end: this.previousEnd };
  }

  #piece(start: number, end: number): StringPiece {
    const prefix = /^[a-zA-Z]*/.exec(this.text.slice(start, start + 3))?.[0] ?? '';
    const { contentStart, contentEnd, terminated } = scanString(
      this.text,
      start + prefix.length,
      prefix,
    );
    return { prefix, contentStart, contentEnd: Math.min(contentEnd, end), terminated, start, end };
  }

  #partsOf(piece: StringPiece, parts: TemplatePart[]): void {
    const { prefix, contentStart, contentEnd } = piece;
    const pushText = (start: number, end: number) =>
      parts.push({ kind: 'text', value: decodeText(this.text.slice(start, end), prefix) });
    if (!isTemplatePrefix(prefix)) {
      pushText(contentStart, contentEnd);
      return;
    }
    for (const range of templateRanges(this.text, contentStart, contentEnd, prefix)) {
      if (range.kind === 'text') pushText(range.start, range.end);
      else
        parts.push({
          kind: 'field',
          value: this.#field(range.start, range.end),
          conversion: range.conversion,
        });
    }
  }

  /** The expression of a replacement field, parsed in place so that offsets stay true. */
  #field(start: number, end: number): Expression {
    if (this.#depth >= maximumDepth / 4) return { kind: 'Missing', start, end };
    const { tokens, errors } = tokenize(this.text, start, end);
    const parser = new ExpressionParser(this.text, tokens);
    parser.#depth = this.#depth + 4;
    const value = parser.at('yield') ? parser.yieldExpression() : parser.expressionList(true);
    this.errors.push(...errors, ...parser.errors);
    return value;
  }
}
