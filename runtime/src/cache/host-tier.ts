/**
 * Prefixes that made way for others, kept in host memory: the engine's cells of one edge of the
 * radix tree with the whole path that leads to its end. The oldest are dropped when the budget is
 * spent. Knows nothing of sequences: `radix-cache.ts` saves and restores.
 *
 *     path    tokens 0 …………………………… path.length
 *     state              from ………… path.length     cells; of use once [0, from) is there
 */
export interface SavedEdge {
  readonly path: readonly number[];
  readonly from: number;
  readonly state: Uint8Array;
}

/** A saved edge and how far it agrees with the tokens that were looked for. */
export interface FoundEdge {
  readonly edge: SavedEdge;
  readonly length: number;
}

/** Bytes per token of a path, which an array of numbers takes. */
const BYTES_OF_TOKEN = 8;
/** Edges are looked through one by one. */
const MOST_EDGES = 2048;

export class HostTier {
  readonly budget: number;
  /** Least recently used first. */
  readonly #edges = new Set<SavedEdge>();
  #bytes = 0;
  #tokens = 0;

  /** `budget` in bytes. */
  constructor(budget: number) {
    this.budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Tokens whose cells are saved. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Whether cells of so many tokens fit at all, judged by those that are saved. */
  canHold(tokens: number): boolean {
    return this.budget > 0 && tokens * this.#bytesPerToken <= this.budget;
  }

  /** Whether cells of so many tokens fit without dropping others. */
  hasRoomFor(tokens: number): boolean {
    return this.budget > 0 && this.#bytes + tokens * this.#bytesPerToken <= this.budget;
  }

  /** The edge that leads furthest beyond `depth`, up to which the caller has the cells of `tokens`. */
  find(tokens: readonly number[], depth: number, limit: number): FoundEdge | null {
    let best: FoundEdge | null = null;
    for (const edge of this.#edges) {
      // Most edges fail at their first token, without a look at their whole path.
      if (edge.from > depth || edge.path[depth] !== tokens[depth]) continue;
      const length = commonEnd(edge.path, tokens, depth, limit);
      if (length <= Math.max(depth, best?.length ?? 0)) continue;
      if (commonEnd(edge.path, tokens, 0, depth) === depth) best = { edge, length };
    }
    return best;
  }

  /** Marks an edge as used now; of no effect if it was dropped. */
  touch(edge: SavedEdge): void {
    if (this.#edges.delete(edge)) this.#edges.add(edge);
  }

  /** Whether the cells [from, path.length) are saved; those count as used now. */
  keeps(path: readonly number[], from: number): boolean {
    for (const edge of this.#edges) {
      if (edge.from > from || !beginsWith(edge.path, path)) continue;
      this.touch(edge);
      return true;
    }
    return false;
  }

  /** Adds an edge; drops what it contains, and the oldest beyond the budget. */
  add(edge: SavedEdge): void {
    for (const other of this.#edges) {
      if (other.from >= edge.from && beginsWith(edge.path, other.path)) this.#drop(other);
    }
    this.#edges.add(edge);
    this.#bytes += bytesOf(edge);
    this.#tokens += edge.path.length - edge.from;
    for (const oldest of this.#edges) {
      if (this.#bytes <= this.budget && this.#edges.size <= MOST_EDGES) break;
      this.#drop(oldest);
    }
  }

  clear(): void {
    this.#edges.clear();
    this.#bytes = 0;
    this.#tokens = 0;
  }

  #drop(edge: SavedEdge): void {
    this.#edges.delete(edge);
    this.#bytes -= bytesOf(edge);
    this.#tokens -= edge.path.length - edge.from;
  }

  get #bytesPerToken(): number {
    return this.#tokens === 0 ? 0 : this.#bytes / this.#tokens;
  }
}

function bytesOf({ path, state }: SavedEdge): number {
  return state.byteLength + path.length * BYTES_OF_TOKEN;
}

/** Where two lists that agree before `from` stop to agree, at most `limit`. */
function commonEnd(
  a: readonly number[],
  b: readonly number[],
  from: number,
  limit: number,
): number {
  const most = Math.min(a.length, b.length, limit);
  let same = from;
  while (same < most && a[same] === b[same]) same += 1;
  return same;
}

/** From the end: lists that differ mostly do so there. */
function beginsWith(longer: readonly number[], start: readonly number[]): boolean {
  if (start.length > longer.length) return false;
  for (let at = start.length - 1; at >= 0; at -= 1) if (longer[at] !== start[at]) return false;
  return true;
}
