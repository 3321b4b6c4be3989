import type { Network } from '../network/network.ts';

/** Bytes that no edge of a network tells apart, numbered from 0. */
export interface ByteClasses {
  readonly count: number;
  /** Class of each byte. */
  readonly of: Uint8Array;
  /** A byte of each class. */
  readonly representative: Uint8Array;
  /** 1 for classes of exactly one byte. */
  readonly isSingle: Uint8Array;
}

export function byteClasses(network: Network): ByteClasses {
  const isBoundary = new Uint8Array(257);
  network.byteLow.forEach((low) => (isBoundary[low] = 1));
  network.byteHigh.forEach((high) => (isBoundary[high + 1] = 1));
  const of = new Uint8Array(256);
  const members: number[][] = [[]];
  for (let byte = 0; byte < 256; byte++) {
    if (byte > 0 && isBoundary[byte] === 1) members.push([]);
    of[byte] = members.length - 1;
    members.at(-1)?.push(byte);
  }
  return {
    count: members.length,
    of,
    representative: Uint8Array.from(members, (bytes) => bytes[0] ?? 0),
    isSingle: Uint8Array.from(members, (bytes) => (bytes.length === 1 ? 1 : 0)),
  };
}
