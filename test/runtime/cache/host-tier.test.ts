import { describe, expect, it } from 'vitest';
import { HostTier } from '../../../runtime/src/cache/host-tier.ts';
import type { Lease } from '../../../runtime/src/cache/prefix-cache.ts';
import { RadixCache } from '../../../runtime/src/cache/radix-cache.ts';
import { EngineError } from '../../../runtime/src/engine/engine.ts';
import { FakeEngine } from '../../../runtime/src/engine/fake-engine.ts';
import { lehmer } from '../scheduler/scheduler-bench.ts';

/** Bytes that the fake engine saves per cell, and those of a path per token. */
const PER_CELL = 12;
const PER_PATH_TOKEN = 8;

function letters(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

/** A radix cache with a host tier over the strict fake engine. */
class Bench {
  readonly engine: FakeEngine;
  readonly tier: HostTier;
  readonly cache: RadixCache;
  readonly running = new Map<Lease, number[]>();

  constructor(options: { cells?: number; sequences?: number; hostCells?: number } = {}) {
    const { cells = 128, sequences = 8, hostCells = 1000 } = options;
    this.engine = new FakeEngine({ cells, sequences });
    this.tier = new HostTier(hostCells * (PER_CELL + PER_PATH_TOKEN));
    this.cache = new RadixCache(this.engine, sequences, this.tier);
  }

  start(text: string): Lease | null {
    const tokens = letters(text);
    const lease = this.cache.lock(tokens, tokens.length);
    if (lease === null) return null;
    const missing =
      tokens.length - lease.shared - (this.engine.limits.cells - this.engine.usedCells);
    if (missing > 0 && this.cache.evict(missing) < missing) {
      this.cache.unlock(lease);
      return null;
    }
    for (let position = lease.shared; position < tokens.length; position += 1) {
      const item = { token: tokens[position]!, position, sequence: lease.sequence };
      expect(this.engine.forward([{ ...item, wantsLogits: false }])).toEqual({ status: 'ok' });
    }
    this.running.set(lease, tokens);
    this.check();
    return lease;
  }

  end(lease: Lease, publish = true): void {
    if (publish) this.cache.insert(lease, this.running.get(lease)!);
    this.check();
    this.cache.unlock(lease);
    this.running.delete(lease);
    this.check();
  }

  /** Runs a text to its end; returns how much of it was found. */
  found(text: string): number {
    const lease = this.start(text)!;
    const { shared } = lease;
    this.end(lease);
    return shared;
  }

  check(): void {
    this.cache.checkIntegrity();
    let inUse = 0;
    for (const [lease, tokens] of this.running) {
      inUse += tokens.length - lease.shared;
      expect(this.engine.sequenceTokens(lease.sequence)).toEqual(tokens);
    }
    expect(this.cache.statistics.cached + inUse).toBe(this.engine.usedCells);
    expect(this.tier.bytes).toBeGreaterThanOrEqual(this.tier.tokens * PER_CELL);
    expect(this.tier.bytes).toBeLessThanOrEqual(this.tier.budget);
  }
}

const A = 'a system prompt of forty letters or more';
const B = 'b something else, not shared with others';

describe('the host tier', () => {
  it('brings an evicted prefix back, exactly', () => {
    const bench = new Bench();
    bench.found(A);
    expect(bench.cache.evict(1)).toBe(40);
    expect(bench.engine.usedCells).toBe(0);
    expect(bench.cache.statistics.host).toEqual({
      tokens: 40,
      bytes: 40 * (PER_CELL + PER_PATH_TOKEN),
    });
    expect(bench.cache.match(letters(`${A}!`))).toEqual({ length: 40, resident: 0, evictable: 0 });
    expect(bench.found(`${A}!`)).toBe(40);
  });

  it('brings back what agrees of an edge, and no more', () => {
    const bench = new Bench();
    bench.found(A);
    bench.cache.evict(1);
    expect(bench.found(A.slice(0, 20) + '?')).toBe(20);
    expect(bench.engine.usedCells).toBe(21);
    expect(bench.found(A)).toBe(40);
  });

  it('saves a leaf without its path, and finds it again through it', () => {
    const bench = new Bench();
    bench.found(A + B);
    bench.found(A + A);
    expect(bench.cache.evict(1)).toBe(40);
    expect(bench.tier.tokens).toBe(40);
    expect(bench.cache.evict(1000)).toBe(80);
    expect(bench.tier.tokens).toBe(120);
    expect(bench.found(A + B)).toBe(80);
    expect(bench.found(A + A)).toBe(80);
  });

  it('does not save twice what it has', () => {
    const bench = new Bench();
    bench.found(A);
    bench.cache.evict(1);
    bench.found(A.slice(0, 30));
    let saves = 0;
    const save = bench.engine.saveSequence.bind(bench.engine);
    bench.engine.saveSequence = (sequence) => {
      saves += 1;
      return save(sequence);
    };
    bench.cache.evict(1000);
    expect([saves, bench.tier.tokens]).toEqual([0, 40]);
    bench.found(A + B);
    bench.cache.evict(1000);
    expect([saves, bench.tier.tokens]).toEqual([1, 80]);
  });

  it('drops the least recently used beyond its budget, and what can never fit at once', () => {
    const bench = new Bench({ hostCells: 90 });
    bench.found(A);
    bench.found(B);
    bench.cache.evict(1000);
    bench.found(A);
    bench.found('c'.repeat(40));
    bench.cache.evict(1000);
    expect(bench.cache.match(letters(B)).length).toBe(0);
    expect(bench.cache.match(letters(A)).length).toBe(40);
    bench.found('d'.repeat(100));
    bench.cache.evict(1000);
    expect(bench.cache.match(letters('d'.repeat(100))).length).toBe(0);
    expect(bench.cache.match(letters(A)).length).toBe(40);
  });

  it('does without what cannot be saved', () => {
    const bench = new Bench({ hostCells: 10 });
    bench.engine.saveSequence = () => {
      throw new Error('more than the budget');
    };
    bench.found(A);
    expect(bench.cache.evict(1)).toBe(40);
    const other = new Bench();
    other.engine.saveSequence = () => {
      throw new EngineError('DECODE_FAILED', 'cannot save sequence 7');
    };
    other.found(A);
    expect(other.cache.evict(1)).toBe(40);
    for (const one of [bench, other]) {
      one.check();
      expect(one.tier.tokens).toBe(0);
      expect(one.found(A)).toBe(0);
    }
  });

  it('leaves short edges alone', () => {
    const bench = new Bench();
    bench.found('short');
    bench.cache.evict(1);
    expect(bench.tier.tokens).toBe(0);
  });

  it('makes room for what it brings back, not at the cost of what runs', () => {
    const bench = new Bench({ cells: 100 });
    bench.found(A);
    bench.found(B);
    bench.cache.evict(1000);
    bench.found('c'.repeat(90));
    expect(bench.found(A)).toBe(40);
    const running = bench.start('d'.repeat(70))!;
    expect(bench.cache.match(letters(B)).length).toBe(40);
    const lease = bench.cache.lock(letters(B), 40)!;
    expect(lease.shared).toBe(0);
    bench.cache.unlock(lease);
    bench.end(running);
  });

  it('needs no sequence id beyond that of the request', () => {
    const bench = new Bench({ sequences: 3 });
    bench.found(A);
    bench.cache.evict(1000);
    const first = bench.start(B)!;
    const second = bench.start(A)!;
    expect(second.shared).toBe(40);
    expect(bench.cache.lock([1], 1)).toBeNull();
    bench.end(first);
    bench.end(second);
  });

  it('forgets with the cache', () => {
    const bench = new Bench();
    bench.found(A);
    bench.cache.evict(1);
    bench.found(B);
    bench.cache.clear();
    expect(bench.cache.statistics).toMatchObject({ cached: 0, host: { tokens: 0, bytes: 0 } });
    expect(bench.found(A)).toBe(0);
  });

  it('takes idle prefixes over as long as nothing has to go for them', () => {
    const bench = new Bench({ hostCells: 100 });
    bench.found(A);
    bench.found(B);
    const held = bench.start('held '.repeat(5))!;
    expect([bench.cache.offload(), bench.cache.offload(), bench.cache.offload()]).toEqual([
      true,
      true,
      false,
    ]);
    bench.check();
    expect(bench.tier.tokens).toBe(80);
    bench.end(held);
    expect(bench.cache.offload()).toBe(false);
    expect(bench.found(A)).toBe(40);
  });

  it.each([3, 4, 5])('keeps the law under random programs (seed %i)', (seed) => {
    const random = lehmer(seed * 7907);
    const bench = new Bench({ cells: 200, sequences: 10, hostCells: 300 });
    const texts = [''];
    let restored = 0;
    for (let i = 0; i < 700; i += 1) {
      const dice = random(10);
      if (dice < 5 && bench.running.size < 4) {
        const stem = texts[random(texts.length)]!;
        const text = (stem.length > 70 ? '' : stem) + 'abc'[random(3)]!.repeat(8 + random(20));
        const resident = bench.cache.match(letters(text)).resident;
        const lease = bench.start(text);
        if (lease !== null) texts.push(text);
        if (lease !== null && lease.shared > resident) restored += 1;
      } else if (dice < 8 && bench.running.size > 0) {
        const [lease] = [...bench.running.keys()].slice(random(bench.running.size));
        bench.end(lease!, random(4) > 0);
      } else if (dice === 8) {
        bench.cache.evict(random(60));
      } else {
        bench.cache.offload();
      }
      bench.check();
    }
    expect(restored).toBeGreaterThan(10);
    for (const lease of bench.running.keys()) bench.end(lease);
    bench.cache.clear();
    expect(bench.engine.usedCells).toBe(0);
    expect(bench.cache.statistics.freeSequences).toBe(9);
  });
});
