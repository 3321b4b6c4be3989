/**
 * Which build of llama.cpp runs, and on which devices: the user's own, one fetched for the GPU, the
 * bundled one, and at last the bundled one on the processor alone. A build that may bring a driver
 * down is tried in a process of its own first.
 */
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isGpu, type Device } from '../engine/device-list.ts';
import type { NativeLibraryOptions } from '../engine/native-library.ts';

export interface LibraryCandidate {
  /** How messages call it. */
  readonly name: string;
  readonly library: NativeLibraryOptions;
  /** Whether loading it may end the process, so that it is tried elsewhere first. */
  readonly risky: boolean;
  /** It was fetched for a GPU: without one the next candidate may do better. */
  readonly expectsGpu?: boolean;
}

export type LibraryProbe =
  /** `lacks`: why its back end for GPUs did not load, if that is so. */
  | { readonly kind: 'works'; readonly devices: readonly Device[]; readonly lacks?: string | null }
  | { readonly kind: 'fails'; readonly reason: string };

export interface LibraryChoice {
  readonly candidate: LibraryCandidate;
  /** `null` when it was not tried: then it has no GPU. */
  readonly devices: readonly Device[] | null;
  /** Better ones that could not be used, as sentences. */
  readonly skipped: readonly string[];
}

export interface LibraryPlaces {
  /** `--llama-library`, or `null`. */
  readonly given: string | null;
  /** Folders with fetched builds, one folder each. */
  readonly fetched: readonly string[];
  /** Whether a GPU of any kind may be used. */
  readonly allowsGpu: boolean;
  /** Whether a driver for the bundled build's GPU back end is here. */
  readonly hasGpuDriver: boolean;
}

export function libraryCandidates(places: LibraryPlaces): readonly LibraryCandidate[] {
  const { given, fetched, allowsGpu, hasGpuDriver } = places;
  const own: LibraryCandidate[] =
    given === null
      ? []
      : [
          {
            name: `the library in ${given}`,
            library: { directory: given, cpuOnly: !allowsGpu },
            risky: true,
          },
        ];
  const processor: LibraryCandidate = {
    name: 'the bundled library on the processor',
    library: { cpuOnly: true },
    risky: false,
  };
  if (!allowsGpu) return [...own, processor];
  const others = fetched.flatMap((folder) =>
    libraryFolders(folder).map((directory) => ({
      name: `the fetched library in ${directory}`,
      library: { directory },
      risky: true,
      expectsGpu: true,
    })),
  );
  const bundled: LibraryCandidate = {
    name: 'the bundled library',
    library: {},
    risky: hasGpuDriver,
  };
  return [...own, ...others, bundled, processor];
}

/** Folders below `folder`, as npm's packages have them: `<package>/bins/<platform>`. */
function libraryFolders(folder: string): readonly string[] {
  const below = (at: string): readonly string[] =>
    existsSync(at)
      ? readdirSync(at)
          .toSorted()
          .map((name) => join(at, name))
      : [];
  return below(folder)
    .flatMap((one) => below(join(one, 'bins')))
    .filter((at) => existsSync(at));
}

/**
 * The first candidate that works. Those after the first are tried only when it does not; the last one
 * is taken untried.
 */
export async function chooseLibrary(
  candidates: readonly LibraryCandidate[],
  probe: (library: NativeLibraryOptions) => Promise<LibraryProbe>,
): Promise<LibraryChoice> {
  const skipped: string[] = [];
  for (const candidate of candidates) {
    if (!candidate.risky) return { candidate, devices: null, skipped };
    const found = await probe(candidate.library);
    const reason = found.kind === 'fails' ? found.reason : withoutGpu(candidate, found);
    if (found.kind === 'works' && reason === null) {
      return { candidate, devices: found.devices, skipped };
    }
    skipped.push(`${candidate.name} cannot be used: ${reason}`);
  }
  throw new Error('the last candidate must need no trial');
}

/** Why a library that works is no use: null if it is. */
function withoutGpu(
  { expectsGpu }: LibraryCandidate,
  { devices, lacks }: Extract<LibraryProbe, { kind: 'works' }>,
): string | null {
  if (expectsGpu !== true || devices.some(isGpu)) {
    return null;
  }
  return `it finds no GPU${lacks ? ` (${lacks})` : ''}`;
}

/** Where the systems keep the loader of Vulkan drivers. Metal is part of macOS on Apple's own chips. */
const VULKAN_LOADERS: Readonly<Record<string, readonly string[]>> = {
  linux: [
    '/usr/lib',
    '/usr/lib64',
    '/lib',
    '/usr/lib/x86_64-linux-gnu',
    '/usr/lib/aarch64-linux-gnu',
  ],
  win32: [String.raw`C:\Windows\System32`],
};

/** @param path folders that the user adds to the linker's, `LD_LIBRARY_PATH` */
export function hasGpuDriver(platform: string, arch: string, path = ''): boolean {
  if (platform === 'darwin') return arch === 'arm64';
  const name = platform === 'win32' ? 'vulkan-1.dll' : 'libvulkan.so.1';
  const added = path.split(':').filter((folder) => folder !== '');
  return [...added, ...(VULKAN_LOADERS[platform] ?? [])].some((folder) =>
    existsSync(join(folder, name)),
  );
}
