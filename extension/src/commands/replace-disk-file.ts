/** Writes files of this machine whole or not at all, at every moment: the new one takes the old one's place. */
import { randomUUID } from 'node:crypto';
import { open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Uri } from 'vscode';
import { notWritten, replaceFile } from './replace-file.ts';

/** Like `replaceFile`, which takes what is not on a disk. */
export async function replaceDiskFile(target: Uri, text: string): Promise<void> {
  if (target.scheme !== 'file') return replaceFile(target, text);
  // A link stays one.
  const path = await realpath(target.fsPath).catch(() => target.fsPath);
  const beside = join(dirname(path), `.${basename(path)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    const mode = await stat(path).then(
      (old) => old.mode,
      () => 0o666,
    );
    await write(beside, text, mode);
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true }).catch(() => {});
    throw notWritten(target, error);
  }
}

/** Settles when the text is on the disk. */
async function write(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
