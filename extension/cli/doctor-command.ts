/** `sglnb doctor`: what is here, what works, and what to do about the rest. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arch, cpus, release, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { byteText } from '../model-manager/byte-text.ts';
import type { ModelManager } from '../model-manager/model-manager.ts';
import { installedText } from './models-command.ts';
import { probeRuntime } from './runtime-probe.ts';
import { plainText } from './terminal-filter.ts';
import { isTooOld, OLDEST_NODE } from './oldest-node.ts';
import { paint, type Terminal } from './terminal.ts';
import { EXIT } from './usage-error.ts';

export interface DoctorEnvironment {
  readonly manager: ModelManager;
  readonly terminal: Terminal;
  readonly version: string;
  readonly runtimeEntry: string;
  readonly interrupt: AbortSignal;
}

interface Finding {
  /** `broken` findings make the exit code 1. */
  readonly state: 'ok' | 'note' | 'broken';
  readonly what: string;
  readonly text: string;
}

const MARKS = { ok: '✓', note: 'ℹ', broken: '✗' } as const;
const STYLES = { ok: 'plain', note: 'notice', broken: 'error' } as const;

export async function doctorCommand(environment: DoctorEnvironment): Promise<number> {
  const { terminal, interrupt } = environment;
  const examinations = [
    versions,
    engineLibrary,
    memory,
    drivers,
    devices,
    modelFolder,
    models,
    runtime,
  ];
  let broken = 0;
  for (const examine of examinations) {
    for (const { state, what, text } of await examine(environment)) {
      if (interrupt.aborted) return EXIT.interrupted;
      if (state === 'broken') broken += 1;
      const line = plainText(`${MARKS[state]} ${what}: ${text}`);
      terminal.write(`${paint(terminal, STYLES[state], line)}\n`);
    }
  }
  const summary = broken === 0 ? 'Everything works.' : `${broken} of these must be repaired.`;
  terminal.write(`\n${summary}\n`);
  return broken === 0 ? EXIT.ok : EXIT.failed;
}

function versions({ version }: DoctorEnvironment): Finding[] {
  const old = isTooOld(process.versions.node);
  const advice = old
    ? `; at least ${OLDEST_NODE} is needed: install a newer one (in a checkout, "npm run sglnb -- doctor" brings its own)`
    : '';
  return [
    { state: 'ok', what: 'SGLang Notebooks', text: version },
    { state: 'ok', what: 'system', text: `${process.platform} ${release()}, ${arch()}` },
    { state: old ? 'broken' : 'ok', what: 'Node', text: `${process.versions.node}${advice}` },
  ];
}

/** npm names the platforms of llama.cpp's packages after its own habits. */
const PLATFORMS: Readonly<Record<string, string>> = { darwin: 'mac', win32: 'win' };

/** Where llama.cpp's libraries are; the runtime, started below, has the last word. */
function engineLibrary({ runtimeEntry }: DoctorEnvironment): Finding[] {
  if (!existsSync(runtimeEntry)) {
    return [{ state: 'broken', what: 'runtime', text: `${runtimeEntry} is missing: reinstall` }];
  }
  const what = 'engine library';
  const bundled = join(dirname(runtimeEntry), 'llama');
  if (existsSync(bundled)) return [{ state: 'ok', what, text: bundled }];
  const target = `${PLATFORMS[process.platform] ?? process.platform}-${arch()}`;
  const require = createRequire(pathToFileURL(runtimeEntry));
  const scopes = require.resolve.paths('@node-llama-cpp')?.map((at) => join(at, '@node-llama-cpp'));
  const found = (scopes ?? [])
    .filter(existsSync)
    .flatMap((scope) => readdirSync(scope))
    .filter((name) => name === target || name.startsWith(`${target}-`));
  if (found.length > 0) return [{ state: 'ok', what, text: `@node-llama-cpp/${found.join(', ')}` }];
  return [{ state: 'note', what, text: `no package @node-llama-cpp/${target} is installed` }];
}

function memory(): Finding[] {
  const [first] = cpus();
  const processor = `${cpus().length} × ${first?.model.trim() || 'unknown model'}`;
  const text = `${byteText(process.availableMemory())} free of ${byteText(totalmem())}`;
  return [
    { state: 'ok', what: 'processor', text: processor },
    { state: 'ok', what: 'memory', text },
  ];
}

/** What the drivers' own tools say. */
async function drivers(): Promise<Finding[]> {
  const query = [
    '--query-gpu=name,memory.total,memory.free,driver_version',
    '--format=csv,noheader',
  ];
  const text = await outputOf('nvidia-smi', query);
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => ({ state: 'ok', what: 'NVIDIA GPU', text: line.trim() }));
}

const PROBE = /^SGLNB_PROBE (.*)$/m;
/** Why the library's back end for GPUs did not load. */
const PROBED_LACK = /^SGLNB_PROBE_LACKS (.*)$/m;
const PROBED_MTMD = /^SGLNB_PROBE_MTMD (.*)$/m;

/** What llama.cpp can compute on, tried in a process that a bad driver may end. */
async function devices({ runtimeEntry }: DoctorEnvironment): Promise<Finding[]> {
  const output = await outputOf(process.execPath, [runtimeEntry, '--probe-library']);
  const list = PROBE.exec(output)?.[1];
  if (list === undefined) {
    const text =
      'the library ends with the GPU driver of this machine; the runtime leaves the GPU alone';
    return [{ state: 'note', what: 'devices', text }];
  }
  // SAFETY: the runtime of the same version writes the line.
  const found = JSON.parse(list) as readonly ProbedDevice[];
  return [
    ...found.map(({ name, description, free, total }): Finding => {
      const memory = `${byteText(free)} free of ${byteText(total)}`;
      return { state: 'ok', what: 'device', text: `${name}, ${description.trim()}, ${memory}` };
    }),
    ...(found.some(({ kind }) => kind === 'gpu' || kind === 'igpu')
      ? []
      : [noGpu(PROBED_LACK.exec(output)?.[1] ?? '')]),
    images(PROBED_MTMD.exec(output)?.[1] ?? ''),
  ];
}

/** Which vision models run here. */
function images(mtmd: string): Finding {
  const text =
    mtmd === ''
      ? 'models of LLaVA\'s kind; there is no libmtmd for others (docs/deployment.md, "Images")'
      : `models of all kinds, by ${mtmd}`;
  return { state: 'ok', what: 'images', text };
}

interface ProbedDevice {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  readonly free: number;
  readonly total: number;
}

function noGpu(lack: string): Finding {
  const why = lack === '' ? '' : ` (${lack})`;
  const text = `none that this library can use${why}; models run on the processor ("sglnb backends" lists other builds)`;
  return { state: 'note', what: 'GPU', text };
}

/** Empty when there is no such program or it failed. */
function outputOf(command: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    execFile(command, [...args], { timeout: 60_000 }, (error, stdout) =>
      resolve(error ? '' : stdout),
    );
  });
}

async function modelFolder({ manager }: DoctorEnvironment): Promise<Finding[]> {
  const { directory } = manager.store;
  let existing = directory;
  while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
  const what = 'models folder';
  try {
    accessSync(existing, constants.W_OK);
    const { bavail, bsize } = await statfs(existing);
    const text = `${directory}, ${byteText(bavail * bsize)} free on its disk`;
    return [{ state: 'ok', what, text }];
  } catch {
    const text = `${directory} cannot be written; set SGLNB_MODELS to a folder of yours`;
    return [{ state: 'broken', what, text }];
  }
}

async function models({ manager }: DoctorEnvironment): Promise<Finding[]> {
  const [installed] = await Promise.all([manager.store.list(), manager.findGpus()]);
  if (installed.length === 0) {
    const text = 'only the bundled starter model; "sglnb models pull NAME" downloads others';
    return [{ state: 'note', what: 'models', text }];
  }
  return installed.map((model) => ({
    state: model.facts === null ? 'broken' : 'ok',
    what: 'model',
    text: installedText(model, manager),
  }));
}

async function runtime({ runtimeEntry, interrupt }: DoctorEnvironment): Promise<Finding[]> {
  const probe = await probeRuntime(runtimeEntry, interrupt);
  if (probe.kind === 'broken') {
    return [{ state: 'broken', what: 'runtime', text: `it does not work: ${probe.reason}` }];
  }
  const { model, startMilliseconds, tokensPerSecond, notices } = probe;
  const text = `starts in ${(startMilliseconds / 1000).toFixed(1)} s and generates ${tokensPerSecond.toFixed(0)} tokens/s with ${model}`;
  return [
    ...notices.map((notice): Finding => ({ state: 'note', what: 'devices', text: notice })),
    { state: 'ok', what: 'runtime', text },
  ];
}
