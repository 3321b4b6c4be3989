/** The folder of models on this machine: what is there, is it sound, away with it. */
import { mkdir, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { CheckProgress } from './check-progress.ts';
import type { DownloadProgress } from './download.ts';
import { hashFile } from './file-hash.ts';
import { readGgufFacts, type GgufFacts } from './gguf-metadata.ts';
import { ModelManagerError } from './model-error.ts';
import { readRecord, RECORD_ENDING, writeRecord, type ModelRecord } from './model-record.ts';

export interface InstalledModel {
  /** Of a split model, its first part. */
  readonly path: string;
  /** Path within the models folder, with forward slashes: unique, and what commands accept. */
  readonly id: string;
  /** Of all parts, bytes. */
  readonly size: number;
  readonly record: ModelRecord | null;
  /** `null` when the file is no readable GGUF file, such as a link whose target is gone. */
  readonly facts: GgufFacts | null;
}

export interface Verification {
  readonly ok: boolean;
  readonly text: string;
}

const DEPTH = 3;
const LATER_PART = /-(?!00001)\d{5}-of-\d{5}\.gguf$/i;
/** What a vision model sees with: part of the model beside it. */
const PROJECTOR = /mmproj/i;

export class ModelStore {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Sorted by id. A folder that does not exist holds none. */
  async list(): Promise<readonly InstalledModel[]> {
    const paths = await modelPaths(this.directory, DEPTH);
    return Promise.all(paths.toSorted().map((path) => this.#describe(path)));
  }

  /** By id, file name, record name or repository, in any case. @throws ModelManagerError */
  async find(name: string): Promise<InstalledModel> {
    const wanted = name.toLowerCase();
    const models = await this.list();
    const matching = models.filter(({ id, path, record }) =>
      [id, basename(path), path, ...(record?.names ?? [])].some(
        (known) => known.toLowerCase() === wanted,
      ),
    );
    const [only, ...more] = matching;
    if (only === undefined) {
      throw new ModelManagerError(
        'NOT_FOUND',
        `There is no model "${name}" in ${this.directory}. "sglnb models list" shows what is there.`,
      );
    }
    if (more.length === 0) return only;
    const ids = matching.map(({ id }) => id).join(', ');
    throw new ModelManagerError('AMBIGUOUS', `"${name}" may be ${ids}. Name one of these.`);
  }

  /** Deletes the model (of a link, only the link) with what belongs to it and to no other model. */
  async remove({ path, record }: InstalledModel): Promise<void> {
    const names = record?.files.map((file) => file.name) ?? [basename(path)];
    const others = (await this.list()).filter(
      (other) => other.path !== path && dirname(other.path) === dirname(path),
    );
    const kept = new Set(
      others.flatMap((other) => other.record?.files.map((file) => file.name) ?? []),
    );
    for (const name of new Set([basename(path), ...names.filter((each) => !kept.has(each))])) {
      const file = join(dirname(path), name);
      for (const ending of ['', RECORD_ENDING, '.part', '.part.json']) {
        await rm(file + ending, { force: true });
      }
    }
    await this.#removeEmptyFolders(dirname(path));
  }

  /** Reads every byte again. */
  async verify(
    { path, record, facts }: InstalledModel,
    {
      signal,
      onProgress,
    }: {
      readonly signal?: AbortSignal;
      readonly onProgress?: (progress: DownloadProgress) => void;
    } = {},
  ): Promise<Verification> {
    if (facts === null) return { ok: false, text: 'it is no readable GGUF file' };
    if (record === null) {
      return { ok: true, text: 'its header is readable; its checksum is not known' };
    }
    const total = record.files.reduce((sum, file) => sum + file.size, 0);
    const progress = new CheckProgress(total, onProgress);
    for (const file of record.files) {
      const place = join(dirname(path), file.name);
      const size = await stat(place).then(
        (found) => found.size,
        () => null,
      );
      if (size === null) return { ok: false, text: `${file.name} is missing` };
      if (size !== file.size) {
        return { ok: false, text: `${file.name} has ${size} bytes instead of ${file.size}` };
      }
      progress.nextFile();
      const sha256 = (await hashFile(place, { signal, onBytes: progress.onBytes })).digest('hex');
      if (sha256 !== file.sha256) {
        return { ok: false, text: `${file.name} has SHA-256 ${sha256} instead of ${file.sha256}` };
      }
    }
    return { ok: true, text: 'size and SHA-256 are right' };
  }

  /** Folder of a repository's models. */
  async folderFor(repository: string): Promise<string> {
    const folder = join(this.directory, ...repository.split('/'));
    await mkdir(folder, { recursive: true });
    return folder;
  }

  async add(path: string, record: ModelRecord): Promise<InstalledModel> {
    await writeRecord(path, record);
    return this.#describe(path);
  }

  async #describe(path: string): Promise<InstalledModel> {
    const record = await readRecord(path);
    const id = relative(this.directory, path).replaceAll('\\', '/');
    const parts = (record?.files ?? []).reduce((sum, file) => sum + file.size, 0);
    const size =
      parts ||
      (await stat(path).then(
        (found) => found.size,
        () => 0,
      ));
    return { path, id, size, record, facts: readableFacts(path) };
  }

  async #removeEmptyFolders(folder: string): Promise<void> {
    let at = folder;
    while (at !== this.directory && at.startsWith(this.directory)) {
      try {
        await rmdir(at);
      } catch {
        return;
      }
      at = dirname(at);
    }
  }
}

function readableFacts(path: string): GgufFacts | null {
  try {
    return readGgufFacts(path);
  } catch {
    return null;
  }
}

async function modelPaths(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return depth > 1 ? modelPaths(path, depth - 1) : [];
    return /\.gguf$/i.test(entry.name) &&
      !LATER_PART.test(entry.name) &&
      !PROJECTOR.test(entry.name)
      ? [path]
      : [];
  });
  return (await Promise.all(found)).flat();
}
