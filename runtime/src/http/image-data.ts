import { malformed, nativeError } from './errors.ts';
import { isJsonObject, kindOf } from './json-fields.ts';

/** Most images of one prompt. */
const MOST_IMAGES = 64;

/**
 * SGLang's `image_data`, one list of sources per prompt. One prompt: a source or a list of them. A
 * batch: one source for all, or a list with a source, a list of sources or null for each prompt. A
 * source is text, or an object with a `url`.
 */
export function readImageData(value: unknown, prompts: number, isBatch: boolean): string[][] {
  const all = isBatch ? forBatch(value, prompts) : [sources(value)];
  const most = Math.max(...all.map((list) => list.length));
  if (most > MOST_IMAGES) {
    throw nativeError(
      400,
      `image_data has ${most} images for one prompt; at most ${MOST_IMAGES} are possible.`,
    );
  }
  return all;
}

function forBatch(value: unknown, prompts: number): string[][] {
  if (!Array.isArray(value)) return Array.from({ length: prompts }, () => sources(value));
  if (value.length !== prompts) {
    throw nativeError(
      400,
      `The length of image_data (${value.length}) must match the batch size (${prompts}).`,
    );
  }
  return value.map(sources);
}

function sources(value: unknown): string[] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) return value.flatMap(sources);
  if (typeof value === 'string') return [value];
  const url = isJsonObject(value) ? value['url'] : null;
  if (typeof url === 'string') return [url];
  throw malformed(`image_data must be base64, a URL or a path, or a list, not ${kindOf(value)}`);
}
