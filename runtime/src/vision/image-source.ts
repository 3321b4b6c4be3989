import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PictureError } from './picture.ts';

/** Largest image file, bytes. */
const MOST_BYTES = 48 << 20;
/** How long a download may take, milliseconds. */
const PATIENCE = 10_000;

/**
 * Bytes of an image as SGLang's servers take it: a `data:` URL, an `http(s):` URL, the path of a
 * file on this machine (`file:` URL, or a name that ends like an image's), else base64. Whoever can
 * send requests can have image files read that this process may read; the runtime is for one user
 * on loopback. Throws `PictureError`.
 */
export async function readImage(source: string, signal: AbortSignal): Promise<Uint8Array> {
  const text = source.trim();
  if (/^data:/i.test(text)) return dataUrl(text);
  if (/^https?:\/\//i.test(text)) return download(text, signal);
  if (/^file:\/\//i.test(text)) return file(pathOf(text));
  if (text.length < 4096 && /\.(png|jpe?g|webp|gif|bmp)$/i.test(text)) return file(text);
  return base64(text);
}

function dataUrl(text: string): Uint8Array {
  const comma = text.indexOf(',');
  if (comma < 0 || !/;base64$/i.test(text.slice(0, comma))) {
    throw new PictureError(
      'FORMAT',
      'The data: URL of the image holds no base64; write data:image/png;base64,….',
    );
  }
  return base64(text.slice(comma + 1));
}

function base64(text: string): Uint8Array {
  const compact = text.replaceAll(/\s/g, '');
  if (compact === '' || !/^[\w+/-]+={0,2}$/.test(compact)) {
    throw new PictureError(
      'FORMAT',
      'The image is neither base64, nor a URL, nor the path of an image file.',
    );
  }
  return checkBytes(Buffer.from(compact, 'base64'));
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    throw new PictureError('NOT_FOUND', `${url} is not the URL of a local file.`);
  }
}

async function file(path: string): Promise<Uint8Array> {
  const full = resolve(path);
  try {
    const { size } = await stat(full);
    if (size > MOST_BYTES) throw tooLarge(size);
    return await readFile(full);
  } catch (error) {
    if (error instanceof PictureError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw new PictureError('NOT_FOUND', `The server cannot read the image file ${path} (${code}).`);
  }
}

async function download(url: string, signal: AbortSignal): Promise<Uint8Array> {
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
    const response = await fetch(url, { signal: limit });
    if (!response.ok || response.body === null) {
      throw new PictureError('NOT_FOUND', `${url} answered ${response.status} to the server.`);
    }
    const parts: Uint8Array[] = [];
    let size = 0;
    for await (const part of response.body) {
      parts.push(part);
      size += part.length;
      if (size > MOST_BYTES) throw tooLarge(size);
    }
    return Buffer.concat(parts);
  } catch (error) {
    if (error instanceof PictureError) throw error;
    const reason = error instanceof Error ? causeOf(error) : String(error);
    throw new PictureError('NOT_FOUND', `The server cannot load the image ${url}: ${reason}.`);
  }
}

/** fetch hides the reason. */
function causeOf(error: Error): string {
  return error.cause instanceof Error ? error.cause.message : error.message;
}

function checkBytes(bytes: Buffer): Buffer {
  if (bytes.length > MOST_BYTES) throw tooLarge(bytes.length);
  return bytes;
}

function tooLarge(bytes: number): PictureError {
  const megabytes = Math.ceil(bytes / 2 ** 20);
  return new PictureError(
    'TOO_LARGE',
    `The image file has ${megabytes} MiB or more; at most ${MOST_BYTES / 2 ** 20} are read.`,
  );
}
