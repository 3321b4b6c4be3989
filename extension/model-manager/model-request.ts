/** What a user or a program means by a model's name, and which files of a repository that is. */
import { findInCatalogue, type CatalogueEntry } from './catalogue.ts';
import { isSafePath, type HubClient, type HubFile } from './hub-client.ts';
import { ModelManagerError } from './model-error.ts';

export interface ModelRequest {
  readonly repository: string;
  /** A file of the repository, or `null` for the usual choice. */
  readonly file: string | null;
  /** Such as `Q8_0`: a file of that quantisation. */
  readonly quantisation: string | null;
}

/** Everything that is needed to download a model, except the bytes. */
export interface PullPlan {
  readonly repository: string;
  /** First part first; the projector of a vision model last. */
  readonly files: readonly HubFile[];
  /** What programs may call the model afterwards. */
  readonly names: readonly string[];
  readonly entry: CatalogueEntry | null;
}

const REPOSITORY = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;
/** Preferred first: good answers for the size; then what loses least. */
const QUANTISATIONS = ['Q4_K_M', 'Q4_K_S', 'Q5_K_M', 'Q4_0', 'Q6_K', 'Q8_0', 'F16', 'BF16'];

/**
 * `org/name`, `org/name:Q8_0`, `org/name/file.gguf`, or the address of a repository or file on
 * Hugging Face. @throws ModelManagerError BAD_NAME
 */
export function parseModelRequest(text: string): ModelRequest {
  const path = text
    .trim()
    .replace(/^(https?:\/\/)?(www\.)?(huggingface\.co|hf\.co)\//i, '')
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '');
  const [organisation = '', rest = '', ...more] = path.split('/');
  const [name = '', quantisation = null] = rest.split(':');
  const repository = `${organisation}/${name}`;
  const inRepository = ['resolve', 'blob', 'tree'].includes(more[0] ?? '') ? more.slice(2) : more;
  const file = inRepository.length > 0 ? decodeURIComponent(inRepository.join('/')) : null;
  const isFile = file === null || (isSafePath(file) && /\.gguf$/i.test(file));
  if (!REPOSITORY.test(repository) || repository.includes('..') || !isFile) {
    throw new ModelManagerError(
      'BAD_NAME',
      `"${text}" names no model. Use a Hugging Face repository such as Qwen/Qwen2.5-1.5B-Instruct, with a quantisation (…:Q8_0) or a file (…/model.gguf) if you like.`,
    );
  }
  return { repository, file, quantisation };
}

/** Asks the server which files a name stands for. @throws ModelManagerError */
export async function planPull(
  hub: HubClient,
  text: string,
  signal?: AbortSignal,
): Promise<PullPlan> {
  const request = parseModelRequest(text);
  const entry = findInCatalogue(request.repository);
  if (entry !== null && request.file === null && request.quantisation === null) {
    const names = [entry.file, ...(entry.projector === null ? [] : [entry.projector])];
    const files = await Promise.all(
      names.map((name) => hub.describe(entry.repository, name, signal)),
    );
    return plan(request, entry.repository, files, entry);
  }
  const { repository, files } = await listModels(hub, request, entry, signal);
  const chosen = chooseFiles(files.filter(isModelFile), request, repository);
  return plan(request, repository, [...chosen, ...chooseProjector(files)], entry);
}

function plan(
  request: ModelRequest,
  repository: string,
  files: readonly HubFile[],
  entry: CatalogueEntry | null,
): PullPlan {
  const names = new Set([request.repository, repository, ...(entry?.names ?? [])]);
  return { repository, files, names: [...names], entry };
}

/** The repository, or the one where its GGUF files usually are. */
async function listModels(
  hub: HubClient,
  { repository }: ModelRequest,
  entry: CatalogueEntry | null,
  signal: AbortSignal | undefined,
): Promise<{ readonly repository: string; readonly files: readonly HubFile[] }> {
  const name = repository.slice(repository.indexOf('/') + 1);
  const guesses = entry
    ? [entry.repository]
    : [repository, `${repository}-GGUF`, `bartowski/${name}-GGUF`];
  let failure: unknown = null;
  for (const guess of guesses) {
    try {
      const files = await hub.files(guess, signal);
      if (files.some(isModelFile)) return { repository: guess, files };
    } catch (error) {
      if (!(error instanceof ModelManagerError)) throw error;
      // The server does not tell missing repositories from private ones.
      if (error.code !== 'NOT_FOUND' && error.code !== 'UNAUTHORIZED') throw error;
      failure ??= error;
    }
  }
  if (failure instanceof ModelManagerError && failure.code === 'NOT_FOUND') {
    throw new ModelManagerError(
      'NOT_FOUND',
      `The server has no ${guesses.join(', and no ')}. Check the name; "sglnb models search ${name}" lists models.`,
    );
  }
  if (failure instanceof Error) throw failure;
  throw new ModelManagerError(
    'NOT_FOUND',
    `${repository} holds no GGUF file, nor does ${guesses.slice(1).join(' or ')}. "sglnb models search ${name}" lists repositories that do.`,
  );
}

function isModelFile({ path }: HubFile): boolean {
  return /\.gguf$/i.test(path) && !/mmproj/i.test(path);
}

/** Preferred first: projectors are small, and half precision is what they are made of. */
const PROJECTORS = ['F16', 'BF16', 'Q8_0', 'F32'];

/** What a vision model sees with: one of the repository's projectors, if it has any. */
function chooseProjector(files: readonly HubFile[]): readonly HubFile[] {
  const projectors = files.filter(({ path }) => /mmproj[^/]*\.gguf$/i.test(path));
  const preferred = PROJECTORS.map((name) =>
    projectors.find(({ path }) => hasQuantisation(path, name)),
  ).find(Boolean);
  const chosen = preferred ?? projectors[0];
  return chosen === undefined ? [] : [chosen];
}

const PART = /-(\d{5})-of-(\d{5})\.gguf$/i;

function chooseFiles(
  files: readonly HubFile[],
  { file, quantisation }: ModelRequest,
  repository: string,
): readonly HubFile[] {
  const firsts = files.filter(({ path }) => (PART.exec(path)?.[1] ?? '00001') === '00001');
  const wanted = quantisation === null ? QUANTISATIONS : [quantisation];
  const first =
    file === null
      ? wanted.map((name) => firsts.find(({ path }) => hasQuantisation(path, name))).find(Boolean)
      : files.find(({ path }) => path === file);
  const fallback = file === null && quantisation === null ? firsts[0] : undefined;
  const chosen = first ?? fallback;
  if (chosen === undefined) {
    const names = firsts.map(({ path }) => path).join(', ');
    throw new ModelManagerError(
      'NOT_FOUND',
      `${repository} has no ${file ?? `file with ${quantisation}`}. It has: ${names}.`,
    );
  }
  return allParts(files, chosen, repository);
}

function hasQuantisation(path: string, quantisation: string): boolean {
  const escaped = quantisation.replaceAll(/[^A-Za-z0-9_]/g, '.');
  return new RegExp(`(^|[^A-Za-z0-9])${escaped}([^A-Za-z0-9_]|$)`, 'i').test(path);
}

function allParts(
  files: readonly HubFile[],
  chosen: HubFile,
  repository: string,
): readonly HubFile[] {
  const match = PART.exec(chosen.path);
  if (!match) return [chosen];
  const stem = chosen.path.slice(0, match.index);
  const parts = files
    .filter(({ path }) => path.startsWith(stem) && PART.exec(path)?.[2] === match[2])
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
  if (parts.length === Number(match[2])) return parts;
  throw new ModelManagerError('NOT_FOUND', `${repository} lacks parts of ${chosen.path}.`);
}
