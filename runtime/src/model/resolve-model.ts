/** Which GGUF file a `--model-path` means on this machine. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';

export interface ModelPlaces {
  /** Folders with the user's models, searched in order. */
  readonly modelDirectories: readonly string[];
  /** Places where the bundled starter model may lie. */
  readonly starterFiles: readonly string[];
}

export interface ResolvedModel {
  readonly file: string;
  /**
   * What `/get_model_info` names. SGLang's frontend chooses its chat template by this text, so for
   * the starter model, which speaks ChatML with Qwen's default system prompt, it must lead there.
   */
  readonly reportedPath: string;
  /** What the user should know: another model runs than the one that was asked for. */
  readonly notice: string | null;
}

export class ModelError extends Error {
  readonly code: 'NOT_FOUND' | 'AMBIGUOUS' | 'NO_STARTER';

  constructor(code: ModelError['code'], message: string) {
    super(message);
    this.name = 'ModelError';
    this.code = code;
  }
}

/** Who writes this wants the bundled model, and no notice about it. */
const STARTER = 'starter';
export const STARTER_NAME = 'sglang-notebooks/starter-qwen-chat';

/**
 * A file or folder is used as it is; `starter` is the bundled model. A name, such as `Qwen/Qwen2.5-1.5B-Instruct`, is looked for in
 * the models folders; if it is not there, the starter model runs and the notice says so. Throws
 * `ModelError` when a *path* is wrong: whoever names a file does not want another model.
 */
export function resolveModel(asked: string, places: ModelPlaces): ResolvedModel {
  if (asked === '') return starter(asked, places);
  if (asked === STARTER) return { ...starter('', places), notice: null };
  const path = expandHome(asked);
  if (existsSync(path)) return { file: fileAt(path), reportedPath: asked, notice: null };
  if (looksLikePath(asked)) {
    throw new ModelError('NOT_FOUND', `There is no model at ${asked}. Check --model-path.`);
  }
  const found =
    findRecorded(asked, places.modelDirectories) ?? findByName(asked, places.modelDirectories);
  if (found !== null) return { file: found, reportedPath: asked, notice: null };
  return starter(asked, places);
}

/** `$SGLNB_MODELS`, or `sglang-notebooks/models` in the platform's folder for caches. */
export function modelDirectories(
  env: Readonly<Record<string, string | undefined>>,
  platform: string,
): string[] {
  const chosen = env['SGLNB_MODELS'];
  if (chosen) return [chosen];
  return [join(userCache(env, platform), 'sglang-notebooks', 'models')];
}

function userCache(env: Readonly<Record<string, string | undefined>>, platform: string): string {
  if (platform === 'win32') return env['LOCALAPPDATA'] ?? join(homedir(), 'AppData', 'Local');
  if (platform === 'darwin') return join(homedir(), 'Library', 'Caches');
  return env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
}

function expandHome(path: string): string {
  return /^~(?=$|[\\/])/.test(path) ? join(homedir(), path.slice(1)) : resolve(path);
}

function looksLikePath(asked: string): boolean {
  return /^[./~\\]|^[A-Za-z]:[\\/]|\.gguf$/i.test(asked);
}

/** The file itself, or the one model in a folder; of a split model its first part. */
function fileAt(path: string): string {
  if (!statSync(path).isDirectory()) return path;
  const models = modelFiles(path);
  const [only] = models;
  if (only === undefined) {
    throw new ModelError('NOT_FOUND', `There is no .gguf file in ${path}.`);
  }
  if (models.length > 1) {
    const names = models.map((file) => basename(file)).join(', ');
    throw new ModelError('AMBIGUOUS', `${path} holds several models: ${names}. Name one of them.`);
  }
  return only;
}

function modelFiles(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => /\.gguf$/i.test(name) && !/mmproj/i.test(name))
    .filter((name) => !/-\d{5}-of-\d{5}\.gguf$/i.test(name) || /-00001-of-\d{5}\.gguf$/i.test(name))
    .toSorted()
    .map((name) => join(directory, name));
}

/** Ending of the file in which whoever installed a model left the names that it answers to. */
const RECORD_ENDING = '.gguf.sglnb.json';
const RECORD_DEPTH = 3;

/** The model whose record, next to its file, lists the name that was asked for. */
function findRecorded(asked: string, directories: readonly string[]): string | null {
  const wanted = asked.toLowerCase();
  const records = directories.flatMap((directory) => recordsBelow(directory, RECORD_DEPTH));
  const record = records.find(
    (path) => existsSync(modelOf(path)) && namesIn(path).some((name) => name === wanted),
  );
  return record === undefined ? null : modelOf(record);
}

function modelOf(record: string): string {
  return join(dirname(record), basename(record).replace(/\.sglnb\.json$/, ''));
}

function recordsBelow(directory: string, depth: number): string[] {
  if (depth === 0 || !existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return recordsBelow(path, depth - 1);
    return entry.name.endsWith(RECORD_ENDING) ? [path] : [];
  });
}

/** In lower case; none when the record is damaged. */
function namesIn(record: string): string[] {
  try {
    const parsed: unknown = JSON.parse(readFileSync(record, 'utf8'));
    const isRecord = typeof parsed === 'object' && parsed !== null && 'names' in parsed;
    const names: unknown[] = isRecord && Array.isArray(parsed.names) ? parsed.names : [];
    return names.filter((name) => typeof name === 'string').map((name) => name.toLowerCase());
  } catch {
    return [];
  }
}

/** A file, or a folder with one file, whose name starts with the model's; the shortest wins. */
function findByName(asked: string, directories: readonly string[]): string | null {
  const wanted = normalised(basename(asked));
  const candidates = directories.filter(existsSync).flatMap((directory) => [
    ...modelFiles(directory),
    ...readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .flatMap((entry) => modelsBelow(join(directory, entry.name), normalised(entry.name), wanted)),
  ]);
  const matching = candidates.filter((file) => normalised(basename(file)).startsWith(wanted));
  const [best] = matching.toSorted((a, b) => basename(a).length - basename(b).length);
  return best ?? null;
}

/** Files of `models/<folder>` and, for a folder named after an organisation, one level deeper. */
function modelsBelow(directory: string, name: string, wanted: string): string[] {
  const deeper = readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && normalised(entry.name).startsWith(wanted))
    .flatMap((entry) => modelFiles(join(directory, entry.name)));
  return name === '' ? deeper : [...modelFiles(directory), ...deeper];
}

function normalised(name: string): string {
  return name
    .toLowerCase()
    .replace(/\.gguf$/, '')
    .replaceAll(/[^a-z0-9.]+/g, '-');
}

function starter(asked: string, { modelDirectories, starterFiles }: ModelPlaces): ResolvedModel {
  const file = starterFiles.find(existsSync);
  if (file === undefined) {
    throw new ModelError(
      'NO_STARTER',
      `${asked === '' ? 'No --model-path was given' : `The model ${asked} is not on this machine`}, and the bundled starter model is missing from this installation.`,
    );
  }
  return {
    file,
    reportedPath: usesQwenTemplate(asked) ? asked : STARTER_NAME,
    notice: starterNotice(asked, modelDirectories[0] ?? 'the models folder'),
  };
}

function starterNotice(asked: string, directory: string): string {
  const what =
    asked === ''
      ? 'No model was named, so the bundled starter model runs.'
      : `The model ${asked} is not on this machine, so the bundled starter model runs instead.`;
  const download = /^[\w.-]+\/[\w.-]+$/.test(asked)
    ? ` (on the command line: "sglnb models pull ${asked}")`
    : '';
  return `${what} It is tiny and knows little beyond the tutorial. To run a real model, use "SGLang: Choose Model…" in VS Code${download}, put its GGUF file into ${directory} or pass --model-path FILE.gguf.`;
}

/**
 * Whether SGLang's frontend, of February 2025 or later, takes its `qwen` template for this path:
 * no earlier rule of its list matches, and neither do those of vision models.
 */
function usesQwenTemplate(path: string): boolean {
  const name = path.toLowerCase();
  if (/deepseek|dbrx|vicuna|llava|llama|mistral|mixtral|janus|orion|pixtral|minicpm/.test(name)) {
    return false;
  }
  return /qwen.*(chat|instruct)/.test(name) && !/qwen.*vl/.test(name);
}
