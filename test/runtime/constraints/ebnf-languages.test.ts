import { expect, it } from 'vitest';
import { parseEbnf } from '../../../runtime/src/constraints/ebnf/ebnf-parser.ts';
import { ConstraintError } from '../../../runtime/src/constraints/constraint.ts';
import { automatonOf, isMatch, isPrefix, randomSource } from './support.ts';

/*
 * Random grammars over the letters a and b. Their languages, up to a length, are computed by
 * iterating the rules until nothing is added, and compared with the automaton word by word:
 * left recursion, ambiguity, empty rules, calls in last place, everything at once.
 */

const LENGTH = 5;
const GRAMMARS = 300;
const RULES = ['root', 'x', 'y', 'z'];

type Expression =
  | { kind: 'letter' | 'rule'; name: string }
  | { kind: 'sequence' | 'choice'; parts: Expression[] }
  | { kind: 'repeat'; body: Expression; mark: '*' | '+' | '?' | '{2}' | '{1,2}' };

function words(): string[] {
  const all = [''];
  for (const word of all) if (word.length < LENGTH) all.push(`${word}a`, `${word}b`);
  return all;
}

function randomExpression(random: () => number, depth: number): Expression {
  const below = (limit: number) => Math.floor(random() * limit);
  const inner = () => randomExpression(random, depth - 1);
  const sort = below(depth <= 0 ? 3 : 8);
  if (sort === 0) return { kind: 'letter', name: random() < 0.5 ? 'a' : 'b' };
  if (sort <= 2) return { kind: 'rule', name: RULES[below(RULES.length)]! };
  if (sort <= 4) return { kind: 'sequence', parts: Array.from({ length: below(4) }, inner) };
  if (sort <= 6) return { kind: 'choice', parts: Array.from({ length: 1 + below(3) }, inner) };
  const marks = ['*', '+', '?', '{2}', '{1,2}'] as const;
  return { kind: 'repeat', body: inner(), mark: marks[below(marks.length)]! };
}

function write(expression: Expression): string {
  switch (expression.kind) {
    case 'letter':
      return `"${expression.name}"`;
    case 'rule':
      return expression.name;
    case 'sequence':
      return expression.parts.length === 0 ? '""' : `(${expression.parts.map(write).join(' ')})`;
    case 'choice':
      return `(${expression.parts.map(write).join(' | ')})`;
    case 'repeat':
      return `(${write(expression.body)})${expression.mark}`;
  }
}

type Languages = Map<string, Set<string>>;

function concatenate(left: Set<string>, right: Set<string>): Set<string> {
  const result = new Set<string>();
  for (const first of left) {
    for (const second of right) {
      if (first.length + second.length <= LENGTH) result.add(first + second);
    }
  }
  return result;
}

function language(expression: Expression, languages: Languages): Set<string> {
  switch (expression.kind) {
    case 'letter':
      return new Set([expression.name]);
    case 'rule':
      return languages.get(expression.name) ?? new Set();
    case 'sequence':
      return expression.parts
        .map((part) => language(part, languages))
        .reduce(concatenate, new Set(['']));
    case 'choice':
      return new Set(expression.parts.flatMap((part) => [...language(part, languages)]));
    case 'repeat': {
      const once = language(expression.body, languages);
      const twice = concatenate(once, once);
      if (expression.mark === '?') return new Set(['', ...once]);
      if (expression.mark === '{2}') return twice;
      if (expression.mark === '{1,2}') return new Set([...once, ...twice]);
      let all = new Set(expression.mark === '*' ? ['', ...once] : once);
      for (let turn = 0; turn < LENGTH; turn++) all = new Set([...all, ...concatenate(all, once)]);
      return all;
    }
  }
}

function languageOfRoot(rules: ReadonlyMap<string, Expression>): Set<string> {
  const languages: Languages = new Map();
  for (let size = -1, next = 0; size !== next;) {
    size = next;
    for (const [name, body] of rules) languages.set(name, language(body, languages));
    next = [...languages.values()].reduce((sum, { size: count }) => sum + count, 0);
  }
  return languages.get('root') ?? new Set();
}

it('automata have exactly the languages of random grammars', () => {
  const random = randomSource(Number(process.env['CONSTRAINT_SEED'] ?? 3));
  const tally = { compared: 0, empty: 0, refused: 0, tooLarge: 0 };
  for (let round = 0; round < GRAMMARS; round++) {
    const rules = new Map(RULES.map((name) => [name, randomExpression(random, 3)]));
    const source = Array.from(rules, ([name, body]) => `${name} ::= ${write(body)}`).join('\n');
    const expected = languageOfRoot(rules);
    try {
      const automaton = automatonOf(parseEbnf(source));
      tally.compared++;
      for (const word of words()) {
        if (isMatch(automaton, word) !== expected.has(word)) {
          expect.fail(`${JSON.stringify(word)} should be ${expected.has(word)} in\n${source}`);
        }
        const begins = [...expected].some((other) => other.startsWith(word));
        if (begins && !isPrefix(automaton, word)) expect.fail(`${word} is a prefix in\n${source}`);
      }
    } catch (error) {
      if (!(error instanceof ConstraintError)) throw error;
      if (error.code === 'UNMATCHABLE') {
        tally.empty++;
        expect([...expected], source).toEqual([]);
      } else {
        // Left recursion behind something that may be empty, or ambiguity beyond all bounds.
        if (error.code === 'UNSUPPORTED') tally.refused++;
        else tally.tooLarge++;
      }
    }
  }
  expect(tally.compared).toBeGreaterThan(GRAMMARS / 3);
  expect(tally.empty).toBeGreaterThan(0);
  expect(tally.refused).toBeLessThan(GRAMMARS / 5);
  expect(tally.tooLarge).toBeLessThan(GRAMMARS / 50);
});
