/** The Pythons of this machine that the kernel promises to run on. */
import { spawnSync } from 'node:child_process';
import { homedir } from 'node:os';
import type { GuestChoice } from '../../extension/protocol/kernel-protocol.ts';
import { findEnvironments } from '../../extension/python-environments/find-environments.ts';
import { cachedPython314 } from './python-314.ts';

export const VERSIONS = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14'] as const;

export interface Interpreter {
  readonly version: string;
  readonly guest: GuestChoice;
}

/** One interpreter for each version, the nearest first. */
export function interpreters(): ReadonlyMap<string, Interpreter> {
  const found = new Map<string, Interpreter>();
  const places = { platform: process.platform, home: homedir(), env: process.env, folders: [] };
  const executables = [
    ...findEnvironments(places).map(({ executable }) => executable),
    ...VERSIONS.map((version) => `python${version}`),
    cachedPython314(),
  ];
  for (const executable of executables) {
    const code = 'import sys; print("%d.%d" % sys.version_info[:2])';
    const { stdout } = spawnSync(executable, ['-c', code], { encoding: 'utf8' });
    const version = stdout?.trim() ?? '';
    if (version !== '' && !found.has(version))
      found.set(version, { version, guest: { kind: 'cpython', executable } });
  }
  return found;
}
