/**
 * The bundled runtime over its whole life: when it ends unexpectedly it is started again, on the same
 * port with the same model and flags, after growing pauses and a limited number of times. To the cell
 * that launched it, all of that is one program.
 */
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import type { BackgroundProgram, ManagedProcess, ProcessExit } from './managed-process.ts';

export interface RestartPolicy {
  /** Milliseconds before each attempt; as many attempts as there are pauses. */
  readonly pauses: readonly number[];
  /** Milliseconds of service after which earlier ends count no more. */
  readonly forgetAfter: number;
}

export const RESTART_POLICY: RestartPolicy = {
  pauses: [500, 1_000, 2_000, 4_000, 8_000],
  forgetAfter: 60_000,
};

export interface SupervisorOptions {
  /** Starts a process of the runtime. @throws when the system refuses */
  readonly start: () => ManagedProcess;
  /** The program gave a key and says it itself; otherwise requests get the present process's. */
  readonly hasGivenKey: boolean;
  readonly changed: (info: ChildProcessInfo) => void;
  readonly log: (level: 'info' | 'warn' | 'error', text: string) => void;
  readonly policy: RestartPolicy;
}

const LINES_SHOWN = 10;
/** V8 prints a long trace behind its last words. */
const LINES_READ = 60;

export class SupervisedRuntime implements BackgroundProgram {
  readonly id: number;
  readonly url: string | null;
  readonly #options: SupervisorOptions;
  #process: ManagedProcess;
  #exit: ProcessExit | null = null;
  #end = Promise.withResolvers<ProcessExit>();
  /** Ends since it last served for a while. */
  #ends = 0;
  /** When the present process said that it serves, as `performance.now` counts. */
  #readyAt: number | null = null;
  /** The pause before the next attempt. */
  #pause: NodeJS.Timeout | null = null;
  /** It is being started again and does not serve yet. */
  #restart: NonNullable<ChildProcessInfo['restart']> | null = null;
  #failure: string | null = null;
  #lastEnd: string | null = null;
  /** Its end is wanted: by the program, by the user, or by the kernel's own end. */
  #stopping = false;
  readonly #waiting = new Set<() => void>();

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#process = options.start();
    this.id = this.#process.id;
    this.url = this.#process.url;
    this.#watch(this.#process);
  }

  get exit(): ProcessExit | null {
    return this.#exit;
  }

  get exited(): Promise<ProcessExit> {
    return this.#end.promise;
  }

  get command(): string {
    return this.#process.command;
  }

  get announcedReady(): boolean {
    return this.#exit === null && this.#process.exit === null && this.#process.announcedReady;
  }

  /** Why it does not serve, with what happens next; `null` while it has never served, or serves. */
  get absence(): string | null {
    return this.#failure ?? (this.#restart === null ? null : this.#lastEnd);
  }

  /** What requests of this kernel carry for it. */
  get ownKey(): string | null {
    return this.#options.hasGivenKey ? null : (this.#process.info.key ?? null);
  }

  get info(): ChildProcessInfo {
    return {
      ...this.#process.info,
      id: this.id,
      exit: this.#exit,
      restart: this.#restart,
      failure: this.#failure,
    };
  }

  lastLines(count: number): string {
    return this.#process.lastLines(count);
  }

  async kill(): Promise<void> {
    this.#stopping = true;
    this.#cancelPause();
    await this.#endProcess();
    this.#finish(this.#process.exit ?? { code: null, signal: 'SIGKILL' });
  }

  killNow(): void {
    this.#stopping = true;
    this.#cancelPause();
    this.#process.killNow();
  }

  /** At once, also after it was given up; earlier ends are forgotten. */
  async restart(): Promise<void> {
    this.#stopping = true;
    this.#cancelPause();
    await this.#endProcess();
    this.#stopping = false;
    this.#ends = 0;
    if (this.#exit !== null) this.#end = Promise.withResolvers();
    this.#exit = null;
    this.#failure = null;
    this.#restart = { attempt: 1, of: this.#options.policy.pauses.length };
    this.#lastEnd = `The runtime at ${this.url} is being started again; run the cell once more.`;
    this.#options.log('info', `The runtime at ${this.url} is started again.`);
    this.#start();
  }

  /** Settles when it serves, with `true`, or when it has ended for good. */
  async serves(signal: AbortSignal): Promise<boolean> {
    while (this.#exit === null && !this.announcedReady) {
      if (signal.aborted) return false;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
    return this.#exit === null;
  }

  /** Settles when it is gone and its last words are in the cell. */
  async #endProcess(): Promise<void> {
    if (this.#process.exit === null) await this.#process.kill();
    if (this.#process.exit !== null) await this.#process.exited;
  }

  #watch(process: ManagedProcess): void {
    void process.ready.then(() => this.#ready(process));
    void process.exited.then((exit) => this.#ended(process, exit));
  }

  #ready(process: ManagedProcess): void {
    if (this.#process !== process || process.exit !== null) return;
    this.#readyAt = performance.now();
    if (this.#restart !== null) {
      this.#restart = null;
      this.#options.log('info', `The runtime at ${this.url} serves again.`);
      this.#changed();
    }
    this.#wake();
  }

  #ended(process: ManagedProcess, exit: ProcessExit): void {
    if (this.#process !== process || this.#stopping) return;
    // A monotonic clock: neither sleep nor a clock that is set counts as service.
    const served = this.#readyAt === null ? 0 : performance.now() - this.#readyAt;
    if (served > this.#options.policy.forgetAfter) this.#ends = 0;
    // One that never served has a fault that will not go away; the cell that waits for it is told.
    const isFirst = this.#readyAt === null && this.#restart === null;
    if (isFirst || !isUnexpected(exit)) this.#finish(exit);
    else this.#recover(exit);
  }

  #recover(exit: ProcessExit): void {
    const { pauses } = this.#options.policy;
    const pause = pauses[this.#ends];
    this.#ends += 1;
    const ended = `The runtime at ${this.url} ended unexpectedly, ${endingText(exit)}.${suspicion(exit, this.lastLines(LINES_READ))}`;
    if (pause === undefined) {
      const words = this.lastLines(LINES_SHOWN);
      this.#failure =
        `The runtime at ${this.url} ended ${this.#ends} times in a row, the last time ${endingText(exit)}; ` +
        'it is not started again. Run the cell that launches it once more, with a smaller model or a ' +
        `shorter --context-length if memory was short.${words === '' ? '' : ` Its last lines:\n${words}`}`;
      this.#options.log('error', this.#failure);
      return this.#finish(exit);
    }
    this.#restart = { attempt: this.#ends, of: pauses.length };
    const next = `restarting, attempt ${this.#ends} of ${pauses.length}`;
    this.#lastEnd = `${ended} It is being started again; run the cell once more.`;
    this.#options.log('warn', `${ended} ${capitalised(next)}.`);
    this.#changed();
    this.#pause = setTimeout(() => {
      this.#pause = null;
      this.#start();
    }, pause);
    return undefined;
  }

  #start(): void {
    this.#readyAt = null;
    try {
      this.#process = this.#options.start();
      this.#watch(this.#process);
      this.#changed();
    } catch (error) {
      this.#options.log('warn', error instanceof Error ? error.message : String(error));
      this.#recover({ code: 1, signal: null });
    }
  }

  #finish(exit: ProcessExit): void {
    if (this.#exit !== null) return;
    this.#exit = exit;
    this.#restart = null;
    this.#changed();
    this.#end.resolve(exit);
    this.#wake();
  }

  #changed(): void {
    this.#options.changed(this.info);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
  }

  #cancelPause(): void {
    if (this.#pause !== null) clearTimeout(this.#pause);
    this.#pause = null;
  }
}

/** Signals by which people and systems ask a program to end; the runtime then exits with 0 or 130. */
const ASKED = new Set(['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT']);

function isUnexpected({ code, signal }: ProcessExit): boolean {
  if (signal !== null) return !ASKED.has(signal);
  return code !== 0 && code !== 130;
}

/** After "ended". */
export function endingText({ code, signal }: ProcessExit): string {
  return signal === null ? `with exit code ${code ?? '?'}` : `by ${signal}`;
}

const NO_MEMORY = /out of memory|bad_alloc|failed to allocate|allocation failed/i;

/** A sentence on memory, when its last words or the way it ended speak of that. */
export function suspicion({ signal }: ProcessExit, lastWords: string): string {
  if (NO_MEMORY.test(lastWords)) {
    return ' It had no memory left: a smaller model, a shorter --context-length or fewer requests at once need less.';
  }
  return signal === 'SIGKILL' ? ' Somebody killed it, or the system ran out of memory.' : '';
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
