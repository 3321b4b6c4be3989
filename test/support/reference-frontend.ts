/**
 * SGLang's own Python frontend, installed from the package index into a cached virtual environment
 * outside the checkout. Machines without a Python or an index have none; tests then say so.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const REFERENCE_VERSION = '0.4.3';

/** What importing the frontend needs of the packages that SGLang names as dependencies. */
const IMPORTS = ['requests', 'numpy', 'tqdm', 'pydantic', 'ipython', 'aiohttp', 'setproctitle'];
const INSTALL_MILLISECONDS = 100_000;

export type ReferenceFrontend =
  | { readonly python: string; readonly missing: null }
  | { readonly python: null; readonly missing: string };

const run = promisify(execFile);

/** A Python that can `import sglang` of the reference version; installs it at the first use. */
export async function findReferenceFrontend(): Promise<ReferenceFrontend> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'sglang-notebooks-tests', `sglang-${REFERENCE_VERSION}`);
  const executable = (root: string): string => join(root, 'bin', 'python');
  if (existsSync(executable(folder))) return { python: executable(folder), missing: null };
  const staging = `${folder}.${process.pid}`;
  try {
    mkdirSync(join(folder, '..'), { recursive: true });
    await install(staging, executable(staging));
    renameSync(staging, folder);
    return { python: executable(folder), missing: null };
  } catch (error) {
    rmSync(staging, { recursive: true, force: true });
    const reason = error instanceof Error ? error.message.trim().split('\n').slice(-1)[0] : '';
    return {
      python: null,
      missing: `not run: sglang ${REFERENCE_VERSION} cannot be installed here (${reason})`,
    };
  }
}

async function install(folder: string, python: string): Promise<void> {
  const options = { timeout: INSTALL_MILLISECONDS };
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  await run('python3', ['-m', 'venv', folder], options);
  await run(python, [...pip, '--no-deps', `sglang==${REFERENCE_VERSION}`], options);
  await run(python, [...pip, ...IMPORTS], options);
  await run(python, ['-c', 'import sglang; sglang.RuntimeEndpoint'], options);
}
