/** Numbers as people read them. */

/** `probability` is 0 to 1. */
export function percent(probability: number): string {
  return `${(probability * 100).toFixed(probability < 0.1 ? 1 : 0)} %`;
}

/** From a natural logarithm. */
export function logPercent(logprob: number): string {
  return percent(Math.exp(logprob));
}

export function duration(milliseconds: number | null | undefined): string {
  return milliseconds === null || milliseconds === undefined
    ? '–'
    : `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
}

export function plural(count: number, one: string, many: string): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}
