import { ANY_BUT_NEWLINE, ANY_CHARACTER } from '../syntax/code-points.ts';
import { ConstraintError } from '../constraint.ts';
import {
  characters,
  choice,
  EMPTY,
  repeat,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { foldAsciiCase, readCharacterClass } from './regex-class.ts';
import { readEscape } from './regex-escape.ts';
import { SourceReader } from '../syntax/source-reader.ts';

/** CPython's own limit is 2³² − 2; automata of that size cannot be built. */
const MAXIMUM_COUNT = 1_000_000;
/** Deeper groups would exhaust the call stack of a recursive parser. */
const MAXIMUM_DEPTH = 200;

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

/**
 * Parses a regex as `re.fullmatch(pattern, text, re.ASCII)` of CPython reads it. Anything whose
 * language is not given exactly is refused with its position (in characters). The tree still
 * contains `anchor` nodes; see `anchors.ts`.
 */
export function parseRegex(pattern: string): GrammarNode {
  return new RegexParser(pattern).parse();
}

class RegexParser {
  readonly #reader: SourceReader;
  readonly #groupNames = new Set<string>();
  #flags: Flags = { ignoreCase: false, dotAll: false };
  #depth = 0;

  constructor(pattern: string) {
    this.#reader = new SourceReader(pattern);
  }

  parse(): GrammarNode {
    const node = this.#alternatives();
    if (!this.#reader.atEnd) this.#reader.invalid('unbalanced parenthesis');
    return node;
  }

  #alternatives(): GrammarNode {
    const isTop = this.#depth === 0;
    const options = [this.#branch(isTop)];
    while (this.#reader.takeIf('|')) options.push(this.#branch(false));
    return choice(...options);
  }

  /** `isFirst`: the first branch of the pattern, where global flags such as (?i) may stand. */
  #branch(isFirst: boolean): GrammarNode {
    const reader = this.#reader;
    const items: GrammarNode[] = [];
    for (;;) {
      const next = reader.peek();
      if (next === '' || next === '|' || next === ')') return sequence(...items);
      const start = reader.position;
      const item = this.#atom(isFirst && items.length === 0);
      if (item !== null) items.push(this.#quantified(item, start));
    }
  }

  /** One item without its quantifier; null for a comment or global flags. */
  #atom(flagsAllowed: boolean): GrammarNode | null {
    const reader = this.#reader;
    const start = reader.position;
    if (this.#readCounts() !== null) return reader.invalid('nothing to repeat', start);
    const next = reader.peek();
    switch (next) {
      case '(':
        return this.#group(flagsAllowed);
      case '[':
        return characters(readCharacterClass(reader, this.#flags.ignoreCase));
      case '.':
        reader.take();
        return characters(this.#flags.dotAll ? ANY_CHARACTER : ANY_BUT_NEWLINE);
      case '^':
        reader.take();
        return { kind: 'anchor', edge: 'start', position: start };
      case '$':
        reader.take();
        return { kind: 'anchor', edge: 'end', position: start };
      case '\\':
        return this.#escape();
      default:
        reader.take();
        return this.#literal(next.codePointAt(0) ?? 0, start);
    }
  }

  #escape(): GrammarNode {
    const start = this.#reader.position;
    this.#reader.take();
    const escape = readEscape(this.#reader, false);
    switch (escape.kind) {
      case 'character':
        return this.#literal(escape.codePoint, start);
      case 'class':
        return characters(escape.set);
      case 'anchor':
        return { kind: 'anchor', edge: escape.edge, position: start };
    }
  }

  #literal(codePoint: number, position: number): GrammarNode {
    if (codePoint >= 0xd800 && codePoint <= 0xdfff) {
      return this.#reader.invalid('a lone surrogate can never be generated', position);
    }
    if (!this.#flags.ignoreCase) return text(String.fromCodePoint(codePoint));
    const set = foldAsciiCase([codePoint, codePoint]);
    return set.length > 2 ? characters(set) : text(String.fromCodePoint(codePoint));
  }

  // ---- quantifiers

  #quantified(item: GrammarNode, start: number): GrammarNode {
    const reader = this.#reader;
    this.#skipComments();
    const quantifierAt = reader.position;
    const counts = this.#readCounts();
    if (counts === null) return item;
    if (item.kind === 'anchor') return reader.invalid('nothing to repeat', start);
    if (reader.peek() === '+') {
      return reader.unsupported('possessive quantifiers are not supported', quantifierAt);
    }
    // Lazy and greedy quantifiers match the same set of whole texts.
    reader.takeIf('?');
    this.#skipComments();
    const again = reader.position;
    if (this.#readCounts() !== null) return reader.invalid('multiple repeat', again);
    return repeat(item, counts.minimum, counts.maximum);
  }

  /** Steps over a quantifier; null, unmoved, if none comes next. `{` may also be a literal. */
  #readCounts(): { minimum: number; maximum: number } | null {
    const reader = this.#reader;
    const start = reader.position;
    if (reader.takeIf('*')) return { minimum: 0, maximum: Infinity };
    if (reader.takeIf('+')) return { minimum: 1, maximum: Infinity };
    if (reader.takeIf('?')) return { minimum: 0, maximum: 1 };
    if (!reader.takeIf('{')) return null;
    const low = reader.takeWhile(/^[0-9]$/);
    const comma = reader.takeIf(',');
    const high = comma ? reader.takeWhile(/^[0-9]$/) : low;
    if ((low === '' && !comma) || !reader.takeIf('}')) {
      reader.position = start;
      return null;
    }
    const minimum = Number(low);
    const maximum = high === '' ? Infinity : Number(high);
    if (minimum > maximum) reader.invalid('min repeat greater than max repeat', start);
    if (minimum > MAXIMUM_COUNT || (maximum !== Infinity && maximum > MAXIMUM_COUNT)) {
      throw new ConstraintError(
        'TOO_LARGE',
        `repeat counts above ${MAXIMUM_COUNT} are not possible, at position ${start}`,
        start,
      );
    }
    return { minimum, maximum };
  }

  #skipComments(): void {
    while (this.#reader.startsWith('(?#')) this.#comment();
  }

  #comment(): void {
    const start = this.#reader.position;
    this.#reader.takeWhile(/^[^)]$/u);
    if (!this.#reader.takeIf(')')) this.#reader.invalid('missing ), unterminated comment', start);
  }

  // ---- groups

  #group(flagsAllowed: boolean): GrammarNode | null {
    const reader = this.#reader;
    const start = reader.position;
    if (reader.startsWith('(?#')) {
      this.#comment();
      return null;
    }
    const outer = this.#flags;
    reader.take();
    if (reader.takeIf('?') && !this.#extension(start, flagsAllowed)) return null;
    if (++this.#depth > MAXIMUM_DEPTH) {
      throw new ConstraintError('TOO_LARGE', `groups nested deeper than ${MAXIMUM_DEPTH}`, start);
    }
    const body = this.#alternatives();
    this.#depth--;
    if (!reader.takeIf(')')) reader.invalid('missing ), unterminated subpattern', start);
    this.#flags = outer;
    // A group is one item even if it is empty: `()*` is allowed where `*` alone is not.
    return body.kind === 'anchor' ? { kind: 'sequence', items: [body, EMPTY] } : body;
  }

  /** What follows `(?`. True if a group body follows; false if it was a complete flag group. */
  #extension(start: number, flagsAllowed: boolean): boolean {
    const reader = this.#reader;
    if (reader.takeIf(':')) return true;
    if (reader.startsWith('=') || reader.startsWith('!')) {
      return reader.unsupported('look-ahead is not supported', start);
    }
    if (reader.startsWith('<=') || reader.startsWith('<!')) {
      return reader.unsupported('look-behind is not supported', start);
    }
    if (reader.startsWith('>')) return reader.unsupported('atomic groups are not supported', start);
    if (reader.startsWith('(')) {
      return reader.unsupported('conditional groups are not supported', start);
    }
    if (reader.startsWith('P=')) {
      return reader.unsupported('back-references are not supported', start);
    }
    if (reader.takeIf('P<') || reader.takeIf('<')) {
      this.#groupName(start);
      return true;
    }
    return this.#flagGroup(start, flagsAllowed);
  }

  #groupName(start: number): void {
    const name = this.#reader.takeWhile(/^[^>]$/u);
    if (!this.#reader.takeIf('>')) this.#reader.invalid('missing >, unterminated name', start);
    if (!/^[\p{L}_][\p{L}\p{N}_]*$/u.test(name)) {
      this.#reader.invalid(`bad group name ${JSON.stringify(name)}`, start);
    }
    if (this.#groupNames.has(name)) {
      this.#reader.invalid(`redefinition of group name ${JSON.stringify(name)}`, start);
    }
    this.#groupNames.add(name);
  }

  /** `(?is-i:` opens a scope (true); `(?is)` sets flags for the whole pattern (false). */
  #flagGroup(start: number, flagsAllowed: boolean): boolean {
    const reader = this.#reader;
    const set = reader.takeWhile(/^[a-zA-Z]$/);
    const cleared = reader.takeIf('-') ? reader.takeWhile(/^[a-zA-Z]$/) : null;
    if (set === '' && (cleared ?? '') === '') return reader.invalid('unknown extension', start);
    for (const flag of set) this.#setFlag(flag, start);
    for (const flag of cleared ?? '') this.#clearFlag(flag, start);
    if (reader.takeIf(':')) return true;
    if (cleared !== null || !reader.takeIf(')')) return reader.invalid('missing :', start);
    if (!flagsAllowed) {
      return reader.invalid('global flags not at the start of the expression', start);
    }
    return false;
  }

  #setFlag(flag: string, start: number): void {
    if (flag === 'i') this.#flags = { ...this.#flags, ignoreCase: true };
    else if (flag === 's') this.#flags = { ...this.#flags, dotAll: true };
    else if (/^[mxuL]$/.test(flag)) {
      this.#reader.unsupported(`flag (?${flag}) is not supported`, start);
    } else if (flag !== 'a') this.#reader.invalid(`unknown flag (?${flag})`, start);
  }

  #clearFlag(flag: string, start: number): void {
    if (flag === 'i') this.#flags = { ...this.#flags, ignoreCase: false };
    else if (flag === 's') this.#flags = { ...this.#flags, dotAll: false };
    else if (flag !== 'm' && flag !== 'x') {
      this.#reader.invalid(`cannot turn off flag ${flag}`, start);
    }
  }
}
