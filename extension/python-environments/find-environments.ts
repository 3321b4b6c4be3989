/**
 * The Pythons of this machine that could run a notebook: virtual environments, conda's, those that uv
 * and pyenv manage, and what is on the path. Only looks at files; runs nothing.
 */
import { readdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';

export type EnvironmentKind = 'venv' | 'conda' | 'uv' | 'pyenv' | 'system';

export interface PythonEnvironment {
  /** Absolute path of the interpreter. */
  readonly executable: string;
  readonly kind: EnvironmentKind;
  /** Name of the environment, for people. */
  readonly name: string;
  /** As its own files say it, such as `3.12.4`; `null` when they do not. */
  readonly version: string | null;
}

export interface SearchPlaces {
  readonly platform: NodeJS.Platform;
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Folders of the workspace and of the notebook, nearest first. */
  readonly folders: readonly string[];
}

/** Oldest Python that the kernel runs in. */
export const OLDEST_PYTHON: readonly [major: number, minor: number] = [3, 9];

/** Nearest first: the workspace's own, the active one, then the managers', then the path's. */
export function findEnvironments(places: SearchPlaces): readonly PythonEnvironment[] {
  const found = [
    ...places.folders.flatMap((folder) => inWorkspace(folder, places)),
    ...active(places),
    ...children(join(places.home, '.virtualenvs'), 'venv', places),
    ...condas(places),
    ...children(uvFolder(places), 'uv', places),
    ...children(pyenvFolder(places), 'pyenv', places),
    ...onPath(places),
  ];
  const seen = new Set<string>();
  return found.filter(({ executable, kind }) => {
    // A virtual environment's interpreter is a link to the one it was made with, yet another Python.
    const key = kind === 'system' ? real(executable) : executable;
    if (seen.has(key) || seen.has(executable)) return false;
    seen.add(key);
    seen.add(executable);
    return true;
  });
}

/** Whether the kernel can run in a version; an unknown one is tried. */
export function isSupported(version: string | null): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (major === undefined || minor === undefined) return true;
  const [oldestMajor, oldestMinor] = OLDEST_PYTHON;
  return Number(major) === oldestMajor && Number(minor) >= oldestMinor;
}

/**
 * What the files around an interpreter say of it: the name of its environment, `null` where it is in none that
 * people gave a name, and its version, `null` where nothing says it.
 */
export function describeInterpreter(
  executable: string,
  platform: NodeJS.Platform,
): Pick<PythonEnvironment, 'version'> & { readonly name: string | null } {
  const beside = dirname(executable);
  const folders = platform === 'win32' ? [beside, dirname(beside)] : [dirname(beside)];
  const places = { platform, home: '', env: {}, folders: [] };
  const [environment] = folders.flatMap((folder) => environmentAt(folder, null, places));
  if (environment !== undefined) return environment;
  // Managers give the version as name.
  const [managed] = folders.map((folder) => versionOf('', [], basename(folder))).filter(Boolean);
  return { name: null, version: managed ?? versionInName(executable) };
}

/** `.venv`, `venv`, `env`: any folder of the workspace that holds a `pyvenv.cfg` or conda's records. */
function inWorkspace(folder: string, places: SearchPlaces): PythonEnvironment[] {
  const names = list(folder).toSorted((a, b) => Number(b === '.venv') - Number(a === '.venv'));
  return names.flatMap((name) => environmentAt(join(folder, name), null, places));
}

function active({ env, ...places }: SearchPlaces): PythonEnvironment[] {
  const folders = [env['VIRTUAL_ENV'], env['CONDA_PREFIX'], env['UV_PROJECT_ENVIRONMENT']];
  return folders.flatMap((folder) =>
    folder === undefined || folder === '' ? [] : environmentAt(folder, null, { ...places, env }),
  );
}

function condas(places: SearchPlaces): PythonEnvironment[] {
  const roots = ['miniconda3', 'anaconda3', 'miniforge3', 'mambaforge', '.conda'];
  const all = [
    places.env['CONDA_ROOT'] ?? places.env['MAMBA_ROOT_PREFIX'],
    ...roots.map((name) => join(places.home, name)),
  ].filter((root): root is string => root !== undefined && root !== '');
  const listed = text(join(places.home, '.conda', 'environments.txt')).split('\n');
  const named = listed.map((line) => line.trim()).filter((line) => line !== '');
  return [
    ...all.flatMap((root) => [
      ...environmentAt(root, 'conda', places),
      ...children(join(root, 'envs'), 'conda', places),
    ]),
    ...named.flatMap((folder) => environmentAt(folder, 'conda', places)),
  ];
}

function uvFolder({ platform, home, env }: SearchPlaces): string {
  const given = env['UV_PYTHON_INSTALL_DIR'];
  if (given !== undefined && given !== '') return given;
  if (platform === 'win32') return join(env['APPDATA'] ?? home, 'uv', 'python');
  return join(env['XDG_DATA_HOME'] ?? join(home, '.local', 'share'), 'uv', 'python');
}

function pyenvFolder({ platform, home, env }: SearchPlaces): string {
  const root = env['PYENV_ROOT'] ?? join(home, '.pyenv');
  return join(platform === 'win32' ? join(root, 'pyenv-win') : root, 'versions');
}

function children(
  folder: string,
  kind: EnvironmentKind,
  places: SearchPlaces,
): PythonEnvironment[] {
  return list(folder).flatMap((name) => environmentAt(join(folder, name), kind, places));
}

/** `kind: null`: whatever its files say; a folder that is no environment gives none. */
function environmentAt(
  folder: string,
  kind: EnvironmentKind | null,
  { platform }: SearchPlaces,
): PythonEnvironment[] {
  const settings = text(join(folder, 'pyvenv.cfg'));
  const conda = list(join(folder, 'conda-meta'));
  const told = settings !== '' ? 'venv' : conda.length > 0 ? 'conda' : null;
  const chosen = kind ?? told;
  const executable = interpreterIn(folder, platform, chosen);
  if (chosen === null || executable === null) return [];
  const name = folder.split(/[\\/]/).at(-1) ?? folder;
  return [{ executable, kind: chosen, name, version: versionOf(settings, conda, name) }];
}

function interpreterIn(
  folder: string,
  platform: NodeJS.Platform,
  kind: EnvironmentKind | null,
): string | null {
  const windows =
    kind === 'venv' ? [join(folder, 'Scripts', 'python.exe')] : [join(folder, 'python.exe')];
  const others = ['python', 'python3'].map((name) => join(folder, 'bin', name));
  return (platform === 'win32' ? windows : others).find(isFile) ?? null;
}

function versionOf(settings: string, conda: readonly string[], name: string): string | null {
  const [, fromSettings] = /^version(?:_info)?\s*=\s*(\d+(?:\.\d+)+)/m.exec(settings) ?? [];
  const record = conda.map((file) => /^python-(\d+(?:\.\d+)+)-/.exec(file)?.[1]).find(Boolean);
  // pyenv: `3.12.4`; uv: `cpython-3.12.4-linux-x86_64-gnu`.
  const [, fromName] = /^(?:cpython-)?(\d+\.\d+(?:\.\d+)?)(?:-|$)/.exec(name) ?? [];
  return fromSettings ?? record ?? fromName ?? null;
}

function onPath({ platform, env }: SearchPlaces): PythonEnvironment[] {
  const folders = (env['PATH'] ?? env['Path'] ?? '').split(delimiter).filter((each) => each !== '');
  const name = platform === 'win32' ? /^python\.exe$/ : /^python3(?:\.\d+)?$/;
  return folders.flatMap((folder) => {
    // What pyenv and conda put on the path stands for the environments that are listed already.
    if (/[\\/](?:shims|condabin|WindowsApps)[\\/]?$/.test(folder)) return [];
    return list(folder)
      .filter((file) => name.test(file))
      .map((file) => join(folder, file))
      .filter(isFile)
      .map((executable) => {
        const version = versionInName(executable);
        return { executable, kind: 'system' as const, name: executable, version };
      });
  });
}

function versionInName(executable: string): string | null {
  return /python(\d+\.\d+)$/.exec(real(executable))?.[1] ?? null;
}

function list(folder: string): readonly string[] {
  try {
    return readdirSync(folder).toSorted();
  } catch {
    return []; // not there, or not ours to read
  }
}

function text(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
