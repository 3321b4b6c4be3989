import { randomInt } from 'node:crypto';

/** A seed for requests that name none. */
export function randomSeed(): number {
  return randomInt(0x1_0000_0000);
}

/**
 * Uniform number in [0, 1) with 53 random bits: a hash of the request's seed and the number of the
 * draw, with no state between draws. A request that is retracted and computed again, or that runs in
 * another batch, therefore draws the same numbers.
 *
 * Algorithm: two 32-bit words from the `lowbias32` integer hash (C. Wellons, "Prospecting for Hash
 * Functions", 2018), chained over seed (low, high word), draw and word number.
 */
export function uniformAt(seed: number, draw: number): number {
  const low = seed >>> 0;
  const high = Math.floor(seed / 0x1_0000_0000) >>> 0;
  const state = lowbias32((lowbias32((lowbias32(low) ^ high) >>> 0) + draw) >>> 0);
  const first = lowbias32(state ^ 0x9e3779b9) >>> 5;
  const second = lowbias32(state ^ 0x3c6ef372) >>> 6;
  return (first * 0x400_0000 + second) / 0x20_0000_0000_0000;
}

function lowbias32(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}
