/** Disks of a megabyte, in memory, for what happens on a full one. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';

/** A disk of its own at a path, until it is disposed of. */
export class SmallDisk {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path);
    this.mount('size=1m');
  }

  mount(options: string): void {
    const result = mount(options, this.path);
    if (result.status !== 0) throw new Error(`mount: ${result.stderr}`);
  }

  /** Takes all the space that is left. */
  fill(): void {
    spawnSync('dd', ['if=/dev/zero', `of=${this.path}/filler`, 'bs=4096']);
  }

  free(): void {
    rmSync(`${this.path}/filler`);
  }

  [Symbol.dispose](): void {
    const result = spawnSync('umount', ['--lazy', this.path], { encoding: 'utf8' });
    if (result.status !== 0) throw new Error(`umount: ${result.stderr}`);
  }
}

/** Why this machine mounts nothing for us, tried at a new path; null if it does. */
export function mountDenied(path: string): string | null {
  if (process.platform !== 'linux') return 'it takes Linux';
  mkdirSync(path);
  const result = mount('size=1m', path);
  if (result.status !== 0) return result.stderr.trim();
  spawnSync('umount', [path]);
  return null;
}

const mount = (options: string, path: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { encoding: 'utf8' });
