/**
 * One notebook's kernel: starts it when the first cell runs, routes its events to the runs they
 * belong to, and guarantees that every run ends, whatever dies.
 */
import {
  KERNEL_PROTOCOL_VERSION,
  type CellRef,
  type GenRecord,
  type KernelEvent,
  type KernelOutput,
  type KernelStatus,
  type RunOutcome,
} from '../../protocol/kernel-protocol.ts';
import { KernelProcess } from './kernel-process.ts';

/** What a session needs of a running cell; `CellExecution` in the workbench, a double in tests. */
export interface RunSink {
  start(executionOrder: number | null): void;
  output(output: KernelOutput): void;
  end(outcome: RunOutcome): Promise<void>;
  fail(name: string, message: string): Promise<void>;
}

export interface KernelLaunch {
  readonly entry: string;
  readonly cwd: string;
  readonly endpoint: string | null;
  readonly model: string | null;
  /** Milliseconds from an interrupt to the kill of a kernel that ignores it. */
  readonly interruptTimeout: number;
}

export interface SessionListener {
  status(status: KernelStatus, reason: string | null): void;
  gen(record: GenRecord): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** Output of background processes while no cell runs. */
  background(output: KernelOutput): void;
  input(prompt: string, password: boolean): Promise<string | null>;
}

interface Run {
  readonly id: string;
  readonly sink: RunSink;
  readonly ended: () => void;
}

export class KernelSession {
  readonly #launch: KernelLaunch;
  readonly #listener: SessionListener;
  readonly #runs = new Map<string, Run>();
  #process: KernelProcess | null = null;
  #nextRun = 1;
  #forcedKill: ReturnType<typeof setTimeout> | null = null;
  #status: KernelStatus = 'stopped';

  constructor(launch: KernelLaunch, listener: SessionListener) {
    this.#launch = launch;
    this.#listener = listener;
  }

  get status(): KernelStatus {
    return this.#status;
  }

  get pid(): number | undefined {
    return this.#process?.alive ? this.#process.pid : undefined;
  }

  /** Resolves when the run has ended in `sink`; never rejects. */
  execute(cell: CellRef, code: string, sink: RunSink): Promise<void> {
    const kernel = this.#ensureProcess();
    const id = `run-${this.#nextRun++}`;
    return new Promise((resolve) => {
      this.#runs.set(id, { id, sink, ended: resolve });
      kernel.send({ type: 'execute', run: id, cell, code, stopOnError: true });
    });
  }

  interrupt(): void {
    const kernel = this.#process;
    if (!kernel?.alive || this.#runs.size === 0) return;
    kernel.send({ type: 'interrupt' });
    this.#forcedKill ??= setTimeout(() => {
      this.#listener.log('warn', 'the kernel ignored the interrupt and was killed');
      kernel.kill();
    }, this.#launch.interruptTimeout);
  }

  /** A fresh Python state; a kernel that does not answer is replaced. */
  async restart(): Promise<void> {
    await this.stop();
    this.#ensureProcess();
  }

  /** Ends the kernel: asks, then kills. Resolves when the process is gone. */
  async stop(): Promise<void> {
    const kernel = this.#process;
    if (!kernel?.alive) return;
    kernel.send({ type: 'shutdown' });
    const gone = new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        if (kernel.alive) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
    const killer = setTimeout(() => kernel.kill(), 3000);
    await gone;
    clearTimeout(killer);
  }

  kill(): void {
    this.#process?.kill();
  }

  #ensureProcess(): KernelProcess {
    if (this.#process?.alive) return this.#process;
    this.#setStatus('starting', null);
    const kernel = new KernelProcess(this.#launch.entry, this.#launch.cwd, {
      event: (event) => this.#onEvent(event),
      stray: (line) => this.#listener.log('debug', line),
      exited: (reason) => this.#onExit(kernel, reason),
    });
    this.#process = kernel;
    kernel.send({
      type: 'initialize',
      protocolVersion: KERNEL_PROTOCOL_VERSION,
      cwd: this.#launch.cwd,
      guest: { kind: 'wasm' },
      env: {},
      endpoint: this.#launch.endpoint,
      model: this.#launch.model,
    });
    return kernel;
  }

  #onEvent(event: KernelEvent): void {
    switch (event.type) {
      case 'ready':
        this.#listener.log('info', `kernel ${event.pid} ready: Python ${event.python} in ${event.startupMilliseconds} ms`);
        break;
      case 'status':
        this.#setStatus(event.status, event.reason);
        break;
      case 'started':
        this.#runs.get(event.run)?.sink.start(event.executionOrder);
        break;
      case 'output':
        if (event.run === null) this.#listener.background(event.output);
        else this.#runs.get(event.run)?.sink.output(event.output);
        break;
      case 'finished':
        this.#finish(event.run, event.outcome);
        break;
      case 'input_request':
        this.#answerInput(event.request, event.prompt, event.password);
        break;
      case 'gen':
        this.#listener.gen(event.record);
        break;
      case 'log':
        this.#listener.log(event.level, event.message);
        break;
      case 'process':
      case 'reply':
      case 'reply_error':
        break;
      default:
        event satisfies never;
    }
  }

  #answerInput(request: number, prompt: string, password: boolean): void {
    this.#listener.input(prompt, password).then(
      (value) => this.#process?.send({ type: 'input_reply', request, value }),
      () => this.#process?.send({ type: 'input_reply', request, value: null }),
    );
  }

  #finish(id: string, outcome: RunOutcome): void {
    const run = this.#take(id);
    if (!run) return;
    if (this.#runs.size === 0) this.#cancelForcedKill();
    void run.sink.end(outcome).finally(run.ended);
  }

  #onExit(kernel: KernelProcess, reason: string): void {
    if (this.#process !== kernel) return;
    this.#process = null;
    this.#cancelForcedKill();
    for (const id of this.#runs.keys()) {
      const run = this.#take(id);
      if (run) void run.sink.fail('KernelDied', reason).finally(run.ended);
    }
    this.#setStatus('stopped', reason);
  }

  #take(id: string): Run | undefined {
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    return run;
  }

  #cancelForcedKill(): void {
    if (this.#forcedKill !== null) clearTimeout(this.#forcedKill);
    this.#forcedKill = null;
  }

  #setStatus(status: KernelStatus, reason: string | null): void {
    this.#status = status;
    this.#listener.status(status, reason);
  }
}
