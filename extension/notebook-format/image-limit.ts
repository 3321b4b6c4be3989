/** Keeps a notebook small enough to save, diff and push: images above a limit become a note. */
import { isJsonObject, type JsonObject, type JsonValue } from './json.ts';

/** Bytes that base64 text stands for. */
function base64Bytes(text: string): number {
  return Math.floor((text.length * 3) / 4);
}

function imageBytes(value: JsonValue | undefined): number {
  if (typeof value === 'string') return base64Bytes(value);
  if (!Array.isArray(value)) return 0;
  return value.reduce<number>((sum, part) => sum + imageBytes(part), 0);
}

export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const inKib = bytes / 1024;
  return inKib < 1024 ? `${inKib.toFixed(1)} KiB` : `${(inKib / 1024).toFixed(1)} MiB`;
}

/**
 * The output (nbformat JSON) with every `image/*` entry larger than `maximumBytes` replaced by a
 * sentence in `text/plain`. The same object where nothing is too large.
 */
export function limitImages(output: JsonObject, maximumBytes: number): JsonObject {
  const data = output['data'];
  if (!isJsonObject(data)) return output;
  const large = Object.entries(data).filter(
    ([mime, value]) => mime.startsWith('image/') && imageBytes(value) > maximumBytes,
  );
  if (large.length === 0) return output;
  const notes = large.map(
    ([mime, value]) =>
      `[${mime} of ${formatBytes(imageBytes(value))} was not saved: the limit for images in notebooks is ${formatBytes(maximumBytes)}]`,
  );
  const dropped = new Set(large.map(([mime]) => mime));
  const kept = Object.entries(data).filter(([mime]) => !dropped.has(mime) && mime !== 'text/plain');
  const plain = data['text/plain'];
  const text = typeof plain === 'string' && plain !== '' ? [plain, ...notes] : notes;
  return { ...output, data: { ...Object.fromEntries(kept), 'text/plain': text.join('\n') } };
}
