/** Which GPUs a start of the bundled runtime would use: asked of the runtime, which has the drivers. */
import { execFile } from 'node:child_process';
import type { Gpu } from './memory-fit.ts';

/** Before the answer on stdout, where drivers print too. */
const ANSWER = /^SGLNB_DEVICES (.*)$/m;
/** A driver may compile its programs for longer the first time: estimates then do without it. Milliseconds. */
const PATIENCE = 20_000;

/**
 * None as well where the runtime is missing or does not answer: an estimate says less then, and the
 * runtime itself says why.
 *
 * @param runtimeEntry the runtime's program
 */
export function probeGpus(
  runtimeEntry: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<readonly Gpu[]> {
  return new Promise((resolve) => {
    const options = {
      // VS Code's own program is Node only when it is told to be.
      env: { ...env, ELECTRON_RUN_AS_NODE: '1' },
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
      windowsHide: true,
    } as const;
    execFile(process.execPath, [runtimeEntry, '--list-devices'], options, (_, stdout) =>
      resolve(parseGpus(ANSWER.exec(stdout)?.[1] ?? '')),
    );
  });
}

function parseGpus(text: string): readonly Gpu[] {
  if (text === '') return [];
  // SAFETY: the runtime of the same version writes the line.
  const { devices } = JSON.parse(text) as { readonly devices: readonly ListedDevice[] };
  return devices
    .filter(({ kind }) => kind === 'gpu' || kind === 'igpu')
    .map(({ name, description, free, total }) => ({
      name: description.trim() || name,
      free,
      total,
    }));
}

interface ListedDevice {
  readonly name: string;
  readonly description: string;
  readonly kind: string;
  readonly free: number;
  readonly total: number;
}
