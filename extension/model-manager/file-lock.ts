/** A lock file with the owner's process id: one download of a file at a time on this machine. */
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { ModelManagerError } from './model-error.ts';

export interface FileLock {
  release(): Promise<void>;
}

/** @throws ModelManagerError BUSY when a living process holds it */
export async function lockFile(path: string): Promise<FileLock> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    if (await create(path)) return { release: () => rm(path, { force: true }) };
    const owner = await readFile(path, 'utf8').catch(() => null);
    if (owner === null) continue;
    if (isAlive(Number(owner))) throw busy(path, owner);
    await removeStale(path, owner);
  }
  throw busy(path, 'unknown');
}

async function create(path: string): Promise<boolean> {
  // Written aside and linked: a lock never exists without its owner's id.
  const own = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  const file = await open(own, 'wx');
  await file.writeFile(String(process.pid));
  await file.close();
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(own, { force: true });
  }
}

/** Takes the lock of a dead process away, and puts it back if meanwhile a living one had made it. */
async function removeStale(path: string, deadOwner: string): Promise<void> {
  const aside = `${path}.stale-${process.pid}`;
  try {
    await rename(path, aside);
    if ((await readFile(aside, 'utf8')) !== deadOwner) await link(aside, path);
  } catch {
    // Somebody else was faster: the next attempt sees what is there now.
  }
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function busy(path: string, owner: string): ModelManagerError {
  return new ModelManagerError(
    'BUSY',
    `This model is already being downloaded by process ${owner}. Wait for it; if it is no download, delete ${path}.`,
  );
}
