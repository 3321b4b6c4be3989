/** A position in a token list, and the errors found so far. */
import type { Missing, Name, SyntaxProblem } from './ast.ts';
import { keywords, type Token } from './token.ts';

export class TokenCursor {
  protected readonly text: string;
  readonly #tokens: readonly Token[];
  #index = 0;
  readonly errors: SyntaxProblem[] = [];

  constructor(text: string, tokens: readonly Token[]) {
    this.text = text;
    this.#tokens = tokens;
  }

  protected get token(): Token {
    return (
      this.#tokens[this.#index] ?? {
        kind: 'end',
        start: this.text.length,
        end: this.text.length,
        text: '',
      }
    );
  }

  protected peek(offset: number): Token {
    return this.#tokens[this.#index + offset] ?? this.token;
  }

  protected get index(): number {
    return this.#index;
  }

  protected set index(value: number) {
    this.#index = value;
  }

  /** End of the last consumed token that is part of the program's text. */
  protected get previousEnd(): number {
    for (let i = this.#index - 1; i >= 0; i--) {
      const token = this.#tokens[i];
      if (token && token.kind !== 'newline' && token.kind !== 'dedent' && token.kind !== 'indent')
        return token.end;
    }
    return this.#tokens[0]?.start ?? 0;
  }

  protected advance(): Token {
    const token = this.token;
    if (this.#index < this.#tokens.length) this.#index++;
    return token;
  }

  /** Is the token this keyword or operator? */
  protected at(...texts: readonly string[]): boolean {
    const { kind, text } = this.token;
    return (kind === 'name' || kind === 'operator') && texts.includes(text);
  }

  protected atKind(kind: Token['kind']): boolean {
    return this.token.kind === kind;
  }

  protected atIdentifier(offset = 0): boolean {
    const token = this.peek(offset);
    return token.kind === 'name' && !keywords.has(token.text);
  }

  protected accept(text: string): boolean {
    if (!this.at(text)) return false;
    this.advance();
    return true;
  }

  protected expect(text: string): boolean {
    if (this.accept(text)) return true;
    this.fail(`expected '${text}'`);
    return false;
  }

  /** One error per place: what follows from the first is noise. */
  protected fail(
    message: string,
    start = this.token.start,
    end = Math.max(this.token.end, start),
  ): void {
    if (this.errors.at(-1)?.start === start) return;
    this.errors.push({ message, start, end });
  }

  protected missing(): Missing {
    return { kind: 'Missing', start: this.token.start, end: this.token.start };
  }

  protected identifier(what: string): Name {
    const { start } = this.token;
    if (this.atIdentifier()) {
      const token = this.advance();
      return { kind: 'Name', id: token.text, start, end: token.end };
    }
    this.fail(`expected ${what}`);
    return { kind: 'Name', id: '', start, end: start };
  }
}
