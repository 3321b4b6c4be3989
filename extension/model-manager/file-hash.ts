import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { throwIfCancelled } from './model-error.ts';

/** SHA-256 of a file's content so far; `onBytes` hears how much of it has been read. */
export async function hashFile(
  path: string,
  options: {
    readonly signal?: AbortSignal | undefined;
    readonly onBytes?: (bytes: number) => void;
  } = {},
): Promise<Hash> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    throwIfCancelled(options.signal);
    // SAFETY: a stream without encoding gives buffers.
    const buffer = chunk as Buffer;
    hash.update(buffer);
    bytes += buffer.length;
    options.onBytes?.(bytes);
  }
  return hash;
}
