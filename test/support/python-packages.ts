/** A Python with packages from the index, in a cached virtual environment outside the checkout. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export type PythonWithPackages =
  | { readonly python: string; readonly missing: null }
  | { readonly python: null; readonly missing: string };

const run = promisify(execFile);
const INSTALL_MILLISECONDS = 240_000;

/** `name` is of the environment; it is made at the first use. Machines without an index say so. */
export async function pythonWith(
  name: string,
  packages: readonly string[],
): Promise<PythonWithPackages> {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache');
  const folder = join(cache, 'sglang-notebooks-tests', name);
  const python = join(folder, 'bin', 'python');
  if (existsSync(join(folder, 'complete'))) return { python, missing: null };
  try {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await run('python3', ['-m', 'venv', folder], { timeout: INSTALL_MILLISECONDS });
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages];
    await run(python, pip, { timeout: INSTALL_MILLISECONDS });
    mkdirSync(join(folder, 'complete'));
    return { python, missing: null };
  } catch (error) {
    const reason = error instanceof Error ? error.message.trim().split('\n').at(-1) : '';
    return { python: null, missing: `not run: ${name} cannot be installed here (${reason})` };
  }
}
