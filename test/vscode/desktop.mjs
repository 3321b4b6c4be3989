// `npm run test:desktop [-- FILE…]`: the suites of this folder in desktop VS Code, which
// @vscode/test-electron downloads (or `SGLNB_DESKTOP_VSCODE` names). Needs a display.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const TEST_ELECTRON = '@vscode/test-electron@3.1.0';
/** As in the manifest's `engines`, or newer. */
const VSCODE_VERSION = 'stable';

const executable = process.env.SGLNB_DESKTOP_VSCODE ?? (await download());
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const result = spawnSync(
  process.execPath,
  [vitest, 'run', '--project', 'vscode', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env: { ...process.env, SGLNB_DESKTOP_VSCODE: executable } },
);
process.exit(result.status ?? 1);

/** Fetched only for this, so that `npm ci` stays small. */
async function download() {
  const cache = join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'sglang-notebooks');
  const folder = join(cache, 'desktop');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const install = ['install', '--ignore-scripts', '--prefix', folder, TEST_ELECTRON];
  const installed = spawnSync(npm, install, { stdio: 'inherit' });
  if (installed.status !== 0) notRun('@vscode/test-electron could not be installed');
  const require = createRequire(join(folder, 'package.json'));
  const { downloadAndUnzipVSCode } = await import(require.resolve('@vscode/test-electron'));
  try {
    return await downloadAndUnzipVSCode({ version: VSCODE_VERSION, cachePath: folder });
  } catch (error) {
    return notRun(error instanceof Error ? error.message : String(error));
  }
}

function notRun(reason) {
  console.error(`not run: desktop VS Code cannot be downloaded here (${reason})`);
  process.exit(1);
}
