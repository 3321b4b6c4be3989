/** Pure: what a runtime says about itself, from SGLang's `/get_server_info` and `/metrics`. */

export interface RuntimeInfo {
  readonly model: string | null;
  /** Tokens a second of the latest generation. */
  readonly tokensPerSecond: number | null;
  /** Share of prompt tokens that were in the cache, 0 to 1. */
  readonly cacheHitRate: number | null;
  readonly memoryBytes: number | null;
  readonly running: number | null;
  readonly queued: number | null;
}

/** `info` is the parsed JSON, `metrics` the Prometheus text; what is missing or odd is `null`. */
export function readRuntimeInfo(info: unknown, metrics: string): RuntimeInfo {
  const state = first(field(info, 'internal_states'));
  return {
    model: text(field(info, 'served_model_name')) ?? text(field(info, 'model_path')),
    tokensPerSecond: number(field(state, 'last_gen_throughput')),
    cacheHitRate: metric(metrics, 'cache_hit_rate'),
    memoryBytes: number(field(field(info, 'memory'), 'process_bytes')),
    running: number(field(state, 'running_requests')),
    queued: number(field(state, 'queued_requests')),
  };
}

/** `starter · 42 tok/s · 80 % cached · 310 MiB`: what is known, shortest first. */
export function describeRuntime(
  info: RuntimeInfo,
  words: { readonly cached: (percent: number) => string },
): string {
  const { model, tokensPerSecond, cacheHitRate, memoryBytes } = info;
  return [
    ...(model === null ? [] : [model.slice(model.lastIndexOf('/') + 1)]),
    ...(tokensPerSecond ? [`${Math.round(tokensPerSecond)} tok/s`] : []),
    ...(cacheHitRate ? [words.cached(Math.round(100 * cacheHitRate))] : []),
    ...(memoryBytes === null ? [] : [formatBytes(memoryBytes)]),
  ].join(' · ');
}

export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

function metric(metrics: string, name: string): number | null {
  const value = new RegExp(`^sglang:${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(metrics)?.[1];
  return value === undefined ? null : number(Number(value));
}

function field(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, key) : undefined;
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : undefined;
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}

function number(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
