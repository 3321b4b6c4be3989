/** Bytes ⇄ base64, in Node and in the browser's extension host, which has no `Buffer`. */

/** Bytes that become text at once: more arguments than that no function takes. */
const CHUNK = 0x80_00;

export function toBase64(bytes: Uint8Array): string {
  if (typeof Buffer !== 'undefined') {
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  }
  const parts: string[] = [];
  for (let start = 0; start < bytes.length; start += CHUNK) {
    parts.push(String.fromCharCode(...bytes.subarray(start, start + CHUNK)));
  }
  return btoa(parts.join(''));
}

/** Like Node's: what is no base64 ends or is skipped, and never fails. */
export function fromBase64(text: string): Uint8Array {
  if (typeof Buffer !== 'undefined') return Buffer.from(text, 'base64');
  const plain = text.replace(/[^A-Za-z0-9+/]/g, '');
  const binary = atob(plain.length % 4 === 1 ? plain.slice(0, -1) : plain);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
