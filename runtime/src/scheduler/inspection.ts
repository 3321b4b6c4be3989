import { CacheIntegrityError } from '../cache/prefix-cache.ts';
import type { PrefixCache } from '../cache/prefix-cache.ts';
import type { Engine } from '../engine/engine.ts';
import type { Admission } from './admission.ts';
import type { SchedulerState } from './messages.ts';
import type { SchedulerDump } from './state-dump.ts';
import { dumpRequest } from './state-dump.ts';

/** What the scheduler counts by itself. */
export type SchedulerCounts = Pick<
  SchedulerState,
  'steps' | 'generatedTokens' | 'forcedTokens' | 'lastThroughput'
>;

/** Looks at cells, requests and cache without changing anything. */
export class Inspection {
  readonly #engine: Engine;
  readonly #cache: PrefixCache;
  readonly #admission: Admission;

  constructor(engine: Engine, cache: PrefixCache, admission: Admission) {
    this.#engine = engine;
    this.#cache = cache;
    this.#admission = admission;
  }

  state(counts: SchedulerCounts): SchedulerState {
    const { cached, host, freeSequences } = this.#cache.statistics;
    const { running, waiting, cellsInUse, retractions } = this.#admission;
    return {
      running: running.length,
      queued: waiting.length,
      cells: { all: this.#engine.limits.cells, cached, inUse: cellsInUse },
      host,
      freeSequences,
      retractions,
      ...counts,
    };
  }

  dump(counts: SchedulerCounts): SchedulerDump {
    const { running, waiting } = this.#admission;
    return {
      state: this.state(counts),
      violation: this.#violation(),
      requests: [...running, ...waiting].map(dumpRequest),
      cachedPrefixes: this.#cache.prefixes,
    };
  }

  /** Throws `CacheIntegrityError` unless free + cached + in use = all cells, in the engine too. */
  checkIntegrity(): void {
    this.#cache.checkIntegrity();
    const free = this.#admission.freeCells;
    if (free < 0) throw new CacheIntegrityError(`${-free} more cells are in use than there are`);
    for (const { lease, computed } of this.#admission.running) {
      const length = lease === null ? computed : this.#engine.sequenceLength(lease.sequence);
      if (length === computed) continue;
      throw new CacheIntegrityError(
        `a request computed ${computed} cells, the engine has ${length}`,
      );
    }
  }

  #violation(): string | null {
    try {
      this.checkIntegrity();
      return null;
    } catch (error) {
      if (error instanceof CacheIntegrityError) return error.message;
      throw error;
    }
  }
}
