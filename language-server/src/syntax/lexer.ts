/**
 * Python text → tokens with indentation, never failing. Brackets join lines as in Python; when a
 * bracket is never closed the lexer goes back to it and ends the statement at the first line that
 * can only be a new one, so that a call being typed does not swallow the code below.
 */
import type { Comment, SyntaxProblem } from './ast.ts';
import { scanString } from './string-literal.ts';
import { operators, statementKeywords, type Token, type TokenKind } from './token.ts';

export interface LexerResult {
  readonly tokens: readonly Token[];
  readonly comments: readonly Comment[];
  readonly errors: readonly SyntaxProblem[];
}

const identifier = /[\p{L}\p{Nl}_][\p{L}\p{Nl}\p{Mn}\p{Mc}\p{Nd}\p{Pc}_]*/uy;
const number =
  /0[xX](?:_?[0-9a-fA-F])+|0[oO](?:_?[0-7])+|0[bB](?:_?[01])+|(?:[0-9](?:_?[0-9])*)?\.?[0-9](?:_?[0-9])*\.?(?:[eE][+-]?[0-9](?:_?[0-9])*)?[jJ]?/y;
const stringStart = /(?:[rR][bBfFtT]?|[bBfFtT][rR]?|[uU])?(?=["'])/y;
const augmentedLine =
  /[ \t]*[\p{L}_]\w*(?:\.\w+|\[[^\]\n]*\])*[ \t]*(?:\+|-|\*|\/|%|@|\||&|\^)=(?!=)/uy;
const pythonCellMagics = /^%%(?:time|timeit|capture|prun|memit)\b/;

const closers: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

interface Bracket {
  readonly closer: string;
  readonly at: number;
}

/** Where to continue when an outermost bracket turns out to be unclosed. */
interface Checkpoint {
  readonly position: number;
  readonly tokens: number;
  readonly comments: number;
  readonly errors: number;
}

/**
 * Lexes `text`. With `expressionEnd` only `[start, expressionEnd)` is read, as one bracketed
 * expression without newlines (replacement fields of f-strings).
 */
export function tokenize(text: string, start = 0, expressionEnd = -1): LexerResult {
  return new Lexer(text, start, expressionEnd).run();
}

class Lexer {
  readonly #text: string;
  readonly #end: number;
  readonly #isField: boolean;
  #position: number;
  #tokens: Token[] = [];
  #comments: Comment[] = [];
  #errors: SyntaxProblem[] = [];
  #brackets: Bracket[] = [];
  #indents: number[] = [0];
  #atLineStart = true;
  /** Indentation of the logical line being read. */
  #lineIndent = 0;
  #checkpoint: Checkpoint | null = null;
  /** The logical line has an unclosed bracket: end it at the next line that looks like a statement. */
  #recovering = false;

  constructor(text: string, start: number, expressionEnd: number) {
    this.#text = text;
    this.#position = start;
    this.#isField = expressionEnd !== -1;
    this.#end = this.#isField ? expressionEnd : text.length;
    this.#atLineStart = !this.#isField;
  }

  run(): LexerResult {
    this.#cellMagic();
    for (;;) {
      if (this.#atLineStart && this.#brackets.length === 0) this.#startLine();
      else this.#skipBlanks();
      if (this.#position >= this.#end) {
        if (this.#brackets.length > 0 && !this.#recovering && this.#rewind()) continue;
        break;
      }
      this.#next();
    }
    this.#finish();
    return { tokens: this.#tokens, comments: this.#comments, errors: this.#errors };
  }

  #finish(): void {
    this.#reportOpenBrackets();
    if (!this.#isField) {
      if (this.#tokens.length > 0 && this.#tokens.at(-1)?.kind !== 'newline')
        this.#push('newline', this.#end);
      for (let i = 1; i < this.#indents.length; i++) this.#push('dedent', this.#end);
    }
    this.#push('end', this.#end);
  }

  #reportOpenBrackets(): void {
    const open = this.#brackets[0];
    if (open) this.#fail(`'${this.#text[open.at] ?? ''}' was never closed`, open.at, open.at + 1);
    this.#brackets = [];
  }

  /** `%%bash` and the like: the whole cell is not Python. */
  #cellMagic(): void {
    if (this.#isField) return;
    const lead = /^\s*/.exec(this.#text)?.[0].length ?? 0;
    const rest = this.#text.slice(lead);
    if (!rest.startsWith('%%') || pythonCellMagics.test(rest)) return;
    this.#position = lead;
    this.#push('magic', this.#end);
  }

  /* ---------------------------------------------------------------- lines */

  #startLine(): void {
    const text = this.#text;
    for (;;) {
      let column = 0;
      let at = this.#position;
      for (; at < this.#end; at++) {
        const char = text[at];
        if (char === ' ') column++;
        else if (char === '\t') column = (Math.floor(column / 8) + 1) * 8;
        else if (char === '\f' || char === '\ufeff') column = 0;
        else break;
      }
      this.#position = at;
      if (text[at] === '#') this.#comment();
      if (text[this.#position] === '\r') this.#position++;
      if (text[this.#position] === '\n') {
        this.#position++;
        continue;
      }
      if (this.#position < this.#end && this.#position === at) this.#indentTo(column);
      this.#atLineStart = false;
      return;
    }
  }

  #indentTo(column: number): void {
    const current = this.#indents.at(-1) ?? 0;
    this.#lineIndent = column;
    if (column > current) {
      this.#indents.push(column);
      this.#push('indent', this.#position);
      return;
    }
    while (column < (this.#indents.at(-1) ?? 0)) {
      this.#indents.pop();
      this.#push('dedent', this.#position);
    }
    if (column > (this.#indents.at(-1) ?? 0)) {
      this.#indents.push(column);
      this.#fail(
        'unindent does not match any outer indentation level',
        this.#position,
        this.#position,
      );
      this.#push('indent', this.#position);
    }
  }

  #skipBlanks(): void {
    const text = this.#text;
    while (this.#position < this.#end) {
      const char = text[this.#position];
      if (char === ' ' || char === '\t' || char === '\f' || char === '\r' || char === '\u00a0')
        this.#position++;
      else if (char === '\\' && /^\r?\n/.test(text.slice(this.#position + 1, this.#position + 3))) {
        this.#position = text.indexOf('\n', this.#position) + 1;
      } else if (char === '#') this.#comment();
      else return;
    }
  }

  #comment(): void {
    const start = this.#position;
    const lineEnd = this.#text.indexOf('\n', start);
    this.#position = lineEnd === -1 || lineEnd > this.#end ? this.#end : lineEnd;
    this.#comments.push({
      start,
      end: this.#position,
      text: this.#text.slice(start, this.#position),
    });
  }

  #newline(): void {
    if (this.#brackets.length === 0) {
      const start = this.#position++;
      if (this.#isField) return;
      this.#add('newline', start, this.#position, '');
      this.#atLineStart = true;
      this.#recovering = false;
      this.#checkpoint = null;
      return;
    }
    this.#position++;
    if (this.#isField) return;
    if (this.#recovering) {
      if (this.#lineStartsStatement(true)) this.#endBrokenLine();
    } else if (this.#lineStartsStatement(false)) this.#rewind();
  }

  /** Ends the logical line inside its open brackets; the position is at the start of the next line. */
  #endBrokenLine(): void {
    this.#reportOpenBrackets();
    this.#add('newline', this.#position - 1, this.#position, '');
    this.#atLineStart = true;
    this.#recovering = false;
    this.#checkpoint = null;
  }

  /**
   * Does the line at the position start a statement although brackets are open? Certain signs only,
   * unless `lenient`: then any line that is not indented deeper than the statement counts, except
   * one that begins with a closing bracket.
   */
  #lineStartsStatement(lenient: boolean): boolean {
    const text = this.#text;
    let at = this.#position;
    let column = 0;
    while (text[at] === ' ' || text[at] === '\t')
      column += text[at++] === '\t' ? 8 - (column % 8) : 1;
    const char = text[at];
    if (char === undefined || char === '\n' || char === '\r' || char === '#') return false;
    identifier.lastIndex = at;
    const word = identifier.exec(text)?.[0] ?? '';
    if (statementKeywords.has(word) && !this.#isArgumentName(at + word.length)) return true;
    // `forks[⏎ i⏎] += …`: a closing bracket belongs to what is open.
    if (')]}'.includes(char)) return false;
    augmentedLine.lastIndex = this.#position;
    if (augmentedLine.test(text)) return true;
    if (!lenient) return false;
    return column <= this.#lineIndent;
  }

  /** `import=` or `class:` inside brackets is a typo, not the start of a statement. */
  #isArgumentName(at: number): boolean {
    return /^[ \t]*(?:=(?!=)|,|\))/.test(this.#text.slice(at, at + 20));
  }

  /** Goes back to the outermost open bracket and reads on in recovery mode. */
  #rewind(): boolean {
    const checkpoint = this.#checkpoint;
    if (!checkpoint) return false;
    this.#position = checkpoint.position;
    this.#tokens.length = checkpoint.tokens;
    this.#comments.length = checkpoint.comments;
    this.#errors.length = checkpoint.errors;
    this.#brackets = [];
    this.#recovering = true;
    return true;
  }

  /* ---------------------------------------------------------------- tokens */

  #next(): void {
    const text = this.#text;
    const at = this.#position;
    const char = text[at] ?? '';
    if (char === '\n') return this.#newline();
    if (this.#isMagicHere(char)) return this.#magic();
    stringStart.lastIndex = at;
    const prefix = stringStart.exec(text)?.[0];
    if (prefix !== undefined) return this.#string(prefix);
    if ((char >= '0' && char <= '9') || (char === '.' && /[0-9]/.test(text[at + 1] ?? ''))) {
      return this.#match(number, 'number');
    }
    identifier.lastIndex = at;
    const name = identifier.exec(text)?.[0];
    if (name !== undefined) return this.#take('name', at + name.length);
    const operator = operators.find((candidate) => text.startsWith(candidate, at));
    if (operator !== undefined) return this.#operator(operator);
    this.#fail(`unexpected character ${JSON.stringify(char)}`, at, at + 1);
    this.#take('invalid', at + 1);
  }

  #match(pattern: RegExp, kind: TokenKind): void {
    pattern.lastIndex = this.#position;
    const found = pattern.exec(this.#text)?.[0] ?? '';
    this.#take(kind, this.#position + Math.max(1, found.length));
  }

  #string(prefix: string): void {
    const start = this.#position;
    const extent = scanString(this.#text, start + prefix.length, prefix);
    if (!extent.terminated) this.#fail('unterminated string', start, extent.end);
    this.#take('string', Math.min(extent.end, Math.max(this.#end, start + 1)));
  }

  #operator(operator: string): void {
    const at = this.#position;
    const closer = closers[operator];
    if (closer !== undefined) {
      if (this.#brackets.length === 0 && !this.#recovering) {
        this.#checkpoint = {
          position: at,
          tokens: this.#tokens.length,
          comments: this.#comments.length,
          errors: this.#errors.length,
        };
      }
      this.#brackets.push({ closer, at });
    } else if (')]}'.includes(operator)) this.#close(operator, at);
    this.#take('operator', at + operator.length);
  }

  #close(operator: string, at: number): void {
    const open = this.#brackets.at(-1);
    if (!open) this.#fail(`unmatched '${operator}'`, at, at + 1);
    else if (open.closer === operator) this.#brackets.pop();
    else {
      this.#fail(`'${operator}' does not close '${this.#text[open.at] ?? ''}'`, at, at + 1);
      // `f(a, [b)`: the inner bracket was forgotten; otherwise the closer is simply wrong.
      const matching = this.#brackets.findLastIndex((bracket) => bracket.closer === operator);
      if (matching !== -1) this.#brackets.length = matching;
    }
  }

  #isMagicHere(char: string): boolean {
    if (this.#isField || this.#brackets.length > 0) return false;
    if (char === '?') return true;
    if (char !== '!' && char !== '%') return false;
    if (char === '!' && this.#text[this.#position + 1] === '=') return false;
    const last = this.#tokens.at(-1);
    if (!last || ['newline', 'indent', 'dedent'].includes(last.kind)) return true;
    return last.text === '=';
  }

  #magic(): void {
    this.#take('magic', this.#endOfMagic());
  }

  #endOfMagic(): number {
    let at = this.#text.indexOf('\n', this.#position);
    while (at !== -1 && this.#text[at - 1] === '\\') at = this.#text.indexOf('\n', at + 1);
    return at === -1 ? this.#end : at;
  }

  #take(kind: TokenKind, end: number): void {
    const start = this.#position;
    this.#position = end;
    const named = kind === 'name' || kind === 'operator';
    this.#add(kind, start, end, named ? this.#text.slice(start, end) : '');
  }

  #push(kind: TokenKind, end: number): void {
    this.#add(kind, kind === 'magic' ? this.#position : end, end, '');
    if (kind === 'magic') this.#position = end;
  }

  #add(kind: TokenKind, start: number, end: number, text: string): void {
    this.#tokens.push({ kind, start, end, text });
  }

  #fail(message: string, start: number, end: number): void {
    this.#errors.push({ message, start, end });
  }
}
