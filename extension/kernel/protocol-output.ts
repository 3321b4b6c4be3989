/**
 * The kernel's stdout as the protocol's channel. Everything else that would print there (a dependency,
 * a warning) becomes a log event, so that it cannot break the stream of messages.
 */
import { encodeMessage, type KernelEvent } from '../protocol/kernel-protocol.ts';

export interface ProtocolOutput {
  send(event: KernelEvent): void;
  /** Settles when the driver has read most of what was sent. */
  keepsUp(): Promise<void>;
  /** Settles when all was written, or can no longer be. */
  flushed(): Promise<void>;
}

/** `onClosed`: the driver reads no more. */
export function takeStdout(onClosed: () => void): ProtocolOutput {
  const stream = process.stdout;
  // The stream's own write, which queues what the driver does not take yet. (A file stream over the same
  // descriptor would fail after a few tries: the pipe is non-blocking.)
  const write = stream.write.bind(stream);
  let closed = false;
  const waiting = new Set<() => void>();
  const goOn = (): void => {
    for (const resolve of waiting) resolve();
    waiting.clear();
  };
  stream.on('drain', goOn).on('error', () => {
    closed = true;
    goOn();
    onClosed();
  });
  const send = (event: KernelEvent): void => {
    if (!closed) write(encodeMessage(event));
  };
  redirectStrayPrints(stream, (message) => send({ type: 'log', level: 'debug', message }));
  return {
    send,
    keepsUp: () =>
      closed || !stream.writableNeedDrain
        ? Promise.resolve()
        : new Promise((resolve) => void waiting.add(resolve)),
    flushed: () =>
      closed
        ? Promise.resolve()
        : new Promise((resolve) => {
            waiting.add(resolve);
            write('', () => resolve());
          }),
  };
}

/** What is printed to `stream` goes to `log` from now on. */
export function redirectStrayPrints(
  stream: NodeJS.WriteStream,
  log: (message: string) => void,
): void {
  stream.write = (chunk: string | Uint8Array): boolean => {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
    if (text.trim() !== '') log(text.trimEnd());
    return true;
  };
}
