/** Images that programs name: files, `data:` URLs and `http(s):` URLs. */
import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { ProgramError } from '../sglang/program-error.ts';

/** Largest image, bytes; services and servers take less. */
const MOST_BYTES = 48 << 20;
/** How long a download may take, milliseconds. */
const PATIENCE = 30_000;

/** Base64 of an image. @throws ProgramError with Python's exception class for the reason. */
export async function readImageFile(source: string, cwd: string): Promise<string> {
  if (/^data:/i.test(source)) return fromDataUrl(source);
  if (/^https?:\/\//i.test(source)) return download(source);
  try {
    const path = resolve(cwd, source);
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw tooLarge(source);
    if (size === 0) throw new ProgramError('ValueError', `The image ${source} is empty.`);
    return (await readFile(path)).toString('base64');
  } catch (error) {
    if (error instanceof ProgramError) throw error;
    throw new ProgramError(...reasonOf(error, source));
  }
}

function fromDataUrl(url: string): string {
  const [, data] = /^data:[^,]*;base64,(.*)$/is.exec(url) ?? [];
  const compact = data?.replaceAll(/\s/g, '') ?? '';
  if (/^[\w+/-]+={0,2}$/.test(compact)) return compact;
  throw new ProgramError(
    'ValueError',
    'The data: URL of an image must hold base64: data:image/png;base64,…',
  );
}

async function download(url: string): Promise<string> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE) });
    if (!response.ok || response.body === null) {
      throw new ProgramError('OSError', `${url} answered ${response.status}.`);
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body) {
      parts.push(part);
      size += part.length;
      if (size > MOST_BYTES) throw tooLarge(url);
    }
    return Buffer.concat(parts).toString('base64');
  } catch (error) {
    if (error instanceof ProgramError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ProgramError('OSError', `Cannot load the image ${url}: ${reason}`);
  }
}

function tooLarge(source: string): ProgramError {
  return new ProgramError(
    'ValueError',
    `The image ${source} is larger than ${MOST_BYTES / 2 ** 20} MiB. Make it smaller.`,
  );
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
