/** A set of tokens as bits: bit i of word i >> 5. Null means all tokens. */
export type TokenBits = Int32Array | null;

export function isIn(bits: TokenBits, token: number): boolean {
  return bits === null || ((bits[token >> 5] ?? 0) & (1 << (token & 31))) !== 0;
}

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
  return bits === null ? argmaxOfAll(logits) : argmaxOf(bits, logits);
}

/** Block by block: within one, a comparison of maxima needs no index. */
function argmaxOfAll(logits: Float32Array): number {
  const size = logits.length;
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  for (let start = 0; start < size; start += 64) {
    const end = Math.min(start + 64, size);
    let maximum = largest;
    for (let token = start; token < end; token += 1) {
      const logit = logits[token] ?? 0;
      if (logit > maximum) maximum = logit;
    }
    if (maximum > largest) {
      largest = maximum;
      best = start;
    }
  }
  while (best >= 0 && logits[best] !== largest) best += 1;
  return best;
}

function argmaxOf(bits: Int32Array, logits: Float32Array): number {
  let best = -1;
  let largest = Number.NEGATIVE_INFINITY;
  const words = Math.min(bits.length, (logits.length + 31) >> 5);
  for (let word = 0; word < words; word += 1) {
    let rest = bits[word] ?? 0;
    const base = word << 5;
    while (rest !== 0) {
      const token = base + 31 - Math.clz32(rest & -rest);
      // Beyond the vocabulary there are no logits.
      const logit = logits[token] ?? Number.NEGATIVE_INFINITY;
      if (logit > largest) {
        largest = logit;
        best = token;
      }
      rest &= rest - 1;
    }
  }
  return best;
}

/** Writes the tokens of `bits` and their logits one after the other, in order; returns how many. */
export function compact(
  logits: Float32Array,
  bits: Int32Array,
  tokens: Int32Array,
  values: Float32Array,
): number {
  const size = logits.length;
  const words = Math.min(bits.length, (size + 31) >> 5);
  let count = 0;
  for (let word = 0; word < words; word += 1) {
    let rest = bits[word] ?? 0;
    const base = word << 5;
    while (rest !== 0) {
      const token = base + 31 - Math.clz32(rest & -rest);
      rest &= rest - 1;
      if (token >= size) continue;
      tokens[count] = token;
      values[count] = logits[token] ?? 0;
      count += 1;
    }
  }
  return count;
}
