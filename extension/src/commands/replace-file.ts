/**
 * Writes files whole or not at all. VS Code empties a file before it writes it and takes a short write for a
 * whole one: on a full disk, what was there would be lost without a word.
 */
import { FileSystemError, l10n, Uri, workspace } from 'vscode';

/** Throws an error whose message is for the user; what was at `target` is then still there. */
export type ReplaceFile = (target: Uri, text: string) => Promise<void>;

/** Through VS Code's file systems, some of which cannot put a file in another's place in one step. */
export async function replaceFile(target: Uri, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(text);
  const beside = Uri.joinPath(
    target,
    '..',
    `.${nameOf(target)}.${crypto.randomUUID().slice(0, 8)}.tmp`,
  );
  try {
    await workspace.fs.writeFile(beside, bytes);
    const written = await workspace.fs.stat(beside);
    if (written.size < bytes.byteLength) throw new Error(noSpace());
    await workspace.fs.rename(beside, target, { overwrite: true });
  } catch (error) {
    await Promise.resolve(workspace.fs.delete(beside)).catch(() => {});
    throw notWritten(target, error);
  }
}

export function notWritten(target: Uri, cause: unknown): Error {
  return new Error(l10n.t('{0} was not written: {1}', nameOf(target), reasonOf(cause)), { cause });
}

function nameOf({ path }: Uri): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/ENOSPC|EDQUOT|no space left/i.test(message)) return noSpace();
  const isDenied = error instanceof FileSystemError && error.code === 'NoPermissions';
  if (isDenied || /EROFS|EACCES|EPERM|read-only file system/i.test(message))
    return l10n.t('nothing can be written in that folder. Choose another one.');
  return message;
}

function noSpace(): string {
  return l10n.t('there is no space left on the disk. Free some space, or choose another disk.');
}
