/** Models of this machine and of the hub. `createModelManager` puts the parts together. */
import { realpath, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  downloadFile,
  DOWNLOAD_DEFAULTS,
  type DownloadOptions,
  type DownloadProgress,
} from './download.ts';
import { readGgufFacts } from './gguf-metadata.ts';
import { CheckProgress } from './check-progress.ts';
import { hashFile } from './file-hash.ts';
import { probeGpus } from './gpu-probe.ts';
import { HUB, HubClient, type HubModel } from './hub-client.ts';
import {
  besideModel,
  findImportable,
  importPlaces,
  linkModel,
  type ImportableModel,
  type ImportPlaces,
} from './import-sources.ts';
import {
  besideGpu,
  estimateMemory,
  gpuShare,
  memoryFit,
  type AttentionShape,
  type Gpu,
  type GpuShare,
  type MemoryEstimate,
  type MemoryFit,
} from './memory-fit.ts';
import { modelDirectory, type Environment } from './model-directory.ts';
import { ModelManagerError } from './model-error.ts';
import type { RecordedFile } from './model-record.ts';
import { planPull, type PullPlan } from './model-request.ts';
import { proxyFetch } from './proxy-fetch.ts';
import { ModelStore, type InstalledModel } from './model-store.ts';
import type { CatalogueEntry } from './catalogue.ts';

export interface ManagerOptions {
  readonly store: ModelStore;
  readonly hub: HubClient;
  readonly places: ImportPlaces;
  /** Memory that programs can still use, bytes. */
  readonly freeMemory: () => number;
  /** What the runtime would use; asked once for each manager. */
  readonly gpus: () => Promise<readonly Gpu[]>;
  readonly download: Omit<DownloadOptions, 'signal' | 'onProgress'>;
}

export interface FitReport {
  readonly estimate: MemoryEstimate;
  readonly free: number;
  /** `null` without a GPU. */
  readonly gpu: GpuShare | null;
  /** What is left for the main memory, in what is free there. */
  readonly fit: MemoryFit;
}

export interface PullOptions {
  readonly signal?: AbortSignal | undefined;
  /** Progress over all files of the model. */
  readonly onProgress?: (progress: DownloadProgress) => void;
}

/** Context that the estimate assumes; the runtime's default. */
export const DEFAULT_CONTEXT = 8192;

export class ModelManager {
  readonly store: ModelStore;
  readonly #options: ManagerOptions;
  #gpus: readonly Gpu[] = [];

  constructor(options: ManagerOptions) {
    this.store = options.store;
    this.#options = options;
  }

  search(words: string, signal?: AbortSignal): Promise<readonly HubModel[]> {
    return this.#options.hub.search(words, signal);
  }

  /** What would be downloaded. Asks the server, changes nothing. @throws ModelManagerError */
  plan(name: string, signal?: AbortSignal): Promise<PullPlan> {
    return planPull(this.#options.hub, name, signal);
  }

  /** Downloads what is missing; a model that is complete is not asked for again. */
  async pull(plan: PullPlan, { signal, onProgress }: PullOptions = {}): Promise<InstalledModel> {
    const { store, hub, download } = this.#options;
    const folder = await store.folderFor(plan.repository);
    const total = plan.files.reduce((sum, file) => sum + file.size, 0);
    const done: RecordedFile[] = [];
    let before = 0;
    for (const file of plan.files) {
      const name = basename(file.path);
      const path = join(folder, name);
      const offset = before;
      const known = await this.#recorded(path, name, file);
      const sha256 =
        known ??
        (await downloadFile(hub, hub.fileUrl(plan.repository, file.path), file, path, {
          ...download,
          signal,
          onProgress: (progress) =>
            onProgress?.({ ...progress, received: offset + progress.received, total }),
        }));
      done.push({ name, size: file.size, sha256 });
      before += file.size;
    }
    const first = join(folder, done[0]?.name ?? '');
    try {
      readGgufFacts(first);
    } catch (error) {
      await rm(first, { force: true });
      throw error;
    }
    return store.add(first, { names: plan.names, source: plan.repository, files: done });
  }

  importable(): Promise<readonly ImportableModel[]> {
    return findImportable(this.#options.places);
  }

  /** Links a model of another program, or any GGUF file, into the models folder, and reads it once. */
  async import(
    model: ImportableModel,
    { signal, onProgress }: PullOptions = {},
  ): Promise<InstalledModel> {
    readGgufFacts(model.path);
    const folder = await this.store.folderFor('imported');
    const target = join(folder, model.fileName);
    // The runtime takes the projector whose name is most like the model's.
    const beside = target.replace(/(\.gguf)?$/i, '-mmproj.gguf');
    const links: [source: string, target: string][] = [
      [model.path, target],
      ...model.parts.map((part): [string, string] => [part, join(folder, basename(part))]),
      ...(model.projector === null ? [] : [[model.projector, beside] as [string, string]]),
    ];
    const sizes = await Promise.all(links.map(async ([source]) => (await stat(source)).size));
    const known = links.map(([, link]) => (link === target ? model.sha256 : null));
    const unread = sizes.filter((_, index) => known[index] === null);
    const progress = new CheckProgress(
      unread.reduce((sum, size) => sum + size, 0),
      onProgress,
    );
    const made: string[] = [];
    const files: RecordedFile[] = [];
    try {
      for (const [index, [source, link]] of links.entries()) {
        await linkModel(source, link);
        made.push(link);
        progress.nextFile();
        const read = () => hashFile(link, { signal, onBytes: progress.onBytes });
        const sha256 = known[index] ?? (await read()).digest('hex');
        files.push({ name: basename(link), size: sizes[index] ?? 0, sha256 });
      }
    } catch (error) {
      // Half of a model is none.
      for (const link of made) await rm(link, { force: true });
      throw error;
    }
    const names = [...new Set([model.name.replace(/\/[^/]*\.gguf$/i, ''), model.name])];
    return this.store.add(target, { names, source: model.program, files });
  }

  /** Looks for GPUs, so that estimates count them; until then they do not. Whether there are any. */
  async findGpus(): Promise<boolean> {
    this.#gpus = await this.#options.gpus();
    return this.#gpus.length > 0;
  }

  /** `null` when the file's header does not tell enough. */
  fitOfInstalled({ size, facts }: InstalledModel, context = DEFAULT_CONTEXT): FitReport | null {
    const shape = facts?.shape ?? null;
    return shape === null ? null : this.#fit(size, shape, context);
  }

  fitOfEntry(entry: CatalogueEntry, context = DEFAULT_CONTEXT): FitReport {
    return this.#fit(entry.approximateBytes, entry.shape, context);
  }

  #fit(bytes: number, shape: AttentionShape, context: number): FitReport {
    const estimate = estimateMemory(bytes, shape, context);
    const gpu = gpuShare(estimate, shape, this.#gpus);
    const free = this.#options.freeMemory();
    return { estimate, free, gpu, fit: memoryFit(besideGpu(estimate, gpu), free) };
  }

  /** The checksum of a file that an earlier download completed; `null` if it must be downloaded. */
  async #recorded(
    path: string,
    name: string,
    wanted: { readonly size: number; readonly sha256: string | null },
  ): Promise<string | null> {
    const size = await stat(path).then(
      (found) => found.size,
      () => null,
    );
    if (size !== wanted.size) return null;
    const models = await this.store.list();
    const recorded = models
      .flatMap((model) => (model.path === path ? (model.record?.files ?? []) : []))
      .find((file) => file.name === name);
    if (recorded !== undefined && recorded.sha256 === (wanted.sha256 ?? recorded.sha256)) {
      return recorded.sha256;
    }
    const sha256 = (await hashFile(path)).digest('hex');
    return sha256 === wanted.sha256 ? sha256 : null;
  }
}

/** A GGUF file that the user names, as something to import. @throws ModelManagerError */
export async function importableFile(path: string): Promise<ImportableModel> {
  const size = await stat(path).then(
    (found) => (found.isFile() ? found.size : null),
    () => null,
  );
  if (size === null) throw new ModelManagerError('NOT_FOUND', `There is no file ${path}.`);
  const name = basename(path);
  const fileName = /\.gguf$/i.test(name) ? name : `${name}.gguf`;
  const real = await realpath(path);
  const beside = await besideModel(path);
  return {
    program: 'llama.cpp',
    name: fileName,
    path: real,
    fileName,
    size,
    sha256: null,
    ...beside,
  };
}

/**
 * The manager for this process's environment: `SGLNB_MODELS` (folder), `SGLNB_MIRROR` or
 * `HF_ENDPOINT` (server in place of huggingface.co), `HF_TOKEN` (for gated models), `SGLNB_PROXY` or
 * `HTTPS_PROXY`.
 * @param runtimeEntry the runtime's program, which knows the GPUs
 * @throws ModelManagerError BAD_NAME
 */
export function createModelManager(
  env: Environment,
  platform: string,
  runtimeEntry: string,
): ModelManager {
  const send = proxyFetch(env);
  return new ModelManager({
    store: new ModelStore(modelDirectory(env, platform)),
    hub: new HubClient({
      base: env['SGLNB_MIRROR'] || env['HF_ENDPOINT'] || HUB,
      token: env['HF_TOKEN'] || null,
      answerMilliseconds: 30_000,
      ...(send === null ? {} : { fetch: send }),
    }),
    places: importPlaces(env, platform),
    freeMemory: () => process.availableMemory(),
    gpus: () => probeGpus(runtimeEntry, env),
    download: DOWNLOAD_DEFAULTS,
  });
}
