import { describe, expect, it } from 'vitest';
import { parseEbnf } from '../../../runtime/src/constraints/ebnf/ebnf-parser.ts';
import {
  allowed,
  automatonOf,
  compilerFor,
  errorOf,
  isMatch,
  isPrefix,
  ListVocabulary,
  messageOf,
  mismatches,
  stepText,
} from './support.ts';

function grammar(source: string) {
  return automatonOf(parseEbnf(source));
}

describe('EBNF: what it matches', () => {
  it.each<[what: string, source: string, accepts: string[], rejects: string[]]>([
    ['literals', 'root ::= "ab" \'c"d\'', ['abc"d'], ['ab', 'abc']],
    ['the empty literal', 'root ::= "" "a"', ['a'], ['']],
    ['an empty alternative', 'root ::= "a" |', ['a', ''], ['b']],
    [
      'escapes',
      String.raw`root ::= "\n\t\"\\\x41\u00e9\U0001f600\u{62}\'"`,
      ['\n\t"\\Aé😀b\''],
      [''],
    ],
    [
      'classes',
      String.raw`root ::= [a-c\]\-^] [^a\n] [\d\w] [-x] [x-]`,
      [']b_-x', '^éZxx'],
      ['aa1xx'],
    ],
    ['any character', 'root ::= . .', ['\né', 'ab'], ['a']],
    [
      'quantifiers',
      'root ::= "a"* "b"+ "c"? [0-9]{2} [x]{1,} [y]{,2} [z]{1, 2}',
      ['b12xz', 'aabbc12xxyyzz'],
      ['a12xz', 'b12xyyyz'],
    ],
    ['quantifiers one after the other', 'root ::= "a"?{2} "b"', ['b', 'aab'], ['aaab']],
    ['groups', 'root ::= ("a" | "b" "c")+', ['a', 'bca'], ['b', '']],
    [
      'comments and layout',
      '# first\nroot ::= "a" # x\n  | item{2,3}\n\nitem ::= [\\x41-\\u0043]\r\n',
      ['a', 'ABC'],
      ['A', 'aa'],
    ],
    ['a rule directly behind another', 'root ::= a b\na::="x"\nb ::="y"', ['xy'], ['x']],
    ['names with - _ . and digits', 'root ::= a-1_b.c\na-1_b.c ::= "x"', ['x'], ['']],
    ['right recursion', 'root ::= [a-z] root | "."', ['abc.', '.'], ['abc']],
    ['central recursion', 'root ::= "a" root "b" | "ab"', ['ab', 'aaabbb'], ['aab', 'abb', '']],
    [
      'direct and indirect left recursion',
      'root ::= root "+" t | t\nt ::= t "*" f | f\nf ::= [0-9] | "(" root ")"',
      ['1', '1+2*(3+4)*5'],
      ['1+', '(1', '*1'],
    ],
    [
      'indirect left recursion',
      'root ::= a "!"\na ::= b "x" | "y"\nb ::= a "z" | "w"',
      ['wxzx!', 'y!', 'yzx!'],
      ['wx', 'wz!'],
    ],
    [
      'left recursion behind an option',
      'root ::= ("-")? root "+" | "1"',
      ['1', '1+', '-1++', '-1+'],
      ['-1', '+'],
    ],
    [
      'left recursion through a repetition',
      'root ::= (root ",")? "x"',
      ['x', 'x,x', 'x,x,x'],
      ['x,'],
    ],
    [
      'an ambiguous expression grammar',
      'root ::= root "+" root | root "*" root | "(" root ")" | [0-9]+',
      ['1+2*3', '((1)+2)*(34)'],
      ['1+', '(1', '1)'],
    ],
    [
      'JSON',
      `root ::= value
       value ::= object | array | string | number | "true" | "false" | "null"
       object ::= "{" ws (string ws ":" ws value (ws "," ws string ws ":" ws value)*)? ws "}"
       array ::= "[" ws (value (ws "," ws value)*)? ws "]"
       string ::= "\\"" ([^"\\\\\\x00-\\x1f] | "\\\\" ["\\\\/bfnrt])* "\\""
       number ::= "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)?
       ws ::= [ \\t\\n]*`,
      ['{"a": [1, -2.5, {"b": null}], "c": "x\\n"}', '[]', '"é"'],
      ['{"a": }', '[1,]', '"\n"', '01'],
    ],
  ])('%s', (_, source, accepts, rejects) => {
    expect(mismatches(grammar(source), accepts, rejects)).toEqual([]);
  });

  it('counts: a token of two brackets needs two open ones', () => {
    const vocabulary = new ListVocabulary(['a', 'b', 'bb', 'abb', '</s>'], [4]);
    const matcher = compilerFor(vocabulary)
      .compile({ kind: 'ebnf', grammar: 'root ::= "a" root "b" | "ab"' })
      .start();
    const steps = [0, 0].map((token) => {
      matcher.accept(token);
      return allowed(matcher.mask());
    });
    matcher.accept(1);
    expect([...steps, allowed(matcher.mask())]).toEqual([[0, 1, 3], [0, 1, 2, 3], [1]]);
  });

  it('keeps the call stack flat where recursion is a loop', () => {
    for (const source of [
      'root ::= [a-z] root | "."',
      'root ::= root "+" root | root "*" root | [a-z]',
    ]) {
      const automaton = grammar(source);
      const text = source.includes('+') ? 'a+b*c+d*e+'.repeat(300) + 'z' : 'x'.repeat(5000) + '.';
      expect(isMatch(automaton, text)).toBe(true);
      expect(automaton.stackCount).toBeLessThan(10);
      expect(automaton.stateCount).toBeLessThan(10);
    }
  });

  it('nests deeply', () => {
    const depth = 2000;
    const automaton = grammar('root ::= "(" root ")" | "x"');
    expect(isMatch(automaton, `${'('.repeat(depth)}x${')'.repeat(depth)}`)).toBe(true);
    expect(isPrefix(automaton, `${'('.repeat(depth)}x${')'.repeat(depth + 1)}`)).toBe(false);
  });

  it('forgets states in the middle of nesting without losing the count', () => {
    const automaton = automatonOf(parseEbnf('root ::= "(" root ")" | "x" | "[" root "]"'), 300);
    let state = automaton.start;
    for (const letter of `${'(['.repeat(300)}x${'])'.repeat(300)}`) {
      state = automaton.step(state, letter.charCodeAt(0));
      if (automaton.isOverBudget) state = automaton.flush(state);
    }
    expect(automaton.isAccepting(state)).toBe(true);
    expect(automaton.epoch).toBeGreaterThan(0);
  });

  it('knows the fewest bytes to the end, whatever is still open', () => {
    const automaton = grammar('root ::= "(" root ")" | "xy"');
    expect(
      ['', '(((', '(((x', '(((xy)'].map((text) =>
        automaton.minimumBytes(stepText(automaton, text)),
      ),
    ).toEqual([2, 5, 4, 2]);
  });
});

describe('EBNF: what it refuses', () => {
  it.each([
    ['', 'INVALID@0'],
    ['a ::= "x"', 'INVALID@0'],
    ['root ::= b', 'INVALID@9'],
    ['root ::= "a"\nroot ::= "b"', 'INVALID@13'],
    ['root ::= "a', 'INVALID@9'],
    ['root ::= "a\n"', 'INVALID@9'],
    ['root ::= [a', 'INVALID@9'],
    ['root ::= ("a"', 'INVALID@9'],
    ['root ::= "a")', 'INVALID@12'],
    ['root ::= *', 'INVALID@9'],
    ['root ::= [z-a]', 'INVALID@10'],
    ['root ::= [a-\\d]', 'INVALID@10'],
    ['root ::= "\\q"', 'INVALID@10'],
    ['root ::= "\\u12"', 'INVALID@10'],
    ['root ::= "\\ud800"', 'INVALID@10'],
    ['root ::= "a"{3,2}', 'INVALID@12'],
    ['root ::= "a"{}', 'INVALID@12'],
    ['root ::= "a"{x}', 'INVALID@12'],
    ['root = "a"', 'INVALID@0'],
    ['root ::= "a" = "b"', 'INVALID@13'],
    ['root ::= (="a") "a"', 'UNSUPPORTED@9'],
    ['root ::= <think>', 'UNSUPPORTED@9'],
    ['root ::= TagDispatch("a", b)\nb ::= "x"', 'UNSUPPORTED@9'],
    ['root ::= "a"{2000000}', 'TOO_LARGE@12'],
    ['root ::= root', 'UNMATCHABLE@null'],
    ['root ::= "a" root', 'UNMATCHABLE@null'],
    ['root ::= [] "a"', 'UNMATCHABLE@null'],
    ['root ::= opt root "+" | "1"\nopt ::= "-" | ""', 'UNSUPPORTED@null'],
  ])('%s: %s', (source, error) => {
    expect(errorOf(() => grammar(source))).toBe(error);
  });

  it('gives up on absurd ambiguity with an error instead of running out of memory', () => {
    const vocabulary = new ListVocabulary(['a', 'aa', 'aaaaaaaa', '</s>'], [3]);
    const grammar = 'root ::= (root{2} | (z | "a"))+\nx ::= root\nz ::= x';
    const matcher = compilerFor(vocabulary).compile({ kind: 'ebnf', grammar }).start();
    expect(errorOf(() => matcher.mask())).toBe('TOO_LARGE@null');
  });

  it('names line and column', () => {
    expect(messageOf(() => grammar('# é\nroot ::= "é" b'))).toBe(
      'line 2, column 14: rule b is not defined',
    );
  });
});
