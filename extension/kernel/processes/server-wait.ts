/** `wait_for_server`: asks a server until it answers, or until it is plain that it never will. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { ManagedProcess } from './managed-process.ts';
import { ProcessError } from './process-error.ts';

export interface ServerWait {
  readonly url: string;
  /** Seconds; `null`: for ever. */
  readonly timeout: number | null;
  /** The process that should answer, if the kernel started it. */
  readonly process: ManagedProcess | null;
  /** Called once when it takes long and no known process should answer. */
  readonly onSlow: () => void;
}

const INTERVAL = 50;
const ATTEMPT = 5_000;
const SLOW = 10_000;
/**
 * Milliseconds during which an answer counts only once the started process says that it is ready:
 * an older server on the same port would answer in its place, and hide why it could not start.
 */
const ANNOUNCEMENT = 5_000;
const LINES_SHOWN = 20;

/** Settles when `GET {url}/v1/models` answered 200; fails with `ProcessError` or the signal's reason. */
export async function waitForServer(wait: ServerWait, signal: AbortSignal): Promise<void> {
  const begin = performance.now();
  let isSlow = false;
  for (;;) {
    signal.throwIfAborted();
    const isAnnounced = wait.process?.announcedReady ?? true;
    if (
      (await answers(wait.url, signal)) &&
      (isAnnounced || performance.now() - begin > ANNOUNCEMENT)
    )
      return;
    const exit = wait.process?.exit;
    if (wait.process && exit) {
      await wait.process.exited;
      throw new ProcessError('RuntimeError', deathMessage(wait.process));
    }
    const elapsed = performance.now() - begin;
    if (wait.timeout !== null && elapsed > wait.timeout * 1_000) {
      throw new ProcessError(
        'TimeoutError',
        `No server answered at ${wait.url} within ${wait.timeout} seconds.`,
      );
    }
    if (!isSlow && wait.process === null && elapsed > SLOW) {
      isSlow = true;
      wait.onSlow();
    }
    await sleep(INTERVAL, undefined, { signal });
  }
}

async function answers(url: string, signal: AbortSignal): Promise<boolean> {
  try {
    const attempt = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT)]);
    const response = await fetch(`${url}/v1/models`, {
      headers: { authorization: 'Bearer None' },
      signal: attempt,
    });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}

function deathMessage(process: ManagedProcess): string {
  const exit = process.exit;
  const ending = exit?.signal ? `by ${exit.signal}` : `with exit code ${exit?.code ?? '?'}`;
  const lines = process.lastLines(LINES_SHOWN);
  const words = lines === '' ? 'It printed nothing.' : `Its last lines:\n${lines}`;
  return `The server's process ended ${ending} before it was ready (${process.command}). ${words}`;
}
