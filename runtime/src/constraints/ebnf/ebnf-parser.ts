import {
  ANY_CHARACTER,
  codePointSet,
  complement,
  DIGITS,
  LAST_CODE_POINT,
  WHITESPACE,
  WORD_CHARACTERS,
  type CodePointSet,
} from '../syntax/code-points.ts';
import { ConstraintError } from '../constraint.ts';
import {
  characters,
  choice,
  repeat,
  rule,
  sequence,
  text,
  type GrammarNode,
  type RuleSet,
} from '../syntax/grammar-node.ts';
import { removeLeftRecursion } from './left-recursion.ts';
import { SourceReader } from '../syntax/source-reader.ts';

const ROOT = 'root';
const RULE_NAME = /^[A-Za-z0-9_.-]$/;
const BLANK = /^[ \t]$/;
const BLANK_OR_NEWLINE = /^[ \t\r\n]$/;
const HEX = /^[0-9a-fA-F]$/;
const MAXIMUM_DEPTH = 200;
const MAXIMUM_COUNT = 1_000_000;

const SIMPLE_ESCAPES: ReadonlyMap<string, number> = new Map([
  ['0', 0],
  ['a', 7],
  ['b', 8],
  ['t', 9],
  ['n', 10],
  ['v', 11],
  ['f', 12],
  ['r', 13],
  ['e', 27],
]);
const CLASS_ESCAPES: ReadonlyMap<string, CodePointSet> = new Map([
  ['d', DIGITS],
  ['D', complement(DIGITS)],
  ['w', WORD_CHARACTERS],
  ['W', complement(WORD_CHARACTERS)],
  ['s', WHITESPACE],
  ['S', complement(WHITESPACE)],
]);

/**
 * Parses a grammar as XGrammar (SGLang's default backend) and llama.cpp (GBNF) write it:
 *
 *     root ::= "[" (number ("," number)*)? "]"   # a comment
 *     number ::= [0-9]+ | "-" number
 *
 * Strings in double or single quotes, classes, `.`, groups, `* + ? {m} {m,} {m,n}`, rules in any
 * order. A rule ends where the next `name ::=` begins. The whole output is `root`.
 */
export function parseEbnf(source: string): RuleSet {
  const rules = new EbnfParser(source).parse();
  return { rules: removeLeftRecursion(rules), root: ROOT };
}

class EbnfParser {
  readonly #reader: SourceReader;
  readonly #rules = new Map<string, GrammarNode>();
  readonly #references: { readonly name: string; readonly position: number }[] = [];
  #depth = 0;

  constructor(source: string) {
    this.#reader = new SourceReader(source);
  }

  parse(): ReadonlyMap<string, GrammarNode> {
    this.#skipSpace();
    while (!this.#reader.atEnd) this.#definition();
    if (!this.#rules.has(ROOT)) {
      this.#fail('INVALID', `no rule named ${ROOT}; it describes the whole output`, 0);
    }
    for (const { name, position } of this.#references) {
      if (!this.#rules.has(name)) this.#fail('INVALID', `rule ${name} is not defined`, position);
    }
    return this.#rules;
  }

  #definition(): void {
    const start = this.#reader.position;
    const name = this.#ruleHead();
    if (name === null) {
      const found = JSON.stringify(this.#reader.peek());
      return this.#fail('INVALID', `expected "name ::=" but found ${found}`, start);
    }
    if (this.#rules.has(name)) this.#fail('INVALID', `rule ${name} is defined twice`, start);
    this.#rules.set(name, this.#alternatives());
    if (this.#reader.peek() === ')') this.#fail('INVALID', 'unbalanced parenthesis');
  }

  /** Steps over `name ::=`; null, unmoved, if none comes next. */
  #ruleHead(): string | null {
    const reader = this.#reader;
    const start = reader.position;
    const name = reader.takeWhile(RULE_NAME);
    reader.takeWhile(BLANK);
    if (name !== '' && reader.takeIf('::=')) return name;
    reader.position = start;
    return null;
  }

  #alternatives(): GrammarNode {
    const options = [this.#sequence()];
    while (this.#reader.takeIf('|')) options.push(this.#sequence());
    return choice(...options);
  }

  #sequence(): GrammarNode {
    const items: GrammarNode[] = [];
    for (;;) {
      this.#skipSpace();
      const item = this.#atom();
      if (item === null) return sequence(...items);
      items.push(this.#quantified(item));
    }
  }

  /** Null where a sequence ends. */
  #atom(): GrammarNode | null {
    const reader = this.#reader;
    const next = reader.peek();
    switch (next) {
      case '':
      case '|':
      case ')':
        return null;
      case '"':
      case "'":
        return this.#string();
      case '[':
        return characters(this.#characterClass());
      case '.':
        reader.take();
        return characters(ANY_CHARACTER);
      case '(':
        return this.#group();
      case '<':
        return this.#fail('UNSUPPORTED', 'tokens in angle brackets are not supported');
      default:
        return RULE_NAME.test(next) ? this.#reference() : this.#unexpected(next);
    }
  }

  #unexpected(found: string): never {
    const hint = '*+?{'.includes(found) ? ': nothing to repeat' : '';
    return this.#fail('INVALID', `unexpected ${JSON.stringify(found)}${hint}`);
  }

  #reference(): GrammarNode | null {
    const reader = this.#reader;
    const position = reader.position;
    if (this.#ruleHead() !== null) {
      reader.position = position;
      return null;
    }
    const name = reader.takeWhile(RULE_NAME);
    if (reader.peek() === '(') {
      this.#fail('UNSUPPORTED', `${name}(…): functions and macros are not supported`, position);
    }
    this.#references.push({ name, position });
    return rule(name);
  }

  #group(): GrammarNode {
    const reader = this.#reader;
    const start = reader.position;
    reader.take();
    if (reader.peek() === '=') this.#fail('UNSUPPORTED', 'look-ahead is not supported', start);
    if (++this.#depth > MAXIMUM_DEPTH) {
      this.#fail('TOO_LARGE', `groups nested deeper than ${MAXIMUM_DEPTH}`, start);
    }
    const body = this.#alternatives();
    this.#depth--;
    if (!reader.takeIf(')')) this.#fail('INVALID', 'missing ) of this group', start);
    return body;
  }

  #quantified(item: GrammarNode): GrammarNode {
    const reader = this.#reader;
    let result = item;
    for (;;) {
      if (reader.takeIf('*')) result = repeat(result, 0, Infinity);
      else if (reader.takeIf('+')) result = repeat(result, 1, Infinity);
      else if (reader.takeIf('?')) result = repeat(result, 0, 1);
      else if (reader.peek() === '{') result = this.#counted(result);
      else return result;
    }
  }

  #counted(item: GrammarNode): GrammarNode {
    const reader = this.#reader;
    const start = reader.position;
    reader.take();
    const low = this.#count();
    const comma = reader.takeIf(',');
    const high = comma ? this.#count() : low;
    if (!reader.takeIf('}') || (low === '' && high === '')) {
      return this.#fail('INVALID', 'expected {m}, {m,}, {,n} or {m,n}', start);
    }
    const minimum = Number(low);
    const maximum = high === '' ? Infinity : Number(high);
    if (minimum > maximum) this.#fail('INVALID', 'least count above greatest count', start);
    if (Math.max(minimum, high === '' ? 0 : maximum) > MAXIMUM_COUNT) {
      this.#fail('TOO_LARGE', `repeat counts above ${MAXIMUM_COUNT} are not possible`, start);
    }
    return repeat(item, minimum, maximum);
  }

  #count(): string {
    this.#reader.takeWhile(BLANK);
    const digits = this.#reader.takeWhile(/^[0-9]$/);
    this.#reader.takeWhile(BLANK);
    return digits;
  }

  // ---- literals

  #string(): GrammarNode {
    const reader = this.#reader;
    const start = reader.position;
    const quote = reader.take();
    let value = '';
    for (;;) {
      const next = reader.take();
      if (next === '' || next === '\n') return this.#fail('INVALID', 'unclosed string', start);
      if (next === quote) return text(value);
      value += next === '\\' ? String.fromCodePoint(this.#escape(start)) : next;
    }
  }

  #characterClass(): CodePointSet {
    const reader = this.#reader;
    const start = reader.position;
    reader.take();
    const negated = reader.takeIf('^');
    const pairs: number[] = [];
    while (!reader.takeIf(']')) {
      if (reader.atEnd || reader.peek() === '\n') this.#fail('INVALID', 'unclosed [', start);
      pairs.push(...this.#classMember(start));
    }
    const set = codePointSet(pairs);
    return negated ? complement(set) : set;
  }

  #classMember(start: number): CodePointSet {
    const reader = this.#reader;
    const position = reader.position;
    const low = this.#classCharacter(start);
    const isRange = reader.peek() === '-' && reader.peek(1) !== ']' && reader.peek(1) !== '';
    if (!isRange) return typeof low === 'number' ? [low, low] : low;
    reader.take();
    const high = this.#classCharacter(start);
    if (typeof low !== 'number' || typeof high !== 'number' || low > high) {
      return this.#fail('INVALID', 'bad character range', position);
    }
    return [low, high];
  }

  #classCharacter(start: number): number | CodePointSet {
    const reader = this.#reader;
    if (!reader.takeIf('\\')) return reader.take().codePointAt(0) ?? 0;
    const set = CLASS_ESCAPES.get(reader.peek());
    if (set === undefined) return this.#escape(start);
    reader.take();
    return set;
  }

  /** A character escape; the cursor stands behind the backslash. */
  #escape(literal: number): number {
    const reader = this.#reader;
    const start = reader.position - 1;
    const letter = reader.take();
    if (letter === '') return this.#fail('INVALID', 'unclosed literal', literal);
    const simple = SIMPLE_ESCAPES.get(letter);
    if (simple !== undefined) return simple;
    if (letter === 'x') return this.#hex(2, start);
    if (letter === 'U') return this.#hex(8, start);
    if (letter === 'u') {
      if (!reader.takeIf('{')) return this.#hex(4, start);
      const digits = reader.takeWhile(HEX, 8);
      if (digits === '' || !reader.takeIf('}')) return this.#fail('INVALID', 'bad \\u{…}', start);
      return this.#character(Number.parseInt(digits, 16), start);
    }
    if (/^[A-Za-z0-9]$/.test(letter)) this.#fail('INVALID', `bad escape \\${letter}`, start);
    return letter.codePointAt(0) ?? 0;
  }

  #hex(length: number, start: number): number {
    const digits = this.#reader.takeWhile(HEX, length);
    if (digits.length < length) this.#fail('INVALID', 'incomplete hexadecimal escape', start);
    return this.#character(Number.parseInt(digits, 16), start);
  }

  #character(point: number, start: number): number {
    if (point > LAST_CODE_POINT || (point >= 0xd800 && point <= 0xdfff)) {
      this.#fail('INVALID', 'not a Unicode character', start);
    }
    return point;
  }

  // ---- layout

  #skipSpace(): void {
    const reader = this.#reader;
    for (;;) {
      reader.takeWhile(BLANK_OR_NEWLINE);
      if (reader.peek() !== '#') return;
      reader.takeWhile(/^[^\n]$/u);
    }
  }

  #fail(
    code: ConstraintError['code'],
    message: string,
    position: number = this.#reader.position,
  ): never {
    const before = this.#reader.slice(0, position);
    const line = before.split('\n').length;
    const column = Array.from(before.slice(before.lastIndexOf('\n') + 1)).length + 1;
    throw new ConstraintError(code, `line ${line}, column ${column}: ${message}`, position);
  }
}
