import { expNegative, NEGLIGIBLE } from './exponential.ts';
import { argmax, forEachToken, type TokenBits } from './token-set.ts';

export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** log Σ exp(logit / temperature) over the tokens of `bits`; −∞ when there is none. */
export function logSumExp(logits: Float32Array, bits: TokenBits, temperature = 1): number {
  const best = argmax(logits, bits);
  const largest = logits[best];
  if (largest === undefined) return Number.NEGATIVE_INFINITY;
  const scale = 1 / temperature;
  let sum = 0;
  // Two loops: a shared closure would cost more than the arithmetic.
  if (bits === null) {
    for (let token = 0; token < logits.length; token += 1) {
      const exponent = ((logits[token] ?? Number.NaN) - largest) * scale;
      if (exponent > NEGLIGIBLE) sum += expNegative(exponent);
    }
  } else {
    forEachToken(bits, logits.length, (token) => {
      const exponent = ((logits[token] ?? Number.NaN) - largest) * scale;
      if (exponent > NEGLIGIBLE) sum += expNegative(exponent);
    });
  }
  return largest * scale + Math.log(sum);
}

/** The `count` tokens with the largest logits, best first; equal logits by token id. */
export function topTokens(logits: Float32Array, count: number, bits: TokenBits): number[] {
  const top: number[] = [];
  if (count <= 0) return top;
  let threshold = Number.NEGATIVE_INFINITY;
  const insert = (token: number, logit: number): number => {
    insertSorted(top, token, logit, logits);
    if (top.length > count) top.pop();
    return top.length === count ? (logits[top[count - 1] ?? 0] ?? threshold) : threshold;
  };
  // Two loops, as above: most tokens must cost a comparison and nothing else.
  if (bits === null) {
    for (let token = 0; token < logits.length; token += 1) {
      const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
      if (logit > threshold) threshold = insert(token, logit);
    }
  } else {
    forEachToken(bits, logits.length, (token) => {
      const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
      if (logit > threshold) threshold = insert(token, logit);
    });
  }
  return top;
}

/** Binary insertion after all entries that are at least as large. */
function insertSorted(top: number[], token: number, logit: number, logits: Float32Array): void {
  let low = 0;
  let high = top.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((logits[top[middle] ?? 0] ?? 0) >= logit) low = middle + 1;
    else high = middle;
  }
  top.splice(low, 0, token);
}

/**
 * Log probability of `token` under the model itself (no temperature, penalties or mask), as SGLang
 * gives for prompt tokens, of the `top` most likely ones, and of `tokenIds`.
 */
export function promptLogprob(
  logits: Float32Array,
  token: number,
  top: number,
  tokenIds: readonly number[] = [],
): {
  readonly logprob: number;
  readonly top: readonly TokenLogprob[];
  readonly ids: readonly TokenLogprob[];
} {
  const normaliser = logSumExp(logits, null);
  const of = (id: number): TokenLogprob => ({
    token: id,
    logprob: (logits[id] ?? Number.NEGATIVE_INFINITY) - normaliser,
  });
  return {
    logprob: of(token).logprob,
    top: topTokens(logits, top, null).map(of),
    ids: tokenIds.map(of),
  };
}
