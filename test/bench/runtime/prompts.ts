let fresh = 0;

/** Tokens that no earlier prompt begins with, so that nothing of them is cached. */
export function prompt(length: number, vocabulary: number): number[] {
  fresh += 1;
  return Array.from({ length }, (_, i) => 300 + ((fresh * 7919 + i * 31) % (vocabulary - 400)));
}

/** Prompts with the same beginning and `tails` different ends. */
export function forks(stem: readonly number[], tails: number): number[][] {
  return Array.from({ length: tails }, (_, tail) => [...stem, 301 + tail, 17]);
}
