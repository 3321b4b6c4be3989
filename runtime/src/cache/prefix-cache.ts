/**
 * Keeps the keys and values of past tokens in the engine so that later requests with the same
 * beginning need not compute them again. The interface of `naive-cache.ts` (nothing is kept) and
 * `radix-cache.ts` (a tree of all prompts and generations).
 *
 * Who owns the cells of a request that has computed its first `computed` tokens:
 *
 *     [0, lease.shared)          the cache; read-only, other requests may read them too
 *     [lease.shared, computed)   the request; freed by `unlock` unless `insert` gives them away
 *
 * Conservation law: free + cached + in use = all cells, where *in use* is the sum of
 * `computed − lease.shared` over the running requests.
 */

/** A request's hold on an engine sequence and on the cached prefix that the sequence starts with. */
export interface Lease {
  /** Engine sequence in which the request computes. No other request writes to it. */
  readonly sequence: number;
  /** Tokens of the sequence whose cells belong to the cache. */
  readonly shared: number;
}

export interface CacheStatistics {
  /** Cells that the cache owns, locked ones included. */
  readonly cached: number;
  /** Cells that `evict` could free now. */
  readonly evictable: number;
  /** Tokens, and bytes, of evicted prefixes in host memory. */
  readonly host: { readonly tokens: number; readonly bytes: number };
  /** Sequence ids that no request and no cached leaf holds. */
  readonly freeSequences: number;
}

/** A leaf of the cache, for state dumps. */
export interface CachedPrefix {
  /** Tokens from the beginning of the prefix. */
  readonly tokens: number;
  /** Of these, those that no other prefix shares. */
  readonly own: number;
  readonly isInUse: boolean;
  readonly sequence: number | null;
}

/** What the cache has of some tokens. */
export interface Match {
  /** Length of the longest cached prefix, host memory included. */
  readonly length: number;
  /** How much of it is in the engine. */
  readonly resident: number;
  /** How much of that could be evicted now. */
  readonly evictable: number;
}

export interface PrefixCache {
  readonly statistics: CacheStatistics;
  /** Every prefix in the engine that is not the beginning of another. */
  readonly prefixes: readonly CachedPrefix[];

  /** The longest cached prefix of `tokens`. Changes nothing. */
  match(tokens: readonly number[]): Match;

  /**
   * Takes a sequence that starts with the longest cached prefix of `tokens`, at most `limit` long,
   * and protects that prefix from eviction until `unlock`. Brings evicted parts of it back from host
   * memory. Evicts when it needs cells for that, or a sequence id;
   * null when running requests, and the prefixes that they hold, use all ids.
   */
  lock(tokens: readonly number[], limit: number): Lease | null;

  /**
   * Gives the cells of `tokens`, all computed in the lease's sequence, to the cache, where other
   * requests find them at once. The lease keeps protecting them. Cells which the cache already
   * has are replaced by the cache's own and freed. `tokens` must extend what the lease shares.
   */
  insert(lease: Lease, tokens: readonly number[]): void;

  /** Ends the lease: frees the cells that the cache does not own. Using it afterwards throws. */
  unlock(lease: Lease): void;

  /** Frees at least `cells` cells of unlocked prefixes, least recently used first; returns how many. */
  evict(cells: number): number;

  /**
   * Moves the least recently used prefix to host memory if there is room; false if nothing could be
   * moved. For idle times: cells that are in use cost every step a little.
   */
  offload(): boolean;

  /** Forgets every unlocked prefix, in host memory too. */
  clear(): void;

  /** Throws `CacheIntegrityError` when the bookkeeping contradicts itself, or the engine. */
  checkIntegrity(): void;
}

/** What a cache needs of the engine: no tokens are computed here, only cells shared and dropped. */
export interface SequenceStore {
  copySequence(source: number, target: number, from: number, to: number): void;
  removeSequence(sequence: number, from: number, to: number): boolean;
  sequenceLength(sequence: number): number;
  saveSequence(sequence: number): Uint8Array;
  savedBytes(sequence: number): number;
  restoreSequence(sequence: number, state: Uint8Array): boolean;
}

export class CacheIntegrityError extends Error {
  readonly code = 'CACHE_INTEGRITY';

  constructor(message: string) {
    super(`prefix cache: ${message}`);
    this.name = 'CacheIntegrityError';
  }
}
