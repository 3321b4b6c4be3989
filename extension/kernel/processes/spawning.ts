/** Starting programs as Python's `Popen` does. */
import type { ChildProcess } from 'node:child_process';
import { ProcessError } from './process-error.ts';

export interface SpawnOptions {
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly stdio: ['ignore', 'pipe', 'pipe'];
  readonly detached: boolean;
  readonly windowsHide: boolean;
}

export type Spawned = ChildProcess & { readonly pid: number };

/** Settles when the program runs; fails as `Popen` does when there is no such program. */
export function started(child: ChildProcess, program: string): Promise<Spawned> {
  return new Promise((resolve, reject) => {
    // SAFETY: a process that was spawned has a number.
    child.once('spawn', () => resolve(child as Spawned));
    child.once('error', (error: NodeJS.ErrnoException) => {
      const type = error.code === 'ENOENT' ? 'FileNotFoundError' : 'OSError';
      reject(new ProcessError(type, `${program} could not be started: ${error.message}`));
    });
  });
}
