/** Whether a file can be replaced by larger contents, found out without touching it. */
import { randomUUID } from 'node:crypto';
import { access, constants, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export type Refusal = 'no-space' | 'read-only';

/**
 * Why the disk would not take `bytes` in the place of the file at `path`; null if it would, or if only
 * the write itself can tell. What the file lacks is written beside it for a moment: free space that the
 * system reports says nothing of quotas.
 */
export async function refusalOf(path: string, bytes: Uint8Array): Promise<Refusal | null> {
  const folder = dirname(path);
  try {
    await access(path, constants.W_OK);
    const { bsize } = await statfs(folder);
    const blocks = (size: number): number => Math.ceil(size / bsize);
    const missing = (blocks(bytes.byteLength) - blocks((await stat(path)).size)) * bsize;
    if (missing > 0) await tryOut(folder, bytes.subarray(-missing));
    return null;
  } catch (error) {
    return reasonOf(error);
  }
}

async function tryOut(folder: string, bytes: Uint8Array): Promise<void> {
  const trial = join(folder, `.${randomUUID()}.tmp`);
  try {
    await writeFile(trial, bytes);
  } finally {
    await rm(trial, { force: true });
  }
}

function reasonOf(error: unknown): Refusal | null {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'no-space';
  return code === 'EROFS' ? 'read-only' : null;
}
