/** Image files that programs name. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ProgramError } from '../sglang/program-error.ts';

/** Base64 of a file. @throws ProgramError with Python's exception class for the reason. */
export async function readImageFile(path: string, cwd: string): Promise<string> {
  try {
    return (await readFile(resolve(cwd, path))).toString('base64');
  } catch (error) {
    throw new ProgramError(...reasonOf(error, path));
  }
}

function reasonOf(error: unknown, path: string): [pythonType: string, message: string] {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  switch (code) {
    case 'ENOENT':
      return ['FileNotFoundError', `No such file: ${path}`];
    case 'EISDIR':
      return ['IsADirectoryError', `This is a folder, not an image: ${path}`];
    case 'EACCES':
      return ['PermissionError', `No permission to read ${path}`];
    default:
      return ['OSError', `Cannot read the image ${path} (${code})`];
  }
}
