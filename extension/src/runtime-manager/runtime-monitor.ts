/**
 * Watches the runtimes that kernels have started: asks each for its health every few seconds while there
 * are any, and says when one stops answering or has ended.
 */
import { readRuntimeInfo, type RuntimeInfo } from './runtime-info.ts';

export interface WatchedRuntime {
  readonly pid: number;
  readonly url: string;
  /** What it wants to see from those who ask it. */
  readonly key?: string;
}

export type RuntimeHealth =
  /** Loading its model. */
  | { readonly kind: 'starting' }
  | { readonly kind: 'ready'; readonly info: RuntimeInfo }
  /**
   * It was ready and has not answered since then, in milliseconds of `performance.now`; it may be
   * overloaded or stuck.
   */
  | { readonly kind: 'silent'; readonly since: number };

export interface RuntimeMonitorOptions {
  /** The runtimes that run at this moment. */
  readonly runtimes: () => readonly WatchedRuntime[];
  readonly changed: () => void;
  readonly log: (message: string) => void;
  /** Milliseconds between two questions; also how long an answer may take. */
  readonly interval?: number;
}

const INTERVAL = 3_000;

export class RuntimeMonitor {
  readonly #options: RuntimeMonitorOptions;
  readonly #interval: number;
  readonly #health = new Map<number, RuntimeHealth>();
  /** Runtimes that owe the last answer: after sleep, or in a busy moment, one is nothing to tell of. */
  readonly #late = new Set<number>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #disposed = false;

  constructor(options: RuntimeMonitorOptions) {
    this.#options = options;
    this.#interval = options.interval ?? INTERVAL;
  }

  health(pid: number): RuntimeHealth | undefined {
    return this.#health.get(pid);
  }

  /** Runtimes may have come or gone. */
  refresh(): void {
    const present = new Set(this.#options.runtimes().map(({ pid }) => pid));
    for (const pid of this.#health.keys()) {
      if (present.has(pid)) continue;
      this.#health.delete(pid);
      this.#late.delete(pid);
    }
    if (present.size > 0 && this.#timer === null && !this.#disposed) void this.#look();
  }

  dispose(): void {
    this.#disposed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    // Holds the place until the answers are there, so that there is one round at a time.
    this.#timer = setTimeout(() => {}, 0);
    const runtimes = this.#options.runtimes();
    await Promise.all(runtimes.map((runtime) => this.#ask(runtime)));
    this.#timer = null;
    if (this.#disposed) return;
    this.#options.changed();
    if (this.#options.runtimes().length === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.refresh();
    }, this.#interval);
  }

  async #ask({ pid, url, key }: WatchedRuntime): Promise<void> {
    const before = this.#health.get(pid);
    try {
      const [info, metrics] = await Promise.all([
        this.#fetch(`${url}/get_server_info`, key).then((answer) => answer.json()),
        this.#fetch(`${url}/metrics`, key).then((answer) => answer.text()),
      ]);
      this.#late.delete(pid);
      if (before?.kind === 'silent') this.#options.log(`The runtime ${pid} answers again.`);
      this.#health.set(pid, { kind: 'ready', info: readRuntimeInfo(info, metrics) });
    } catch (error) {
      if (!this.#options.runtimes().some((runtime) => runtime.pid === pid)) return;
      if (before === undefined) this.#health.set(pid, { kind: 'starting' });
      if (before?.kind !== 'ready') return;
      if (!this.#late.has(pid)) return void this.#late.add(pid);
      const reason = error instanceof Error ? error.message : String(error);
      this.#options.log(`The runtime ${pid} at ${url} does not answer: ${reason}`);
      this.#health.set(pid, { kind: 'silent', since: performance.now() });
    }
  }

  async #fetch(url: string, key: string | undefined): Promise<Response> {
    const answer = await fetch(url, {
      signal: AbortSignal.timeout(this.#interval),
      headers: {
        // The runtime's log is below the user's cells.
        'x-access-log': 'off',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
    });
    if (!answer.ok) throw new Error(`${url} answered ${answer.status}`);
    return answer;
  }
}
