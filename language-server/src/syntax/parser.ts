/**
 * Python text → `{ body, errors }`. Never throws; a broken statement never hides the next one. Of a
 * conflict that a merge left, only the first version is parsed, and only its markers are errors.
 */
import type {
  Block,
  ExceptHandler,
  Expression,
  ImportAlias,
  MatchCase,
  Module,
  Name,
  Statement,
  TypeParameter,
  WithItem,
} from './ast.ts';
import { conflictMarkers, firstVersion } from './conflict-markers.ts';
import { tokenize } from './lexer.ts';
import { PatternParser } from './pattern-parser.ts';

const maximumBlocks = 100;
const mayHaveConflict = /^(?:<{7}|>{7})/m;
const augmented = new Set([
  '+=',
  '-=',
  '*=',
  '/=',
  '%=',
  '&=',
  '|=',
  '^=',
  '@=',
  '**=',
  '//=',
  '>>=',
  '<<=',
]);

export function parse(text: string): Module {
  const { tokens, comments, errors } = tokenize(text);
  const markers = mayHaveConflict.test(text) ? conflictMarkers(text, tokens) : [];
  if (markers.length > 0) {
    const first = parse(firstVersion(text, markers));
    return { ...first, text, code: first.code ?? first.text, errors: markers };
  }
  const parser = new Parser(text, tokens);
  const body = parser.module();
  const all = [...errors, ...parser.errors].sort((a, b) => a.start - b.start);
  return { text, body, errors: all, comments };
}

class Parser extends PatternParser {
  #blocks = 0;

  module(): Block {
    const body: Statement[] = [];
    while (!this.atKind('end')) this.#statements(body);
    return body;
  }

  /** One logical line, or the block that a compound statement is. Always makes progress. */
  #statements(body: Statement[]): void {
    const before = this.index;
    if (this.atKind('newline') || this.atKind('dedent')) this.advance();
    else if (this.atKind('indent')) this.#unexpectedIndent(body);
    else if (this.#startsCompound()) body.push(this.#compound());
    else this.#simpleLine(body);
    if (this.index === before) this.advance();
  }

  /** Lines that are indented without a reason still count. */
  #unexpectedIndent(body: Statement[]): void {
    this.fail('unexpected indent', this.token.start, this.token.start);
    this.advance();
    while (!this.atKind('dedent') && !this.atKind('end')) this.#statements(body);
    if (this.atKind('dedent')) this.advance();
  }

  #startsCompound(): boolean {
    if (this.at('@', 'def', 'class', 'if', 'while', 'for', 'try', 'with')) return true;
    if (this.at('else', 'elif', 'except', 'finally')) return true;
    if (this.at('async')) return ['def', 'for', 'with'].includes(this.peek(1).text);
    return this.at('match') && this.#isMatchStatement();
  }

  #compound(): Statement {
    switch (this.token.text) {
      case '@':
      case 'def':
      case 'class':
        return this.#definition();
      case 'if':
        return this.#if();
      case 'while':
        return this.#while();
      case 'try':
        return this.#try();
      case 'match':
        return this.#match();
      case 'else':
      case 'elif':
      case 'except':
      case 'finally':
        return this.#strayClause(this.token.start, this.token.text);
      default:
        return this.#maybeAsync();
    }
  }

  #maybeAsync(): Statement {
    const { start } = this.token;
    const isAsync = this.at('async');
    if (isAsync && this.peek(1).text === 'def') return this.#definition();
    if (isAsync) this.advance();
    return this.at('for') ? this.#for(start, isAsync) : this.#with(start, isAsync);
  }

  /* ---------------------------------------------------------------- blocks */

  #block(): Block {
    const body: Statement[] = [];
    if (!this.expect(':')) this.#skipLine();
    if (!this.atKind('newline')) {
      this.#simpleLine(body);
      return body;
    }
    this.advance();
    if (!this.atKind('indent') || this.#blocks >= maximumBlocks) {
      this.fail('expected an indented block', this.previousEnd, this.previousEnd);
      return body;
    }
    this.#blocks++;
    this.advance();
    while (!this.atKind('dedent') && !this.atKind('end')) this.#statements(body);
    if (this.atKind('dedent')) this.advance();
    this.#blocks--;
    return body;
  }

  #skipLine(): void {
    while (!this.atKind('newline') && !this.atKind('end')) this.advance();
  }

  #definition(): Statement {
    const { start } = this.token;
    const decorators: Expression[] = [];
    while (this.accept('@')) {
      decorators.push(this.namedExpression());
      this.#endOfLine();
      while (this.atKind('newline')) this.advance();
    }
    const headStart = this.token.start;
    if (this.at('class')) return this.#class(start, decorators);
    const isAsync = this.accept('async');
    if (this.at('def')) return this.#function(start, headStart, decorators, isAsync);
    this.fail('expected a function or class after the decorator');
    return { kind: 'Invalid', start, end: this.previousEnd };
  }

  #function(
    start: number,
    headStart: number,
    decorators: Expression[],
    isAsync: boolean,
  ): Statement {
    this.advance();
    const name = this.identifier('a function name');
    const typeParameters = this.#typeParameters();
    const opened = this.expect('(');
    const parameters = opened ? this.parameters(')', true) : [];
    if (opened) this.expect(')');
    const returns = this.accept('->') ? this.expression() : null;
    const body = this.#block();
    const end = this.previousEnd;
    return {
      kind: 'FunctionDef',
      name,
      decorators,
      typeParameters,
      parameters,
      returns,
      body,
      isAsync,
      headStart,
      start,
      end,
    };
  }

  #class(start: number, decorators: Expression[]): Statement {
    this.advance();
    const name = this.identifier('a class name');
    const typeParameters = this.#typeParameters();
    const opened = this.accept('(');
    const bases = opened ? this.callArguments() : [];
    if (opened) this.expect(')');
    const body = this.#block();
    return {
      kind: 'ClassDef',
      name,
      decorators,
      typeParameters,
      bases,
      body,
      start,
      end: this.previousEnd,
    };
  }

  #typeParameters(): TypeParameter[] {
    if (!this.accept('[')) return [];
    const result: TypeParameter[] = [];
    while (!this.at(']') && !this.atKind('newline') && !this.atKind('end')) {
      const { start } = this.token;
      const before = this.index;
      if (this.at('*', '**')) this.advance();
      const name = this.identifier('a type parameter');
      const bound = this.accept(':') ? this.expression() : null;
      const defaultValue = this.accept('=') ? this.expression() : null;
      result.push({ name, bound, defaultValue, start, end: this.previousEnd });
      if (!this.accept(',') && !this.at(']') && this.index === before) this.advance();
    }
    this.expect(']');
    return result;
  }

  #if(): Statement {
    const { start } = this.advance();
    const test = this.namedExpression();
    const body = this.#block();
    let orElse: Block = [];
    if (this.at('elif')) orElse = [this.#if()];
    else if (this.accept('else')) orElse = this.#block();
    return { kind: 'If', test, body, orElse, start, end: this.previousEnd };
  }

  #while(): Statement {
    const { start } = this.advance();
    const test = this.namedExpression();
    const body = this.#block();
    const orElse = this.accept('else') ? this.#block() : [];
    return { kind: 'While', test, body, orElse, start, end: this.previousEnd };
  }

  #for(start: number, isAsync: boolean): Statement {
    this.advance();
    const target = this.targetList();
    const hasIn = this.expect('in');
    const iterable = hasIn ? this.expressionList() : this.missing();
    const body = this.#block();
    const orElse = this.accept('else') ? this.#block() : [];
    return { kind: 'For', target, iterable, body, orElse, isAsync, start, end: this.previousEnd };
  }

  #with(start: number, isAsync: boolean): Statement {
    this.advance();
    const items = this.#withItems();
    const body = this.#block();
    return { kind: 'With', items, body, isAsync, start, end: this.previousEnd };
  }

  /** `with (a as b, c):` and `with (a, b) as c:` differ only in what follows the parenthesis. */
  #withItems(): WithItem[] {
    if (this.at('(')) {
      const mark = this.index;
      const errorCount = this.errors.length;
      this.advance();
      const items = this.#withItemList(')');
      if (this.accept(')') && this.at(':')) return items;
      this.index = mark;
      this.errors.length = errorCount;
    }
    return this.#withItemList(':');
  }

  #withItemList(closer: string): WithItem[] {
    const items: WithItem[] = [];
    do {
      if (this.at(closer)) break;
      const { start } = this.token;
      const context = this.namedExpression();
      const target = this.accept('as') ? this.#withTarget() : null;
      items.push({ context, target, start, end: this.previousEnd });
    } while (this.accept(','));
    return items;
  }

  #withTarget(): Expression {
    return this.expression();
  }

  #try(): Statement {
    const { start } = this.advance();
    const body = this.#block();
    const handlers: ExceptHandler[] = [];
    while (this.at('except')) handlers.push(this.#handler());
    const orElse = this.accept('else') ? this.#block() : [];
    const finallyBody = this.accept('finally') ? this.#block() : [];
    return { kind: 'Try', body, handlers, orElse, finallyBody, start, end: this.previousEnd };
  }

  #handler(): ExceptHandler {
    const { start } = this.advance();
    this.accept('*');
    const type = this.at(':') ? null : this.expressionList();
    const name = this.accept('as') ? this.identifier('a name') : null;
    return { type, name, body: this.#block(), start, end: this.previousEnd };
  }

  /* ---------------------------------------------------------------- match */

  /** `match` is a soft keyword: the line must end in a colon and not be an assignment or call. */
  #isMatchStatement(): boolean {
    const next = this.peek(1);
    if (next.kind === 'newline' || next.kind === 'end') return false;
    if (next.kind === 'operator' && !['(', '[', '{', '-', '~', '*', '...'].includes(next.text))
      return false;
    let depth = 0;
    for (let i = 1; ; i++) {
      const token = this.peek(i);
      if (token.kind === 'newline' || token.kind === 'end') return false;
      if (token.kind !== 'operator') continue;
      if ('([{'.includes(token.text)) depth++;
      else if (')]}'.includes(token.text)) depth--;
      else if (token.text === ':' && depth === 0) return this.peek(i + 1).kind === 'newline';
      else if (token.text === '=' && depth === 0) return false;
    }
  }

  #match(): Statement {
    const { start } = this.advance();
    const subject = this.expressionList(true);
    this.expect(':');
    const cases: MatchCase[] = [];
    while (this.atKind('newline')) this.advance();
    if (this.atKind('indent')) {
      this.advance();
      while (!this.atKind('dedent') && !this.atKind('end')) this.#case(cases);
      if (this.atKind('dedent')) this.advance();
    }
    return { kind: 'Match', subject, cases, start, end: this.previousEnd };
  }

  #case(cases: MatchCase[]): void {
    const { start } = this.token;
    if (!this.at('case')) {
      if (!this.atKind('newline')) this.fail("expected 'case'");
      const lost: Statement[] = [];
      this.#statements(lost);
      return;
    }
    this.advance();
    const pattern = this.patternList();
    const guard = this.accept('if') ? this.namedExpression() : null;
    cases.push({ pattern, guard, body: this.#block(), start, end: this.previousEnd });
  }

  /* ---------------------------------------------------------------- simple statements */

  #simpleLine(body: Statement[]): void {
    do {
      if (this.atKind('newline') || this.atKind('end')) break;
      body.push(this.#simple());
    } while (this.accept(';'));
    this.#endOfLine();
  }

  #endOfLine(): void {
    if (this.atKind('magic')) this.advance();
    if (!this.atKind('newline') && !this.atKind('end')) {
      this.fail('unexpected text');
      this.#skipLine();
    }
    if (this.atKind('newline')) this.advance();
  }

  #simple(): Statement {
    const { start, text, kind } = this.token;
    if (kind === 'magic') return this.#magic(start, null);
    if (kind === 'name') {
      const found = this.#keywordStatement(start, text);
      if (found) return found;
    }
    return this.#expressionStatement(start);
  }

  #keywordStatement(start: number, word: string): Statement | null {
    switch (word) {
      case 'pass':
      case 'break':
      case 'continue': {
        this.advance();
        const kind = word === 'pass' ? 'Pass' : word === 'break' ? 'Break' : 'Continue';
        return { kind, start, end: this.previousEnd };
      }
      case 'return': {
        this.advance();
        const value = this.#atLineEnd() ? null : this.expressionList();
        return { kind: 'Return', value, start, end: this.previousEnd };
      }
      case 'raise':
        return this.#raise(start);
      case 'assert': {
        this.advance();
        const test = this.expression();
        const message = this.accept(',') ? this.expression() : null;
        return { kind: 'Assert', test, message, start, end: this.previousEnd };
      }
      case 'del': {
        this.advance();
        const target = this.expressionList();
        const targets = target.kind === 'Tuple' ? target.elements : [target];
        return { kind: 'Delete', targets, start, end: this.previousEnd };
      }
      case 'global':
      case 'nonlocal':
        return this.#declaration(start, word === 'global' ? 'Global' : 'Nonlocal');
      case 'import':
        return this.#import(start);
      case 'from':
        return this.#importFrom(start);
      case 'type':
        return this.atIdentifier(1) && ['=', '['].includes(this.peek(2).text)
          ? this.#typeAlias(start)
          : null;
      default:
        return null;
    }
  }

  /** An `else:` whose `if` was broken: its block is read as if it stood alone. */
  #strayClause(start: number, word: string): Statement {
    this.fail(`'${word}' without its statement`);
    this.advance();
    const test = this.at(':') ? this.missing() : this.expressionList();
    const body = this.#block();
    return { kind: 'If', test, body, orElse: [], start, end: this.previousEnd };
  }

  #atLineEnd(): boolean {
    return this.atKind('newline') || this.atKind('end') || this.at(';');
  }

  #raise(start: number): Statement {
    this.advance();
    const exception = this.#atLineEnd() ? null : this.expression();
    const cause = this.accept('from') ? this.expression() : null;
    return { kind: 'Raise', exception, cause, start, end: this.previousEnd };
  }

  #declaration(start: number, kind: 'Global' | 'Nonlocal'): Statement {
    this.advance();
    const names: Name[] = [];
    do names.push(this.identifier('a name'));
    while (this.accept(','));
    return { kind, names, start, end: this.previousEnd };
  }

  #typeAlias(start: number): Statement {
    this.advance();
    const name = this.identifier('a name');
    const typeParameters = this.#typeParameters();
    this.expect('=');
    return {
      kind: 'TypeAlias',
      name,
      typeParameters,
      value: this.expression(),
      start,
      end: this.previousEnd,
    };
  }

  #dottedName(): { readonly path: string; readonly first: Name } {
    const first = this.identifier('a module name');
    let path = first.id;
    while (this.at('.')) {
      this.advance();
      path += `.${this.identifier('a module name').id}`;
    }
    return { path, first };
  }

  #import(start: number): Statement {
    this.advance();
    const names: ImportAlias[] = [];
    do {
      const at = this.token.start;
      const { path, first } = this.#dottedName();
      const alias = this.accept('as') ? this.identifier('a name') : null;
      names.push({ path, name: first, alias, start: at, end: this.previousEnd });
    } while (this.accept(','));
    return { kind: 'Import', names, start, end: this.previousEnd };
  }

  #importFrom(start: number): Statement {
    this.advance();
    let level = 0;
    while (this.at('.', '...')) level += this.advance().text.length;
    const module = this.at('import') ? '' : this.#dottedName().path;
    this.expect('import');
    const names: ImportAlias[] = [];
    const opened = this.accept('(');
    do {
      if (this.at(')') || this.#atLineEnd()) break;
      names.push(this.#importedName());
    } while (this.accept(','));
    if (opened) this.expect(')');
    return { kind: 'ImportFrom', module, level, names, start, end: this.previousEnd };
  }

  #importedName(): ImportAlias {
    const { start } = this.token;
    if (this.accept('*')) {
      const name: Name = { kind: 'Name', id: '*', start, end: this.previousEnd };
      return { path: '*', name, alias: null, start, end: this.previousEnd };
    }
    const name = this.identifier('a name to import');
    const alias = this.accept('as') ? this.identifier('a name') : null;
    return { path: name.id, name, alias, start, end: this.previousEnd };
  }

  #magic(start: number, target: Expression | null): Statement {
    const token = this.advance();
    return {
      kind: 'Magic',
      target,
      text: this.text.slice(token.start, token.end),
      start,
      end: token.end,
    };
  }

  #expressionStatement(start: number): Statement {
    const first = this.at('yield') ? this.yieldExpression() : this.expressionList(true);
    if (first.kind === 'Missing' && !this.at('=', ':')) {
      this.#skipLine();
      return { kind: 'Invalid', start, end: this.previousEnd };
    }
    if (this.at(':')) return this.#annotated(start, first);
    if (this.token.kind === 'operator' && augmented.has(this.token.text)) {
      const operator = this.advance().text.slice(0, -1);
      const value = this.#value();
      return {
        kind: 'AugmentedAssign',
        target: first,
        operator,
        value,
        start,
        end: this.previousEnd,
      };
    }
    if (!this.at('=')) return { kind: 'Expression', value: first, start, end: this.previousEnd };
    return this.#assign(start, first);
  }

  #annotated(start: number, target: Expression): Statement {
    this.advance();
    const annotation = this.expression();
    const value = this.accept('=') ? this.#value() : null;
    return { kind: 'AnnotatedAssign', target, annotation, value, start, end: this.previousEnd };
  }

  #assign(start: number, first: Expression): Statement {
    const chain = [first];
    while (this.accept('=')) {
      if (this.atKind('magic')) return this.#magic(start, first);
      chain.push(this.#value());
    }
    const value = chain.pop() ?? first;
    return { kind: 'Assign', targets: chain, value, start, end: this.previousEnd };
  }

  #value(): Expression {
    return this.at('yield') ? this.yieldExpression() : this.expressionList(true);
  }
}
