/** The command line: that of `python3 -m sglang.launch_server`, with the nearest meaning of each flag. */
import { parseArgs } from 'node:util';
import { closest } from './closest-name.ts';
import { IGNORED_FLAGS } from './ignored-flags.ts';
import type { IgnoredFlag } from './ignored-flags.ts';
import type { SchedulePolicy } from './scheduler/waiting-order.ts';

export type LogprobLayout = 'v0.4.3' | 'v0.5';
export type LogLevel = 'debug' | 'info' | 'warning' | 'error' | 'critical';

export interface RuntimeOptions {
  readonly modelPath: string;
  readonly servedModelName: string | null;
  readonly chatTemplate: string | null;
  /** The vision projector; null: the mmproj file beside the model, if there is one. */
  readonly projectorPath: string | null;
  readonly port: number;
  readonly apiKey: string | null;
  /** Longest prompt plus answer of one request, tokens; null: the model's, within memory. */
  readonly contextLength: number | null;
  /** Cells shared by everything running and cached; null: chosen from the context length. */
  readonly maxTotalTokens: number | null;
  readonly maxRunningRequests: number | null;
  readonly maxQueuedRequests: number;
  readonly chunkedPrefillSize: number;
  readonly disableRadixCache: boolean;
  /** Text that a constraint forces is computed by the model token by token. */
  readonly disableJumpForward: boolean;
  /** Host memory for prefixes that made way for others, bytes; 0 keeps none. */
  readonly hostCacheBytes: number;
  readonly schedulePolicy: SchedulePolicy;
  readonly randomSeed: number | null;
  readonly logLevel: LogLevel;
  readonly logprobLayout: LogprobLayout;
  readonly enableCacheReport: boolean;
  /** Null: chosen from the machine's cores. */
  readonly threads: number | null;
  /** `cpu` leaves GPUs alone. */
  readonly device: 'auto' | 'cpu';
  /** Layers on the GPU, −1 for all; null: as many as fit. */
  readonly gpuLayers: number | null;
  /** Seconds without a request after which the model is unloaded, 0: never; null: by the device. */
  readonly idleUnload: number | null;
  /** llama.cpp's libmtmd, for vision projectors that are not LLaVA's; null: where builds put it. */
  readonly mtmdLibrary: string | null;
  /** Folder with llama.cpp's shared libraries in place of the bundled ones. */
  readonly llamaLibrary: string | null;
  /** Only tell which devices the library has, and end. */
  readonly probeLibrary: boolean;
  /** Only tell which devices a start would use, and end. */
  readonly listDevices: boolean;
  /** The process exits when this one is gone. */
  readonly parentPid: number | null;
  /** Lines to print at start: flags that mean less here than there. */
  readonly notices: readonly string[];
}

export class OptionsError extends Error {
  readonly code = 'OPTIONS';

  constructor(message: string) {
    super(message);
    this.name = 'OptionsError';
  }
}

const VALUE_FLAGS = [
  'model-path',
  'served-model-name',
  'chat-template',
  'mmproj',
  'host',
  'port',
  'api-key',
  'context-length',
  'max-total-tokens',
  'max-running-requests',
  'max-queued-requests',
  'chunked-prefill-size',
  'mem-fraction-static',
  'hicache-size',
  'schedule-policy',
  'random-seed',
  'log-level',
  'logprob-layout',
  'threads',
  'device',
  'gpu-layers',
  'idle-unload',
  'llama-library',
  'mtmd-library',
  'parent-pid',
] as const;
const SWITCHES = [
  'disable-radix-cache',
  'disable-jump-forward',
  'enable-hierarchical-cache',
  'enable-cache-report',
  'probe-library',
  'list-devices',
  'help',
] as const;
const ALIASES: Readonly<Record<string, string>> = {
  model: 'model-path',
  'n-gpu-layers': 'gpu-layers',
};

type ValueFlag = (typeof VALUE_FLAGS)[number];
type Switch = (typeof SWITCHES)[number];

export const HELP = `usage: runtime [--model-path MODEL.gguf] [--port 30000] [options]

Serves a GGUF model on 127.0.0.1 behind SGLang's HTTP API.

  --model-path PATH            GGUF file, folder with one, or a model's name; the starter model if left out
  --port N                     30000 if left out; 0 picks a free port and prints it
  --api-key KEY                require "Authorization: Bearer KEY"
  --served-model-name NAME     name in /v1/models
  --chat-template FILE|TEXT    Jinja template for /v1/chat/completions
  --mmproj FILE                vision projector of the model; the mmproj file beside it if left out
  --context-length N           longest prompt plus answer of one request
  --max-total-tokens N         tokens kept for everything running and cached
  --max-running-requests N     requests computed at the same time
  --max-queued-requests N      requests that may wait (4096)
  --chunked-prefill-size N     prompt tokens computed per step (512)
  --disable-radix-cache        do not share prefixes
  --hicache-size GB            host memory for prefixes that made way for others (0.5; 0 keeps none)
  --schedule-policy lpm|fcfs   waiting requests: longest cached prefix first (lpm) or by arrival
  --disable-jump-forward       compute text that a constraint forces token by token
  --random-seed N              same answers at every start
  --logprob-layout v0.5|v0.4.3 whether prompt log probabilities start with [null, id, text] (v0.5)
  --enable-cache-report        cached tokens in /v1 usage
  --log-level LEVEL            debug, info, warning, error or critical
  --threads N                  compute threads
  --device auto|cpu            cpu leaves GPUs alone
  --gpu-layers N               layers on the GPU; as many as fit if left out, -1 for all
  --idle-unload SECONDS        unload the model when idle; 0 never (1800 on a GPU, else 0)
  --llama-library DIR          folder with llama.cpp's shared libraries (SGLNB_LLAMA_LIBRARY)
  --mtmd-library FILE          llama.cpp's libmtmd, for vision projectors other than LLaVA's
                               (SGLNB_MTMD_LIBRARY)
  --parent-pid N               exit when this process is gone

Other flags of sglang.launch_server are accepted and have no effect here.`;

/** Reads the arguments after the program's name; throws `OptionsError` with a line to show. */
export function parseOptions(argv: readonly string[]): RuntimeOptions | 'help' {
  const flags = readFlags(argv);
  if (flags.switches.has('help')) return 'help';
  const number = (name: ValueFlag, range: NumberRange) =>
    integer(flags.values.get(name), name, range);
  return {
    modelPath: flags.values.get('model-path') ?? '',
    servedModelName: flags.values.get('served-model-name') ?? null,
    chatTemplate: flags.values.get('chat-template') ?? null,
    projectorPath: flags.values.get('mmproj') ?? null,
    port: number('port', { least: 0, most: 65_535 }) ?? 30_000,
    apiKey: flags.values.get('api-key') ?? null,
    contextLength: number('context-length', { least: 8 }),
    maxTotalTokens: number('max-total-tokens', { least: 8 }),
    maxRunningRequests: number('max-running-requests', { least: 1 }),
    maxQueuedRequests: number('max-queued-requests', { least: 1 }) ?? 4096,
    chunkedPrefillSize: chunkSize(number('chunked-prefill-size', { least: -1 })),
    disableRadixCache: flags.switches.has('disable-radix-cache'),
    disableJumpForward: flags.switches.has('disable-jump-forward'),
    hostCacheBytes: gigabytes(flags.values.get('hicache-size'), 'hicache-size') ?? HOST_CACHE_BYTES,
    schedulePolicy:
      oneOf(flags.values.get('schedule-policy'), 'schedule-policy', POLICIES) ?? 'lpm',
    randomSeed: number('random-seed', { least: 0 }),
    logLevel:
      oneOf(flags.values.get('log-level')?.toLowerCase(), 'log-level', LOG_LEVELS) ?? 'info',
    logprobLayout: oneOf(flags.values.get('logprob-layout'), 'logprob-layout', LAYOUTS) ?? 'v0.5',
    enableCacheReport: flags.switches.has('enable-cache-report'),
    threads: number('threads', { least: 1, most: 512 }),
    device: flags.values.get('device')?.toLowerCase() === 'cpu' ? 'cpu' : 'auto',
    gpuLayers: number('gpu-layers', { least: -1, most: 10_000 }),
    idleUnload: number('idle-unload', { least: 0, most: 10_000_000 }),
    llamaLibrary: flags.values.get('llama-library') ?? null,
    mtmdLibrary: flags.values.get('mtmd-library') ?? null,
    probeLibrary: flags.switches.has('probe-library'),
    listDevices: flags.switches.has('list-devices'),
    parentPid: number('parent-pid', { least: 1 }),
    notices: [...hostNotice(flags.values.get('host')), ...memoryNotice(flags), ...flags.notices],
  };
}

const LOG_LEVELS = ['debug', 'info', 'warning', 'error', 'critical'] as const;
const LAYOUTS = ['v0.4.3', 'v0.5'] as const;
const POLICIES = ['lpm', 'fcfs'] as const;
/** Half a gigabyte: some 18,000 tokens of a model of Qwen2.5-1.5B's shape. */
const HOST_CACHE_BYTES = 2 ** 29;

interface Flags {
  readonly values: ReadonlyMap<ValueFlag, string>;
  readonly switches: ReadonlySet<Switch>;
  readonly notices: readonly string[];
}

function readFlags(argv: readonly string[]): Flags {
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const values = new Map<ValueFlag, string>();
  const switches = new Set<Switch>();
  const notices: string[] = [];
  let consumed = -1;
  for (const token of tokens) {
    if (token.index === consumed) continue;
    if (token.kind !== 'option') throw strayArgument(argv[token.index] ?? '--');
    const name = canonicalName(token.name);
    const next = argv[token.index + 1];
    if (isSwitch(name)) {
      switches.add(name);
      continue;
    }
    const ignored = isValueFlag(name) ? null : ignoredFlag(name, token.rawName);
    if (ignored?.values === 'none') {
      notices.push(ignored.notice);
      continue;
    }
    const value = token.value ?? (next?.startsWith('--') === true ? undefined : next);
    if (value === undefined) throw new OptionsError(`${token.rawName} needs a value`);
    if (token.value === undefined) consumed = token.index + 1;
    if (isValueFlag(name)) values.set(name, value);
    else if (ignored !== null) notices.push(ignored.notice);
  }
  return { values, switches, notices: [...new Set(notices)] };
}

function canonicalName(name: string): string {
  const dashed = name.replaceAll('_', '-');
  return ALIASES[dashed] ?? dashed;
}

function isValueFlag(name: string): name is ValueFlag {
  return VALUE_FLAGS.some((flag) => flag === name);
}

function isSwitch(name: string): name is Switch {
  return SWITCHES.some((flag) => flag === name);
}

function ignoredFlag(name: string, asTyped: string): IgnoredFlag & { readonly notice: string } {
  const flag = IGNORED_FLAGS.get(name);
  if (flag === undefined) throw unknownFlag(asTyped, name);
  return { ...flag, notice: `--${name} has no effect here: ${flag.reason}.` };
}

function unknownFlag(asTyped: string, name: string): OptionsError {
  const known = [...VALUE_FLAGS, ...SWITCHES, ...Object.keys(ALIASES), ...IGNORED_FLAGS.keys()];
  const guess = closest(name, known);
  const hint = guess === null ? 'see --help' : `did you mean --${guess}?`;
  return new OptionsError(`unknown flag ${asTyped}; ${hint}`);
}

function strayArgument(text: string): OptionsError {
  return new OptionsError(`unexpected argument "${text}"; flags start with --, see --help`);
}

interface NumberRange {
  readonly least: number;
  readonly most?: number;
}

function integer(text: string | undefined, name: string, range: NumberRange): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  const most = range.most ?? Number.MAX_SAFE_INTEGER;
  if (!/^-?\d+$/.test(text) || value < range.least || value > most) {
    const bounds = range.most === undefined ? `from ${range.least}` : `${range.least} to ${most}`;
    throw new OptionsError(`--${name} must be a whole number, ${bounds}; got "${text}"`);
  }
  return value;
}

function gigabytes(text: string | undefined, name: string): number | null {
  if (text === undefined) return null;
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value < 2 ** 20)) {
    throw new OptionsError(`--${name} must be a number of gigabytes, 0 or more; got "${text}"`);
  }
  return Math.floor(value * 2 ** 30);
}

/** −1 and 0 mean "not chunked" to SGLang; here a step is still bounded by the engine's batch. */
function chunkSize(value: number | null): number {
  if (value === null) return 512;
  return value <= 0 ? Number.MAX_SAFE_INTEGER : value;
}

function oneOf<T extends string>(
  text: string | undefined,
  name: string,
  allowed: readonly T[],
): T | null {
  if (text === undefined) return null;
  const found = allowed.find((value) => value === text);
  if (found === undefined) {
    throw new OptionsError(`--${name} must be one of ${allowed.join(', ')}; got "${text}"`);
  }
  return found;
}

function hostNotice(host: string | undefined): string[] {
  if (host === undefined || /^(127\.\d+\.\d+\.\d+|localhost|::1)$/.test(host)) return [];
  return [
    `--host ${host}: this runtime listens on 127.0.0.1 only, so that nobody else on the network can use it.`,
  ];
}

function memoryNotice(flags: Flags): string[] {
  const text = flags.values.get('mem-fraction-static');
  if (text === undefined) return [];
  const value = Number(text);
  if (!(value > 0 && value <= 1)) {
    throw new OptionsError(
      `--mem-fraction-static must be a number above 0 and up to 1; got "${text}"`,
    );
  }
  return [
    '--mem-fraction-static has no effect here: memory follows --context-length and --max-total-tokens.',
  ];
}
