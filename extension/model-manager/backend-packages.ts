/**
 * Builds of llama.cpp for GPUs, fetched from npm on demand: the same version as the bundled one, and
 * only with the bytes whose SHA-512 stands here. The runtime finds them beside the models.
 */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { byteText } from './byte-text.ts';
import { DOWNLOAD_DEFAULTS } from './download.ts';
import { isSafePath } from './hub-client.ts';
import { ModelManagerError, throwIfCancelled } from './model-error.ts';
import { tarFiles } from './tar-files.ts';

export interface BackendPackage {
  /** What commands call it. */
  readonly name: 'cuda' | 'vulkan';
  /** npm package without its scope. */
  readonly npm: string;
  /** `platform-arch` of Node. */
  readonly platform: string;
  /** As npm's registry gives it, for this version. */
  readonly integrity: string;
  readonly needs: string;
}

/** Of the packages; the runtime refuses a library with another binary interface. */
export const BACKEND_VERSION = '3.21.1';
const REGISTRY = 'https://registry.npmjs.org';
const CUDA_NEEDS = "NVIDIA's driver and the libraries of CUDA 13 (cudart, cublas)";
const VULKAN_NEEDS = 'a driver with Vulkan';

// oxfmt-ignore
export const BACKEND_PACKAGES: readonly BackendPackage[] = [
  { name: 'cuda', npm: 'linux-x64-cuda', platform: 'linux-x64', needs: CUDA_NEEDS, integrity: 'sha512-idsE55VoD/FbvLhnBC9krUJaUoC0XnebseAAnCpm/brKf61HEbu+idgbb5eN6mxkjLSrHtILprJ0nDcUJjVrFg==' },
  { name: 'cuda', npm: 'win-x64-cuda', platform: 'win32-x64', needs: CUDA_NEEDS, integrity: 'sha512-PLz70neFEMkQTlmJqG1ujUtCSgHasLPMxQ9rLkqQVmZYAXqkRj+45TIHCjdn3XqUeaoun0vrO9rRaxZ8NVq9jg==' },
  { name: 'vulkan', npm: 'linux-x64-vulkan', platform: 'linux-x64', needs: VULKAN_NEEDS, integrity: 'sha512-flEeSzONQ6OIm5bYKLQf4eEnBzcC5WugFbyPUwkCqyyOFZ8pH0H9ulQ7ZNDLSIczeKneMRJornlyY1Hq7d3GDA==' },
  { name: 'vulkan', npm: 'win-x64-vulkan', platform: 'win32-x64', needs: VULKAN_NEEDS, integrity: 'sha512-HJ237Azh5m4Sz+w3A1IU/fYLaSDOocskcfn2ILTgqTuuORCB86EMnu3Yt/XsNhRHTtEiwz1Q/E0mO4PLIbZLAA==' },
];

export interface BackendStoreOptions {
  /** The models folder; builds lie beside it. */
  readonly models: string;
  readonly registry?: string | undefined;
  /** `platform-arch`. */
  readonly platform: string;
  readonly packages?: readonly BackendPackage[];
  /** Through a proxy, for example. */
  readonly fetch?: typeof fetch;
  /** Of the disk that a folder lies on, bytes. */
  readonly freeBytes?: (folder: string) => Promise<number>;
}

export interface BackendProgress {
  readonly received: number;
  /** `null` when the server does not tell. */
  readonly total: number | null;
}

export class BackendStore {
  readonly folder: string;
  readonly available: readonly BackendPackage[];
  readonly #registry: string;
  readonly #platform: string;
  readonly #fetch: typeof fetch;
  readonly #freeBytes: (folder: string) => Promise<number>;

  constructor(options: BackendStoreOptions) {
    const { models, registry, platform, packages = BACKEND_PACKAGES } = options;
    this.folder = join(dirname(models), 'backends');
    this.#registry = (registry ?? REGISTRY).replace(/\/+$/, '');
    this.#platform = platform;
    this.#fetch = options.fetch ?? fetch;
    this.#freeBytes = options.freeBytes ?? DOWNLOAD_DEFAULTS.freeBytes;
    this.available = packages.filter((each) => each.platform === platform);
  }

  /** Folders of the builds that are here. */
  async installed(): Promise<readonly string[]> {
    const names = await readdir(this.folder).catch(() => []);
    return names.filter((name) => /@[\d.]+$/.test(name)).toSorted();
  }

  /** Downloads, compares and unpacks. Answers the folder. @throws ModelManagerError */
  async pull(
    name: string,
    signal?: AbortSignal,
    onProgress: (progress: BackendProgress) => void = () => {},
  ): Promise<string> {
    const found = this.#find(name);
    const archive = await this.#download(found, signal, onProgress);
    const integrity = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
    if (integrity !== found.integrity) {
      throw new ModelManagerError(
        'WRONG_CONTENT',
        `What ${this.#registry} sent for ${found.npm} is not what npm published (${integrity}). Nothing was installed; try another registry with SGLNB_REGISTRY.`,
      );
    }
    const target = join(this.folder, `${found.npm}@${BACKEND_VERSION}`);
    await unpack(archive, `${target}.fresh`);
    await rm(target, { recursive: true, force: true });
    await rename(`${target}.fresh`, target);
    return target;
  }

  /** @throws ModelManagerError NOT_FOUND */
  async remove(name: string): Promise<string> {
    const found = this.#find(name);
    const folder = `${found.npm}@${BACKEND_VERSION}`;
    if (!(await this.installed()).includes(folder)) {
      throw new ModelManagerError('NOT_FOUND', `${name} is not installed in ${this.folder}.`);
    }
    await rm(join(this.folder, folder), { recursive: true });
    return folder;
  }

  /** Before anything is written; `length` is the archive's, 0 where the server does not tell. */
  async #checkSpace(length: number): Promise<void> {
    let existing = this.folder;
    while (!existsSync(existing) && dirname(existing) !== existing) existing = dirname(existing);
    const free = await this.#freeBytes(existing);
    if (length * UNPACKED <= free) return;
    throw new ModelManagerError(
      'NO_SPACE',
      `The build needs ${byteText(length * UNPACKED)} but only ${byteText(free)} are free on the disk of ${this.folder}. Free some space, or set SGLNB_MODELS to a folder on another disk.`,
    );
  }

  #find(name: string): BackendPackage {
    const found = this.available.find((each) => each.name === name);
    if (found) return found;
    const names = this.available.map((each) => each.name).join(', ');
    throw new ModelManagerError(
      'NOT_FOUND',
      names === ''
        ? `There are no builds to fetch for ${this.#platform}; the bundled one is the only one.`
        : `There is no build "${name}" for ${this.#platform}; there are ${names}.`,
    );
  }

  async #download(
    { npm }: BackendPackage,
    signal: AbortSignal | undefined,
    onProgress: (progress: BackendProgress) => void,
  ): Promise<Buffer> {
    const url = `${this.#registry}/@node-llama-cpp/${npm}/-/${npm}-${BACKEND_VERSION}.tgz`;
    try {
      const response = await this.#fetch(url, signal ? { signal } : {});
      if (!response.ok || !response.body) {
        await response.body?.cancel();
        throw new ModelManagerError(
          'BAD_ANSWER',
          `${url} answered with status ${response.status}.`,
        );
      }
      const length = Number(response.headers.get('content-length'));
      await this.#checkSpace(length);
      const chunks: Uint8Array[] = [];
      let received = 0;
      for await (const chunk of response.body) {
        chunks.push(chunk);
        received += chunk.length;
        onProgress({ received, total: length > 0 ? length : null });
      }
      return Buffer.concat(chunks);
    } catch (error) {
      throwIfCancelled(signal);
      if (error instanceof ModelManagerError) throw error;
      const reason = error instanceof Error ? (error.cause ?? error) : error;
      throw new ModelManagerError(
        'NETWORK',
        `${url} cannot be fetched (${String(reason)}). Set SGLNB_REGISTRY to an npm registry that can be reached.`,
      );
    }
  }
}

/** Unpacked, builds are up to three times as large as their archives, which are held in memory. */
const UNPACKED = 3;

/** npm's archives hold one folder, `package/`. */
async function unpack(archive: Buffer, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  for (const { path, bytes } of tarFiles(gunzipSync(archive))) {
    const inside = path.replace(/^[^/]+\//, '');
    if (!isSafePath(inside)) {
      throw new ModelManagerError('WRONG_CONTENT', `The archive holds the path ${path}.`);
    }
    await mkdir(dirname(join(folder, inside)), { recursive: true });
    await writeFile(join(folder, inside), bytes);
  }
}
