/** The media type of an image, from its first bytes. */

const SIGNATURES: readonly (readonly [base64Prefix: string, mime: string])[] = [
  ['iVBORw0KGgo', 'image/png'],
  ['/9j/', 'image/jpeg'],
  ['R0lGOD', 'image/gif'],
  ['UklGR', 'image/webp'],
  ['Qk', 'image/bmp'],
];

/** @param base64 the image; an unknown format is called JPEG, as SGLang's frontend calls every image. */
export function imageMime(base64: string): string {
  return SIGNATURES.find(([prefix]) => base64.startsWith(prefix))?.[1] ?? 'image/jpeg';
}
