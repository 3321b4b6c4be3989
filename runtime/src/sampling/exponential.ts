/** Finer steps of the exponent in the table, a power of two. */
const STEPS = 1024;
const STEPS_PER_NAT = STEPS / Math.LN2;
const NATS_PER_STEP = Math.LN2 / STEPS;
/** 2^−64 is e^−44: far below `NEGLIGIBLE`. */
const OCTAVES = 64;

const WITHIN_OCTAVE = Float64Array.from({ length: STEPS }, (_, step) => 2 ** (step / STEPS));
const OCTAVE = Float64Array.from({ length: OCTAVES + 1 }, (_, octave) => 2 ** -octave);

/**
 * Terms below e^−30 of the largest are left out: of 256k tokens they change the sum by less than
 * 3e−8, which is below the resolution of the float32 logits.
 */
export const NEGLIGIBLE = -30;

/**
 * e^x for −44 < x ≤ 0, with a relative error below 1e−14: a table of 2^(i/1024), and the third-order
 * Taylor polynomial between its entries. Several times as fast as `Math.exp`, which samplers would
 * call for every token of the vocabulary.
 */
export function expNegative(x: number): number {
  const steps = x * STEPS_PER_NAT;
  const whole = steps | 0;
  const rest = (steps - whole) * NATS_PER_STEP;
  const polynomial = 1 + rest * (1 + rest * (0.5 + rest * (1 / 6)));
  const octave = OCTAVE[-(whole >> 10)] ?? 0;
  return (WITHIN_OCTAVE[whole & (STEPS - 1)] ?? 0) * octave * polynomial;
}
