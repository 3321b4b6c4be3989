/** Answers what HTTP clients ask about servers of this machine: keys, and what became of them. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LocalServerState, StateMoment } from '../backends/local-servers.ts';
import { loopbackUrl } from '../loopback.ts';
import type { BackgroundProgram } from './managed-process.ts';
import { SupervisedRuntime } from './runtime-supervisor.ts';
import type { RuntimeRecords } from './runtime-records.ts';

/** Milliseconds within which the end of a process is known after its connections broke. */
const NOTICED = 500;
const CHECK = 20;

export class ServerStates {
  readonly #programs: () => Iterable<BackgroundProgram>;
  readonly #records: RuntimeRecords | null;

  constructor(programs: () => Iterable<BackgroundProgram>, records: RuntimeRecords | null) {
    this.#programs = programs;
    this.#records = records;
  }

  /** `null`: neither this kernel nor another one of this user runs a server there. */
  async state(
    url: string,
    moment: StateMoment,
    signal: AbortSignal,
  ): Promise<LocalServerState | null> {
    const runtime = this.#runtimeAt(url);
    if (runtime === null) return this.#recorded(url);
    if (moment === 'ended') await noticed(runtime);
    if (moment === 'served' && runtime.absence !== null) await runtime.serves(signal);
    return {
      key: runtime.ownKey,
      serves: runtime.announcedReady,
      absence: runtime.absence,
    };
  }

  #runtimeAt(url: string): SupervisedRuntime | null {
    const origin = originOf(url);
    const runtimes = [...this.#programs()].filter(
      (program): program is SupervisedRuntime =>
        program instanceof SupervisedRuntime && program.url === origin,
    );
    return runtimes.findLast((program) => program.announcedReady) ?? runtimes.at(-1) ?? null;
  }

  #recorded(url: string): LocalServerState | null {
    const record = this.#records?.find(Number(portOf(url))) ?? null;
    return record === null ? null : { key: record.key, serves: true, absence: null };
  }
}

async function noticed(runtime: SupervisedRuntime): Promise<void> {
  const deadline = performance.now() + NOTICED;
  const isAsBefore = (): boolean => runtime.exit === null && runtime.absence === null;
  while (isAsBefore() && performance.now() < deadline) await sleep(CHECK);
}

function originOf(url: string): string {
  const { origin } = new URL(loopbackUrl(url));
  return origin;
}

function portOf(url: string): string {
  return new URL(url).port || '80';
}
