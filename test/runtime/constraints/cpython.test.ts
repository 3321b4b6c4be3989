import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { DEAD, type Automaton } from '../../../runtime/src/constraints/automaton/automaton.ts';
import { ConstraintError } from '../../../runtime/src/constraints/constraint.ts';
import { isMatch, randomSource, regexAutomaton } from './support.ts';

/*
 * Generated patterns and texts, judged by us and by CPython's `re.fullmatch(…, re.ASCII)`. Where
 * both take a pattern they must agree on every text; where only one takes it, that must be for a
 * reason that is listed here.
 */

const PATTERNS = 1500;

const LITERALS =
  String.raw`a b c x 0 1 " , é 日 😀 - { } A B / \. \* \/ \- \" \n \x41 \u00e9 \{ \} \] \\ : & ~ # @ < > = ! % _ ' ; \060 \0 \t`.split(
    ' ',
  );
const CLASSES = String.raw`\d \w \s \D \W \S .`.split(' ');
const MEMBERS =
  String.raw`a b a-c 0-9 é α-ω 一-龥 \d \w \s \- \] " . * + ^ $ ( ) { | \\ \n 😀-😂 !-~ \x00-\x1f \b \S`.split(
    ' ',
  );
const COUNTS = '* + ? {2} {1,3} {0,2} {2,} {,3} *? +? ?? {1,2}? {a} {,} {0}'.split(' ');
const LETTERS = [...Array.from('abcx01 ",éÉ日😀-{}AB\n.\\αZ_\t/:K'), ''];

class Generator {
  readonly #random: () => number;
  #groups = 0;

  constructor(seed: number) {
    this.#random = randomSource(seed);
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  pattern(): string {
    let pattern = this.#node(3);
    if (this.chance(0.1)) pattern = `^${pattern}`;
    if (this.chance(0.1)) pattern = `${pattern}$`;
    if (this.chance(0.06)) pattern = `(?${this.pick(['s', 'i', 'si'])})${pattern}`;
    return pattern;
  }

  #node(depth: number): string {
    const choice = this.below(depth <= 0 ? 4 : 11);
    if (choice < 2) return this.pick(LITERALS);
    if (choice === 2) return this.pick(CLASSES);
    if (choice === 3) return this.#class();
    const inner = () => this.#node(depth - 1);
    if (choice < 6) return Array.from({ length: 1 + this.below(4) }, inner).join('');
    if (choice === 6) {
      const open = this.pick(['', '?:', '?:', `?P<n${this.#groups++}>`, '?i:', '?s:', '?-i:']);
      return `(${open}${inner()}|${this.chance(0.2) ? '' : inner()})`;
    }
    if (choice === 7) return `(${inner()})${this.pick(COUNTS)}`;
    if (choice === 8) return this.pick(['(^a)', '(b$)', '\\A', '\\Z', '(?#x)', '()', '(?:)*', '']);
    return this.pick(['a', 'b', '\\d', '[ab]', '\\w', '.', 'é']) + this.pick(COUNTS);
  }

  #class(): string {
    const first = this.chance(0.1) ? this.pick([']', '-', ']a']) : '';
    const members = Array.from({ length: 1 + this.below(4) }, () => this.pick(MEMBERS)).join('');
    return `[${this.chance(0.25) ? '^' : ''}${first}${members}${this.chance(0.1) ? '-' : ''}]`;
  }

  /** Texts that match, nearly match, and others. */
  texts(automaton: Automaton | null): string[] {
    const texts = new Set(['']);
    for (let count = 0; count < 4; count++) {
      texts.add(Array.from({ length: 1 + this.below(5) }, () => this.pick(LETTERS)).join(''));
    }
    for (let count = 0; automaton !== null && count < 6; count++) {
      const text = this.#walk(automaton);
      if (text === null) continue;
      const letters = Array.from(text);
      const at = this.below(letters.length + 1);
      texts.add(text).add(text + this.pick(LETTERS));
      texts.add(letters.toSpliced(at, 1, this.pick(LETTERS)).join(''));
      texts.add(letters.toSpliced(at, 1).join(''));
    }
    return [...texts];
  }

  #walk(automaton: Automaton): string | null {
    const bytes: number[] = [];
    let state = automaton.start;
    for (let step = 0; step < 40; step++) {
      if (automaton.isAccepting(state) && this.chance(0.25)) break;
      const options = Array.from({ length: 256 }, (_, byte) => byte).filter(
        (byte) => automaton.step(state, byte) !== DEAD,
      );
      if (options.length === 0) break;
      const ascii = options.filter((byte) => byte < 0x80);
      const byte = this.pick(ascii.length > 0 && this.chance(0.9) ? ascii : options);
      bytes.push(byte);
      state = automaton.step(state, byte);
    }
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes));
    } catch {
      return null;
    }
  }
}

interface Verdict {
  readonly pattern: string;
  /** Code of our refusal. */
  readonly refusal: string | null;
  readonly texts: readonly string[];
  readonly matches: readonly boolean[];
}

function judge(generator: Generator): Verdict {
  const pattern = generator.pattern();
  try {
    const automaton = regexAutomaton(pattern);
    const texts = generator.texts(automaton);
    return {
      pattern,
      refusal: null,
      texts,
      matches: texts.map((text) => isMatch(automaton, text)),
    };
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    return { pattern, refusal: error.code, texts: generator.texts(null), matches: [] };
  }
}

/** Prints the list of disagreements, and how many texts were compared and matched. */
const JUDGE_IN_PYTHON = String.raw`
import json, re, signal, sys, warnings
warnings.simplefilter('ignore')
class TooSlow(Exception): pass
def stop(*_): raise TooSlow()
signal.signal(signal.SIGALRM, stop)
wrong, compared, matched, slow = [], 0, 0, 0
for case in json.load(sys.stdin):
    try:
        compiled = re.compile(case['pattern'], re.ASCII)
    except re.error as error:
        if case['refusal'] is None: wrong.append(['only CPython refuses', case['pattern'], str(error)])
        continue
    if case['refusal'] == 'INVALID':
        wrong.append(['only we refuse', case['pattern'], ''])
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        results = [bool(compiled.fullmatch(text)) for text in case['texts']]
    except TooSlow:
        slow += 1
        continue
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    if case['refusal'] == 'UNMATCHABLE' and any(results):
        wrong.append(['not unmatchable', case['pattern'], ''])
    if case['refusal'] is not None: continue
    for text, ours, theirs in zip(case['texts'], case['matches'], results):
        compared += 1
        matched += theirs
        if ours != theirs: wrong.append([case['pattern'], text, theirs])
print(json.dumps({'wrong': wrong[:20], 'compared': compared, 'matched': matched, 'slow': slow}))
`;

interface Outcome {
  readonly wrong: readonly unknown[];
  readonly compared: number;
  readonly matched: number;
}

function judgeInPython(verdicts: readonly Verdict[]): Outcome {
  const result = spawnSync('python3', ['-c', JUDGE_IN_PYTHON], {
    input: JSON.stringify(verdicts),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (result.status !== 0) throw new Error(`python3 failed: ${result.stderr}`);
  return JSON.parse(result.stdout) as Outcome;
}

/** Null if this machine's python3 can be the judge, or else the reason why not. */
function whyNoPython(): string | null {
  const code = 'import sys, signal; signal.setitimer; sys.exit(sys.version_info < (3, 11))';
  const { error, status } = spawnSync('python3', ['-c', code]);
  if (error !== undefined) return 'not compared with CPython: no python3 on this machine';
  return status === 0 ? null : 'not compared with CPython: python3 is older than 3.11';
}

const SEEDS = (process.env['CONSTRAINT_SEEDS'] ?? '1,2').split(',').map(Number);

describe('regex agrees with CPython', () => {
  for (const seed of SEEDS) {
    it(`on generated patterns, seed ${seed}`, (ctx) => {
      const reason = whyNoPython();
      if (reason !== null) ctx.skip(reason);
      const generator = new Generator(seed);
      const verdicts = Array.from({ length: PATTERNS }, () => judge(generator));
      const outcome = judgeInPython(verdicts);
      expect(outcome.wrong).toEqual([]);
      expect(outcome.compared).toBeGreaterThan(PATTERNS * 5);
      expect(outcome.matched).toBeGreaterThan(PATTERNS);
    });
  }
});
