import { ConstraintError } from '../constraint.ts';
import { choice, EMPTY, repeat, sequence, type GrammarNode } from '../syntax/grammar-node.ts';

/**
 * Removes anchors that say nothing: `^` where nothing can have been read, `$` where nothing can
 * follow (a whole match has both anyway). Others are refused, because they would make the pattern
 * unmatchable or, for `$` before a final newline, mean something else.
 */
export function removeOuterAnchors(node: GrammarNode): GrammarNode {
  return strip(node, true, true);
}

function strip(node: GrammarNode, atStart: boolean, atEnd: boolean): GrammarNode {
  switch (node.kind) {
    case 'empty':
    case 'never':
    case 'text':
    case 'characters':
    case 'rule':
      return node;
    case 'anchor':
      if (node.edge === 'start' ? atStart : atEnd) return EMPTY;
      throw interiorAnchor(node.edge, node.position);
    case 'choice':
      return choice(...node.options.map((option) => strip(option, atStart, atEnd)));
    case 'repeat': {
      const once = node.maximum === 1;
      return repeat(strip(node.body, atStart && once, atEnd && once), node.minimum, node.maximum);
    }
    case 'sequence': {
      const solid = node.items.map((item) => !isZeroWidth(item));
      const first = solid.indexOf(true);
      const last = solid.lastIndexOf(true);
      const startLimit = first < 0 ? node.items.length : first;
      return sequence(
        ...node.items.map((item, index) =>
          strip(item, atStart && index <= startLimit, atEnd && index >= last),
        ),
      );
    }
  }
}

/** Anchors and groups of them: they read nothing, so what is next to them stays at the edge. */
export function isZeroWidth(node: GrammarNode): boolean {
  switch (node.kind) {
    case 'empty':
    case 'anchor':
      return true;
    case 'sequence':
      return node.items.every(isZeroWidth);
    case 'choice':
      return node.options.every(isZeroWidth);
    case 'repeat':
      return isZeroWidth(node.body);
    case 'never':
    case 'text':
    case 'characters':
    case 'rule':
      return false;
  }
}

export function interiorAnchor(edge: 'start' | 'end', position: number): ConstraintError {
  const name = edge === 'start' ? '^' : '$';
  const place = edge === 'start' ? 'start' : 'end';
  return new ConstraintError(
    'UNSUPPORTED',
    `${name} inside the pattern is not supported (position ${position}): the pattern always ` +
      `matches the whole output, so ${name} may only stand at its ${place}`,
    position,
  );
}
