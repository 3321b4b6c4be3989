/**
 * Token ids that stand for images in prompts: above every vocabulary, and exact as a JavaScript
 * number. They never reach the model, which gets rows of input in their place.
 */
const IMAGE_TOKENS = 2 ** 52;

/** The id of an image, from the first 48 bits of the hash of its content. */
export function imageToken(hash: Buffer): number {
  return IMAGE_TOKENS + hash.readUIntBE(0, 6);
}

export function isImageToken(token: number): boolean {
  return token >= IMAGE_TOKENS;
}
