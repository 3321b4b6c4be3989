import { describe, expect, it } from 'vitest';
import type { Matcher } from '../../../runtime/src/constraints/constraint.ts';
import { planJump, type JumpVocabulary } from '../../../runtime/src/constraints/jump-forward.ts';
import { ListVocabulary, regexMatcher, toBytes, type TokenText } from './support.ts';

/** Tokenises greedily: always the longest token that fits. */
class GreedyVocabulary extends ListVocabulary implements JumpVocabulary {
  readonly #texts: readonly string[];

  constructor(tokens: readonly TokenText[]) {
    super([...tokens, null], [tokens.length]);
    this.#texts = tokens.map((token) => Buffer.from(toBytes(token)).toString('latin1'));
  }

  tokenize(text: string): number[] {
    const latin = Buffer.from(text).toString('latin1');
    const tokens: number[] = [];
    for (let at = 0; at < latin.length;) {
      let best = -1;
      this.#texts.forEach((token, id) => {
        const isLonger = best < 0 || token.length > this.#texts[best]!.length;
        if (token !== '' && latin.startsWith(token, at) && isLonger) best = id;
      });
      tokens.push(best);
      at += this.#texts[best]!.length;
    }
    return tokens;
  }

  show(tokens: readonly number[]): string {
    const latin = tokens.map((token) => this.#texts[token]).join('|');
    return Buffer.from(latin, 'latin1').toString();
  }
}

const PIECES = ['name', '": "', '": ', 'na', 'x"', ', "', 'age', '": "H'];
const ALPHABET = Array.from('abcdefghijklmnopqrstuvwxyzH0123456789{}":, .!');
const vocabulary = new GreedyVocabulary([...PIECES, ...ALPHABET, [0xc3], [0xa9], [0xaa], 'é']);

function id(text: string): number {
  const [token] = vocabulary.tokenize(text);
  return token!;
}

function plan(pattern: string, taken: readonly string[]) {
  const output = taken.map(id);
  const matcher = regexMatcher(vocabulary, pattern);
  for (const token of output) expect(matcher.accept(token)).toBe(true);
  const jump = planJump(matcher, output, vocabulary);
  return jump === null ? null : `${jump.keep}+${vocabulary.show(jump.tokens)}`;
}

describe('jump-forward', () => {
  it.each<[what: string, pattern: string, taken: string[], jump: string | null]>([
    ['nothing is forced', '[ab]c', [], null],
    ['the text may end here', 'a(bc)?', ['a'], null],
    ['to the end', 'ab', [], '0+a|b'],
    ['several pieces', '\\{"name": [0-9]', [], '0+{|"|name|": '],
    ['the last token could be longer: left to the model', 'name": "(H|x)', [], '0+name'],
    ['it could not: taken', 'name": "(a|x)', [], '0+name|": "'],
    ['the last own token is tokenised anew', '(na|b)(me)"', ['na'], '0+name|"'],
    ['an unfinished character waits', 'a(é|ê)', [], '0+a'],
    ['only an unfinished character: nothing gained', '(é|ê)!', [], null],
    ['behind one, its end is forced', 'é!', [], '0+é|!'],
  ])('%s', (_, pattern, taken, jump) => {
    expect(plan(pattern, taken)).toBe(jump);
  });

  it('own bytes that split a character join what is forced', () => {
    const lead = vocabulary.size - 5;
    const matcher = regexMatcher(vocabulary, 'é!');
    expect(matcher.accept(lead)).toBe(true);
    const jump = planJump(matcher, [lead], vocabulary)!;
    expect([jump.keep, vocabulary.show(jump.tokens)]).toEqual([0, 'é|!']);
  });

  it('the matcher is unchanged until the jump is followed', () => {
    const matcher = regexMatcher(vocabulary, '(na|b)(me)"');
    const output = [id('na')];
    matcher.accept(output[0]!);
    const jump = planJump(matcher, output, vocabulary)!;
    expect(Buffer.from(matcher.forcedBytes()).toString()).toBe('me"');
    matcher.rollback(output.length - jump.keep);
    expect(jump.tokens.every((token) => matcher.accept(token))).toBe(true);
    expect(matcher.mustEnd).toBe(true);
  });

  it('a tokeniser that alters the text is not followed', () => {
    const altering: JumpVocabulary = {
      bytes: (token, special) => vocabulary.bytes(token, special),
      tokenize: (text) => vocabulary.tokenize(` ${text}`),
    };
    const matcher: Matcher = regexMatcher(vocabulary, 'ab');
    expect(planJump(matcher, [], altering)).toBeNull();
  });
});
