import { CacheIntegrityError } from './prefix-cache.ts';
import type { CacheStatistics, Lease, PrefixCache, SequenceStore } from './prefix-cache.ts';
import { anyLeaf, descend, descendants, firstToken, nodeAt, pathToRoot } from './radix-tree.ts';
import { RadixNode } from './radix-tree.ts';
import { SequencePool } from './sequence-pool.ts';

interface RadixLease extends Lease {
  shared: number;
  /** Deepest node that the lease protects; its depth is `shared`. */
  node: RadixNode;
}

/**
 * RadixAttention over a unified llama.cpp cache: prompts and generations of all requests in one
 * tree, shared by `copySequence`, which copies nothing.
 *
 * Sequence ids: each leaf is covered by one. While a request runs, the leaf that it inserted is
 * covered by the request's own sequence; when the request ends, the id stays with the leaf, or is
 * freed if another request has grown that leaf meanwhile.
 */
export class RadixCache implements PrefixCache {
  readonly #store: SequenceStore;
  readonly #pool: SequencePool;
  readonly #root = new RadixNode(null, []);
  readonly #leases = new Map<Lease, RadixLease>();
  #clock = 0;
  #cached = 0;
  #locked = 0;

  constructor(store: SequenceStore, sequences: number) {
    this.#store = store;
    this.#pool = new SequencePool(sequences);
  }

  get statistics(): CacheStatistics {
    return {
      cached: this.#cached,
      evictable: this.#cached - this.#locked,
      freeSequences: this.#pool.freeCount,
    };
  }

  match(tokens: readonly number[]): number {
    return descend(this.#root, tokens, tokens.length).length;
  }

  lock(tokens: readonly number[], limit: number): Lease | null {
    const position = descend(this.#root, tokens, Math.max(0, Math.min(limit, tokens.length)));
    const node = nodeAt(position);
    this.#addLock(node);
    const sequence = this.#takeSequence();
    if (sequence === null) {
      this.#dropLock(node);
      return null;
    }
    if (node.depth > 0) this.#store.copySequence(this.#covering(node), sequence, 0, node.depth);
    const lease: RadixLease = { sequence, shared: node.depth, node };
    this.#leases.set(lease, lease);
    return lease;
  }

  insert(lease: Lease, tokens: readonly number[]): void {
    const held = this.#held(lease);
    if (tokens.length < held.shared) {
      throw new CacheIntegrityError('insert must extend what the lease shares');
    }
    const position = descend(held.node, tokens, tokens.length);
    let node = nodeAt(position);
    this.#adopt(held, node);
    if (node.depth < tokens.length) node = this.#grow(node, tokens, held.sequence);
    this.#addLock(node);
    this.#dropLock(held.node);
    held.node = node;
    held.shared = node.depth;
  }

  unlock(lease: Lease): void {
    const held = this.#held(lease);
    this.#leases.delete(lease);
    this.#dropLock(held.node);
    if (held.node.sequence === held.sequence) {
      this.#store.removeSequence(held.sequence, held.shared, -1);
    } else {
      this.#freeSequence(held.sequence);
    }
  }

  evict(cells: number): number {
    let freed = 0;
    while (freed < cells) {
      const leaf = this.#oldestUnlockedLeaf();
      if (leaf === null) break;
      freed += leaf.edge.length;
      this.#remove(leaf);
    }
    return freed;
  }

  clear(): void {
    this.evict(Number.POSITIVE_INFINITY);
  }

  checkIntegrity(): void {
    const covering = new Set(Array.from(this.#leases.values(), (lease) => lease.sequence));
    let cached = 0;
    let locked = 0;
    for (const node of descendants(this.#root)) {
      cached += node.edge.length;
      if (node.locks > 0) locked += node.edge.length;
      this.#checkNode(node);
      if (node.sequence !== null) covering.add(node.sequence);
    }
    if (cached !== this.#cached || locked !== this.#locked) {
      throw new CacheIntegrityError(
        `counted ${cached} cached and ${locked} locked cells, noted ${this.#cached} and ${this.#locked}`,
      );
    }
    const { taken } = this.#pool;
    if (covering.size !== taken.size || [...covering].some((sequence) => !taken.has(sequence))) {
      throw new CacheIntegrityError('sequence ids are lost or held by nobody');
    }
  }

  #checkNode(node: RadixNode): void {
    const parentDepth = node.parent?.depth ?? 0;
    if (node.depth !== parentDepth + node.edge.length || node.edge.length === 0) {
      throw new CacheIntegrityError(`a node ends at ${node.depth}, its edge does not`);
    }
    if (node.isLeaf !== (node.sequence !== null)) {
      throw new CacheIntegrityError('leaves have a sequence, inner nodes have none');
    }
    const below = Array.from(node.children.values()).reduce((sum, child) => sum + child.locks, 0);
    const own = Array.from(this.#leases.values()).filter((lease) => lease.node === node).length;
    if (node.locks !== below + own) throw new CacheIntegrityError('a lock is lost');
  }

  #held(lease: Lease): RadixLease {
    const held = this.#leases.get(lease);
    if (held === undefined) throw new CacheIntegrityError('a lease was used after its end');
    return held;
  }

  /** Replaces cells that the lease computed although the tree has them by those of the tree. */
  #adopt(held: RadixLease, node: RadixNode): void {
    if (node.depth <= held.shared) return;
    this.#store.removeSequence(held.sequence, held.shared, node.depth);
    this.#store.copySequence(this.#covering(node), held.sequence, held.shared, node.depth);
  }

  /** Adds the rest of `tokens` as a leaf below `node`, covered by `sequence`. */
  #grow(node: RadixNode, tokens: readonly number[], sequence: number): RadixNode {
    const leaf = new RadixNode(node, tokens.slice(node.depth));
    const previous = node.sequence;
    node.children.set(firstToken(leaf), leaf);
    node.sequence = null;
    leaf.sequence = sequence;
    this.#cached += leaf.edge.length;
    if (previous !== null && previous !== sequence && !this.#isLeased(previous)) {
      this.#freeSequence(previous);
    }
    return leaf;
  }

  #addLock(node: RadixNode): void {
    this.#clock += 1;
    for (const at of pathToRoot(node)) {
      if (at.locks === 0) this.#locked += at.edge.length;
      at.locks += 1;
      at.lastUse = this.#clock;
    }
  }

  #dropLock(node: RadixNode): void {
    for (const at of pathToRoot(node)) {
      at.locks -= 1;
      if (at.locks === 0) this.#locked -= at.edge.length;
    }
  }

  /** A sequence whose first `node.depth` cells are those of the path to `node`. */
  #covering(node: RadixNode): number {
    const { sequence } = anyLeaf(node);
    if (sequence === null) throw new CacheIntegrityError('a leaf has no sequence');
    return sequence;
  }

  #isLeased(sequence: number): boolean {
    for (const lease of this.#leases.values()) if (lease.sequence === sequence) return true;
    return false;
  }

  #takeSequence(): number | null {
    for (;;) {
      const sequence = this.#pool.take();
      if (sequence !== null) return sequence;
      const leaf = this.#oldestUnlockedLeaf();
      if (leaf === null) return null;
      this.#remove(leaf);
    }
  }

  #freeSequence(sequence: number): void {
    this.#store.removeSequence(sequence, 0, -1);
    this.#pool.give(sequence);
  }

  #oldestUnlockedLeaf(): RadixNode | null {
    let oldest: RadixNode | null = null;
    for (const node of descendants(this.#root)) {
      if (!node.isLeaf || node.locks > 0) continue;
      if (oldest === null || node.lastUse < oldest.lastUse) oldest = node;
    }
    return oldest;
  }

  /** Removes an unlocked leaf. Its sequence then covers the parent, if nothing else does. */
  #remove(leaf: RadixNode): void {
    const { parent, sequence } = leaf;
    if (parent === null || sequence === null) throw new CacheIntegrityError('not a leaf');
    parent.children.delete(firstToken(leaf));
    this.#cached -= leaf.edge.length;
    if (parent.parent !== null && parent.isLeaf) {
      this.#store.removeSequence(sequence, parent.depth, -1);
      parent.sequence = sequence;
    } else {
      this.#freeSequence(sequence);
    }
  }
}
