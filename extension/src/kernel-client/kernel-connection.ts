/** What a session needs of a kernel, however it is reached. */
import type { KernelEvent, KernelRequest } from '../../protocol/kernel-protocol.ts';

export interface KernelConnectionListener {
  event(event: KernelEvent): void;
  /** A line that is no message: something printed where only the protocol may. */
  stray(line: string): void;
  /** The kernel is gone or no longer ours, once; `reason` is a sentence for the user. */
  exited(reason: string): void;
}

export interface KernelConnection {
  readonly pid: number | undefined;
  readonly alive: boolean;
  /** The kernel goes on when this window ends. */
  readonly survives: boolean;
  send(request: KernelRequest): void;
  /** What this run showed is safe; a later window need not be told of it. */
  settled(run: string): void;
  /** Ends the process at once, whatever it does. */
  kill(): void;
  /** Lets go of a kernel that survives; settles when another window may have it. `exited` is not called. */
  leave(): Promise<void>;
}

/** Lines of stderr that explain a death. */
export const STDERR_LINES = 20;

/** A sentence and the kernel's last words. `code` and `signal` are unknown for a kernel of another window. */
export function describeExit(
  code: number | null,
  signal: string | null,
  lastWords: readonly string[],
): string {
  if (code === 0) return 'The kernel has shut down.';
  const how = signal
    ? `was ended by ${signal}`
    : code === null
      ? 'has ended'
      : `exited with code ${code}`;
  const last = lastWords.length > 0 ? `\n${lastWords.join('\n')}` : '';
  return `The kernel ${how}. Run the cell again to start a new one.${last}`;
}
