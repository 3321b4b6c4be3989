import { ConstraintError } from '../constraint.ts';
import { choice, EMPTY, repeat, rule, sequence, type GrammarNode } from '../syntax/grammar-node.ts';
import { referencesOf } from '../network/rule-usage.ts';

type Rules = ReadonlyMap<string, GrammarNode>;

/** One alternative of a rule: the rule it begins with, if that matters, and the rest. */
interface Alternative {
  readonly head: string | null;
  readonly tail: GrammarNode;
}

/** Substitution can square the number of alternatives; real grammars stay far below. */
const MAXIMUM_ALTERNATIVES = 1000;

/**
 * Rewrites left-recursive rules with repetitions (Paull's algorithm):
 * `e ::= e "+" t | t` becomes `e ::= t ("+" t)*`. Where a rule hides behind something that may be
 * empty, it is left alone and refused later, when the network is checked.
 */
export function removeLeftRecursion(rules: Rules): Rules {
  const nullable = nullableRules(rules);
  const leftRecursive = leftRecursiveRules(rules, nullable);
  if (leftRecursive.length === 0) return rules;
  const rewritten = new Map(rules);
  const splitter = new Splitter(new Set(leftRecursive), nullable);
  leftRecursive.forEach((name, position) => {
    const earlier = new Set(leftRecursive.slice(0, position));
    let alternatives = splitter.split(rewritten.get(name) ?? EMPTY);
    for (const substituted of earlier) {
      alternatives = alternatives.flatMap((alternative) =>
        alternative.head === substituted
          ? append(splitter.split(rewritten.get(substituted) ?? EMPTY), alternative.tail)
          : [alternative],
      );
      if (alternatives.length > MAXIMUM_ALTERNATIVES) {
        throw new ConstraintError('TOO_LARGE', `left recursion of rule ${name} is too deep`, null);
      }
    }
    rewritten.set(name, withoutOwnHead(name, alternatives));
  });
  return rewritten;
}

function append(alternatives: readonly Alternative[], tail: GrammarNode): Alternative[] {
  return alternatives.map(({ head, tail: own }) => ({ head, tail: sequence(own, tail) }));
}

function withoutOwnHead(name: string, alternatives: readonly Alternative[]): GrammarNode {
  const bases = alternatives.filter(({ head }) => head !== name);
  // `e ::= e` adds nothing.
  const steps = alternatives.filter(({ head, tail }) => head === name && tail.kind !== 'empty');
  const base = choice(
    ...bases.map(({ head, tail }) => (head === null ? tail : sequence(rule(head), tail))),
  );
  return sequence(base, repeat(choice(...steps.map(({ tail }) => tail)), 0, Infinity));
}

/** Turns a node into alternatives, opening just what is needed to see a left-recursive head. */
class Splitter {
  readonly #heads: ReadonlySet<string>;
  readonly #nullable: ReadonlySet<string>;

  constructor(heads: ReadonlySet<string>, nullable: ReadonlySet<string>) {
    this.#heads = heads;
    this.#nullable = nullable;
  }

  split(node: GrammarNode): Alternative[] {
    const closed = [{ head: null, tail: node }];
    if (!this.#beginsWithHead(node)) return closed;
    switch (node.kind) {
      case 'rule':
        return [{ head: node.name, tail: EMPTY }];
      case 'choice':
        return node.options.flatMap((option) => this.split(option));
      case 'sequence':
        return this.#splitSequence(node.items);
      case 'repeat':
        return this.#splitRepeat(node);
      case 'empty':
      case 'never':
      case 'text':
      case 'characters':
      case 'anchor':
        return closed;
    }
  }

  #splitSequence(items: readonly GrammarNode[]): Alternative[] {
    const [first = EMPTY, ...rest] = items;
    const tail = sequence(...rest);
    const own = append(this.#splitNonEmpty(first), tail);
    return isNullable(first, this.#nullable) ? [...own, ...this.split(tail)] : own;
  }

  #splitRepeat(node: GrammarNode & { kind: 'repeat' }): Alternative[] {
    const minimum = isNullable(node.body, this.#nullable) ? 0 : node.minimum;
    const rest = repeat(node.body, Math.max(0, minimum - 1), node.maximum - 1);
    const once = append(this.#splitNonEmpty(node.body), rest);
    return minimum === 0 ? [...once, { head: null, tail: EMPTY }] : once;
  }

  /** Alternatives that are not plainly empty; the caller has a place for those. */
  #splitNonEmpty(node: GrammarNode): Alternative[] {
    return this.split(withoutEmpty(node, this.#nullable)).filter(
      ({ head, tail }) => head !== null || tail.kind !== 'empty',
    );
  }

  #beginsWithHead(node: GrammarNode): boolean {
    for (const name of firstRules(node, this.#nullable)) if (this.#heads.has(name)) return true;
    return false;
  }
}

/**
 * The same language less the empty text, as far as the node itself can say it. A rule that may be
 * empty stays as it is: the alternative without it only repeats what the rule already allows.
 */
function withoutEmpty(node: GrammarNode, nullable: ReadonlySet<string>): GrammarNode {
  if (node.kind === 'choice') {
    return choice(...node.options.filter((option) => option.kind !== 'empty'));
  }
  if (node.kind === 'repeat' && node.minimum === 0 && !isNullable(node.body, nullable)) {
    return repeat(node.body, 1, node.maximum);
  }
  return node;
}

function isNullable(node: GrammarNode, nullable: ReadonlySet<string>): boolean {
  switch (node.kind) {
    case 'empty':
    case 'anchor':
      return true;
    case 'never':
    case 'characters':
    case 'text':
      return false;
    case 'rule':
      return nullable.has(node.name);
    case 'sequence':
      return node.items.every((item) => isNullable(item, nullable));
    case 'choice':
      return node.options.some((option) => isNullable(option, nullable));
    case 'repeat':
      return node.minimum === 0 || isNullable(node.body, nullable);
  }
}

function nullableRules(rules: Rules): Set<string> {
  const nullable = new Set<string>();
  for (let before = -1; before !== nullable.size;) {
    before = nullable.size;
    for (const [name, body] of rules) if (isNullable(body, nullable)) nullable.add(name);
  }
  return nullable;
}

/** Rules that may be called before the node reads anything. */
function firstRules(node: GrammarNode, nullable: ReadonlySet<string>): string[] {
  switch (node.kind) {
    case 'rule':
      return [node.name];
    case 'choice':
      return node.options.flatMap((option) => firstRules(option, nullable));
    case 'repeat':
      return firstRules(node.body, nullable);
    case 'sequence': {
      const solid = node.items.findIndex((item) => !isNullable(item, nullable));
      const open = solid < 0 ? node.items : node.items.slice(0, solid + 1);
      return open.flatMap((item) => firstRules(item, nullable));
    }
    case 'empty':
    case 'never':
    case 'text':
    case 'characters':
    case 'anchor':
      return [];
  }
}

/** Rules that can reach themselves in first place, in order of definition. */
function leftRecursiveRules(rules: Rules, nullable: ReadonlySet<string>): string[] {
  const first = new Map(
    Array.from(rules, ([name, body]) => [name, new Set(firstRules(body, nullable))]),
  );
  const reachesItself = (name: string): boolean => {
    const seen = new Set<string>();
    const pending = [...(first.get(name) ?? [])];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (next === name) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      pending.push(...(first.get(next) ?? []));
    }
    return false;
  };
  return [...rules.keys()].filter(
    (name) => referencesOf(rules.get(name) ?? EMPTY).length > 0 && reachesItself(name),
  );
}
