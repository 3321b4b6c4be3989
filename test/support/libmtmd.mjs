// Vision models other than LLaVA's need llama.cpp's libmtmd: before their tests it is built once, in about
// a minute.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { findMtmd } from '../../runtime/src/vision/find-mtmd.ts';

const NEEDED = ['git', 'cmake', 'c++'];
/** Milliseconds. A slower machine does without. */
const LONGEST = 600_000;

/** Builds libmtmd if there is none. Null when there is one afterwards, otherwise the reason. */
export function ensureLibmtmd(root) {
  if (findMtmd(process.env.SGLNB_MTMD_LIBRARY || null, {}) !== null) return null;
  const missing = NEEDED.filter((name) => spawnSync(name, ['--version']).status !== 0);
  if (missing.length > 0) return `building it needs ${missing.join(' and ')}`;
  console.log('building libmtmd for vision models (once, about a minute) …');
  const { error, status, stderr } = spawnSync(
    process.execPath,
    [join(root, 'runtime', 'mtmd', 'build.ts')],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], timeout: LONGEST },
  );
  if (status === 0) return null;
  const said = stderr
    .trim()
    .split('\n')
    .filter((line) => line.trim() !== '');
  return `its build failed: ${error?.message ?? said.slice(-3).join(' ')}`;
}
