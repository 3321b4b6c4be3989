/** `wait_for_server`: asks a server until it answers, or until it is plain that it never will. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointOptions } from '../../protocol/kernel-protocol.ts';
import { HttpClient } from '../backends/http.ts';
import type { ManagedProcess } from './managed-process.ts';
import { ProcessError } from './process-error.ts';

export interface ServerWait {
  /** One of them must answer. */
  readonly urls: readonly string[];
  readonly access: EndpointOptions;
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
  const { apiKey = 'None', verify } = wait.access;
  const client = new HttpClient({
    headers: { authorization: `Bearer ${apiKey}` },
    ...(verify === undefined ? {} : { verify }),
  });
  try {
    await untilReady(wait, client, signal);
  } finally {
    await client.close();
  }
}

async function untilReady(
  wait: ServerWait,
  client: HttpClient,
  signal: AbortSignal,
): Promise<void> {
  const begin = performance.now();
  let isSlow = false;
  for (;;) {
    signal.throwIfAborted();
    const isAnnounced = wait.process?.announcedReady ?? true;
    if (
      (await anyAnswers(client, wait.urls, signal)) &&
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
        `No server answered at ${wait.urls.join(', ')} within ${wait.timeout} seconds.`,
      );
    }
    if (!isSlow && wait.process === null && elapsed > SLOW) {
      isSlow = true;
      wait.onSlow();
    }
    await sleep(INTERVAL, undefined, { signal });
  }
}

async function anyAnswers(
  client: HttpClient,
  urls: readonly string[],
  signal: AbortSignal,
): Promise<boolean> {
  const attempt = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT)]);
  const answers = await Promise.allSettled(
    urls.map((url) => client.send('GET', `${url}/v1/models`, null, attempt)),
  );
  return answers.some((answer) => answer.status === 'fulfilled' && answer.value.status === 200);
}

function deathMessage(process: ManagedProcess): string {
  const exit = process.exit;
  const ending = exit?.signal ? `by ${exit.signal}` : `with exit code ${exit?.code ?? '?'}`;
  const lines = process.lastLines(LINES_SHOWN);
  const words = lines === '' ? 'It printed nothing.' : `Its last lines:\n${lines}`;
  return `The server's process ended ${ending} before it was ready (${process.command}). ${words}`;
}
