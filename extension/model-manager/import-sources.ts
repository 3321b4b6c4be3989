/** Models that other programs have downloaded already: found, and linked instead of copied. */
import { link, readdir, readFile, realpath, stat, symlink } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join, relative, sep } from 'node:path';
import { cacheDirectory, type Environment } from './model-directory.ts';
import { ModelManagerError } from './model-error.ts';

export interface ImportableModel {
  readonly program: 'LM Studio' | 'Ollama' | 'llama.cpp' | 'Hugging Face';
  /** What the other program calls it. */
  readonly name: string;
  readonly path: string;
  /** Name of the link in the models folder. */
  readonly fileName: string;
  readonly size: number;
  readonly sha256: string | null;
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
    ...places.huggingFace.map((folder) => ggufBelow(folder, 4, 'Hugging Face')),
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
    .filter((path) => /\.gguf$/i.test(path) && !/mmproj|-\d{5}-of-\d{5}\.gguf$/i.test(path))
    .map((path) => {
      const name = shownName(relative(root, path).split(sep).join('/'));
      return importable({ program, name, path, fileName: basename(path), sha256: null });
    });
  return (await Promise.all(models)).flat();
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
    const digest = await modelDigest(manifest);
    if (digest === null) return [];
    const [namespace, model, tag] = manifest.split(sep).slice(-3);
    const short = namespace === 'library' ? model : `${namespace}/${model}`;
    return importable({
      program: 'Ollama',
      name: `${short}:${tag}`,
      path: join(root, 'blobs', `sha256-${digest}`),
      fileName: `${model}-${tag}.gguf`,
      sha256: digest,
    });
  });
  return (await Promise.all(models)).flat();
}

const OLLAMA_MODEL = 'application/vnd.ollama.image.model';

async function modelDigest(manifest: string): Promise<string | null> {
  try {
    const parsed: unknown = JSON.parse(await readFile(manifest, 'utf8'));
    if (typeof parsed !== 'object' || parsed === null || !('layers' in parsed)) return null;
    const layers: unknown[] = Array.isArray(parsed.layers) ? parsed.layers : [];
    for (const layer of layers) {
      if (typeof layer !== 'object' || layer === null) continue;
      if (!('mediaType' in layer && layer.mediaType === OLLAMA_MODEL && 'digest' in layer))
        continue;
      return /^sha256:([0-9a-f]{64})$/.exec(String(layer.digest))?.[1] ?? null;
    }
  } catch {
    // No manifest of a kind that is known here.
  }
  return null;
}

async function importable(model: Omit<ImportableModel, 'size'>): Promise<ImportableModel[]> {
  const size = await stat(model.path).then(
    (found) => found.size,
    () => null,
  );
  return size === null ? [] : [{ ...model, size }];
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
