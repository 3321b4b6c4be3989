/**
 * Folders for the sockets of kernels. A unix socket's path may have only about a hundred characters, so
 * they lie in the system's temporary folder; a kernel that was killed leaves its own behind.
 */
import { lstatSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PREFIX = 'sglnb-kernel-';
const SOCKET = 'kernel';
/** Milliseconds after which a folder without a socket is none that a kernel is just about to use. */
const ABOUT_TO_START = 60_000;

/** Readable by its user only. */
export function makeSocketFolder(): string {
  return mkdtempSync(join(tmpdir(), PREFIX));
}

export function socketIn(folder: string): string {
  return join(folder, SOCKET);
}

/** Removes those in which nobody listens any more. Never rejects. */
export async function removeStaleFolders(): Promise<void> {
  const folders = namesIn(tmpdir()).filter((name) => name.startsWith(PREFIX));
  await Promise.all(folders.map((name) => removeIfStale(join(tmpdir(), name))));
}

async function removeIfStale(folder: string): Promise<void> {
  try {
    const { uid, mtimeMs } = lstatSync(folder);
    if (uid !== process.getuid?.()) return;
    const isEmpty = namesIn(folder).length === 0;
    // The wall clock may have been set: then it stays until the next time.
    const isStale = isEmpty
      ? Date.now() - mtimeMs > ABOUT_TO_START
      : !(await answers(socketIn(folder)));
    if (isStale) rmSync(folder, { recursive: true, force: true });
  } catch {
    // It went away meanwhile, or is not to be removed.
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** A kernel hangs up on those who do not greet it. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const settle = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => settle(true));
    // Only these two say that nobody is there.
    socket.once('error', (error: NodeJS.ErrnoException) =>
      settle(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'),
    );
  });
}
