/** Puts the choice of library, devices and layers together for one model. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { isGpu, listDevices, type Device } from '../engine/device-list.ts';
import type { GgufHeader } from '../engine/gguf-header.ts';
import { loadLlama } from '../engine/llama-binding.ts';
import { findNativeLibrary, type NativeLibraryOptions } from '../engine/native-library.ts';
import { modelDirectories } from '../model/resolve-model.ts';
import type { RuntimeOptions } from '../options.ts';
import {
  chooseLibrary,
  hasGpuDriver,
  libraryCandidates,
  type LibraryCandidate,
} from './choose-library.ts';
import { offloadNeed, planOffload } from './offload.ts';
import { probeInChild } from './probe-library.ts';
import { ProbeMemory } from './probe-memory.ts';

export interface ChosenDevice {
  readonly library: NativeLibraryOptions;
  readonly gpuLayers: number;
  /** Repeating layers of the model. */
  readonly layers: number;
  /** For the user: what could not be used, and where the model runs if not on the processor. */
  readonly notices: readonly string[];
  /** To be called once the model runs. */
  readonly worked: () => void;
}

type BuildOptions = Pick<RuntimeOptions, 'device' | 'gpuLayers' | 'llamaLibrary'>;

export async function chooseDevice(
  options: BuildOptions,
  modelFile: string,
  header: GgufHeader,
  sizes: { readonly cells: number; readonly batchTokens: number },
): Promise<ChosenDevice> {
  const { env, platform } = process;
  const [program = ''] = process.argv.slice(1);
  const memory = new ProbeMemory(backendFolders(env, platform)[0] ?? '');
  const { candidate, devices, skipped } = await chooseLibrary(builds(options), async (library) =>
    memory.take(fileOf(library))
      ? { kind: 'works', devices: listDevices(loadLlama(library)) }
      : probeInChild([program], library),
  );
  const need = offloadNeed(header, modelBytes(modelFile), sizes.cells, sizes.batchTokens);
  const gpuLayers = options.gpuLayers ?? planOffload(need, devices ?? []);
  return {
    library: candidate.library,
    gpuLayers,
    layers: need.layers,
    worked: () => {
      if (candidate.risky) memory.remember(fileOf(candidate.library));
    },
    notices: [...skipped, ...placeNotice(devices ?? [], gpuLayers, need.layers)],
  };
}

export interface UsableDevices {
  /** None: nothing but the processor. */
  readonly devices: readonly Device[];
  /** Builds that could not be used, as sentences. */
  readonly skipped: readonly string[];
}

/** What a start with these options would compute on. Every build is tried in a process of its own. */
export async function usableDevices(options: BuildOptions): Promise<UsableDevices> {
  const [program = ''] = process.argv.slice(1);
  const { devices, skipped } = await chooseLibrary(builds(options), (library) =>
    probeInChild([program], library),
  );
  return { devices: devices ?? [], skipped };
}

function builds(options: BuildOptions): readonly LibraryCandidate[] {
  const { env, platform, arch } = process;
  return libraryCandidates({
    given: options.llamaLibrary ?? (env['SGLNB_LLAMA_LIBRARY'] || null),
    fetched: backendFolders(env, platform),
    allowsGpu: options.device !== 'cpu' && options.gpuLayers !== 0,
    hasGpuDriver: hasGpuDriver(platform, arch, env['LD_LIBRARY_PATH']),
  });
}

/** What tells one build from another; empty where there is none, which is never remembered. */
function fileOf(library: NativeLibraryOptions): string {
  try {
    return findNativeLibrary(library).llama;
  } catch {
    return '';
  }
}

/** Fetched builds lie beside the models. */
export function backendFolders(
  env: Readonly<Record<string, string | undefined>>,
  platform: string,
): readonly string[] {
  return modelDirectories(env, platform).map((folder) => join(dirname(folder), 'backends'));
}

function placeNotice(devices: readonly Device[], gpuLayers: number, layers: number): string[] {
  const gpus = devices.filter(isGpu);
  if (gpus.length === 0) return [];
  const names = gpus.map(({ name, description }) => `${name} (${description})`).join(', ');
  if (gpuLayers === 0)
    return [`${names} has too little free memory: the model runs on the processor.`];
  const share = gpuLayers < 0 || gpuLayers > layers ? 'all' : `${gpuLayers} of ${layers + 1}`;
  return [`The model runs on ${names}: ${share} layers.`];
}

const PART = /-\d{5}-of-(\d{5}\.gguf)$/i;

/** Of all parts of a split model. */
function modelBytes(file: string): number {
  const part = PART.exec(basename(file));
  if (part === null) return statSync(file).size;
  const folder = dirname(file);
  const stem = basename(file).slice(0, part.index);
  return readdirSync(folder)
    .filter((name) => name.startsWith(stem) && PART.exec(name)?.[1] === part[1])
    .map((name) => join(folder, name))
    .filter((path) => existsSync(path))
    .reduce((sum, path) => sum + statSync(path).size, 0);
}
