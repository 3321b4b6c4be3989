/**
 * Bytes that byte-level BPE writes as themselves (GPT-2's `bytes_to_unicode`): the printable ones of
 * Latin-1. The other 68 are written as U+0100, U+0101, … in order.
 */
function isDirect(byte: number): boolean {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/** The character that stands for each byte in the tokens of byte-level BPE. */
export const BYTE_CHARACTERS: readonly string[] = byteCharacters();

const BYTE_OF_CHARACTER: ReadonlyMap<string, number> = new Map(
  BYTE_CHARACTERS.map((character, byte) => [character, byte]),
);

function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) =>
    String.fromCodePoint(isDirect(byte) ? byte : next++),
  );
}

/** Bytes of a byte-level BPE token. Characters that stand for no byte are taken as UTF-8. */
export function decodeByteLevel(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const byte = BYTE_OF_CHARACTER.get(character);
    if (byte === undefined) bytes.push(...new TextEncoder().encode(character));
    else bytes.push(byte);
  }
  return Uint8Array.from(bytes);
}

/** Bytes of a SentencePiece token: ▁ is a space. */
export function decodeSentencePiece(text: string): Uint8Array {
  return new TextEncoder().encode(text.replaceAll('\u2581', ' '));
}

/** The byte of a byte token (`<0x0A>`); null for anything else. */
export function byteOfToken(text: string): number | null {
  const match = /^<0x([0-9A-Fa-f]{2})>$/.exec(text);
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 16);
}
