/** A kernel as something to await: ready, one run at a time, dead exactly once. */
import {
  KERNEL_PROTOCOL_VERSION,
  type CellRef,
  type KernelEvent,
  type KernelOutput,
  type KernelRequest,
  type RunOutcome,
} from '../protocol/kernel-protocol.ts';
import { KernelProcess } from './kernel-process.ts';

type Initialize = Extract<KernelRequest, { type: 'initialize' }>;
export type ReadyEvent = Extract<KernelEvent, { type: 'ready' }>;
export type InputRequest = Extract<KernelEvent, { type: 'input_request' }>;

export interface SessionListener {
  /** Output of the running cell, or of background processes between cells. */
  output(output: KernelOutput): void;
  /** A line for `input()`; `null` at the end of input. */
  input(request: InputRequest): Promise<string | null>;
  /** Which file to run for a model's name; `null` leaves it to the runtime. */
  chooseModel(name: string): Promise<string | null>;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
}

/** The kernel process is gone; nothing more can run. */
export class KernelDiedError extends Error {
  override readonly name = 'KernelDiedError';
  readonly code = 'kernel-died';
}

export interface RunResult {
  readonly outcome: RunOutcome;
  readonly executionOrder: number | null;
  readonly milliseconds: number;
}

interface ActiveRun {
  readonly id: string;
  executionOrder: number | null;
  readonly result: PromiseWithResolvers<RunResult>;
}

export class KernelSession {
  readonly ready: Promise<ReadyEvent>;
  readonly #process: KernelProcess;
  readonly #listener: SessionListener;
  readonly #ready = Promise.withResolvers<ReadyEvent>();
  #run: ActiveRun | null = null;
  #death: KernelDiedError | null = null;
  #runs = 0;

  constructor(
    entry: string,
    options: Omit<Initialize, 'type' | 'protocolVersion'>,
    listener: SessionListener,
  ) {
    this.#listener = listener;
    this.ready = this.#ready.promise;
    // Nobody may be waiting yet when the kernel dies early.
    this.ready.catch(() => {});
    this.#process = new KernelProcess(entry, options.cwd, {
      event: (event) => this.#event(event),
      stray: (line) => listener.log('debug', `kernel: ${line}`),
      exited: (reason) => this.#died(reason),
    });
    this.#process.send({
      type: 'initialize',
      protocolVersion: KERNEL_PROTOCOL_VERSION,
      ...options,
    });
  }

  get running(): boolean {
    return this.#run !== null;
  }

  /** @throws KernelDiedError */
  async execute(cell: CellRef, code: string, stopOnError: boolean): Promise<RunResult> {
    if (this.#death) throw this.#death;
    this.#runs += 1;
    const id = `run-${this.#runs}`;
    const run = { id, executionOrder: null, result: Promise.withResolvers<RunResult>() };
    this.#run = run;
    this.#process.send({ type: 'execute', run: id, cell, code, stopOnError });
    try {
      return await run.result.promise;
    } finally {
      this.#run = null;
    }
  }

  interrupt(): void {
    this.#process.send({ type: 'interrupt' });
  }

  kill(): void {
    this.#process.kill();
  }

  close(): Promise<void> {
    return this.#process.close();
  }

  #event(event: KernelEvent): void {
    switch (event.type) {
      case 'ready':
        this.#becomeReady(event);
        break;
      case 'started':
        if (this.#run?.id === event.run) this.#run.executionOrder = event.executionOrder;
        break;
      case 'output':
        this.#listener.output(event.output);
        break;
      case 'finished':
        if (this.#run?.id === event.run) {
          const { executionOrder, result } = this.#run;
          const { outcome, milliseconds } = event;
          result.resolve({ outcome, executionOrder, milliseconds });
        }
        break;
      case 'input_request':
        void this.#answer(event);
        break;
      case 'model_request':
        void this.#chooseModel(event.request, event.name);
        break;
      case 'log':
        this.#listener.log(event.level, event.message);
        break;
      case 'status':
      case 'gen':
      case 'debug':
      case 'process':
      case 'reply':
      case 'reply_error':
        break;
      default:
        // A newer kernel of the same protocol version may say more.
        event satisfies never;
    }
  }

  #becomeReady(event: ReadyEvent): void {
    if (event.protocolVersion === KERNEL_PROTOCOL_VERSION) {
      this.#ready.resolve(event);
      return;
    }
    this.#died(
      `it speaks version ${event.protocolVersion} of the protocol, this program version ${KERNEL_PROTOCOL_VERSION}. Build both again.`,
    );
    this.#process.kill();
  }

  async #answer(request: InputRequest): Promise<void> {
    const value = await this.#listener.input(request);
    this.#process.send({ type: 'input_reply', request: request.request, value });
  }

  async #chooseModel(request: number, name: string): Promise<void> {
    const model = await this.#listener.chooseModel(name);
    this.#process.send({ type: 'model_reply', request, model });
  }

  #died(reason: string): void {
    if (this.#death) return;
    this.#death = new KernelDiedError(`The kernel is gone: ${reason}`);
    this.#ready.reject(this.#death);
    this.#run?.result.reject(this.#death);
  }
}
