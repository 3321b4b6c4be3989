/**
 * Sets of Unicode code points as sorted, disjoint, non-adjacent inclusive ranges:
 * `[low, high, low, high, …]`. Surrogates may appear; they match nothing because UTF-8 has no
 * encoding for them.
 */
export type CodePointSet = readonly number[];

export const LAST_CODE_POINT = 0x10ffff;

/** Sorts and joins arbitrary `[low, high, …]` pairs into a set. */
export function codePointSet(pairs: readonly number[]): CodePointSet {
  const ranges: [number, number][] = [];
  for (let index = 0; index + 1 < pairs.length; index += 2) {
    ranges.push([pairs[index] ?? 0, pairs[index + 1] ?? 0]);
  }
  ranges.sort((left, right) => left[0] - right[0]);
  const joined: number[] = [];
  for (const [low, high] of ranges) {
    const last = joined.at(-1);
    if (last !== undefined && low <= last + 1) joined[joined.length - 1] = Math.max(last, high);
    else joined.push(low, high);
  }
  return joined;
}

export function complement(set: CodePointSet): CodePointSet {
  const result: number[] = [];
  let next = 0;
  for (let index = 0; index + 1 < set.length; index += 2) {
    const low = set[index] ?? 0;
    if (low > next) result.push(next, low - 1);
    next = (set[index + 1] ?? 0) + 1;
  }
  if (next <= LAST_CODE_POINT) result.push(next, LAST_CODE_POINT);
  return result;
}

export function union(left: CodePointSet, right: CodePointSet): CodePointSet {
  return codePointSet([...left, ...right]);
}

export function intersection(left: CodePointSet, right: CodePointSet): CodePointSet {
  return complement(union(complement(left), complement(right)));
}

export function subtract(left: CodePointSet, right: CodePointSet): CodePointSet {
  return intersection(left, complement(right));
}

export function contains(set: CodePointSet, codePoint: number): boolean {
  for (let index = 0; index + 1 < set.length; index += 2) {
    if (codePoint < (set[index] ?? 0)) return false;
    if (codePoint <= (set[index + 1] ?? 0)) return true;
  }
  return false;
}

/** The set of the characters of a text. */
export function charactersOf(text: string): CodePointSet {
  return codePointSet(
    Array.from(text).flatMap((character) => {
      const point = character.codePointAt(0) ?? 0;
      return [point, point];
    }),
  );
}

export const DIGITS: CodePointSet = [0x30, 0x39];
/** Python's `\w` with re.ASCII: `[a-zA-Z0-9_]`. */
export const WORD_CHARACTERS: CodePointSet = [0x30, 0x39, 0x41, 0x5a, 0x5f, 0x5f, 0x61, 0x7a];
/** Python's `\s` with re.ASCII: `[ \t\n\r\f\v]`. */
export const WHITESPACE: CodePointSet = [0x09, 0x0d, 0x20, 0x20];
export const ANY_CHARACTER: CodePointSet = [0, LAST_CODE_POINT];
export const ANY_BUT_NEWLINE: CodePointSet = complement([0x0a, 0x0a]);
