import {
  characters,
  choice,
  EMPTY,
  NEVER,
  optional,
  repeat,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { charactersOf, DIGITS } from '../syntax/code-points.ts';
import { digit, naturalRange } from './integer-range.ts';

/** One end of a range. */
export interface Bound {
  readonly value: number;
  readonly isExclusive: boolean;
}

/** A non-negative decimal: integer part, and fraction digits without trailing zeros. */
interface Decimal {
  readonly whole: bigint;
  readonly fraction: string;
  readonly isExclusive: boolean;
}

const ANY_DIGIT = characters(DIGITS);
const ZERO = characters(charactersOf('0'));
const ZERO_BOUND: Bound = { value: 0, isExclusive: false };

/**
 * Decimal numbers within a range, without exponent; null is no limit. `fractionDigits` bounds the
 * digits behind the point: beyond about 15 a reader that rounds to doubles could leave the range.
 */
export function decimalRange(
  low: Bound | null,
  high: Bound | null,
  fractionDigits: number,
): GrammarNode {
  const digits = new DecimalDigits(fractionDigits);
  const options: GrammarNode[] = [];
  if (high === null || high.value >= 0) {
    const from = low === null || low.value < 0 ? ZERO_BOUND : low;
    options.push(digits.between(from, high));
  }
  if (low === null || low.value < 0) {
    const from = high === null || high.value > 0 ? ZERO_BOUND : negated(high);
    options.push(sequence(text('-'), digits.between(from, low === null ? null : negated(low))));
  }
  return choice(...options);
}

function negated(bound: Bound): Bound {
  return { value: -bound.value, isExclusive: bound.isExclusive };
}

class DecimalDigits {
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  between(low: Bound, high: Bound | null): GrammarNode {
    const from = decimal(low);
    if (high === null) return this.#from(from);
    const to = decimal(high);
    if (from.whole > to.whole) return NEVER;
    if (from.whole === to.whole) {
      return sequence(text(String(from.whole)), this.#fractionBetween(from, to));
    }
    return choice(
      sequence(text(String(from.whole)), this.#fractionFrom(from)),
      sequence(naturalRange(from.whole + 1n, to.whole - 1n), this.#anyFraction()),
      sequence(text(String(to.whole)), this.#fractionTo(to)),
    );
  }

  #from(low: Decimal): GrammarNode {
    return choice(
      sequence(text(String(low.whole)), this.#fractionFrom(low)),
      sequence(naturalRange(low.whole + 1n, null), this.#anyFraction()),
    );
  }

  #anyFraction(): GrammarNode {
    return this.#limit === 0
      ? EMPTY
      : optional(sequence(text('.'), repeat(ANY_DIGIT, 1, this.#limit)));
  }

  #fractionFrom(low: Decimal): GrammarNode {
    if (low.fraction === '')
      return low.isExclusive ? this.#pointed(this.#above()) : this.#anyFraction();
    return this.#pointed(this.#digitsFrom(low, 0));
  }

  #fractionTo(high: Decimal): GrammarNode {
    if (high.fraction !== '') return optional(this.#pointed(this.#digitsTo(high, 0)));
    return high.isExclusive ? NEVER : optional(this.#pointed(this.#zeros(0, 1)));
  }

  #fractionBetween(low: Decimal, high: Decimal): GrammarNode {
    const hasNoFraction = low.fraction === '' && !low.isExclusive;
    const isEmptyAllowed = hasNoFraction && (high.fraction !== '' || !high.isExclusive);
    const pointed = this.#pointed(this.#digitsBetween(low, high, 0));
    return isEmptyAllowed ? optional(pointed) : pointed;
  }

  #pointed(digits: GrammarNode): GrammarNode {
    return this.#limit === 0 ? NEVER : sequence(text('.'), digits);
  }

  /** Digits from position `at` on that make the number at least (above) the bound's. */
  #digitsFrom(low: Decimal, at: number): GrammarNode {
    if (at === low.fraction.length) return low.isExclusive ? this.#above(at) : this.#rest(at);
    if (at >= this.#limit) return NEVER;
    const own = Number(low.fraction[at]);
    return choice(
      sequence(digit(own + 1, 9), this.#rest(at + 1)),
      sequence(digit(own, own), this.#digitsFrom(low, at + 1)),
    );
  }

  /** Digits from position `at` on that make the number at most (below) the bound's. */
  #digitsTo(high: Decimal, at: number): GrammarNode {
    if (at === high.fraction.length) return high.isExclusive ? NEVER : this.#zeros(at, 0);
    // Stopping early leaves the number below the bound, whose last digit is not 0.
    const stop = at === 0 ? NEVER : EMPTY;
    if (at >= this.#limit) return stop;
    const own = Number(high.fraction[at]);
    return choice(
      stop,
      sequence(digit(0, own - 1), this.#rest(at + 1)),
      sequence(digit(own, own), this.#digitsTo(high, at + 1)),
    );
  }

  #digitsBetween(low: Decimal, high: Decimal, at: number): GrammarNode {
    const lowDone = at >= low.fraction.length;
    const highDone = at >= high.fraction.length;
    if (lowDone && highDone) {
      const isPoint = !low.isExclusive && !high.isExclusive;
      return isPoint ? this.#zeros(at, at === 0 ? 1 : 0) : NEVER;
    }
    // Equal so far, and the lower bound goes on while the upper one is used up: nothing between.
    if (highDone) return NEVER;
    if (at >= this.#limit) return lowDone && !low.isExclusive && at > 0 ? EMPTY : NEVER;
    const lowDigit = lowDone ? 0 : Number(low.fraction[at]);
    const highDigit = Number(high.fraction[at]);
    if (lowDigit > highDigit) return NEVER;
    const stop = lowDone && !low.isExclusive && at > 0 ? EMPTY : NEVER;
    if (lowDigit === highDigit) {
      return choice(
        stop,
        sequence(digit(lowDigit, lowDigit), this.#digitsBetween(low, high, at + 1)),
      );
    }
    return choice(
      stop,
      sequence(digit(lowDigit, lowDigit), this.#digitsFrom(padded(low, at + 1), at + 1)),
      sequence(digit(lowDigit + 1, highDigit - 1), this.#rest(at + 1)),
      sequence(digit(highDigit, highDigit), this.#digitsTo(high, at + 1)),
    );
  }

  #rest(at: number): GrammarNode {
    const least = at === 0 ? 1 : 0;
    return at > this.#limit ? NEVER : repeat(ANY_DIGIT, least, Math.max(least, this.#limit - at));
  }

  #zeros(at: number, least: number): GrammarNode {
    return repeat(ZERO, least, Math.max(least, this.#limit - at));
  }

  /** Digits of which one at least is not 0. */
  #above(at = 0): GrammarNode {
    const options: GrammarNode[] = [];
    for (let zeros = 0; at + zeros < this.#limit; zeros++) {
      options.push(sequence(repeat(ZERO, zeros, zeros), digit(1, 9), this.#rest(at + zeros + 1)));
    }
    return choice(...options);
  }
}

/** A bound whose digits are used up before `length` goes on with zeros. */
function padded(bound: Decimal, length: number): Decimal {
  return { ...bound, fraction: bound.fraction.padEnd(length, '0') };
}

function decimal(bound: Bound): Decimal {
  const [whole = '0', fraction = ''] = plainDecimal(bound.value).split('.');
  return {
    whole: BigInt(whole),
    fraction: fraction.replace(/0+$/, ''),
    isExclusive: bound.isExclusive,
  };
}

/** The shortest decimal that reads as this number ≥ 0, without exponent. */
function plainDecimal(value: number): string {
  const [mantissa = '0', exponent = '0'] = String(Math.abs(value)).split('e');
  const [whole = '0', fraction = ''] = mantissa.split('.');
  const shift = Number(exponent);
  const digits = whole + fraction;
  const point = whole.length + shift;
  if (point <= 0) return `0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return digits + '0'.repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}
