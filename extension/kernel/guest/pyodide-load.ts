/** Starts Pyodide, from a memory snapshot when there is one; makes the snapshot when there is none. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { loadPyodide, PyodideAPI } from 'pyodide';
import { packageFolder } from './pyodide-packages.ts';
import { SnapshotStore } from './snapshot.ts';

/** Imported before the snapshot is made, because cells and our package need them at once. */
const SNAPSHOT_MODULES = [
  'ast',
  'asyncio',
  'base64',
  'collections',
  'contextlib',
  'dataclasses',
  'getpass',
  'importlib.util',
  'inspect',
  'io',
  'itertools',
  'json',
  'linecache',
  'pprint',
  'random',
  're',
  'shlex',
  'signal',
  'threading',
  'time',
  'traceback',
  'types',
  'typing',
  'pyodide.webloop',
];

/** What Python takes for its program. Without a name it is the path of our worker, which a snapshot would keep. */
const EXECUTABLE = 'python3';

export interface LoadedPyodide {
  readonly pyodide: PyodideAPI;
  readonly fromSnapshot: boolean;
}

type Log = (level: 'info' | 'warn', message: string) => void;

/** `cacheFolder: null` starts without a snapshot and makes none. */
export async function startPyodide(
  pyodideFolder: string,
  cacheFolder: string | null,
  log: Log,
): Promise<LoadedPyodide> {
  // The folder is known at run time only; a bundler must not resolve this import.
  const url = pathToFileURL(join(pyodideFolder, 'pyodide.mjs')).href;
  // SAFETY: this is Pyodide's own module.
  const module = (await import(url)) as { loadPyodide: typeof loadPyodide; version: string };
  const options = {
    indexURL: pyodideFolder,
    enableRunUntilComplete: true,
    _sysExecutable: EXECUTABLE,
    // Never beside the program's own files, which may belong to somebody else.
    packageCacheDir: packageFolder(cacheFolder, module.version),
  };
  if (cacheFolder === null)
    return { pyodide: await module.loadPyodide(options), fromSnapshot: false };
  const store = new SnapshotStore(cacheFolder, snapshotKey(module.version));
  const snapshot = store.read();
  if (snapshot !== null) {
    try {
      return {
        pyodide: await module.loadPyodide({ ...options, _loadSnapshot: snapshot }),
        fromSnapshot: true,
      };
    } catch (error) {
      log('warn', `The Python snapshot could not be used and is made anew: ${String(error)}`);
      store.discard();
    }
  }
  const pyodide = await module.loadPyodide({ ...options, _makeSnapshot: true });
  saveSnapshot(pyodide, store, log);
  return { pyodide, fromSnapshot: false };
}

function snapshotKey(version: string): readonly string[] {
  return [
    version,
    process.version,
    process.platform,
    process.arch,
    EXECUTABLE,
    ...SNAPSHOT_MODULES,
  ];
}

/** A full disk or a read-only home costs the speed of later starts, nothing else. */
function saveSnapshot(pyodide: PyodideAPI, store: SnapshotStore, log: Log): void {
  try {
    pyodide.runPython(`import ${SNAPSHOT_MODULES.join(', ')}`);
    store.write(pyodide.makeMemorySnapshot({}));
  } catch (error) {
    log('warn', `No Python snapshot could be saved, so later starts stay slow: ${String(error)}`);
  }
}
