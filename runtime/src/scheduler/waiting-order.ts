import type { Request } from './request.ts';

/** SGLang's names: longest cached prefix first, or first come first served. */
export type SchedulePolicy = 'lpm' | 'fcfs';

/** Requests at the head of the queue among which the longest cached prefix goes first. */
const WINDOW = 64;
/** Rounds in which others may be taken first; then it is a request's turn whatever it shares. */
const PATIENCE = 16;

/**
 * The waiting requests (in order of arrival) in the order in which they are tried. Whoever was
 * passed over too often, or was running already, comes first; then, within a window, those with the
 * longest cached prefix, which would be evicted for the others.
 */
export function inOrder(
  waiting: readonly Request[],
  policy: SchedulePolicy,
  cachedLength: (request: Request) => number,
): readonly Request[] {
  if (policy === 'fcfs' || waiting.length < 2) return waiting.slice();
  const isDue = (request: Request): boolean =>
    request.passedOver >= PATIENCE || request.retractions > 0;
  const others = waiting.filter((request) => !isDue(request));
  const window = others
    .slice(0, WINDOW)
    .map((request) => ({ request, length: cachedLength(request) }))
    // Stable: the same length goes by arrival.
    .sort((a, b) => b.length - a.length);
  return [
    ...waiting.filter(isDue),
    ...window.map(({ request }) => request),
    ...others.slice(WINDOW),
  ];
}

/** Counts the round for those that still wait and arrived before one that was taken. */
export function notePassedOver(waiting: readonly Request[], taken: readonly Request[]): void {
  const latest = taken.reduce((id, request) => Math.max(id, request.arrival), -1);
  for (const request of waiting) if (request.arrival < latest) request.passedOver += 1;
}
