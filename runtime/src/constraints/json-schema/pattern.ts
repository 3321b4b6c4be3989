import { ConstraintError } from '../constraint.ts';
import { interiorAnchor, removeOuterAnchors } from '../regex/anchors.ts';
import { parseRegex } from '../regex/regex-parser.ts';
import { choice, repeat, sequence, type GrammarNode } from '../syntax/grammar-node.ts';
import { ANY_CHARACTER } from '../syntax/code-points.ts';
import type { Pointer } from './schema-error.ts';

const ANYTHING: GrammarNode = repeat({ kind: 'characters', set: ANY_CHARACTER }, 0, Infinity);

/**
 * The texts that contain a match of `pattern`: JSON schema patterns are searches, not whole
 * matches. A `^` or `$` at the edge of an alternative ties it to that end.
 */
export function searchPattern(pattern: string, pointer: Pointer): GrammarNode {
  try {
    return open(open(parseRegex(pattern), 'start'), 'end');
  } catch (error) {
    if (!(error instanceof ConstraintError)) throw error;
    const message = `JSON schema at ${pointer}: pattern ${JSON.stringify(pattern)}: ${error.message}`;
    throw new ConstraintError(error.code, message, null);
  }
}

/** The whole text, for formats, which are written as whole matches. */
export function wholePattern(pattern: string): GrammarNode {
  return removeOuterAnchors(parseRegex(pattern));
}

/** Lets anything stand outside of the match at one edge, unless an anchor forbids it. */
function open(node: GrammarNode, edge: 'start' | 'end'): GrammarNode {
  const beside = (inner: GrammarNode): GrammarNode =>
    edge === 'start' ? sequence(ANYTHING, inner) : sequence(inner, ANYTHING);
  if (!hasAnchor(node, edge)) return beside(node);
  switch (node.kind) {
    case 'anchor':
      return { kind: 'empty' };
    case 'choice':
      return choice(...node.options.map((option) => open(option, edge)));
    case 'sequence': {
      const outer = edge === 'start' ? 0 : node.items.length - 1;
      const items = node.items.map((item, index) => (index === outer ? open(item, edge) : item));
      for (const item of items) refuseAnchors(item, edge);
      return sequence(...items);
    }
    case 'repeat':
    case 'empty':
    case 'never':
    case 'text':
    case 'characters':
    case 'rule':
      refuseAnchors(node, edge);
      return node;
  }
}

function hasAnchor(node: GrammarNode, edge: 'start' | 'end'): boolean {
  return findAnchor(node, edge) !== null;
}

function refuseAnchors(node: GrammarNode, edge: 'start' | 'end'): void {
  const position = findAnchor(node, edge);
  if (position !== null) throw interiorAnchor(edge, position);
}

/** Position of some anchor of this sort. */
function findAnchor(node: GrammarNode, edge: 'start' | 'end'): number | null {
  const pending: GrammarNode[] = [node];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (next.kind === 'anchor' && next.edge === edge) return next.position;
    if (next.kind === 'sequence') pending.push(...next.items);
    else if (next.kind === 'choice') pending.push(...next.options);
    else if (next.kind === 'repeat') pending.push(next.body);
  }
  return null;
}
