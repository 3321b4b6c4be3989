import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { findNativeLibrary } from '../src/engine/native-library.ts';

export interface LlamaSource {
  /** llama.cpp's source tree. */
  readonly source: string;
  /** Folder with the libraries of the same version. */
  readonly engine: string;
}

/**
 * The source of the llama.cpp whose libraries are installed, below `folder`: the npm package of the
 * engine contains it. Needs npm, tar and git.
 */
export function fetchLlamaSource(folder: string): LlamaSource {
  const run = (command: string, args: readonly string[]): void => {
    const shell = process.platform === 'win32';
    execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'], shell });
  };
  const { directory: engine } = findNativeLibrary();
  /** The engine's folder is `<package>/bins/<platform>`. */
  const manifest: { readonly version: string } = JSON.parse(
    readFileSync(join(engine, '..', '..', 'package.json'), 'utf8'),
  );
  const { version } = manifest;
  mkdirSync(folder, { recursive: true });
  const source = join(folder, `llama.cpp-${version}`);
  if (!existsSync(source)) {
    run('npm', ['pack', `node-llama-cpp@${version}`, '--silent']);
    run('tar', ['xzf', `node-llama-cpp-${version}.tgz`, 'package/llama/gitRelease.bundle']);
    // Under its name only when it is whole: whoever is interrupted begins anew.
    const part = `${source}.${process.pid}.part`;
    run('git', ['clone', '--quiet', 'package/llama/gitRelease.bundle', part]);
    renameSync(part, source);
  }
  return { source, engine };
}
