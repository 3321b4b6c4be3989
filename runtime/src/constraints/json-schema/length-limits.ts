import { repeat, sequence, type GrammarNode } from '../syntax/grammar-node.ts';

/** Least and greatest number of characters of a node's texts. */
export interface Lengths {
  readonly minimum: number;
  readonly maximum: number;
}

export function lengthsOf(node: GrammarNode): Lengths {
  switch (node.kind) {
    case 'empty':
    case 'anchor':
      return { minimum: 0, maximum: 0 };
    case 'never':
      return { minimum: Infinity, maximum: 0 };
    case 'characters':
      return { minimum: 1, maximum: 1 };
    case 'text': {
      const length = Array.from(node.text).length;
      return { minimum: length, maximum: length };
    }
    case 'rule':
      return { minimum: 0, maximum: Infinity };
    case 'sequence':
      return sum(node.items);
    case 'choice': {
      const lengths = node.options.map(lengthsOf);
      return {
        minimum: Math.min(...lengths.map((length) => length.minimum)),
        maximum: Math.max(...lengths.map((length) => length.maximum)),
      };
    }
    case 'repeat': {
      const body = lengthsOf(node.body);
      return {
        minimum: node.minimum * body.minimum,
        maximum: body.maximum === 0 ? 0 : node.maximum * body.maximum,
      };
    }
  }
}

function sum(nodes: readonly GrammarNode[]): Lengths {
  const lengths = nodes.map(lengthsOf);
  return {
    minimum: lengths.reduce((total, length) => total + length.minimum, 0),
    maximum: lengths.reduce((total, length) => total + length.maximum, 0),
  };
}

/**
 * The node's texts of `limits.minimum` to `limits.maximum` characters; null if the tree cannot say
 * it. It can when all texts are within the limits, or when a single repetition of characters
 * decides the length, as in `^[A-Z][a-z]*$`.
 */
export function withinLengths(node: GrammarNode, limits: Lengths): GrammarNode | null {
  const own = lengthsOf(node);
  if (own.minimum >= limits.minimum && own.maximum <= limits.maximum) return node;
  if (node.kind === 'choice') {
    const options = node.options.map((option) => withinLengths(option, limits));
    return options.includes(null)
      ? null
      : { kind: 'choice', options: options.filter((option) => option !== null) };
  }
  if (own.minimum > limits.maximum || own.maximum < limits.minimum) return { kind: 'never' };
  const items = node.kind === 'sequence' ? node.items : [node];
  const loose = items.filter((item) => {
    const lengths = lengthsOf(item);
    return lengths.minimum !== lengths.maximum;
  });
  const [counted] = loose;
  if (loose.length !== 1 || counted?.kind !== 'repeat') return null;
  const body = lengthsOf(counted.body);
  if (body.minimum !== 1 || body.maximum !== 1) return null;
  const others = own.minimum - counted.minimum;
  const minimum = Math.max(counted.minimum, limits.minimum - others);
  const maximum = Math.min(counted.maximum, limits.maximum - others);
  const narrowed =
    minimum > maximum ? ({ kind: 'never' } as const) : repeat(counted.body, minimum, maximum);
  return sequence(...items.map((item) => (item === counted ? narrowed : item)));
}
