import { expect, test } from 'vitest';
import { Candidates, type Filters } from '../../../runtime/src/sampling/candidates.ts';
import { expNegative } from '../../../runtime/src/sampling/exponential.ts';
import { selectLargest } from '../../../runtime/src/sampling/selection.ts';
import { argmax } from '../../../runtime/src/sampling/token-set.ts';

/** Reproducible numbers in [0, 1): a linear congruential generator. */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const OPEN: Filters = { temperature: 1, topK: -1, topP: 1, minP: 0 };

/** The definition: sort, filter jointly, draw in the order of token ids. */
function naive(logits: Float32Array, allowed: readonly number[], filters: Filters) {
  const { temperature, topK, topP, minP } = filters;
  const sorted = allowed
    .filter((token) => logits[token]! > Number.NEGATIVE_INFINITY)
    .toSorted((a, b) => logits[b]! - logits[a]! || a - b);
  const largest = logits[sorted[0]!]!;
  const weights = sorted.map((token) => Math.exp((logits[token]! - largest) / temperature));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let before = 0;
  const kept = new Map<number, number>();
  sorted.forEach((token, rank) => {
    const weight = weights[rank]!;
    const inside = (topK < 0 || rank < topK) && before <= topP * total && weight >= minP;
    if (inside) kept.set(token, weight);
    before += weight;
  });
  const mass = [...kept.values()].reduce((sum, weight) => sum + weight, 0);
  return [...kept]
    .toSorted(([a], [b]) => a - b)
    .map(([token, weight]) => ({ token, share: weight / mass }));
}

/** The token at a uniform number, and how near that is to the border between two tokens. */
function at(shares: ReturnType<typeof naive>, uniform: number) {
  let low = 0;
  for (const { token, share } of shares) {
    if (uniform < low + share) {
      return { token, margin: Math.min(uniform - low, low + share - uniform) };
    }
    low += share;
  }
  return { token: shares.at(-1)!.token, margin: 0 };
}

function bitsOf(size: number, tokens: readonly number[]): Int32Array {
  const bits = new Int32Array((size + 31) >> 5);
  for (const token of tokens) bits[token >> 5]! |= 1 << (token & 31);
  return bits;
}

const FILTERS: readonly Partial<Filters>[] = [
  {},
  { temperature: 0.3 },
  { temperature: 4 },
  { topK: 1 },
  { topK: 7 },
  { topK: 400 },
  { topP: 0.05 },
  { topP: 0.9 },
  { topP: 0.999 },
  { minP: 0.02 },
  { minP: 1 },
  { topK: 20, topP: 0.7, minP: 0.01, temperature: 0.8 },
  { topK: 300, topP: 0.5, temperature: 2 },
];

test('every draw is the one that the definition gives', () => {
  const random = numbers(1);
  let compared = 0;
  for (const size of [1, 63, 64, 65, 700]) {
    const candidates = new Candidates(size);
    for (const spread of [0, 0.01, 3, 40]) {
      // Rounded logits: ties are frequent.
      const logits = Float32Array.from(
        { length: size },
        () => Math.round((random() - 0.5) * spread * 8) / 4,
      );
      const some = [...logits.keys()].filter(() => random() < 0.3);
      for (const allowed of [null, some]) {
        if (allowed?.length === 0) continue;
        const tokens = allowed ?? [...logits.keys()];
        const bits = allowed === null ? null : bitsOf(size, allowed);
        for (const filters of FILTERS.map((filter) => ({ ...OPEN, ...filter }))) {
          const shares = naive(logits, tokens, filters);
          for (let draw = 0; draw < 6; draw += 1) {
            const uniform = random();
            const { token, margin } = at(shares, uniform);
            // Sums differ in their last digits; nothing else may.
            if (margin < 1e-9) continue;
            compared += 1;
            expect(
              candidates.draw(logits, bits, filters, uniform),
              JSON.stringify({ size, spread, filters, masked: allowed !== null, uniform }),
            ).toBe(token);
          }
        }
      }
    }
  }
  expect(compared).toBeGreaterThan(2500);
});

test('20,000 draws from 5,000 tokens follow the filtered softmax', () => {
  const random = numbers(7);
  const size = 5000;
  const logits = Float32Array.from({ length: size }, () => 6 * random() ** 4);
  const filters = { ...OPEN, temperature: 0.7, topP: 0.6, topK: 60 };
  const shares = naive(logits, [...logits.keys()], filters);
  const candidates = new Candidates(size);
  const counts = new Map(shares.map(({ token }) => [token, 0]));
  const draws = 20_000;
  for (let draw = 0; draw < draws; draw += 1) {
    const token = candidates.draw(logits, null, filters, random());
    counts.set(token, (counts.get(token) ?? Number.NaN) + 1);
  }
  const chiSquared = shares.reduce(
    (sum, { token, share }) => sum + (counts.get(token)! - share * draws) ** 2 / (share * draws),
    0,
  );
  // 59 degrees of freedom: 98.3 is exceeded once in a thousand; the seed is fixed.
  expect(shares).toHaveLength(60);
  expect(chiSquared).toBeLessThan(98.3);
});

test('draws leave logits of NaN and minus infinity out; equal infinite ones share everything', () => {
  const candidates = new Candidates(4);
  const draw = (logits: number[], uniform: number) =>
    candidates.draw(Float32Array.from(logits), null, OPEN, uniform);
  const { NaN: nan, NEGATIVE_INFINITY: low, POSITIVE_INFINITY: high } = Number;
  expect([0, 0.5, 0.999].map((uniform) => draw([nan, 1, low, nan], uniform))).toEqual([1, 1, 1]);
  expect([0, 0.49, 0.51].map((uniform) => draw([1, high, 2, high], uniform))).toEqual([1, 1, 3]);
  expect(draw([nan, nan, low, low], 0.5)).toBe(-1);
});

test('the fast exponential is exact to 13 digits', () => {
  const random = numbers(3);
  for (const x of [0, -1e-9, -30, ...Array.from({ length: 5000 }, () => -30 * random())]) {
    expect(Math.abs(expNegative(x) / Math.exp(x) - 1)).toBeLessThan(1e-13);
  }
});

test('selection finds the largest, ties by smaller item', () => {
  const random = numbers(5);
  for (const length of [1, 2, 17, 300]) {
    const values = Float32Array.from({ length }, () => Math.floor(random() * 9));
    const expected = [...values.keys()].toSorted((a, b) => values[b]! - values[a]! || a - b);
    for (const count of [1, Math.ceil(length / 2), length]) {
      const items = Int32Array.from(values.keys());
      selectLargest(items, length, count, values);
      expect(items.slice(0, count).toSorted((a, b) => a - b)).toEqual(
        Int32Array.from(expected.slice(0, count)).toSorted((a, b) => a - b),
      );
      expect(items[count - 1]).toBe(expected[count - 1]);
    }
  }
});

test('argmax is the first of the largest, with a mask and without', () => {
  const random = numbers(9);
  for (const size of [1, 64, 65, 1000]) {
    const logits = Float32Array.from({ length: size }, () => Math.floor(random() * 20));
    const expected = logits.indexOf(Math.max(...logits));
    expect(argmax(logits, null)).toBe(expected);
    expect(argmax(logits, bitsOf(size, [...logits.keys()]))).toBe(expected);
    expect(argmax(logits, bitsOf(size, [size - 1]))).toBe(size - 1);
  }
  expect(argmax(new Float32Array(100).fill(Number.NEGATIVE_INFINITY), null)).toBe(-1);
  expect(argmax(new Float32Array(100).fill(Number.NaN), null)).toBe(-1);
});
