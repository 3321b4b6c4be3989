/** Patterns of `match` statements (PEP 634). */
import type { Expression, Name, Pattern } from './ast.ts';
import { ExpressionParser } from './expression-parser.ts';

const maximumNesting = 60;

export class PatternParser extends ExpressionParser {
  #nesting = 0;

  protected patternList(): Pattern {
    const first = this.#pattern();
    if (!this.at(',')) return first;
    const children = [first];
    while (this.accept(',') && !this.at(':', 'if')) children.push(this.#pattern());
    return { kind: 'SequencePattern', children, start: first.start, end: this.previousEnd };
  }

  #pattern(): Pattern {
    if (this.#nesting >= maximumNesting) return this.#lost();
    this.#nesting++;
    const first = this.#closed();
    const children = [first];
    while (this.accept('|')) children.push(this.#closed());
    this.#nesting--;
    const whole: Pattern =
      children.length === 1
        ? first
        : { kind: 'OrPattern', children, start: first.start, end: this.previousEnd };
    if (!this.accept('as')) return whole;
    const name = this.identifier('a name');
    return { kind: 'AsPattern', pattern: whole, name, start: first.start, end: this.previousEnd };
  }

  #lost(): Pattern {
    const { start } = this.token;
    this.fail('expected a pattern');
    return { kind: 'CapturePattern', name: null, start, end: start };
  }

  #closed(): Pattern {
    const { start, kind, text } = this.token;
    if (kind === 'operator') return this.#bracketed(text, start);
    if (kind === 'string')
      return { kind: 'ValuePattern', value: this.string(), start, end: this.previousEnd };
    if (kind === 'number') return this.#number();
    if (['None', 'True', 'False'].includes(text)) {
      this.advance();
      const type = text === 'None' ? 'None' : 'bool';
      const value: Expression = { kind: 'Constant', type, raw: text, start, end: this.previousEnd };
      return { kind: 'ValuePattern', value, start, end: this.previousEnd };
    }
    return this.atIdentifier() ? this.#named() : this.#lost();
  }

  #number(): Pattern {
    const value = this.additive();
    return { kind: 'ValuePattern', value, start: value.start, end: value.end };
  }

  #bracketed(operator: string, start: number): Pattern {
    if (operator === '(' || operator === '[') return this.#sequence(operator, start);
    if (operator === '{') return this.#mapping(start);
    if (operator === '-') return this.#number();
    if (this.accept('*')) {
      const name = this.#captureName();
      return { kind: 'CapturePattern', name, isStarred: true, start, end: this.previousEnd };
    }
    return this.#lost();
  }

  #captureName(): Name | null {
    const name = this.identifier('a name');
    return name.id === '_' || name.id === '' ? null : name;
  }

  #sequence(operator: string, start: number): Pattern {
    this.advance();
    const closer = operator === '(' ? ')' : ']';
    const children: Pattern[] = [];
    let commas = 0;
    while (!this.at(closer) && !this.atKind('newline') && !this.atKind('end')) {
      const before = this.index;
      children.push(this.#pattern());
      if (this.accept(',')) commas++;
      else if (!this.at(closer) && this.index === before) this.advance();
    }
    this.expect(closer);
    const only = children[0];
    if (operator === '(' && children.length === 1 && commas === 0 && only) return only;
    return { kind: 'SequencePattern', children, start, end: this.previousEnd };
  }

  #mapping(start: number): Pattern {
    this.advance();
    const keys: Expression[] = [];
    const children: Pattern[] = [];
    while (!this.at('}') && !this.atKind('newline') && !this.atKind('end')) {
      const before = this.index;
      if (this.accept('**')) {
        const at = this.token.start;
        children.push({
          kind: 'CapturePattern',
          name: this.#captureName(),
          start: at,
          end: this.previousEnd,
        });
      } else {
        keys.push(this.expression());
        if (this.expect(':')) children.push(this.#pattern());
      }
      if (!this.accept(',') && !this.at('}') && this.index === before) this.advance();
    }
    this.expect('}');
    return { kind: 'MappingPattern', keys, children, start, end: this.previousEnd };
  }

  /** A name is a capture, a dotted name a value, a call a class pattern. */
  #named(): Pattern {
    const { start } = this.token;
    const name = this.identifier('a name');
    let value: Expression = name;
    while (this.accept('.')) {
      const attribute = this.identifier('an attribute name');
      value = { kind: 'Attribute', object: value, attribute, start, end: this.previousEnd };
    }
    if (this.accept('(')) return this.#classPattern(value, start);
    if (value.kind === 'Attribute')
      return { kind: 'ValuePattern', value, start, end: this.previousEnd };
    return {
      kind: 'CapturePattern',
      name: name.id === '_' ? null : name,
      start,
      end: this.previousEnd,
    };
  }

  #classPattern(type: Expression, start: number): Pattern {
    const children: Pattern[] = [];
    while (!this.at(')') && !this.atKind('newline') && !this.atKind('end')) {
      const before = this.index;
      if (this.atIdentifier() && this.peek(1).text === '=') {
        this.advance();
        this.advance();
      }
      children.push(this.#pattern());
      if (!this.accept(',') && !this.at(')') && this.index === before) this.advance();
    }
    this.expect(')');
    return { kind: 'ClassPattern', type, children, start, end: this.previousEnd };
  }
}
