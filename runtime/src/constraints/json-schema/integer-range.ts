import {
  characters,
  choice,
  NEVER,
  repeat,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { DIGITS } from '../syntax/code-points.ts';

const ANY_DIGIT = characters(DIGITS);

/** Integers from `low` to `high`, without leading zeros; null is no limit. */
export function integerRange(low: bigint | null, high: bigint | null): GrammarNode {
  const options: GrammarNode[] = [];
  if (high === null || high >= 0n) options.push(naturalRange(max(low ?? 0n, 0n), high));
  if (low === null || low < 0n) {
    const least = high !== null && high < 0n ? -high : 1n;
    options.push(sequence(text('-'), naturalRange(least, low === null ? null : -low)));
  }
  return choice(...options);
}

/** Integers ≥ 0 from `low` to `high`, without leading zeros. */
export function naturalRange(low: bigint, high: bigint | null): GrammarNode {
  if (high === null) return naturalsFrom(low);
  if (low > high) return NEVER;
  const first = String(low);
  const last = String(high);
  if (first.length === last.length) return digitsBetween(first, last);
  const nextLength = 10n ** BigInt(first.length);
  return choice(naturalRange(low, nextLength - 1n), naturalRange(nextLength, high));
}

function naturalsFrom(low: bigint): GrammarNode {
  const length = String(low).length;
  const longer = sequence(characters([0x31, 0x39]), repeat(ANY_DIGIT, length, Infinity));
  return choice(naturalRange(low, 10n ** BigInt(length) - 1n), longer);
}

/** Digit strings of one length from `first` to `last`. */
function digitsBetween(first: string, last: string): GrammarNode {
  if (first === last) return text(first);
  const [low = '0'] = first;
  const [high = '9'] = last;
  const lowRest = first.slice(1);
  const highRest = last.slice(1);
  if (low === high) return sequence(text(low), digitsBetween(lowRest, highRest));
  const rest = repeat(ANY_DIGIT, lowRest.length, lowRest.length);
  const lowIsOpen = /^0*$/.test(lowRest);
  const highIsOpen = /^9*$/.test(highRest);
  const nines = '9'.repeat(lowRest.length);
  const zeros = '0'.repeat(lowRest.length);
  return choice(
    lowIsOpen ? NEVER : sequence(text(low), digitsBetween(lowRest, nines)),
    sequence(digit(Number(low) + (lowIsOpen ? 0 : 1), Number(high) - (highIsOpen ? 0 : 1)), rest),
    highIsOpen ? NEVER : sequence(text(high), digitsBetween(zeros, highRest)),
  );
}

/** One digit from `low` to `high`. */
export function digit(low: number, high: number): GrammarNode {
  return low > high ? NEVER : characters([0x30 + low, 0x30 + high]);
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
