/**
 * The kernel's stdout as the protocol's channel. Everything else that would print there (a dependency,
 * a warning) becomes a log event, so that it cannot break the stream of messages.
 */
import { createWriteStream } from 'node:fs';
import { encodeMessage, type KernelEvent } from '../protocol/kernel-protocol.ts';

export interface ProtocolOutput {
  send(event: KernelEvent): void;
  /** Settles when the driver has read most of what was sent. */
  keepsUp(): Promise<void>;
  /** Settles when all was written, or can no longer be. */
  flushed(): Promise<void>;
}

const BUFFER = 1024 * 1024;

/** `onClosed`: the driver reads no more. */
export function takeStdout(onClosed: () => void): ProtocolOutput {
  // Not `process.stdout`: on a pipe it would block this thread while the driver is slow.
  const stream = createWriteStream('', { fd: 1, autoClose: false, highWaterMark: BUFFER });
  let closed = false;
  stream.on('error', () => {
    closed = true;
    onClosed();
  });
  const send = (event: KernelEvent): void => {
    if (!closed) stream.write(encodeMessage(event));
  };
  redirectStrayPrints((message) => send({ type: 'log', level: 'debug', message }));
  let drained: Promise<void> | null = null;
  return {
    send,
    keepsUp: () => {
      if (closed || !stream.writableNeedDrain) return Promise.resolve();
      drained ??= new Promise<void>((resolve) => {
        stream.once('drain', resolve).once('error', () => resolve());
      }).finally(() => {
        drained = null;
      });
      return drained;
    },
    flushed: () =>
      new Promise((resolve) => {
        if (closed) return resolve();
        stream.end(() => resolve());
        stream.once('error', () => resolve());
        return undefined;
      }),
  };
}

function redirectStrayPrints(log: (message: string) => void): void {
  const write = (chunk: string | Uint8Array): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    if (text.trim() !== '') log(text.trimEnd());
    return true;
  };
  process.stdout.write = write;
}
