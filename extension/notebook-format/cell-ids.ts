/** Cell ids: what nbformat 4.5 allows, so that they survive the way to Jupyter and back. */
const VALID_ID = /^[A-Za-z0-9_-]{1,64}$/;

export function isValidCellId(id: string): boolean {
  return VALID_ID.test(id);
}

/** A new id of eight hexadecimal digits that is not in `taken`. */
export function createCellId(
  taken: { has(id: string): boolean },
  random: () => number = Math.random,
): string {
  for (;;) {
    const id = Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
    if (!taken.has(id)) return id;
  }
}

/** The same text and position give the same id: reading a file twice names its cells alike. */
export function deriveCellId(
  text: string,
  position: number,
  taken: { has(id: string): boolean },
): string {
  let id = fingerprint(`${position}:${text}`);
  for (let attempt = 1; taken.has(id); attempt += 1) id = fingerprint(`${id}:${attempt}`);
  return id;
}

/** 32-bit FNV-1a over UTF-16 code units, eight hexadecimal digits. Not for secrets. */
export function fingerprint(text: string): string {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0).toString(16).padStart(8, '0');
}
