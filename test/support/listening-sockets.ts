/** Which TCP sockets of Linux processes wait for connections, from what the kernel tells in /proc. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

export interface ListeningSocket {
  readonly pid: number;
  /** As written: `127.0.0.1`, or 32 hexadecimal digits in IPv6. */
  readonly address: string;
  readonly port: number;
  readonly isLoopback: boolean;
}

const LISTEN = '0A';
/** `::1` and `::ffff:127.…`; words of four bytes, each with its last byte first. */
const LOOPBACK_6 = /^(?:0{24}01000000|0{16}FFFF0000[0-9A-F]{6}7F)$/;

export function listeningSockets(pids: readonly number[]): ListeningSocket[] {
  return pids.flatMap((pid) => {
    const own = socketsOf(pid);
    if (own.size === 0) return [];
    // Of the process's own network.
    return ['tcp', 'tcp6'].flatMap((kind) =>
      rows(`/proc/${pid}/net/${kind}`).flatMap(([, local = '', , state, , , , , , inode = '']) =>
        state === LISTEN && own.has(inode) ? [{ pid, ...addressOf(local) }] : [],
      ),
    );
  });
}

function addressOf(local: string): Omit<ListeningSocket, 'pid'> {
  const [hex = '', portHex = ''] = local.split(':');
  const port = Number.parseInt(portHex, 16);
  if (hex.length > 8) return { address: hex, port, isLoopback: LOOPBACK_6.test(hex) };
  const bytes = (hex.match(/../g) ?? []).map((byte) => Number.parseInt(byte, 16)).toReversed();
  return { address: bytes.join('.'), port, isLoopback: bytes[0] === 127 };
}

function rows(path: string): string[][] {
  const [, ...lines] = readIfThere(() => readFileSync(path, 'utf8'), '').split('\n');
  return lines.filter((line) => line !== '').map((line) => line.trim().split(/\s+/));
}

/** Inodes of the sockets that a process has open. */
function socketsOf(pid: number): ReadonlySet<string> {
  const folder = `/proc/${pid}/fd`;
  const links = readIfThere(() => readdirSync(folder), []).map((name) =>
    readIfThere(() => readlinkSync(`${folder}/${name}`), ''),
  );
  return new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
}

/** A process, or one of its files, may be gone meanwhile. */
function readIfThere<Found>(read: () => Found, otherwise: Found): Found {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return otherwise;
    throw error;
  }
}
