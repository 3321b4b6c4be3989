/**
 * A server behind ssh, over its whole life: connected at the first question, connected again after growing
 * pauses when the connection is lost, and given up when that does not help; the next question tries once more.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SshAddress } from './ssh-address.ts';
import { SshConnection, type SshOptions } from './ssh-connection.ts';
import { isFinal, type SshFailure } from './ssh-failure.ts';

export interface TunnelPolicy {
  /** Milliseconds before each new connection; as many attempts as there are pauses. */
  readonly pauses: readonly number[];
  /** Milliseconds that a connection may take to be made. */
  readonly patience: number;
  /** Milliseconds of a connection after which earlier losses count no more. */
  readonly forgetAfter: number;
}

export const TUNNEL_POLICY: TunnelPolicy = {
  pauses: [250, 1_000, 2_000, 4_000, 8_000],
  patience: 45_000,
  forgetAfter: 30_000,
};

export interface TunnelOptions extends Pick<SshOptions, 'environment' | 'reaper'> {
  /** The connection was lost, or is back. */
  readonly log?: (level: 'info' | 'warn', tunnel: SshTunnel) => void;
  readonly policy?: TunnelPolicy;
}

/** Milliseconds during which a failure answers all questions: those of a batch come together. */
const FRESH = 1_000;
/** Milliseconds after which the end of ssh, or a refusal, is known when a request has broken off. */
const NOTICED = 500;
const CHECK = 20;

export class SshTunnel {
  readonly address: SshAddress;
  readonly #options: TunnelOptions;
  readonly #policy: TunnelPolicy;
  readonly #closing = new AbortController();
  #connection: SshConnection | null = null;
  #failure: SshFailure | null = null;
  /** As `performance.now` counts. */
  #failedAt = -Infinity;
  /** An attempt that is under way, or a series of them. */
  #work: Promise<void> | null = null;
  #recovering = false;
  /** Pauses since a connection last held for a while. */
  #pauses = 0;

  constructor(address: SshAddress, options: TunnelOptions) {
    this.address = address;
    this.#options = options;
    this.#policy = options.policy ?? TUNNEL_POLICY;
  }

  /** Of 127.0.0.1; `null` while nothing is forwarded. */
  get port(): number | null {
    return this.#connection?.port ?? null;
  }

  /** Why nothing is forwarded, or why the server could not be reached just now. */
  get failure(): SshFailure | null {
    if (this.#connection === null) return this.#failure;
    return this.#connection.refusal(FRESH + NOTICED);
  }

  /** It was lost and is being connected again. */
  get isRecovering(): boolean {
    return this.#recovering;
  }

  /** Settles when it forwards, or when it is plain that it does not now: then `failure` says why. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.#connection !== null || this.#closing.signal.aborted) return;
    if (this.#work === null && performance.now() - this.#failedAt < FRESH) return;
    this.#begin(() => this.#connect());
    await unlessAborted(this.#work, signal);
  }

  /** Settles when the reason of a broken request is known, or after a moment. */
  async noticed(): Promise<void> {
    const deadline = performance.now() + NOTICED;
    while (this.failure === null && performance.now() < deadline) await sleep(CHECK);
  }

  /** For good; nothing is left running. */
  close(): void {
    this.#closing.abort();
    this.#connection = null;
  }

  #begin(work: () => Promise<void>): void {
    this.#work ??= work().finally(() => {
      this.#work = null;
    });
  }

  async #connect(): Promise<void> {
    const { environment, reaper } = this.#options;
    const { patience } = this.#policy;
    const { signal } = this.#closing;
    const opened = await SshConnection.open(
      this.address,
      { environment, reaper, patience },
      signal,
    ).catch((error: unknown): SshFailure => ({ kind: 'ended', words: String(error) }));
    if (!(opened instanceof SshConnection)) return this.#failed(opened);
    if (signal.aborted) return undefined;
    this.#connection = opened;
    this.#failure = null;
    const begin = performance.now();
    void opened.ended.then((failure) => this.#lost(opened, performance.now() - begin, failure));
    return undefined;
  }

  #failed(failure: SshFailure): void {
    this.#failure = failure;
    this.#failedAt = performance.now();
  }

  async #lost(connection: SshConnection, held: number, failure: SshFailure): Promise<void> {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#failed(failure);
    if (held > this.#policy.forgetAfter) this.#pauses = 0;
    this.#recovering = true;
    this.#options.log?.('warn', this);
    if (this.#work !== null) await this.#work;
    this.#begin(() => this.#recover());
  }

  async #recover(): Promise<void> {
    const { signal } = this.#closing;
    this.#recovering = true;
    for (const pause of this.#policy.pauses.slice(this.#pauses)) {
      this.#pauses += 1;
      await sleep(pause, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      await this.#connect();
      if (this.#connection !== null || (this.#failure !== null && isFinal(this.#failure))) break;
    }
    this.#recovering = false;
    if (!signal.aborted) this.#options.log?.('info', this);
  }
}

/** Settles with the work, or as soon as the signal is aborted. */
async function unlessAborted(work: Promise<void> | null, signal: AbortSignal): Promise<void> {
  const stopped = Promise.withResolvers<void>();
  const stop = (): void => stopped.resolve();
  if (signal.aborted) return;
  signal.addEventListener('abort', stop, { once: true });
  await Promise.race([work, stopped.promise]);
  signal.removeEventListener('abort', stop);
}
