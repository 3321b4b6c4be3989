import type { CachedPrefix } from '../cache/prefix-cache.ts';
import type { SchedulerState } from './messages.ts';
import type { Request } from './request.ts';

/** Everything that the scheduler knows, as plain data: for bug reports. Texts are left out. */
export interface SchedulerDump {
  readonly state: SchedulerState;
  /** What the conservation law's check found, or null. */
  readonly violation: string | null;
  /** Running ones first, then the queue in order. */
  readonly requests: readonly RequestDump[];
  readonly cachedPrefixes: readonly CachedPrefix[];
}

export interface RequestDump {
  readonly id: number;
  readonly phase: 'waiting' | 'prefilling' | 'jumping' | 'decoding';
  readonly promptTokens: number;
  readonly generatedTokens: number;
  readonly maxNewTokens: number;
  readonly computedTokens: number;
  /** Of the computed tokens, those whose cells belong to the cache. */
  readonly sharedTokens: number;
  readonly sequence: number | null;
  readonly constraint: string | null;
  readonly retractions: number;
  readonly passedOver: number;
}

export function dumpRequest(request: Request): RequestDump {
  const { spec, lease } = request;
  return {
    id: spec.id,
    phase: phaseOf(request),
    promptTokens: request.promptLength,
    generatedTokens: request.generated,
    maxNewTokens: spec.sampling.maxNewTokens,
    computedTokens: request.computed,
    sharedTokens: lease?.shared ?? 0,
    sequence: lease?.sequence ?? null,
    constraint: spec.sampling.constraint?.kind ?? null,
    retractions: request.retractions,
    passedOver: request.passedOver,
  };
}

function phaseOf(request: Request): RequestDump['phase'] {
  if (request.lease === null) return 'waiting';
  if (request.isPrefilling) return 'prefilling';
  return request.isDecoding ? 'decoding' : 'jumping';
}
