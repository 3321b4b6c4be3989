/**
 * The tree of token prefixes behind `radix-cache.ts`. A node stands for the tokens of its edge,
 * which follow those of its parents. Pure data: knows nothing of cells and sequences except that
 * a leaf names the sequence that covers it.
 *
 *     root ── "system prompt" ─┬─ "question A" ── "answer"     leaf, sequence 4
 *                              └─ "question B"                 leaf, sequence 7
 *
 * An inner node has no sequence of its own: every leaf below covers it.
 */
export class RadixNode {
  parent: RadixNode | null;
  edge: readonly number[];
  /** Tokens from the root to the end of the edge. */
  readonly depth: number;
  readonly children = new Map<number, RadixNode>();
  /** Set on leaves (root excepted), null on inner nodes. */
  sequence: number | null = null;
  /** Leases that hold this node or one below. */
  locks = 0;
  /** Logical time of the last use. */
  lastUse = 0;

  constructor(parent: RadixNode | null, edge: readonly number[]) {
    this.parent = parent;
    this.edge = edge;
    this.depth = (parent?.depth ?? 0) + edge.length;
  }

  get isLeaf(): boolean {
    return this.children.size === 0;
  }
}

/** Where the longest known prefix ends: `length` tokens, inside (or at the end of) `node`'s edge. */
export interface TreePosition {
  readonly node: RadixNode;
  readonly length: number;
}

/** Follows `tokens` from `start`, whose path they contain, as far as the tree and `limit` go. */
export function descend(start: RadixNode, tokens: readonly number[], limit: number): TreePosition {
  let node = start;
  let length = start.depth;
  while (length < limit) {
    const next: RadixNode | undefined = node.children.get(tokens[length] ?? -1);
    if (next === undefined) break;
    const from = length;
    const most = Math.min(next.edge.length, limit - from);
    let same = 1;
    while (same < most && next.edge[same] === tokens[from + same]) same += 1;
    node = next;
    length = from + same;
    if (same < next.edge.length) break;
  }
  return { node, length };
}

/**
 * A node that ends exactly at the position, made by splitting an edge if need be. The *lower* half
 * stays the same object, so that whoever holds the node still holds its whole path.
 */
export function nodeAt({ node, length }: TreePosition): RadixNode {
  const { parent } = node;
  if (length === node.depth || parent === null) return node;
  const upperLength = length - parent.depth;
  const upper = new RadixNode(parent, node.edge.slice(0, upperLength));
  upper.locks = node.locks;
  upper.lastUse = node.lastUse;
  parent.children.set(firstToken(upper), upper);
  node.edge = node.edge.slice(upperLength);
  node.parent = upper;
  upper.children.set(firstToken(node), node);
  return upper;
}

export function firstToken(node: RadixNode): number {
  const [first] = node.edge;
  if (first === undefined) throw new RangeError('only the root has an empty edge');
  return first;
}

/** Every node below `node`, parents before children. */
export function* descendants(node: RadixNode): Generator<RadixNode> {
  for (const child of node.children.values()) {
    yield child;
    yield* descendants(child);
  }
}

/** The node and its parents, without the root. */
export function* pathToRoot(node: RadixNode): Generator<RadixNode> {
  for (let at: RadixNode | null = node; at !== null && at.parent !== null; at = at.parent) yield at;
}

/** All tokens from the root to the end of the node. */
export function pathTokens(node: RadixNode): number[] {
  const edges = Array.from(pathToRoot(node), ({ edge }) => edge);
  return edges.toReversed().flat();
}

/** Some leaf at or below `node`. */
export function anyLeaf(node: RadixNode): RadixNode {
  let leaf = node;
  for (;;) {
    const next = leaf.children.values().next();
    if (next.done) return leaf;
    leaf = next.value;
  }
}
