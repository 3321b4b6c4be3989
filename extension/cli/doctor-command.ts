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
const OLDEST_NODE = 22;

export async function doctorCommand(environment: DoctorEnvironment): Promise<number> {
  const { terminal, interrupt } = environment;
  const examinations = [versions, engineLibrary, memory, devices, modelFolder, models, runtime];
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
  const old = Number(process.versions.node.split('.')[0]) < OLDEST_NODE;
  const advice = old ? `; at least ${OLDEST_NODE} is needed: install a newer one` : '';
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

/** NVIDIA's own tool knows of GPUs; without it the runtime computes on the processor. */
async function devices(): Promise<Finding[]> {
  const query = ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader'];
  const text = await new Promise<string>((resolve) => {
    execFile('nvidia-smi', query, { timeout: 5000 }, (error, stdout) =>
      resolve(error ? '' : stdout),
    );
  });
  const names = text.split('\n').filter((line) => line.trim() !== '');
  if (names.length > 0)
    return names.map((name) => ({ state: 'ok', what: 'GPU', text: name.trim() }));
  return [
    { state: 'ok', what: 'GPU', text: 'no NVIDIA GPU with a driver; models run on the processor' },
  ];
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
  const installed = await manager.store.list();
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
  const { model, startMilliseconds, tokensPerSecond } = probe;
  const text = `starts in ${(startMilliseconds / 1000).toFixed(1)} s and generates ${tokensPerSecond.toFixed(0)} tokens/s with ${model}`;
  return [{ state: 'ok', what: 'runtime', text }];
}
