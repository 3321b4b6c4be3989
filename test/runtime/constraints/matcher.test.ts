import { describe, expect, it } from 'vitest';
import type { Matcher } from '../../../runtime/src/constraints/constraint.ts';
import { parseEbnf } from '../../../runtime/src/constraints/ebnf/ebnf-parser.ts';
import { compileSchema } from '../../../runtime/src/constraints/json-schema/schema-compiler.ts';
import { compareMasks } from './compare-masks.ts';
import {
  allowed,
  automatonOf,
  compilerFor,
  errorOf,
  isMatch,
  ListVocabulary,
  randomSource,
  regexAutomaton,
  regexMatcher,
  stepText,
  toBytes,
  type TokenText,
} from './support.ts';

const A = 0;
const B = 1;
const AB = 2;
const LONE_LEAD = 6;
const END = 15;

/** Tokens that have broken constrained decoders: see the comments. */
const NASTY: readonly (TokenText | null)[] = [
  'a', // 0
  'b', // 1
  'ab', // 2
  '', // 3 empty: would loop for ever
  null, // 4 control
  'é', // 5
  [0xc3], // 6 the lead byte of é
  [0xa9], // 7 and its continuation
  [0xc3, 0xa9, 0x21], // 8 é!
  '!', // 9
  [0xe6, 0x97], // 10 two thirds of 日
  [0xa5], // 11
  '日', // 12
  [0xff], // 13 never valid
  [0xc0], // 14 overlong lead
  '<eos>', // 15 ends the output
  'a', // 16 the same bytes as 0
];
const nasty = new ListVocabulary(NASTY, [END]);

function after(pattern: string, ...tokens: number[]): Matcher {
  const matcher = regexMatcher(nasty, pattern);
  for (const token of tokens) expect(matcher.accept(token), `token ${token}`).toBe(true);
  return matcher;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}

describe('mask', () => {
  it.each<[what: string, pattern: string, taken: number[], tokens: number[]]>([
    ['a token longer than what remains is refused', 'ab?', [A], [B, END]],
    ['a token may span elements', 'ab', [], [A, AB, 16]],
    ['all tokens with the same bytes', 'a', [], [A, 16]],
    ['only the end is left', 'ab', [AB], [END]],
    ['the end and a longer match', '(a|ab)', [A], [B, END]],
    ['the empty pattern', '', [], [END]],
    ['a choice of one byte', '[ab]', [], [A, B, 16]],
    ['a lead byte opens a character', 'é!', [], [5, LONE_LEAD, 8]],
    ['after it only the continuation', 'é!', [LONE_LEAD], [7]],
    ['a token that ends inside a character', '日', [], [10, 12]],
    ['and what completes it', '日', [10], [11]],
    ['invalid UTF-8 never passes', '[^x]+', [], [0, 1, 2, 5, 6, 8, 9, 10, 12, 16]],
    ['a dead branch is not entered', String.raw`a(b[^\s\S]|!)`, [], [A, 16]],
  ])('%s', (_, pattern, taken, tokens) => {
    expect(allowed(after(pattern, ...taken).mask())).toEqual(tokens);
  });

  it("spelling the end token's text is not the end", () => {
    const vocabulary = new ListVocabulary(['<', 'b', '<eos>'], [2]);
    expect(allowed(regexMatcher(vocabulary, '<eos>|b').mask())).toEqual([1]);
  });

  it('allows every end token, control or not', () => {
    const vocabulary = new ListVocabulary(['a', null, '<end>'], [1, 2]);
    const matcher = regexMatcher(vocabulary, 'a');
    matcher.accept(0);
    expect(allowed(matcher.mask())).toEqual([1, 2]);
  });

  it('has no bits past the vocabulary', () => {
    const vocabulary = new ListVocabulary(['a', 'b', 'c'], [2]);
    const mask = regexMatcher(vocabulary, '[ab]*').mask();
    expect(mask.length).toBe(1);
    expect(allowed(mask)).toEqual([0, 1, 2]);
  });

  it('is empty after the end', () => {
    expect(allowed(after('a', A, END).mask())).toEqual([]);
  });

  it('is shared between visits of the same state', () => {
    const matcher = after('[ab]*', A);
    const mask = matcher.mask();
    matcher.accept(B);
    expect(matcher.mask()).toBe(mask);
  });

  it('needs no byte that no token has: such a constraint cannot be met', () => {
    const vocabulary = new ListVocabulary(['a', 'b', null], [2]);
    expect(errorOf(() => regexMatcher(vocabulary, 'abc'))).toBe('UNMATCHABLE@null');
    expect(allowed(regexMatcher(vocabulary, 'a|bc').mask())).toEqual([0]);
  });
});

describe('accept, rollback, fork', () => {
  it('leaves the state unchanged when a token is refused', () => {
    const matcher = after('ab');
    for (const refused of [9, 3, 4, END, 999, -1]) expect(matcher.accept(refused)).toBe(false);
    expect(allowed(matcher.mask())).toEqual([A, AB, 16]);
  });

  it('takes the end back', () => {
    const matcher = after('ab|ba', A, B, END);
    expect([matcher.canEnd, matcher.mustEnd]).toEqual([true, true]);
    expect(matcher.accept(A)).toBe(false);
    matcher.rollback(2);
    expect(allowed(matcher.mask())).toEqual([B]);
    expect([matcher.canEnd, matcher.mustEnd]).toEqual([false, false]);
  });

  it('refuses to go back before the start', () => {
    expect(() => after('ab', A).rollback(2)).toThrow(RangeError);
  });

  it('forks diverge', () => {
    const matcher = after('ab|ba');
    const fork = matcher.fork();
    matcher.accept(A);
    fork.accept(B);
    expect(allowed(matcher.mask())).toEqual([B]);
    expect(allowed(fork.mask())).toEqual([A, 16]);
    fork.rollback(1);
    expect(allowed(fork.mask())).toEqual([A, B, AB, 16]);
  });

  it('knows where the output may and must end', () => {
    const places = ['', 'a', 'ab'].map((prefix) => {
      const matcher = after('ab?', ...Array.from(prefix).map((letter) => (letter === 'a' ? A : B)));
      return [matcher.canEnd, matcher.mustEnd];
    });
    expect(places).toEqual([
      [false, false],
      [true, false],
      [true, true],
    ]);
  });
});

describe('forced bytes', () => {
  it.each([
    ['(ab|ac)!', '', 'a'],
    ['a(bc)?', 'a', ''],
    ['abc', '', 'abc'],
    ['abc', 'abc', ''],
    ['(é|ê)', '', '\xc3'],
    ['[ab]', '', ''],
    [String.raw`\{"name": "[a-z]+", "age": [0-9]\}`, '', '{"name": "'],
    [String.raw`\{"name": "[a-z]+", "age": [0-9]\}`, '{"name": "x",', ' "age": '],
    ['a{10000}', '', 'a'.repeat(4096)],
  ])('%s after %j: %j', (pattern, prefix, forced) => {
    const automaton = regexAutomaton(pattern);
    expect(text(automaton.forcedBytes(stepText(automaton, prefix)))).toBe(forced);
  });

  it('a matcher tells them too, and none after the end', () => {
    expect(text(after('ab(a|b)').forcedBytes())).toBe('ab');
    expect(text(after('a', A, END).forcedBytes())).toBe('');
  });
});

describe('lower bounds', () => {
  it('reports a pattern that cannot be finished in time', () => {
    const grammar = compilerFor(nasty).compile({ kind: 'regex', pattern: '(ab){10}' });
    // The longest token has three bytes: 20 bytes need at least 7 tokens.
    expect(grammar.minimumBytes).toBe(20);
    expect([6, 7].map((tokens) => grammar.canCompleteWithin(tokens))).toEqual([false, true]);
  });
});

describe('compile', () => {
  it('returns the same grammar for the same source, and keeps a bounded number', () => {
    const compiler = compilerFor(nasty, { grammars: 2 });
    const compile = (pattern: string) => compiler.compile({ kind: 'regex', pattern });
    const first = compile('a');
    compile('b');
    expect(compile('a')).toBe(first);
    compile('ab');
    expect(compile('a')).toBe(first);
    compile('b');
    compile('ab');
    expect(compile('a')).not.toBe(first);
  });

  it('does not remember errors as grammars', () => {
    const compiler = compilerFor(nasty);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(errorOf(() => compiler.compile({ kind: 'regex', pattern: '(' }))).toBe('INVALID@0');
    }
  });
});

/** All bytes, all pairs of some characters, long runs, pieces of UTF-8. */
function syntheticVocabulary(size: number): ListVocabulary {
  const random = randomSource(42);
  const tokens: (TokenText | null)[] = Array.from({ length: 256 }, (_, byte) => [byte]);
  const letters = [
    ...Array.from('ab019 "\',{}[]:.-\n\téß日本😀xyz_ABC/'),
    ' ',
    '  ',
    '    ',
    '\\',
    '\\n',
  ];
  while (tokens.length < size - 2) {
    const length = 1 + Math.floor(random() ** 2 * 9);
    const letter = (): string => letters[Math.floor(random() * letters.length)]!;
    const bytes = toBytes(Array.from({ length }, letter).join(''));
    tokens.push(Array.from(random() < 0.1 ? bytes.subarray(0, bytes.length - 1) : bytes));
  }
  return new ListVocabulary([...tokens, null, '</s>'], [size - 1, size - 2]);
}

describe('masks equal brute force', () => {
  const patterns = [
    String.raw`[\w\d\s]{1,16}`,
    '.{0,30}',
    String.raw`\{\n  "name": "[\w\d\s]{1,16}",\n  "house": "(Gryffindor|Slytherin)"\n\}`,
    String.raw`(\w+=("[^"\n]*"|[0-9]+)(, )?){1,5}`,
    '(ab|a)(bc|c)(d{0,2}|é)*',
    '(a|ab|b)*abb(a|b){3}',
    '[^a]*日?[😀-🙏]{2}',
    '(?i:(abc|xyz)*[^b]?)',
    String.raw`(-?(0|[1-9][0-9]*)(\.[0-9]+)?,){2,}`,
  ];
  const vocabulary = syntheticVocabulary(3000);

  it.each(patterns)('%s', (pattern) => {
    const source = { kind: 'regex', pattern } as const;
    const reference = regexAutomaton(pattern);
    expect(compareMasks({ vocabulary, source, reference, seed: 7 })).toBeGreaterThan(0);
  });

  it.each(patterns)('%s, or anything, with the nasty tokens', (pattern) => {
    const source = { kind: 'regex', pattern: `(${pattern})|[^x]*` } as const;
    const reference = regexAutomaton(source.pattern);
    expect(compareMasks({ vocabulary: nasty, source, reference, seed: 3 })).toBeGreaterThan(0);
  });

  it.each(patterns)('%s, flushing the automaton all the time', (pattern) => {
    const source = { kind: 'regex', pattern } as const;
    const reference = regexAutomaton(pattern);
    const options = { automatonWords: 400 };
    expect(compareMasks({ vocabulary, source, reference, seed: 11, options })).toBeGreaterThan(0);
  });

  it('recursive grammars', () => {
    const grammar = 'root ::= "{" (pair ("," pair)*)? "}"\npair ::= [a-z]+ ":" (root | [0-9]+)';
    const reference = automatonOf(parseEbnf(grammar));
    for (const options of [{}, { automatonWords: 400 }]) {
      const source = { kind: 'ebnf', grammar } as const;
      expect(compareMasks({ vocabulary, source, reference, seed: 5, options })).toBeGreaterThan(0);
    }
  });

  it('JSON schemas', () => {
    const schema = JSON.stringify({
      type: 'object',
      properties: { name: { type: 'string' }, age: { type: 'integer', minimum: 0 }, any: {} },
      required: ['name'],
      additionalProperties: { type: 'array', items: { type: 'number' } },
    });
    const reference = automatonOf(compileSchema(schema, 'flexible').grammar);
    for (const options of [{}, { automatonWords: 5000 }]) {
      const source = { kind: 'json_schema', schema } as const;
      expect(compareMasks({ vocabulary, source, reference, seed: 5, options })).toBeGreaterThan(0);
    }
  });

  it('an output longer than the automaton can hold is still followed', () => {
    const pattern = '(a|b)*a(a|b){12}';
    const compiler = compilerFor(nasty, { automatonWords: 2000 });
    const matcher = compiler.compile({ kind: 'regex', pattern }).start();
    const forks: Matcher[] = [];
    const random = randomSource(5);
    let written = '';
    for (let step = 0; step < 400; step++) {
      const letter = random() < 0.5 ? 'a' : 'b';
      expect(matcher.accept(letter === 'a' ? A : B)).toBe(true);
      written += letter;
      if (step % 40 === 0) forks.push(matcher.fork());
    }
    const reference = regexAutomaton(pattern);
    expect(matcher.canEnd).toBe(isMatch(reference, written));
    forks.forEach((fork, index) => {
      expect(fork.canEnd).toBe(isMatch(reference, written.slice(0, index * 40 + 1)));
    });
    matcher.rollback(100);
    expect(matcher.canEnd).toBe(isMatch(reference, written.slice(0, 300)));
  });
});
