/** Where the kernel's files lie: beside the bundle in `dist/`, or in the source tree. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

export interface KernelResources {
  /** Script of the guest's worker thread. */
  readonly guestWorker: string;
  readonly pythonFolder: string;
  readonly pyodideFolder: string;
  /** Script of the bundled runtime. */
  readonly runtime: string;
}

/** `folder` is that of the running script: `dist/`, or `extension/kernel/` of the sources. */
export function locateResources(folder: string): KernelResources {
  if (existsSync(join(folder, 'guest-worker.mjs'))) {
    return {
      guestWorker: join(folder, 'guest-worker.mjs'),
      pythonFolder: join(folder, 'python'),
      pyodideFolder: join(folder, 'pyodide'),
      runtime: join(folder, 'runtime.mjs'),
    };
  }
  const require = createRequire(join(folder, 'main.ts'));
  return {
    guestWorker: join(folder, 'guest-worker.ts'),
    pythonFolder: join(folder, 'guest', 'python'),
    pyodideFolder: dirname(require.resolve('pyodide/package.json')),
    runtime: join(folder, '..', '..', 'runtime', 'src', 'main.ts'),
  };
}
