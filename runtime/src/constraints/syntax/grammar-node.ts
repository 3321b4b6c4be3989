import type { CodePointSet } from './code-points.ts';

/**
 * The syntax tree that regex, JSON schema and EBNF front ends share. It describes a language over
 * characters; the network builder turns it into bytes.
 */
export type GrammarNode =
  | { readonly kind: 'empty' }
  /** Matches nothing at all. */
  | { readonly kind: 'never' }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'characters'; readonly set: CodePointSet }
  | { readonly kind: 'sequence'; readonly items: readonly GrammarNode[] }
  | { readonly kind: 'choice'; readonly options: readonly GrammarNode[] }
  /** `maximum` may be Infinity. */
  | {
      readonly kind: 'repeat';
      readonly body: GrammarNode;
      readonly minimum: number;
      readonly maximum: number;
    }
  | { readonly kind: 'rule'; readonly name: string }
  /** `^`, `\A` / `$`, `\Z` of a regex; removed by `anchors.ts` before a network is built. */
  | { readonly kind: 'anchor'; readonly edge: 'start' | 'end'; readonly position: number };

/** A grammar: named rules, of which `root` is the whole output. */
export interface RuleSet {
  readonly rules: ReadonlyMap<string, GrammarNode>;
  readonly root: string;
}

export const EMPTY: GrammarNode = { kind: 'empty' };
export const NEVER: GrammarNode = { kind: 'never' };

export function text(value: string): GrammarNode {
  return value === '' ? EMPTY : { kind: 'text', text: value };
}

export function characters(set: CodePointSet): GrammarNode {
  return set.length === 0 ? NEVER : { kind: 'characters', set };
}

export function rule(name: string): GrammarNode {
  return { kind: 'rule', name };
}

export function sequence(...items: readonly GrammarNode[]): GrammarNode {
  const flat: GrammarNode[] = [];
  for (const item of items) {
    if (item.kind === 'never') return NEVER;
    if (item.kind === 'sequence') flat.push(...item.items);
    else if (item.kind !== 'empty') flat.push(item);
  }
  return flat.length > 1 ? { kind: 'sequence', items: flat } : (flat[0] ?? EMPTY);
}

export function choice(...options: readonly GrammarNode[]): GrammarNode {
  const open = options.filter((option) => option.kind !== 'never');
  return open.length > 1 ? { kind: 'choice', options: open } : (open[0] ?? NEVER);
}

/**
 * `body` at least `minimum` and at most `maximum` times. A body that may be empty is rewritten so
 * that it may not: `(a?){5}` is `a{0,5}`. Counting the empty turns would cost states for nothing.
 */
export function repeat(body: GrammarNode, minimum: number, maximum: number): GrammarNode {
  if (maximum === 0 || body.kind === 'empty') return EMPTY;
  if (body.kind === 'never') return minimum === 0 ? EMPTY : NEVER;
  if (minimum === 1 && maximum === 1) return body;
  if (body.kind === 'repeat' && body.minimum === 0 && body.maximum === 1) {
    return repeat(body.body, 0, maximum);
  }
  if (body.kind === 'repeat' && body.minimum <= 1 && body.maximum === Infinity) {
    return repeat(body.body, body.minimum * minimum, Infinity);
  }
  if (body.kind === 'choice' && body.options.some((option) => option.kind === 'empty')) {
    return repeat(choice(...body.options.filter((option) => option.kind !== 'empty')), 0, maximum);
  }
  return { kind: 'repeat', body, minimum, maximum };
}

export function optional(body: GrammarNode): GrammarNode {
  return repeat(body, 0, 1);
}
