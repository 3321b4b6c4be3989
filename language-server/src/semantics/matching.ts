/** `match`: cases and what they tell about the subject. */
import type { Match, Pattern } from '../syntax/ast.ts';
import { checkText } from './comparisons.ts';
import { continueWith, type Environment } from './environment.ts';
import type { Machine } from './machine.ts';
import { keepValues } from './narrowing.ts';
import { assignTarget } from './targets.ts';
import { constantText, unknown, type Value } from './value.ts';

export function executeMatch(machine: Machine, node: Match, env: Environment): boolean {
  const subject = machine.evaluate(node.subject, env);
  const paths: (Environment | null)[] = [];
  let rest: Environment | null = env.fork();
  for (const item of node.cases) {
    const path: Environment = (rest ?? env).fork();
    const texts = patternTexts(machine, item.pattern, path, subject);
    bindPattern(machine, item.pattern, path, subject);
    keepMatched(machine, item.pattern, path, subject);
    if (item.guard) machine.evaluate(item.guard, path);
    paths.push(machine.execute(item.body, path) ? path : null);
    if (item.guard || !rest) continue;
    if (texts) keepValues(rest, subject, texts, false);
    else if (isCatchAll(item.pattern)) rest = null;
  }
  if (rest && isExhausted(node, subject)) rest = null;
  return continueWith(env, [...paths, rest]);
}

/** What holds where the pattern matched, part by part: `match a, b:`. */
function keepMatched(machine: Machine, pattern: Pattern, env: Environment, subject: Value): void {
  const parts = partsOf(pattern, subject);
  for (const [part, value] of parts) keepMatched(machine, part, env, value);
  if (parts.length > 0) return;
  machine.recorder.quiet++;
  const texts = patternTexts(machine, pattern, env, subject);
  machine.recorder.quiet--;
  if (texts) keepValues(env, subject, texts, true);
}

/** The patterns of a sequence with their values, where these are known and none is starred. */
function partsOf(pattern: Pattern, subject: Value): readonly (readonly [Pattern, Value])[] {
  if (pattern.kind !== 'SequencePattern' || subject.kind !== 'list') return [];
  const { items } = subject;
  if (items?.length !== pattern.children.length) return [];
  if (pattern.children.some((child) => child.kind === 'CapturePattern' && child.isStarred))
    return [];
  return pattern.children.map((child, i) => [child, items[i] ?? unknown]);
}

function isCatchAll(pattern: Pattern): boolean {
  return pattern.kind === 'CapturePattern';
}

/** Every choice has a case: nothing falls through. */
function isExhausted(node: Match, subject: Value): boolean {
  if (subject.kind !== 'gen' || subject.type.kind !== 'literal') return false;
  const covered = new Set(
    node.cases.flatMap((item) => (item.guard ? [] : literalPatterns(item.pattern))),
  );
  return subject.type.values.every((value) => covered.has(value));
}

function literalPatterns(pattern: Pattern): readonly string[] {
  if (pattern.kind === 'OrPattern') return pattern.children.flatMap(literalPatterns);
  if (pattern.kind === 'AsPattern') return literalPatterns(pattern.pattern);
  return pattern.kind === 'ValuePattern' &&
    pattern.value.kind === 'Str' &&
    pattern.value.value !== null
    ? [pattern.value.value]
    : [];
}

/** Strings that a pattern stands for, `null` if it can match anything else. */
function patternTexts(
  machine: Machine,
  pattern: Pattern,
  env: Environment,
  subject: Value,
): ReadonlySet<string> | null {
  if (pattern.kind === 'OrPattern') {
    const sets = pattern.children.map((child) => patternTexts(machine, child, env, subject));
    return sets.every((set) => set !== null) ? new Set(sets.flatMap((set) => [...set])) : null;
  }
  if (pattern.kind === 'AsPattern') return patternTexts(machine, pattern.pattern, env, subject);
  if (pattern.kind !== 'ValuePattern') return null;
  const known = constantText(machine.evaluate(pattern.value, env));
  if (known === null) return null;
  if (subject.kind === 'gen') checkText(machine, subject.type, known, pattern.value, '==');
  return new Set([known]);
}

function bindPattern(machine: Machine, pattern: Pattern, env: Environment, subject: Value): void {
  switch (pattern.kind) {
    case 'CapturePattern':
      if (pattern.name) assignTarget(machine, env, pattern.name, subject);
      return;
    case 'AsPattern':
      assignTarget(machine, env, pattern.name, subject);
      bindPattern(machine, pattern.pattern, env, subject);
      return;
    case 'ValuePattern':
      return;
    case 'SequencePattern': {
      const known = new Map(partsOf(pattern, subject));
      for (const child of pattern.children)
        bindPattern(machine, child, env, known.get(child) ?? unknown);
      return;
    }
    case 'OrPattern':
    case 'MappingPattern':
    case 'ClassPattern':
      for (const child of pattern.children) bindPattern(machine, child, env, unknown);
  }
}
