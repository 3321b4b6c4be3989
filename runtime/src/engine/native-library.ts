import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EngineError } from './engine.ts';

export interface NativeLibrary {
  /** Folder of all shared libraries; ggml loads its back ends from here. */
  readonly directory: string;
  readonly llama: string;
  readonly ggml: string;
  /** `libggml-base`, which has the functions of devices. */
  readonly base: string;
  /** The processor's back ends, one per family of processors. */
  readonly processors: readonly string[];
}

export interface NativeLibraryOptions {
  /** Folder with llama.cpp's shared libraries, instead of the one from npm. */
  readonly directory?: string | undefined;
  /** Load the processor's back ends only: a driver that crashes is never touched. */
  readonly cpuOnly?: boolean | undefined;
  /** URL of the module from which packages are resolved; by default this one (or its bundle). */
  readonly from?: string | undefined;
  readonly platform?: string | undefined;
}

/** Packages of `@node-llama-cpp` by `platform-arch`, best first. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  'linux-x64': ['linux-x64-vulkan', 'linux-x64'],
  'linux-arm64': ['linux-arm64'],
  'darwin-arm64': ['mac-arm64-metal'],
  'darwin-x64': ['mac-x64'],
  'win32-x64': ['win-x64-vulkan', 'win-x64'],
  'win32-arm64': ['win-arm64'],
};

/** `libllama.so`, `libllama.vulkan.v0.4.0.so`, `llama.v0.4.0.dll`, …; not `libllama-common.so`. */
const LLAMA = /^(lib)?llama(\.[\w-]+)*?(\.v[\d.]+)?\.(so|dylib|dll)$/;
const GGML_BASE = /^(lib)?ggml-base(\.v[\d.]+)?\.(so|dylib|dll)$/;
const GGML_CPU = /^(lib)?ggml-cpu(-[\w.]+)?\.(so|dylib|dll)$/;
const GGML = /^(lib)?ggml(\.[\w-]+)*?(\.v[\d.]+)?\.(so|dylib|dll)$/;

/**
 * Finds llama.cpp's shared libraries: in the given folder, in `llama/` beside the bundle, or in the
 * npm package of this platform. Throws `EngineError` LIBRARY_MISSING that says where it looked.
 */
export function findNativeLibrary(options: NativeLibraryOptions = {}): NativeLibrary {
  if (options.directory !== undefined) {
    return inDirectory(options.directory) ?? missing(`in ${options.directory}`, GIVEN_ADVICE);
  }
  const from = options.from ?? import.meta.url;
  const platform = options.platform ?? `${process.platform}-${process.arch}`;
  const packages = PACKAGES[platform] ?? [];
  const require = createRequire(from);
  const directories = [
    join(dirname(fileURLToPath(from)), 'llama'),
    ...packages.flatMap((name) => packageDirectory(require, name)),
  ];
  for (const directory of directories) {
    const library = inDirectory(directory);
    if (library !== null) return library;
  }
  const names = packages.map((name) => `@node-llama-cpp/${name}`).join(' or ');
  return names === ''
    ? missing(`for ${platform}`, 'There is no build for this platform.')
    : missing(`for ${platform}`, `Install it with: npm install ${names.split(' or ')[0]}@3.21.1`);
}

const GIVEN_ADVICE = "Name a folder with llama.cpp's libllama and libggml shared libraries.";

function packageDirectory(require: NodeJS.Require, name: string): string[] {
  try {
    const entry = require.resolve(`@node-llama-cpp/${name}`);
    return [join(dirname(entry), '..', 'bins', name)];
  } catch {
    // Not installed: optional dependencies of other platforms are not there.
    return [];
  }
}

function inDirectory(directory: string): NativeLibrary | null {
  if (!existsSync(directory)) return null;
  const names = readdirSync(directory);
  const llama = names.find((name) => LLAMA.test(name));
  const ggml = names.find((name) => GGML.test(name));
  if (llama === undefined || ggml === undefined) return null;
  const base = names.find((name) => GGML_BASE.test(name));
  return {
    directory,
    llama: join(directory, llama),
    ggml: join(directory, ggml),
    base: join(directory, base ?? ggml),
    processors: names.filter((name) => GGML_CPU.test(name)).map((name) => join(directory, name)),
  };
}

function missing(where: string, advice: string): never {
  throw new EngineError('LIBRARY_MISSING', `llama.cpp was not found ${where}. ${advice}`);
}
