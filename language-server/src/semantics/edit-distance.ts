/** The candidate that was probably meant, or `null` if none is near. */
export function closest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.floor(Math.max(word.length, 3) / 3)) + 1;
  for (const candidate of candidates) {
    if (candidate === word || Math.abs(candidate.length - word.length) >= bestDistance) continue;
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best ?? related(word, candidates);
}

/** `schema` for `json_schema`, `max_tokens` for `max_new_tokens`: the only candidate with the same words. */
function related(word: string, candidates: Iterable<string>): string | null {
  const words = wordsOf(word);
  if (words.length === 0) return null;
  const found = [...candidates].filter((candidate) => {
    const others = wordsOf(candidate);
    const [few, many] = words.length < others.length ? [words, others] : [others, words];
    return few.length > 0 && few.length < many.length && few.every((part) => many.includes(part));
  });
  const begun = [...candidates].filter((name) => word.length > 3 && name.startsWith(word));
  const [only, ...more] = found.length > 0 ? found : begun;
  return more.length === 0 ? (only ?? null) : null;
}

const wordsOf = (name: string): readonly string[] =>
  name
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((part) => part.length > 2);

/** Insertions, deletions, replacements and swaps of neighbours (optimal string alignment). */
export function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let value = Math.min((row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        value = Math.min(value, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(value);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
