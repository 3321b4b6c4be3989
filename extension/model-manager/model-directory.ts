/** Where models lie. The runtime looks in the same place (`runtime/src/model/resolve-model.ts`). */
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Environment = Readonly<Record<string, string | undefined>>;

/** `$SGLNB_MODELS`, or `sglang-notebooks/models` in the platform's folder for caches. */
export function modelDirectory(env: Environment, platform: string, home = homedir()): string {
  const chosen = env['SGLNB_MODELS'];
  if (chosen) return chosen;
  return join(cacheDirectory(env, platform, home), 'sglang-notebooks', 'models');
}

/** The folder of the user for files that can be fetched again. */
export function cacheDirectory(env: Environment, platform: string, home: string): string {
  if (platform === 'win32') return env['LOCALAPPDATA'] ?? join(home, 'AppData', 'Local');
  if (platform === 'darwin') return join(home, 'Library', 'Caches');
  return env['XDG_CACHE_HOME'] || join(home, '.cache');
}
