/** Models that other programs have downloaded already: found, and linked instead of copied. */
import { link, readdir, readFile, realpath, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import { cacheDirectory, type Environment } from './model-directory.ts';
import { ModelManagerError } from './model-error.ts';

export interface ImportableModel {
  readonly program: 'LM Studio' | 'Ollama' | 'llama.cpp' | 'Hugging Face';
  /** What the other program calls it. */
  readonly name: string;
  readonly path: string;
  /** Name of the link in the models folder. */
  readonly fileName: string;
  /** Further files of a model in parts, in order; their names must stay as they are. */
  readonly parts: readonly string[];
  /** Of all parts. */
  readonly size: number;
  readonly sha256: string | null;
  /** Of a vision model, the file with which it sees. */
  readonly projector: string | null;
}

export interface ImportPlaces {
  readonly lmStudio: readonly string[];
  readonly ollama: readonly string[];
  readonly llamaCpp: readonly string[];
  readonly huggingFace: readonly string[];
}

export function importPlaces(env: Environment, platform: string, home = homedir()): ImportPlaces {
  const cache = cacheDirectory(env, platform, home);
  const hfHome = env['HF_HOME'] ?? join(home, '.cache', 'huggingface');
  return {
    lmStudio: [join(home, '.lmstudio', 'models'), join(home, '.cache', 'lm-studio', 'models')],
    ollama: env['OLLAMA_MODELS']
      ? [env['OLLAMA_MODELS']]
      : [join(home, '.ollama', 'models'), '/usr/share/ollama/.ollama/models'],
    llamaCpp: [env['LLAMA_CACHE'] ?? join(cache, 'llama.cpp')],
    huggingFace: [env['HF_HUB_CACHE'] ?? join(hfHome, 'hub')],
  };
}

/** Everything that can be imported. Places that do not exist or cannot be read hold nothing. */
export async function findImportable(places: ImportPlaces): Promise<readonly ImportableModel[]> {
  const found = await Promise.all([
    ...places.lmStudio.map((folder) => ggufBelow(folder, 3, 'LM Studio')),
    ...places.ollama.map(ollamaModels),
    ...places.llamaCpp.map((folder) => ggufBelow(folder, 1, 'llama.cpp')),
    ...places.huggingFace.map((folder) => ggufBelow(folder, 5, 'Hugging Face')),
  ]);
  return found.flat();
}

async function ggufBelow(
  root: string,
  depth: number,
  program: ImportableModel['program'],
): Promise<ImportableModel[]> {
  const entries = await filesBelow(root, depth);
  const models = entries
    .filter((path) => /\.gguf$/i.test(path) && !/mmproj/i.test(path) && !LATER_PART.test(path))
    .map(async (path) => {
      const parts = laterParts(path, entries);
      // Some are missing: it is being downloaded, or was damaged.
      if (parts === null) return [];
      const name = shownName(relative(root, path).split(sep).join('/'));
      const projector = projectorBeside(path, entries);
      const fileName = basename(path);
      return importable({ program, name, path, fileName, parts, sha256: null, projector });
    });
  return (await Promise.all(models)).flat();
}

/** What belongs to a GGUF file that the user names. @throws ModelManagerError */
export async function besideModel(
  model: string,
): Promise<Pick<ImportableModel, 'parts' | 'projector'>> {
  const files = await filesBelow(dirname(model), 1);
  const parts = LATER_PART.test(model) ? null : laterParts(model, files);
  if (parts === null) {
    throw new ModelManagerError(
      'NOT_FOUND',
      `${basename(model)} is a part of a model: name the first part, and have all others beside it.`,
    );
  }
  return { parts, projector: projectorBeside(model, files) };
}

const PART = /-(\d{5})-of-(\d{5})\.gguf$/i;
const LATER_PART = /-(?!00001)\d{5}-of-\d{5}\.gguf$/i;

/** None for a model in one file, `null` when some are missing. */
function laterParts(first: string, files: readonly string[]): readonly string[] | null {
  const part = PART.exec(first);
  if (part === null) return [];
  const count = Number(part[2]);
  const found = files
    .filter((path) => path.startsWith(first.slice(0, part.index)))
    .filter((path) => LATER_PART.test(path) && PART.exec(path)?.[2] === part[2])
    .toSorted();
  return found.length === count - 1 ? found : null;
}

/** In the model's own folder, if that holds this model alone or the projector's name has all of its words. */
function projectorBeside(model: string, files: readonly string[]): string | null {
  const beside = files.filter(
    (path) => dirname(path) === dirname(model) && /\.gguf$/i.test(path) && !LATER_PART.test(path),
  );
  const projectors = beside.filter((path) => /mmproj/i.test(basename(path)));
  if (beside.length - projectors.length === 1) return projectors[0] ?? null;
  const wanted = words(model.replace(/[-.](q\d|iq\d|b?f16|f32)[^/\\]*$/i, ''));
  return projectors.find((path) => wanted.every((word) => words(path).includes(word))) ?? null;
}

function words(path: string): string[] {
  return basename(path)
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** `models--org--repo/snapshots/<revision>/file` → `org/repo/file`. */
function shownName(path: string): string {
  return path.replace(/^models--(.+?)--(.+?)\/snapshots\/[^/]+\//, '$1/$2/');
}

async function filesBelow(folder: string, depth: number): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found = entries.map(async (entry) => {
    const path = join(folder, entry.name);
    if (!entry.isDirectory()) return [path];
    return depth > 1 ? filesBelow(path, depth - 1) : [];
  });
  return (await Promise.all(found)).flat();
}

/** `manifests/<registry>/<namespace>/<model>/<tag>` names blobs by their SHA-256. */
async function ollamaModels(root: string): Promise<ImportableModel[]> {
  const manifests = await filesBelow(join(root, 'manifests'), 5);
  const models = manifests.map(async (manifest) => {
    const { model: digest, projector } = await digests(manifest);
    if (digest === undefined) return [];
    const blob = (sha256: string): string => join(root, 'blobs', `sha256-${sha256}`);
    const [namespace, model, tag] = manifest.split(sep).slice(-3);
    const short = namespace === 'library' ? model : `${namespace}/${model}`;
    return importable({
      program: 'Ollama',
      name: `${short}:${tag}`,
      path: blob(digest),
      fileName: `${model}-${tag}.gguf`,
      parts: [],
      sha256: digest,
      projector: projector === undefined ? null : blob(projector),
    });
  });
  return (await Promise.all(models)).flat();
}

const OLLAMA_LAYER = /^application\/vnd\.ollama\.image\.(model|projector)$/;

/** SHA-256 of the model's blob and of its projector's. */
async function digests(
  manifest: string,
): Promise<{ readonly model?: string; readonly projector?: string }> {
  try {
    const parsed: unknown = JSON.parse(await readFile(manifest, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('layers' in parsed)) return {};
    const layers: unknown[] = Array.isArray(parsed.layers) ? parsed.layers : [];
    const found = layers.flatMap((layer): [string, string][] => {
      if (typeof layer !== 'object' || layer === null) return [];
      if (!('mediaType' in layer && 'digest' in layer)) return [];
      const kind = OLLAMA_LAYER.exec(String(layer.mediaType))?.[1];
      const digest = /^sha256:([0-9a-f]{64})$/.exec(String(layer.digest))?.[1];
      return kind === undefined || digest === undefined ? [] : [[kind, digest]];
    });
    return Object.fromEntries(found.toReversed());
  } catch {
    // No manifest of a kind that is known here.
    return {};
  }
}

async function importable(model: Omit<ImportableModel, 'size'>): Promise<ImportableModel[]> {
  const sizes = [model.path, ...model.parts].map(async (path) => (await stat(path)).size);
  return Promise.all(sizes).then(
    (each) => [{ ...model, size: each.reduce((sum, size) => sum + size, 0) }],
    () => [],
  );
}

/**
 * Makes `target` another name of the file: a hard link, or where that is impossible (other disk, no
 * permission) a symbolic one. Nothing is copied. @throws ModelManagerError
 */
export async function linkModel(source: string, target: string): Promise<'hard' | 'symbolic'> {
  const real = await realpath(source);
  try {
    await link(real, target);
    return 'hard';
  } catch (error) {
    if (isExisting(error)) throw exists(target);
  }
  try {
    await symlink(real, target);
    return 'symbolic';
  } catch (error) {
    if (isExisting(error)) throw exists(target);
    const reason = error instanceof Error ? error.message : String(error);
    throw new ModelManagerError('FILE_SYSTEM', `${source} cannot be linked: ${reason}`);
  }
}

function isExisting(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EEXIST';
}

function exists(target: string): ModelManagerError {
  return new ModelManagerError('BUSY', `${target} is there already.`);
}
