/** A set of tokens as bits: bit i of word i >> 5. Null means all tokens. */
export type TokenBits = Int32Array | null;

/** Calls `visit` for each set bit below `size`, in order. Words without bits cost one comparison. */
export function forEachToken(bits: Int32Array, size: number, visit: (token: number) => void): void {
  const words = Math.min(bits.length, (size + 31) >> 5);
  for (let word = 0; word < words; word += 1) {
    let rest = bits[word] ?? 0;
    while (rest !== 0) {
      const token = (word << 5) + (31 - Math.clz32(rest & -rest));
      if (token < size) visit(token);
      rest &= rest - 1;
    }
  }
}

/** Token with the largest logit (the first of equals), or −1 if no logit is above −∞. */
export function argmax(logits: Float32Array, bits: TokenBits): number {
  let best = -1;
  let bestLogit = Number.NEGATIVE_INFINITY;
  const consider = (token: number): void => {
    const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
    if (logit > bestLogit) {
      bestLogit = logit;
      best = token;
    }
  };
  if (bits === null) for (let token = 0; token < logits.length; token += 1) consider(token);
  else forEachToken(bits, logits.length, consider);
  return best;
}
