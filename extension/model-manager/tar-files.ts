/** Reads the regular files of a tar archive (POSIX ustar with pax headers, as npm writes). */

export interface TarFile {
  readonly path: string;
  readonly bytes: Buffer;
}

const BLOCK = 512;

/** @throws Error when the archive is cut or has no tar headers */
export function* tarFiles(archive: Buffer): Generator<TarFile, void> {
  let longPath: string | null = null;
  for (let at = 0; at + BLOCK <= archive.length;) {
    const header = archive.subarray(at, at + BLOCK);
    if (header.every((byte) => byte === 0)) return;
    const size = octal(header, 124, 12);
    const body = archive.subarray(at + BLOCK, at + BLOCK + size);
    if (body.length < size || text(header, 257, 5) !== 'ustar') throw new Error('no tar archive');
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === 'x') longPath = paxPath(body.toString('utf8'));
    else {
      const prefix = text(header, 345, 155);
      const short = prefix === '' ? text(header, 0, 100) : `${prefix}/${text(header, 0, 100)}`;
      if (type === '0' || type === '\0') yield { path: longPath ?? short, bytes: body };
      longPath = null;
    }
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function text(header: Buffer, from: number, length: number): string {
  const field = header.subarray(from, from + length);
  const end = field.indexOf(0);
  return field.subarray(0, end === -1 ? length : end).toString('utf8');
}

function octal(header: Buffer, from: number, length: number): number {
  return Number.parseInt(text(header, from, length).trim() || '0', 8);
}

function paxPath(records: string): string | null {
  return /^\d+ path=(.*)$/m.exec(records)?.[1] ?? null;
}
