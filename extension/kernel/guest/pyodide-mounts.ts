/**
 * Which folders of the machine the WebAssembly guest sees, and where. On POSIX systems they lie at their
 * own paths, so that `../data`, absolute paths and the paths in shell lines all mean the same files; the
 * guest's own system folders stay its own.
 */
import { posix } from 'node:path';

export interface Mount {
  readonly guest: string;
  readonly host: string;
}

export interface MountPlan {
  readonly mounts: readonly Mount[];
  /** The notebook's folder as the guest sees it. */
  readonly cwd: string;
}

/** Folders of the root that are the guest's own, or of no use to a notebook. */
const SYSTEM_FOLDERS = new Set([
  'bin',
  'boot',
  'dev',
  'etc',
  'lib',
  'lib32',
  'lib64',
  'libx32',
  'lost+found',
  'proc',
  'run',
  'sbin',
  'sys',
  'usr',
]);

/** `rootFolders`: names of the folders in `/` (unused on Windows). */
export function planMounts(
  platform: NodeJS.Platform,
  cwd: string,
  rootFolders: readonly string[],
): MountPlan {
  if (platform === 'win32')
    return { mounts: [{ guest: '/notebook', host: cwd }], cwd: '/notebook' };
  const mounts = rootFolders
    .filter((name) => !SYSTEM_FOLDERS.has(name))
    .map((name) => ({ guest: `/${name}`, host: `/${name}` }));
  const folder = posix.normalize(cwd);
  if (mounts.some((mount) => isInside(folder, mount.guest))) return { mounts, cwd: folder };
  if (folder === '/') return { mounts, cwd: '/' };
  return { mounts: [...mounts, { guest: folder, host: folder }], cwd: folder };
}

/** The path on this machine of a file of the guest; files of no mount keep their path. */
export function hostPath(mounts: readonly Mount[], path: string): string {
  const mount = mounts.find((candidate) => isInside(path, candidate.guest));
  return mount === undefined ? path : mount.host + path.slice(mount.guest.length);
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
