import { describe, expect, it } from 'vitest';
import {
  errorOf,
  isPrefix,
  messageOf,
  mismatches,
  randomSource,
  regexAutomaton,
  type TokenText,
} from './support.ts';

function check(pattern: string, accepts: readonly TokenText[], rejects: readonly TokenText[]) {
  expect(mismatches(regexAutomaton(pattern), accepts, rejects), pattern).toEqual([]);
}

const EVERYTHING = String.raw`[\s\S]`;

describe('regex: what it matches', () => {
  it.each<[pattern: string, accepts: TokenText[], rejects: TokenText[]]>([
    ['', [''], ['a']],
    ['abc', ['abc'], ['ab', 'abcd', 'xabc']],
    ['a|b|', ['a', 'b', ''], ['ab']],
    ['(a|)b', ['ab', 'b'], ['a', '']],
    ['|a', ['', 'a'], ['b']],
    ['a*', ['', 'aaaa'], ['b']],
    ['a+b?', ['a', 'aab'], ['b', 'abb']],
    ['a+?b*?c{2,3}?', ['acc', 'aabbccc'], ['ac', 'acccc']],
    ['a{3}', ['aaa'], ['aa', 'aaaa']],
    ['a{2,}', ['aa', 'aaaaaa'], ['a']],
    ['a{,2}', ['', 'a', 'aa'], ['aaa', 'a{,2}']],
    ['a{,}', ['', 'aaa'], ['a{,}']],
    ['a{0}b', ['b'], ['ab']],
    ['(ab){2}', ['abab'], ['ab', 'abababab']],
    ['((a*)*)*b', ['b', 'aaab'], ['aaa']],
    ['(a|aa)*$', ['', 'aaa'], ['b']],
    ['(a?){3}b', ['b', 'aaab'], ['aaaab']],
    ['(?:)*', [''], ['a']],
    ['()*x', ['x'], ['']],
    // braces that are no quantifier
    ['{"a"}', ['{"a"}'], ['a']],
    ['a{x}', ['a{x}'], ['a']],
    ['a{}', ['a{}'], ['a']],
    ['{a', ['{a'], ['a']],
    ['a{1', ['a{1'], ['a']],
    [String.raw`\{\n\}`, ['{\n}'], ['{n}']],
    // classes
    ['[abc]', ['a', 'c'], ['d', 'ab']],
    ['[^abc]', ['d', '\n', 'é', '日'], ['a', '']],
    ['[]a]', [']', 'a'], ['[', '']],
    ['[^]a]', ['b'], [']', 'a']],
    ['[a-]', ['a', '-'], ['b']],
    ['[-a]', ['a', '-'], ['b']],
    [String.raw`[\^x]`, ['^', 'x'], ['y', '\\']],
    [String.raw`[a\-z]`, ['a', '-', 'z'], ['b']],
    [String.raw`[\]\\]`, [']', '\\'], ['[']],
    [String.raw`[\w\d\s]{1,3}`, ['a_9', ' \n', 'Z'], ['', 'abcd', '-', 'é']],
    [String.raw`[\S]`, ['[', 'é', '"'], [' ', '\n']],
    [String.raw`\S`, ['[', 'é', '"'], [' ', '\t']],
    [String.raw`[\b]`, ['\b'], ['b']],
    [String.raw`[^\x00-\x7f]`, ['é', '😀'], ['a']],
    ['[α-ω]{2}', ['αβ'], ['ab', 'α']],
    ['[一-龥]', ['一', '龥'], ['龦', 'a']],
    ['[😀-🙏]', ['😀', '😃', '🙏'], ['🤠', '\u{1f5ff}']],
    ['[a-c0-9_]+', ['ab09_'], ['d']],
    ['[.*+?(){}|$]', ['.', '*', '+', '?', '(', ')', '{', '}', '|', '$'], ['a']],
    // ASCII classes, as with re.ASCII
    [String.raw`\d`, ['0', '9'], ['٣', 'a']],
    [String.raw`\D`, ['a', '٣'], ['0']],
    [String.raw`\w`, ['a', 'Z', '0', '_'], ['é', '-']],
    [String.raw`\W`, ['é', '-'], ['a']],
    [String.raw`\s`, [' ', '\t', '\n', '\v', '\f', '\r'], ['\u00a0', 'a']],
    ['.', ['a', 'é', '\r'], ['\n', '']],
    ['(?s).', ['\n', 'a'], ['']],
    ['(?s:.).', ['\na'], ['a\n']],
    ['.{3}', ['日😀é'], ['日😀', '日😀éa']],
    // escapes
    [String.raw`\"\/\-\'\ \#\@`, [`"/-' #@`], ['']],
    [String.raw`\x41\u00e9\U0001F600`, ['Aé😀'], ['']],
    [String.raw`\u{1F600}`, ['😀'], ['']],
    [String.raw`\ud83d\ude00`, ['😀'], ['']],
    [String.raw`\101\0\07\00`, ['A\0\x07\0'], ['']],
    [String.raw`[\101\0]`, ['A', '\0'], ['1']],
    [String.raw`\a\t\n\v\f\r`, ['\x07\t\n\v\f\r'], ['']],
    [String.raw`\p{Lu}\P{Lu}\pN`, ['Éé٣'], ['éÉ1']],
    ['a.b*c', ['axc', 'a.bc'], ['a.b*']],
    [String.raw`a\.b\*c`, ['a.b*c'], ['axbc']],
    // groups, comments
    ['(?P<year>[0-9]{4})-(?P<month>[0-9]{2})', ['1879-03'], ['79-03']],
    ['(?<x>a)', ['a'], ['']],
    ['(?:ab|cd)+', ['abcd'], ['ac']],
    ['a(?#note)*b', ['b', 'aab'], ['a']],
    ['(?#note)a', ['a'], ['']],
    // anchors at the edges say nothing
    ['^a$', ['a'], ['']],
    ['^a|b$', ['a', 'b'], ['ab']],
    ['(^a$)', ['a'], ['']],
    ['(?:^|^a)b', ['b', 'ab'], ['']],
    ['^^a$$', ['a'], ['']],
    [String.raw`\Aa\Z`, ['a'], ['a\n']],
    ['(^a)?', ['', 'a'], ['aa']],
    ['a($|b$)', ['a', 'ab'], ['b']],
    // case: ASCII letters only, as with re.ASCII
    ['(?i)aB[c-d]', ['AbD', 'abc'], ['abe']],
    ['a(?i:b)c', ['abc', 'aBc'], ['ABc']],
    ['(?i)a(?-i:b)c', ['AbC'], ['ABC']],
    ['(?i)[^a]', ['b', 'é'], ['a', 'A']],
    ['(?i)é', ['é'], ['É']],
    ['(?i)(?s).k', ['\nK'], ['\nL']],
    ['(?i)[Z-a]', ['z', 'A', '_', '['], ['b']],
    // alternatives with a dead branch
    [String.raw`a(b[^\s\S]|!)`, ['a!'], ['ab']],
  ])('%s', check);

  it('a choice list with metacharacters escaped', () => {
    check(
      String.raw`(C\+\+|a\.b\*c|\(none\)|café|東京)`,
      ['C++', 'a.b*c', '(none)', 'café', '東京'],
      ['CCC', 'axbc', 'none'],
    );
  });

  it('the dates of the frontend tutorial', () => {
    const part = (first: string) => String.raw`(${first})`;
    check(
      `${part('0?[1-9]|1[0-2]')}/${part('0?[1-9]|[12][0-9]|3[01]')}/([0-9]{2}|[0-9]{4})`,
      ['3/14/1879', '03/14/79', '12/31/2020'],
      ['13/1/2020', '3/14/187', '3/14/18790', '3/14'],
    );
  });

  it.each([
    ['int', String.raw`[-+]?[0-9]+[ \n]*`, ['12', '-3 \n', '+12'], ['12a', '', '1.5']],
    ['float', String.raw`[-+]?[0-9]*\.?[0-9]+[ \n]*`, ['1.5', '.5', '7 '], ['5.', '', 'e']],
    ['bool', '(True|False)', ['True', 'False'], ['true', 'Tru']],
    ['str', String.raw`\"[\w\d\s]*\"`, ['"a b"', '""'], ['"a', 'a', '"é"']],
  ])("SGLang's pattern for dtype %s", (_, pattern, accepts, rejects) => {
    check(pattern, accepts, rejects);
  });
});

describe('regex: UTF-8', () => {
  it('lets only well-formed UTF-8 through', () => {
    const any = regexAutomaton(EVERYTHING);
    for (const bytes of [
      [0xc0],
      [0xc1],
      [0xed, 0xa0],
      [0xe0, 0x80],
      [0xf0, 0x80],
      [0xf5],
      [0xff],
    ]) {
      expect(isPrefix(any, bytes), bytes.join()).toBe(false);
    }
    expect(isPrefix(any, [0xf4, 0x90])).toBe(false);
    expect(isPrefix(any, [0xf4, 0x8f])).toBe(true);
    expect(isPrefix(any, [0x80])).toBe(false);
    expect(isPrefix(any, [0xe6, 0x97])).toBe(true);
  });

  it('takes exactly the code points of a range that crosses all encoding lengths', () => {
    const automaton = regexAutomaton('[\\u0070-\\U00010404]');
    const edges = [0x6f, 0x70, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xffff, 0x10000, 0x10404];
    const taken = [...edges, 0x10405].filter(
      (point) => mismatches(automaton, [String.fromCodePoint(point)], []).length === 0,
    );
    expect(taken).toEqual(edges.slice(1));
  });
});

describe('regex: what it refuses', () => {
  it.each([
    ['(?=a)b', 'UNSUPPORTED@0'],
    ['x(?!a)b', 'UNSUPPORTED@1'],
    ['x(?<=a)b', 'UNSUPPORTED@1'],
    ['é(?<!a)b', 'UNSUPPORTED@1'],
    [String.raw`(a)\1`, 'UNSUPPORTED@3'],
    ['(?P<n>a)(?P=n)', 'UNSUPPORTED@8'],
    [String.raw`a\bb`, 'UNSUPPORTED@1'],
    [String.raw`\Ba`, 'UNSUPPORTED@0'],
    ['(?m)^a', 'UNSUPPORTED@0'],
    ['(?x) a', 'UNSUPPORTED@0'],
    ['(?u)a', 'UNSUPPORTED@0'],
    ['ab++', 'UNSUPPORTED@2'],
    ['a{2}+', 'UNSUPPORTED@1'],
    ['(?>a)', 'UNSUPPORTED@0'],
    ['(a)(?(1)b|c)', 'UNSUPPORTED@3'],
    ['[[:alpha:]]', 'UNSUPPORTED@1'],
    [String.raw`\N{DIGIT ONE}`, 'UNSUPPORTED@0'],
    ['a$b', 'UNSUPPORTED@1'],
    ['ab^c', 'UNSUPPORTED@2'],
    ['a?^b', 'UNSUPPORTED@2'],
    ['(^a)*', 'UNSUPPORTED@1'],
    ['a$\n', 'UNSUPPORTED@1'],
    ['[', 'INVALID@0'],
    ['[]', 'INVALID@0'],
    ['ab[^]', 'INVALID@2'],
    ['(', 'INVALID@0'],
    ['a(b', 'INVALID@1'],
    [')', 'INVALID@0'],
    ['ab)', 'INVALID@2'],
    ['*a', 'INVALID@0'],
    ['a|*', 'INVALID@2'],
    ['(+)', 'INVALID@1'],
    ['{2}', 'INVALID@0'],
    ['a**', 'INVALID@2'],
    ['a{2}{3}', 'INVALID@4'],
    ['a{3,2}', 'INVALID@1'],
    ['^*', 'INVALID@0'],
    ['[z-a]', 'INVALID@1'],
    [String.raw`[a-\d]`, 'INVALID@1'],
    ['a\\', 'INVALID@1'],
    [String.raw`\y`, 'INVALID@0'],
    [String.raw`[\y]`, 'INVALID@1'],
    [String.raw`\x4`, 'INVALID@0'],
    [String.raw`\u12`, 'INVALID@0'],
    [String.raw`\U00110000`, 'INVALID@0'],
    [String.raw`\p{Nonsense}`, 'INVALID@0'],
    [String.raw`\ud800`, 'INVALID@0'],
    ['a\ud800', 'INVALID@1'],
    [String.raw`\400`, 'INVALID@0'],
    [String.raw`[\8]`, 'INVALID@1'],
    ['(?P<1>a)', 'INVALID@0'],
    ['(?P<n>a)(?P<n>b)', 'INVALID@8'],
    ['(?P<n', 'INVALID@0'],
    ['(?#', 'INVALID@0'],
    ['(?q)a', 'INVALID@0'],
    ['(?', 'INVALID@0'],
    ['a(?i)', 'INVALID@1'],
    ['(?-i)a', 'INVALID@0'],
    ['a{1000001}', 'TOO_LARGE@1'],
    [`${'('.repeat(300)}${')'.repeat(300)}`, 'TOO_LARGE@200'],
    ['((a{1000}b?){1000}c?){1000}x{1000000}y{1000000}', 'TOO_LARGE@null'],
    [String.raw`[^\s\S]`, 'UNMATCHABLE@null'],
    [String.raw`a[^\d\D]b`, 'UNMATCHABLE@null'],
  ])('%s: %s', (pattern, error) => {
    expect(errorOf(() => regexAutomaton(pattern))).toBe(error);
  });

  it('names construct and place in the message', () => {
    expect(messageOf(() => regexAutomaton('abc(?=d)'))).toBe(
      'look-ahead is not supported at position 3',
    );
    expect(messageOf(() => regexAutomaton('a$b'))).toContain('$ inside the pattern');
  });
});

describe('regex: size', () => {
  it('an exponential deterministic automaton is visited lazily and within its memory', () => {
    const automaton = regexAutomaton('(a|b)*a(a|b){24}', 20_000);
    const random = randomSource(1);
    let state = automaton.start;
    for (let step = 0; step < 3000; step++) {
      state = automaton.step(state, random() < 0.5 ? 0x61 : 0x62);
      if (automaton.isOverBudget) state = automaton.flush(state);
    }
    expect(automaton.epoch).toBeGreaterThan(0);
    expect(automaton.stateCount).toBeLessThan(1000);
  });

  it.each(['.{0,20000}', '(.{0,1000}){0,1000}', '[^x]{100000}', '(ab|cd|é){2,50000}'])(
    '%s compiles',
    (pattern) => {
      expect(isPrefix(regexAutomaton(pattern), 'ab')).toBe(true);
    },
  );

  it('counts bytes of the shortest match', () => {
    const shortest = (pattern: string) => {
      const automaton = regexAutomaton(pattern);
      return automaton.minimumBytes(automaton.start);
    };
    expect(shortest('')).toBe(0);
    expect(shortest('a{3,5}b*')).toBe(3);
    expect(shortest('(abcd|é|xyz)!')).toBe(3);
    expect(shortest('(.{1000}){1000}')).toBe(1_000_000);
  });
});
