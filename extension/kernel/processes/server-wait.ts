/** `wait_for_server`: asks a server until it answers, or until it is plain that it never will. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointOptions } from '../../protocol/kernel-protocol.ts';
import { HttpClient } from '../backends/http.ts';
import type { LocalServers } from '../backends/local-servers.ts';
import type { BackgroundProgram } from './managed-process.ts';
import { endingText, suspicion } from './runtime-supervisor.ts';
import { ProcessError } from './process-error.ts';

export interface ServerWait {
  /** One of them must answer. */
  readonly urls: readonly string[];
  readonly access: EndpointOptions;
  /** Seconds; `null`: for ever. */
  readonly timeout: number | null;
  /** The program that should answer, if the kernel started it. */
  readonly program: BackgroundProgram | null;
  /** The program says over a channel of its own when it serves, so that nobody can do it in its place. */
  readonly isTold: boolean;
  /** Knows the servers behind ssh. */
  readonly local: LocalServers;
  /** Why none of the servers will ever answer; `null` while one may. */
  readonly hopeless: () => string | null;
  /** It has ended before it was ready, and the cell is told. */
  readonly onDeath: (program: BackgroundProgram) => void;
  /** Called once when it takes long and no known process should answer. */
  readonly onSlow: () => void;
}

const INTERVAL = 50;
const ATTEMPT = 5_000;
const SLOW = 10_000;
/**
 * Milliseconds during which an answer counts only once the user's own SGLang says that it is ready, which
 * its log level may forbid: an older server on the same port would answer in its place.
 */
const ANNOUNCEMENT = 5_000;
const LINES_SHOWN = 20;

/** Settles when `GET {url}/v1/models` answered 200; fails with `ProcessError` or the signal's reason. */
export async function waitForServer(wait: ServerWait, signal: AbortSignal): Promise<void> {
  const { apiKey = 'None', verify } = wait.access;
  const client = new HttpClient({
    headers: { authorization: `Bearer ${apiKey}` },
    ...(verify === undefined ? {} : { verify }),
    local: wait.local,
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
    const isAnnounced = wait.program?.announcedReady ?? true;
    const isBelieved = isAnnounced || (!wait.isTold && performance.now() - begin > ANNOUNCEMENT);
    if (isBelieved && (await anyAnswers(client, wait.urls, signal))) return;
    if (wait.program?.exit) {
      await wait.program.exited;
      wait.onDeath(wait.program);
      throw new ProcessError('RuntimeError', deathMessage(wait.program));
    }
    const reason = wait.hopeless();
    if (reason !== null) throw new ProcessError('RuntimeError', reason);
    const elapsed = performance.now() - begin;
    if (wait.timeout !== null && elapsed > wait.timeout * 1_000) {
      throw new ProcessError(
        'TimeoutError',
        `No server answered at ${wait.urls.join(', ')} within ${wait.timeout} seconds.`,
      );
    }
    if (!isSlow && wait.program === null && elapsed > SLOW) {
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

function deathMessage(program: BackgroundProgram): string {
  const { failure } = program.info;
  if (failure) return failure;
  const ending = program.exit === null ? '' : endingText(program.exit);
  const lines = program.lastLines(LINES_SHOWN);
  const words = lines === '' ? 'It printed nothing.' : `Its last lines:\n${lines}`;
  const guess = program.exit === null ? '' : suspicion(program.exit, lines);
  return `The server's process ended ${ending} before it was ready (${program.command}).${guess} ${words}`;
}
