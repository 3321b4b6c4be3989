/**
 * How a driver finds and takes over a kernel that outlives its window. Such a kernel listens on a local
 * socket and writes a record of itself into a private folder; a driver connects, says the record's
 * token, and is told what it missed. After `attached` the messages of `kernel-protocol.ts` follow.
 */
import type { CellRef } from './kernel-protocol.ts';

/** What a kernel writes about itself, readable by its user only; gone when the kernel is. */
export interface KernelRecord {
  readonly id: string;
  readonly pid: number;
  /** Path of a unix domain socket, or name of a pipe on Windows. */
  readonly address: string;
  /** Said by whoever attaches. */
  readonly token: string;
  /** URI of the notebook. */
  readonly notebook: string;
  readonly protocolVersion: number;
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** A driver is attached. */
  readonly driven: boolean;
}

/** How a kernel is told to listen: JSON in its argument `--listen`. */
export interface ListenOptions {
  readonly id: string;
  /** Folder of the records. */
  readonly folder: string;
  readonly notebook: string;
  /** Milliseconds that an idle kernel stays without a driver; 0 ends it with its driver. */
  readonly keepAlive: number;
}

export type AttachRequest =
  /**
   * First message. `takeOver` sends a present driver away; without it, a kernel refuses as long as its
   * driver says that it is there.
   */
  | {
      readonly type: 'attach';
      readonly token: string;
      readonly protocolVersion: number;
      readonly takeOver: boolean;
      readonly keepAlive: number;
    }
  /** What this run showed is drawn and safe from a reload: nobody need be told of it again. */
  | { readonly type: 'settled'; readonly run: string }
  /** Answers `are_you_there`, when the user's window does. */
  | { readonly type: 'here' };

/** Runs that queue, run, or ended unseen; the events of each follow. */
export interface AttachedRun {
  readonly run: string;
  readonly cell: CellRef;
  readonly code: string;
  /** Milliseconds since 1970; `null` while it waits for its turn. */
  readonly startedAt: number | null;
}

export type AttachEvent =
  /** On stdout of a kernel that was told to listen, once. */
  | { readonly type: 'listening'; readonly record: KernelRecord }
  /** `fresh`: nobody has initialized this kernel yet. */
  | { readonly type: 'attached'; readonly fresh: boolean; readonly runs: readonly AttachedRun[] }
  | { readonly type: 'refused'; readonly reason: 'token' | 'version' | 'in_use' }
  /** Another driver would take over. Without an answer within seconds it does. */
  | { readonly type: 'are_you_there' }
  /** Another driver took over; this connection ends. */
  | { readonly type: 'released' };
