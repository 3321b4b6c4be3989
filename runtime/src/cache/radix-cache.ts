import { EdgeTransfer } from './edge-transfer.ts';
import type { FoundEdge, HostTier } from './host-tier.ts';
import { CacheIntegrityError } from './prefix-cache.ts';
import type {
  CachedPrefix,
  CacheStatistics,
  Lease,
  Match,
  PrefixCache,
  SequenceStore,
} from './prefix-cache.ts';
import {
  anyLeaf,
  descend,
  descendants,
  firstToken,
  nodeAt,
  pathToRoot,
  pathTokens,
} from './radix-tree.ts';
import { RadixNode } from './radix-tree.ts';
import { SequencePool } from './sequence-pool.ts';

interface RadixLease extends Lease {
  shared: number;
  /** Deepest node that the lease protects; its depth is `shared`. */
  node: RadixNode;
}

/** Shorter edges are computed again faster than they are fetched from host memory. */
const WORTH_SAVING = 16;

/**
 * RadixAttention over a unified llama.cpp cache: prompts and generations of all requests in one
 * tree, shared by `copySequence`, which copies nothing.
 *
 * Sequence ids: each leaf is covered by one. While a request runs, the leaf that it inserted is
 * covered by the request's own sequence; when the request ends, the id stays with the leaf, or is
 * freed if another request has grown that leaf meanwhile.
 *
 * With a host tier, evicted edges are saved there, and `lock` brings them back.
 */
export class RadixCache implements PrefixCache {
  readonly #store: SequenceStore;
  readonly #pool: SequencePool;
  readonly #root = new RadixNode(null, []);
  readonly #leases = new Map<Lease, RadixLease>();
  readonly #tier: HostTier | null;
  readonly #transfer: EdgeTransfer;
  #clock = 0;
  #cached = 0;
  #locked = 0;

  /** A tier takes one of the sequence ids for its transfers. */
  constructor(store: SequenceStore, sequences: number, tier: HostTier | null = null) {
    this.#store = store;
    this.#tier = tier;
    this.#pool = new SequencePool(tier === null ? sequences : sequences - 1);
    this.#transfer = new EdgeTransfer(store, sequences - 1);
  }

  get statistics(): CacheStatistics {
    return {
      cached: this.#cached,
      evictable: this.#cached - this.#locked,
      host: { tokens: this.#tier?.tokens ?? 0, bytes: this.#tier?.bytes ?? 0 },
      freeSequences: this.#pool.freeCount,
    };
  }

  get prefixes(): readonly CachedPrefix[] {
    return [...descendants(this.#root)]
      .filter((node) => node.isLeaf)
      .map((node) => ({
        tokens: node.depth,
        own: node.edge.length,
        isInUse: node.locks > 0,
        sequence: node.sequence,
      }));
  }

  match(tokens: readonly number[]): Match {
    const { node, length: resident } = descend(this.#root, tokens, tokens.length);
    let length = resident;
    for (let found; (found = this.#saved(tokens, length, tokens.length)) !== null;) {
      ({ length } = found);
    }
    const locked = [...pathToRoot(node)].find(({ locks }) => locks > 0);
    return { length, resident, evictable: resident - Math.min(resident, locked?.depth ?? 0) };
  }

  lock(tokens: readonly number[], limit: number): Lease | null {
    const most = Math.max(0, Math.min(limit, tokens.length));
    const position = descend(this.#root, tokens, most);
    const node = nodeAt(position);
    this.#addLock(node);
    const sequence = this.#takeSequence();
    if (sequence === null) {
      this.#dropLock(node);
      return null;
    }
    if (node.depth > 0) this.#store.copySequence(this.#covering(node), sequence, 0, node.depth);
    return this.#hold(sequence, this.#restore(node, sequence, tokens.slice(0, most)));
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
      this.#save(leaf);
      this.#remove(leaf);
    }
    return freed;
  }

  offload(): boolean {
    const leaf = this.#oldestUnlockedLeaf();
    if (leaf === null || this.#tier?.hasRoomFor(leaf.edge.length) !== true) return false;
    this.#save(leaf);
    this.#remove(leaf);
    return true;
  }

  clear(): void {
    this.#tier?.clear();
    for (let leaf = this.#oldestUnlockedLeaf(); leaf; leaf = this.#oldestUnlockedLeaf()) {
      this.#remove(leaf);
    }
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
    if (node.sequence !== null && this.#store.sequenceLength(node.sequence) < node.depth) {
      throw new CacheIntegrityError(`sequence ${node.sequence} has lost cells of its leaf`);
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

  /** Keeps the cells of a leaf that is about to go, if they are worth it. */
  #save(leaf: RadixNode): void {
    const { edge, parent, sequence } = leaf;
    if (this.#tier === null || parent === null || sequence === null) return;
    if (edge.length < WORTH_SAVING || !this.#tier.canHold(edge.length)) return;
    const path = pathTokens(leaf);
    if (this.#tier.keeps(path, parent.depth)) return;
    const saved = this.#transfer.save(sequence, path, parent.depth, this.#tier.budget);
    if (saved !== null) this.#tier.add(saved);
  }

  #saved(tokens: readonly number[], depth: number, limit: number): FoundEdge | null {
    const found = this.#tier?.find(tokens, depth, limit) ?? null;
    return found !== null && found.length >= depth + WORTH_SAVING ? found : null;
  }

  #hold(sequence: number, node: RadixNode): Lease {
    const lease: RadixLease = { sequence, shared: node.depth, node };
    this.#leases.set(lease, lease);
    return lease;
  }

  /**
   * Brings back what host memory has of `tokens` behind `start`, into `sequence`, which has the
   * rest. Moves the lock on `start` to the deepest node then, and returns it.
   */
  #restore(start: RadixNode, sequence: number, tokens: readonly number[]): RadixNode {
    let node = start;
    for (;;) {
      const found = this.#saved(tokens, node.depth, tokens.length);
      if (found === null || !this.#restoreEdge(found, sequence, node.depth)) return node;
      const leaf = this.#grow(node, tokens.slice(0, found.length), sequence);
      this.#addLock(leaf);
      this.#dropLock(node);
      node = leaf;
    }
  }

  /** False if the engine finds no room. */
  #restoreEdge({ edge, length }: FoundEdge, sequence: number, from: number): boolean {
    const cells = edge.path.length - edge.from;
    const restore = (): boolean => this.#transfer.restore(edge, sequence, from, length);
    const done = restore() || (this.evict(cells) >= cells && restore());
    if (done) this.#tier?.touch(edge);
    return done;
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
      this.#save(leaf);
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
