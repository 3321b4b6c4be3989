import { CacheIntegrityError } from './prefix-cache.ts';
import type {
  CachedPrefix,
  CacheStatistics,
  Lease,
  Match,
  PrefixCache,
  SequenceStore,
} from './prefix-cache.ts';
import { SequencePool } from './sequence-pool.ts';

/**
 * Keeps nothing: every request computes its whole prompt. The reference in tests, and what models
 * get whose sequences cannot be cut (recurrent, sliding window).
 */
export class NaiveCache implements PrefixCache {
  readonly #store: SequenceStore;
  readonly #pool: SequencePool;
  readonly #leases = new Set<Lease>();

  constructor(store: SequenceStore, sequences: number) {
    this.#store = store;
    this.#pool = new SequencePool(sequences);
  }

  get statistics(): CacheStatistics {
    const host = { tokens: 0, bytes: 0 };
    return { cached: 0, evictable: 0, host, freeSequences: this.#pool.freeCount };
  }

  get prefixes(): readonly CachedPrefix[] {
    return [];
  }

  match(_tokens: readonly number[]): Match {
    return { length: 0, resident: 0, evictable: 0 };
  }

  lock(_tokens: readonly number[], _limit: number): Lease | null {
    const sequence = this.#pool.take();
    if (sequence === null) return null;
    const lease: Lease = { sequence, shared: 0 };
    this.#leases.add(lease);
    return lease;
  }

  insert(_lease: Lease, _tokens: readonly number[]): void {}

  unlock(lease: Lease): void {
    if (!this.#leases.delete(lease)) throw new CacheIntegrityError('a lease was unlocked twice');
    this.#store.removeSequence(lease.sequence, 0, -1);
    this.#pool.give(lease.sequence);
  }

  evict(_cells: number): number {
    return 0;
  }

  offload(): boolean {
    return false;
  }

  clear(): void {}

  checkIntegrity(): void {
    const held = new Set(Array.from(this.#leases, (lease) => lease.sequence));
    if (held.size !== this.#leases.size || held.size + this.#pool.freeCount !== this.#pool.size) {
      throw new CacheIntegrityError('sequence ids are lost or held twice');
    }
  }
}
