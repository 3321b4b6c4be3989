import type { Request } from './request.ts';

/** SGLang's names: longest cached prefix first, or first come first served. */
export type SchedulePolicy = 'lpm' | 'fcfs';

/** Requests that are looked at in one round: the work of a step must not grow with the queue. */
const WINDOW = 64;
/** Rounds in which others may be taken first; then it is a request's turn whatever it shares. */
const PATIENCE = 16;

/**
 * The head of the queue (which is in order of arrival) in the order in which it is tried. Whoever was
 * passed over too often, or was running already, comes first; then those with the longest cached
 * prefix, which would be evicted for the others.
 */
export function inOrder(
  waiting: readonly Request[],
  policy: SchedulePolicy,
  cachedLength: (request: Request) => number,
): readonly Request[] {
  if (policy === 'fcfs' || waiting.length < 2) return waiting.slice(0, WINDOW);
  const isDue = (request: Request): boolean =>
    request.passedOver >= PATIENCE || request.retractions > 0;
  const due = waiting.filter(isDue).slice(0, WINDOW);
  const window = waiting
    .filter((request) => !isDue(request))
    .slice(0, WINDOW - due.length)
    .map((request) => ({ request, length: cachedLength(request) }))
    // Stable: the same length goes by arrival.
    .sort((a, b) => b.length - a.length);
  return [...due, ...window.map(({ request }) => request)];
}

/** Counts the round for those that still wait and arrived before one that was taken. */
export function notePassedOver(waiting: readonly Request[], taken: readonly Request[]): void {
  const latest = taken.reduce((id, request) => Math.max(id, request.arrival), -1);
  for (const request of waiting) if (request.arrival < latest) request.passedOver += 1;
}
