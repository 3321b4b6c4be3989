/** Pure: what a runtime says about itself, from SGLang's `/get_server_info` and `/metrics`. */
import { field } from '../field.ts';

export interface RuntimeInfo {
  readonly model: string | null;
  /** Tokens a second of the latest generation. */
  readonly tokensPerSecond: number | null;
  /** Share of prompt tokens that were in the cache, 0 to 1. */
  readonly cacheHitRate: number | null;
  readonly memoryBytes: number | null;
  /** Memory of all GPUs that the runtime sees, everybody's use. */
  readonly gpu: { readonly usedBytes: number; readonly totalBytes: number } | null;
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
    gpu: gpuMemory(field(field(info, 'memory'), 'devices')),
    running: number(field(state, 'running_requests')),
    queued: number(field(state, 'queued_requests')),
  };
}

export interface RuntimeWords {
  readonly speed: (tokensPerSecond: number) => string;
  readonly cached: (percent: number) => string;
  readonly gpu: (used: string, total: string) => string;
}

/** `starter · last 42 tok/s · 80 % cached · 310 MiB · GPU 2.1 GiB of 8.0 GiB`: what is known. */
export function describeRuntime(info: RuntimeInfo, words: RuntimeWords): string {
  const { model, tokensPerSecond, cacheHitRate, gpu, memoryBytes } = info;
  return [
    ...(model === null ? [] : [model.slice(model.lastIndexOf('/') + 1)]),
    ...(tokensPerSecond ? [words.speed(Math.round(tokensPerSecond))] : []),
    ...(cacheHitRate ? [words.cached(Math.round(100 * cacheHitRate))] : []),
    ...(memoryBytes === null ? [] : [formatBytes(memoryBytes)]),
    ...(gpu === null ? [] : [words.gpu(formatBytes(gpu.usedBytes), formatBytes(gpu.totalBytes))]),
  ].join(' · ');
}

export function formatBytes(bytes: number): string {
  const mebibytes = bytes / 2 ** 20;
  return mebibytes < 1024 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1024).toFixed(1)} GiB`;
}

/** Null without a GPU, or where its driver does not tell. */
function gpuMemory(devices: unknown): RuntimeInfo['gpu'] {
  const gpus = (Array.isArray(devices) ? devices : []).flatMap((device: unknown) => {
    const kind = field(device, 'kind');
    const [free, total] = [number(field(device, 'free')), number(field(device, 'total'))];
    if (kind !== 'gpu' && kind !== 'igpu') return [];
    return free === null || total === null || total <= 0 ? [] : [{ free, total }];
  });
  if (gpus.length === 0) return null;
  const totalBytes = gpus.reduce((sum, { total }) => sum + total, 0);
  return { totalBytes, usedBytes: gpus.reduce((used, { free }) => used - free, totalBytes) };
}

function metric(metrics: string, name: string): number | null {
  const value = new RegExp(`^sglang:${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(metrics)?.[1];
  return value === undefined ? null : number(Number(value));
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
