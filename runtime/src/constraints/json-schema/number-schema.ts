import {
  characters,
  choice,
  EMPTY,
  NEVER,
  optional,
  rule,
  sequence,
  text,
  type GrammarNode,
} from '../syntax/grammar-node.ts';
import { decimalRange, type Bound } from './decimal-range.ts';
import { integerRange } from './integer-range.ts';
import { JSON_INTEGER, JSON_NUMBER } from './json-text.ts';
import { without, type JsonObject } from './json-value.ts';
import type { SchemaContext } from './schema-context.ts';
import { invalidSchema, type Pointer } from './schema-error.ts';

/** Digits behind the point within ranges: more could round out of the range. */
const FRACTION_DIGITS = 15;
/** Multiples within a range are listed up to this number. */
const LISTED_MULTIPLES = 2000n;
/** Multiples without a range are recognised by the remainder, one rule each. */
const REMAINDERS = 1000n;
const FORMAT_RANGES = new Map<string, readonly [bigint, bigint]>([
  ['int32', [-(2n ** 31n), 2n ** 31n - 1n]],
  ['int64', [-(2n ** 63n), 2n ** 63n - 1n]],
  ['uint8', [0n, 2n ** 8n - 1n]],
  ['uint16', [0n, 2n ** 16n - 1n]],
  ['uint32', [0n, 2n ** 32n - 1n]],
  ['uint64', [0n, 2n ** 64n - 1n]],
]);
const FLOAT_FORMATS = new Set(['float', 'double', 'decimal', 'number']);

export function integerNode(
  schema: JsonObject,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const { low, high } = bounds(schema, pointer);
  let least = low === null ? null : firstInteger(low);
  let greatest = high === null ? null : lastInteger(high);
  const format = schema['format'];
  if (typeof format === 'string') {
    const range = FORMAT_RANGES.get(format);
    if (range === undefined) context.warn(pointer, `format ${format} is not enforced`);
    else [least, greatest] = [larger(least, range[0]), smaller(greatest, range[1])];
  }
  const step = multipleOf(schema, pointer);
  if (step === null || Number.isInteger(1 / step)) {
    return least === null && greatest === null ? rule(JSON_INTEGER) : integerRange(least, greatest);
  }
  if (!Number.isInteger(step)) {
    context.warn(pointer, `multipleOf ${step} is not enforced`);
    return integerRange(least, greatest);
  }
  return integerMultiples(BigInt(step), least, greatest, pointer, context);
}

export function numberNode(
  schema: JsonObject,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  const { low, high } = bounds(schema, pointer);
  const format = schema['format'];
  if (typeof format === 'string' && !FLOAT_FORMATS.has(format)) {
    context.warn(pointer, `format ${format} is not enforced`);
  }
  const step = multipleOf(schema, pointer);
  if (step !== null && Number.isInteger(step)) {
    return integerNode(without(schema, 'format'), pointer, context);
  }
  const places = step === null ? null : decimalPlaces(step);
  if (step !== null && places === null) {
    context.warn(pointer, `multipleOf ${step} is not enforced`);
  }
  if (low === null && high === null && places === null) return rule(JSON_NUMBER);
  return decimalRange(low, high, places ?? FRACTION_DIGITS);
}

interface Bounds {
  readonly low: Bound | null;
  readonly high: Bound | null;
}

function bounds(schema: JsonObject, pointer: Pointer): Bounds {
  return {
    low: tighter(schema, 'minimum', 'exclusiveMinimum', 1, pointer),
    high: tighter(schema, 'maximum', 'exclusiveMaximum', -1, pointer),
  };
}

/** The tighter of an inclusive and an exclusive limit; draft 4 marks the former with a boolean. */
function tighter(
  schema: JsonObject,
  inclusiveKey: string,
  exclusiveKey: string,
  direction: 1 | -1,
  pointer: Pointer,
): Bound | null {
  const exclusive = schema[exclusiveKey];
  const inclusive = finite(schema, inclusiveKey, pointer);
  if (typeof exclusive === 'boolean') {
    return inclusive === null ? null : { value: inclusive, isExclusive: exclusive };
  }
  const open = finite(schema, exclusiveKey, pointer);
  if (open === null) return inclusive === null ? null : { value: inclusive, isExclusive: false };
  if (inclusive !== null && direction * inclusive > direction * open) {
    return { value: inclusive, isExclusive: false };
  }
  return { value: open, isExclusive: true };
}

function finite(schema: JsonObject, key: string, pointer: Pointer): number | null {
  const value = schema[key];
  if (value === undefined) return null;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw invalidSchema(pointer, `${key} must be a number`);
}

function multipleOf(schema: JsonObject, pointer: Pointer): number | null {
  const step = finite(schema, 'multipleOf', pointer);
  if (step !== null && step <= 0) throw invalidSchema(pointer, 'multipleOf must be above 0');
  return step;
}

function firstInteger(bound: Bound): bigint {
  const least = Math.ceil(bound.value);
  return BigInt(least) + (bound.isExclusive && least === bound.value ? 1n : 0n);
}

function lastInteger(bound: Bound): bigint {
  const greatest = Math.floor(bound.value);
  return BigInt(greatest) - (bound.isExclusive && greatest === bound.value ? 1n : 0n);
}

function larger(left: bigint | null, right: bigint): bigint {
  return left !== null && left > right ? left : right;
}

function smaller(left: bigint | null, right: bigint): bigint {
  return left !== null && left < right ? left : right;
}

/** k if `step` is 10⁻ᵏ. */
function decimalPlaces(step: number): number | null {
  const places = Math.round(-Math.log10(step));
  return places > 0 && places <= FRACTION_DIGITS && Number(`1e-${places}`) === step ? places : null;
}

function integerMultiples(
  step: bigint,
  low: bigint | null,
  high: bigint | null,
  pointer: Pointer,
  context: SchemaContext,
): GrammarNode {
  if (low !== null && high !== null && (high - low) / step <= LISTED_MULTIPLES) {
    const values: GrammarNode[] = [];
    const offset = ((low % step) + step) % step;
    for (let value = offset === 0n ? low : low + step - offset; value <= high; value += step) {
      values.push(text(String(value)));
    }
    return choice(...values);
  }
  if (low === null && high === null && step <= REMAINDERS)
    return anyMultiple(Number(step), context);
  context.warn(pointer, `multipleOf ${step} is not enforced together with this range`);
  return integerRange(low, high);
}

/** Digits are read from the left: from remainder r, digit d leads to (10 r + d) mod step. */
function anyMultiple(step: number, context: SchemaContext): GrammarNode {
  const name = (remainder: number): string => `multiple_${step}_${remainder}`;
  const lead = (remainder: number, from: number): GrammarNode =>
    choice(
      ...Array.from({ length: 10 - from }, (_, index) => {
        const next = (remainder * 10 + from + index) % step;
        const point = 0x30 + from + index;
        return sequence(characters([point, point]), rule(name(next)));
      }),
    );
  for (let remainder = 0; remainder < step; remainder++) {
    context.setRule(name(remainder), choice(remainder === 0 ? EMPTY : NEVER, lead(remainder, 0)));
  }
  return choice(text('0'), sequence(optional(text('-')), lead(0, 1)));
}
