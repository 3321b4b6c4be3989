import { describe, expect, it } from 'vitest';
import { CacheIntegrityError } from '../../../runtime/src/cache/prefix-cache.ts';
import type { Lease } from '../../../runtime/src/cache/prefix-cache.ts';
import { NaiveCache } from '../../../runtime/src/cache/naive-cache.ts';
import { RadixCache } from '../../../runtime/src/cache/radix-cache.ts';
import { FakeEngine } from '../../../runtime/src/engine/fake-engine.ts';

/** A cache over a strict fake engine; computes what a request needs and checks the law every time. */
class Bench {
  readonly engine: FakeEngine;
  readonly cache: RadixCache;
  readonly #inUse = new Map<Lease, { tokens: number[] }>();

  constructor(options: { cells?: number; sequences?: number } = {}) {
    this.engine = new FakeEngine({ cells: 256, sequences: 8, ...options });
    this.cache = new RadixCache(this.engine, this.engine.limits.sequences);
  }

  start(text: string): Lease {
    const tokens = letters(text);
    const lease = this.cache.lock(tokens, tokens.length);
    if (lease === null) throw new Error('no sequence id');
    this.#inUse.set(lease, { tokens: tokens.slice(0, lease.shared) });
    this.compute(lease, text.slice(lease.shared));
    return lease;
  }

  compute(lease: Lease, text: string): void {
    const { tokens } = this.#inUse.get(lease)!;
    for (const token of letters(text)) {
      const position = tokens.length;
      const item = { token, position, sequence: lease.sequence, wantsLogits: false };
      expect(this.engine.forward([item])).toEqual({ status: 'ok' });
      tokens.push(token);
    }
    this.check();
  }

  publish(lease: Lease): void {
    this.cache.insert(lease, this.#inUse.get(lease)!.tokens);
    this.check();
  }

  end(lease: Lease): void {
    this.cache.unlock(lease);
    this.#inUse.delete(lease);
    this.check();
  }

  finish(text: string): void {
    const lease = this.start(text);
    this.publish(lease);
    this.end(lease);
  }

  check(): void {
    this.cache.checkIntegrity();
    let inUse = 0;
    for (const [lease, { tokens }] of this.#inUse) inUse += tokens.length - lease.shared;
    expect(this.cache.statistics.cached + inUse).toBe(this.engine.usedCells);
    for (const [lease, { tokens }] of this.#inUse) {
      expect(this.engine.sequenceTokens(lease.sequence)).toEqual(tokens);
    }
  }
}

function letters(text: string): number[] {
  return Array.from(text, (letter) => letter.charCodeAt(0));
}

describe('RadixCache', () => {
  it('finds the longest prefix, also inside an edge, and shares its cells', () => {
    const bench = new Bench();
    bench.finish('system prompt. question A');
    expect(bench.cache.match(letters('system prompt. question B')).length).toBe(24);
    const lease = bench.start('system prompt. question B');
    expect(lease.shared).toBe(24);
    expect(bench.engine.usedCells).toBe(26);
    bench.publish(lease);
    bench.end(lease);
    expect(bench.cache.match(letters('system prompt. question B, and more')).length).toBe(25);
    expect(bench.cache.match(letters('System')).length).toBe(0);
  });

  it('shares the prompt of a running request', () => {
    const bench = new Bench();
    const first = bench.start('shared prompt');
    bench.publish(first);
    const second = bench.start('shared prompt');
    expect(second.shared).toBe(13);
    bench.compute(first, ' one');
    bench.compute(second, ' two');
    for (const lease of [first, second]) {
      bench.publish(lease);
      bench.end(lease);
    }
    expect(bench.engine.usedCells).toBe('shared prompt'.length + ' one'.length + 'two'.length);
  });

  it('keeps one copy of what two requests computed at the same time', () => {
    const bench = new Bench();
    const first = bench.start('the same');
    const second = bench.start('the same');
    expect(bench.engine.usedCells).toBe(16);
    bench.publish(first);
    bench.publish(second);
    expect(bench.engine.usedCells).toBe(8);
    bench.compute(second, '!');
    bench.publish(second);
    bench.end(second);
    bench.end(first);
    expect(bench.cache.statistics).toMatchObject({ cached: 9, evictable: 9, freeSequences: 7 });
  });

  it('evicts the least recently used leaf first and never what a request holds', () => {
    const bench = new Bench();
    bench.finish('prefix one');
    bench.finish('prefix two');
    const held = bench.start('prefix one');
    expect(bench.cache.evict(1)).toBe(3);
    expect(bench.cache.match(letters('prefix two')).length).toBe(7);
    expect(bench.cache.match(letters('prefix one')).length).toBe(10);
    expect(bench.cache.evict(1000)).toBe(0);
    bench.end(held);
    expect(bench.cache.evict(1000)).toBe(10);
    expect(bench.engine.usedCells).toBe(0);
    expect(bench.cache.statistics.freeSequences).toBe(8);
  });

  it('hands the sequence of an evicted last child to its parent', () => {
    const bench = new Bench();
    bench.finish('stem');
    bench.finish('stem and leaf');
    expect(bench.cache.evict(1)).toBe(9);
    bench.check();
    expect(bench.cache.match(letters('stem and leaf')).length).toBe(4);
    bench.finish('stem and another leaf');
    bench.check();
  });

  it('frees a sequence id by eviction, and says when all are running', () => {
    const bench = new Bench({ sequences: 2 });
    bench.finish('aaa');
    bench.finish('bbb');
    const first = bench.start('ccc');
    const second = bench.start('ddd');
    expect(bench.cache.lock(letters('eee'), 3)).toBeNull();
    bench.check();
    bench.end(first);
    bench.end(second);
    expect(bench.engine.usedCells).toBe(0);
  });

  it('respects the limit, so that at least one token is computed', () => {
    const bench = new Bench();
    bench.finish('again');
    const lease = bench.cache.lock(letters('again'), 4);
    expect(lease?.shared).toBe(4);
  });

  it('frees what an aborted request computed', () => {
    const bench = new Bench();
    bench.finish('prompt');
    const lease = bench.start('prompt and more');
    bench.end(lease);
    expect(bench.engine.usedCells).toBe(6);
  });

  it('refuses a lease after its end, and notices lost bookkeeping', () => {
    const bench = new Bench();
    const lease = bench.start('x');
    bench.end(lease);
    expect(() => bench.cache.unlock(lease)).toThrow(CacheIntegrityError);
    expect(() => bench.cache.insert(lease, [1])).toThrow('after its end');
    bench.finish('kept');
    const stolen = bench.cache.lock(letters('kept'), 4)!;
    Object.assign(stolen, { node: { sequence: 99 } });
    expect(() => bench.cache.checkIntegrity()).toThrow(CacheIntegrityError);
  });

  it('keeps its law under 3000 random operations', () => {
    const random = lehmer(7);
    const bench = new Bench({ cells: 400, sequences: 16 });
    const running: { lease: Lease; text: string }[] = [];
    for (let i = 0; i < 3000; i += 1) {
      const dice = random(10);
      if (dice < 4 && running.length < 8) {
        const text = Array.from({ length: 1 + random(20) }, () => 'ab'[random(2)]).join('');
        bench.cache.evict(bench.engine.usedCells + 60 - 400);
        running.push({ lease: bench.start(text), text });
      } else if (dice < 6 && running.length > 0) {
        const one = running[random(running.length)]!;
        bench.publish(one.lease);
        bench.cache.evict(bench.engine.usedCells + 60 - 400);
        if (one.text.length < 40) {
          const more = 'ab'[random(2)]!.repeat(1 + random(3));
          one.text += more;
          bench.compute(one.lease, more);
        }
      } else if (dice < 9 && running.length > 0) {
        const [one] = running.splice(random(running.length), 1);
        if (random(3) > 0) bench.publish(one!.lease);
        bench.end(one!.lease);
      } else {
        bench.cache.evict(random(30));
        bench.check();
      }
    }
    for (const { lease } of running) bench.end(lease);
    bench.cache.clear();
    expect(bench.engine.usedCells).toBe(0);
    expect(bench.cache.statistics.freeSequences).toBe(16);
  });
});

describe('NaiveCache', () => {
  it('keeps nothing and counts its sequences', () => {
    const engine = new FakeEngine({ sequences: 1, supportsPartialRemoval: false });
    const cache = new NaiveCache(engine, 1);
    const lease = cache.lock([1, 2], 2)!;
    engine.forward([{ token: 1, position: 0, sequence: lease.sequence, wantsLogits: false }]);
    expect(cache.lock([1], 1)).toBeNull();
    cache.insert(lease, [1]);
    cache.checkIntegrity();
    cache.unlock(lease);
    expect(engine.usedCells).toBe(0);
    expect(cache.match([1]).length).toBe(0);
    expect(() => cache.unlock(lease)).toThrow(CacheIntegrityError);
  });
});

/** Deterministic numbers 0 … below − 1 (Lehmer, modulus 2³¹ − 1). */
function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
}
