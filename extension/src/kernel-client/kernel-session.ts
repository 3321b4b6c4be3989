/**
 * One notebook's kernel: starts it when the first cell runs, routes its events to the runs they
 * belong to, and guarantees that every run ends, whatever dies.
 */
import { randomUUID } from 'node:crypto';
import {
  KERNEL_PROTOCOL_VERSION,
  type CellRef,
  type ChildProcessInfo,
  type EndpointOptions,
  type GenRecord,
  type JsonValue,
  type GuestChoice,
  type KernelEvent,
  type KernelOutput,
  type KernelQuery,
  type KernelStatus,
  type RunOutcome,
} from '../../protocol/kernel-protocol.ts';
import type { AttachedRun, KernelRecord } from '../../protocol/attach-protocol.ts';
import type { DebugCommand, DebugControl, DebugEvent } from '../../protocol/debug-protocol.ts';
import { DetachedKernel, type DetachedOptions } from './detached-kernel.ts';
import type { KernelConnection, KernelConnectionListener } from './kernel-connection.ts';
import { KernelProcess } from './kernel-process.ts';

/** What a session needs of a running cell; `CellExecution` in the workbench, a double in tests. */
export interface RunSink {
  /** `startedAt`: milliseconds since 1970, for a run that started before this window saw it. */
  start(executionOrder: number | null, startedAt?: number): void;
  output(output: KernelOutput): void;
  /** Resolves with `null` at the end of input and when `over` says that nobody waits any more. */
  ask(question: InputQuestion, over: AbortSignal): Promise<string | null>;
  end(outcome: RunOutcome): Promise<void>;
  fail(name: string, message: string): Promise<void>;
}

export interface KernelLaunch {
  readonly entry: string;
  readonly cwd: string;
  readonly guest: GuestChoice;
  readonly endpoint: string | null;
  readonly model: string | null;
  readonly endpointOptions: EndpointOptions;
  /** Added to the environment of what cells start. */
  readonly env: Readonly<Record<string, string>>;
  /** Milliseconds from an interrupt to the kill of a kernel that ignores it. */
  readonly interruptTimeout: number;
  /** For a kernel that outlives this window; without it, the kernel ends with the window. */
  readonly detached?: DetachedOptions;
}

export interface SessionListener {
  status(status: KernelStatus, reason: string | null): void;
  /** A cell starts; what is known of its earlier run is out of date. */
  started(cell: CellRef, executionOrder: number): void;
  finished(cell: CellRef, outcome: RunOutcome): void;
  gen(record: GenRecord): void;
  /** The programs that this kernel started have changed. */
  processes(): void;
  log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void;
  /** A runtime ended so often that it is not started again. */
  runtimeFailed(info: ChildProcessInfo): void;
  /** Output of background processes while no cell runs. */
  background(output: KernelOutput): void;
  /** Which file to run for a model's name; `null` leaves it to the runtime. Never rejects. */
  chooseModel(name: string, signal: AbortSignal): Promise<string | null>;
}

/** Whoever debugs a run. */
export interface RunDebugger {
  /** What holds from the beginning: breakpoints of every source. */
  readonly controls: readonly DebugControl[];
  event(event: DebugEvent): void;
}

export interface InputQuestion {
  readonly prompt: string;
  readonly password: boolean;
}

/** A question to the kernel that got no answer: no kernel, a busy one, or one that died. */
export class KernelQueryError extends Error {
  readonly code = 'KERNEL_QUERY';
}

interface Run {
  readonly id: string;
  readonly cell: CellRef;
  /** Of a run that began before this window saw it. */
  readonly startedAt: number | null;
  /** Aborted when the run ends: closes questions to the user. */
  readonly over: AbortController;
  readonly sink: RunSink;
  readonly ended: () => void;
}

/** Milliseconds without a running cell after which VS Code has backed up what cells show. */
const SETTLED_AFTER = 4_000;

export class KernelSession {
  readonly #nextLaunch: () => KernelLaunch;
  /** Of the present kernel, or of the next one when none has started. */
  #launch: KernelLaunch;
  readonly #listener: SessionListener;
  readonly #runs = new Map<string, Run>();
  readonly #queries = new Map<number, (answer: JsonValue | KernelQueryError) => void>();
  readonly #processes = new Map<number, ChildProcessInfo>();
  #nextQuery = 1;
  #python: string | null = null;
  #guest: GuestChoice['kind'] | null = null;
  /** Makes the names of this window's runs unlike those of an earlier window. */
  readonly #window = randomUUID().slice(0, 8);
  #process: KernelConnection | null = null;
  #stopping: Promise<void> | null = null;
  #nextRun = 1;
  /** Aborted by an interrupt: closes the questions of the moment. */
  #interrupted = new AbortController();
  #forcedKill: ReturnType<typeof setTimeout> | null = null;
  #status: KernelStatus = 'stopped';
  /** Runs that have ended, until the workbench has them safe. */
  readonly #drawn: string[] = [];
  #settling: ReturnType<typeof setTimeout> | null = null;
  #debugger: RunDebugger | null = null;

  /** @param launch asked at every start, so that a restarted kernel sees changed settings */
  constructor(launch: () => KernelLaunch, listener: SessionListener) {
    this.#nextLaunch = launch;
    this.#launch = launch();
    this.#listener = listener;
  }

  get status(): KernelStatus {
    return this.#status;
  }

  get pid(): number | undefined {
    return this.#process?.alive ? this.#process.pid : undefined;
  }

  /** Id in the records, for a kernel that outlives this window. */
  get survivor(): string | null {
    return this.#process instanceof DetachedKernel && this.#process.alive ? this.#process.id : null;
  }

  /** Version of the running kernel's Python. */
  get python(): string | null {
    return this.#python;
  }

  /** Which Python the running kernel has; `null` without one. */
  get guest(): GuestChoice['kind'] | null {
    return this.#process?.alive ? this.#guest : null;
  }

  /** The user's own interpreter that the running kernel has; `null` without one, or when it is not known. */
  get executable(): string | null {
    const { guest } = this.#launch;
    return this.guest === 'cpython' && guest.kind === 'cpython' ? guest.executable : null;
  }

  /** Programs that the kernel's cells started and that still run, and runtimes that were given up. */
  get processes(): ChildProcessInfo[] {
    return [...this.#processes.values()];
  }

  /** Asks a running kernel, next to whatever it executes; fails with `KernelQueryError`. */
  query(query: KernelQuery): Promise<JsonValue> {
    const kernel = this.#process;
    if (!kernel?.alive) return Promise.reject(new KernelQueryError('No kernel is running.'));
    const id = this.#nextQuery++;
    return new Promise((resolve, reject) => {
      this.#queries.set(id, (answer) => {
        this.#queries.delete(id);
        if (answer instanceof KernelQueryError) reject(answer);
        else resolve(answer);
      });
      kernel.send({ type: 'query', id, query });
    });
  }

  /** Resolves when the run has ended in `sink`; never rejects. One run at a time has a debugger. */
  execute(cell: CellRef, code: string, sink: RunSink, debug?: RunDebugger): Promise<void> {
    // A kernel that shuts down takes no more cells; the next one does.
    if (this.#stopping) return this.#stopping.then(() => this.execute(cell, code, sink, debug));
    const kernel = this.#ensureProcess();
    const id = `run-${this.#window}-${this.#nextRun++}`;
    return new Promise((resolve) => {
      const over = new AbortController();
      this.#runs.set(id, { id, cell, startedAt: null, sink, ended: resolve, over });
      if (debug) {
        this.#debugger = debug;
        for (const command of debug.controls) kernel.send({ type: 'debug', command });
      }
      const debugged = debug ? { debug: true } : {};
      kernel.send({ type: 'execute', run: id, cell, code, stopOnError: true, ...debugged });
    });
  }

  /** From the debugger of a run to its kernel. */
  debug(command: DebugCommand): void {
    this.#process?.send({ type: 'debug', command });
  }

  /**
   * Takes over a kernel that an earlier window left. `sinkOf` gives the place to draw one of its runs, or
   * `null` when that is gone; everything the run has shown is drawn afresh. Rejects with `AttachError`.
   */
  async attach(
    record: KernelRecord,
    takeOver: boolean,
    sinkOf: (run: AttachedRun) => RunSink | null,
  ): Promise<void> {
    const { detached } = this.#launch;
    if (detached === undefined || this.#process?.alive) return;
    const options = { ...detached, takeOver };
    await DetachedKernel.attach(record, options, this.#events(), (kernel, runs, fresh) => {
      this.#process = kernel;
      for (const { run, cell, startedAt, ...rest } of runs) {
        const sink = sinkOf({ run, cell, startedAt, ...rest });
        if (sink === null) continue;
        const over = new AbortController();
        this.#runs.set(run, { id: run, cell, startedAt, sink, ended: () => {}, over });
      }
      if (fresh) this.#initialize(kernel);
    });
  }

  /** This window ends: a kernel that survives is left running, any other is stopped. */
  async leave(): Promise<void> {
    const kernel = this.#process;
    this.#stopSettling();
    if (kernel?.alive && kernel.survives) await kernel.leave();
    else await this.stop();
  }

  interrupt(): void {
    const kernel = this.#process;
    if (!kernel?.alive || (this.#runs.size === 0 && this.#status !== 'busy')) return;
    kernel.send({ type: 'interrupt' });
    this.#interrupted.abort();
    this.#interrupted = new AbortController();
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
    this.#stopping ??= this.#end(kernel).finally(() => {
      this.#stopping = null;
    });
    await this.#stopping;
  }

  async #end(kernel: KernelConnection): Promise<void> {
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

  /** Starts a program of the kernel again, or ends it by force. */
  control(id: number, action: 'restart' | 'kill'): void {
    this.#process?.send({ type: 'program', id, action });
  }

  #ensureProcess(): KernelConnection {
    if (this.#process?.alive) return this.#process;
    this.#setStatus('starting', null);
    this.#launch = this.#nextLaunch();
    this.#guest = this.#launch.guest.kind;
    const kernel = this.#startProcess();
    this.#process = kernel;
    this.#initialize(kernel);
    return kernel;
  }

  #startProcess(): KernelConnection {
    const { entry, cwd, detached } = this.#launch;
    return detached === undefined
      ? new KernelProcess(entry, cwd, this.#events())
      : DetachedKernel.start(entry, cwd, detached, this.#events());
  }

  /** What one kernel says counts while it is the present one. */
  #events(): KernelConnectionListener {
    return {
      event: (event) => this.#onEvent(event),
      stray: (line) => this.#listener.log('debug', line),
      exited: (reason) => this.#onExit(reason),
    };
  }

  #initialize(kernel: KernelConnection): void {
    kernel.send({
      type: 'initialize',
      protocolVersion: KERNEL_PROTOCOL_VERSION,
      cwd: this.#launch.cwd,
      guest: this.#launch.guest,
      env: this.#launch.env,
      endpoint: this.#launch.endpoint,
      endpointOptions: this.#launch.endpointOptions,
      model: this.#launch.model,
      answersModelRequests: true,
    });
  }

  #onEvent(event: KernelEvent): void {
    switch (event.type) {
      case 'ready':
        this.#python = event.python;
        this.#guest = event.guest;
        this.#listener.log(
          'info',
          `kernel ${event.pid} ready: Python ${event.python} in ${event.startupMilliseconds} ms`,
        );
        break;
      case 'status':
        if (event.status === 'idle') this.#cancelForcedKill();
        this.#setStatus(event.status, event.reason);
        break;
      case 'started':
        this.#start(event.run, event.executionOrder);
        break;
      case 'output':
        if (event.run === null) this.#listener.background(event.output);
        else this.#runs.get(event.run)?.sink.output(event.output);
        break;
      case 'finished':
        this.#finish(event.run, event.outcome);
        break;
      case 'input_request':
        this.#answerInput(event);
        break;
      case 'model_request':
        this.#chooseModel(event);
        break;
      case 'gen':
        this.#listener.gen(event.record);
        break;
      case 'debug':
        this.#debugger?.event(event.event);
        break;
      case 'log':
        this.#listener.log(event.level, event.message);
        break;
      case 'process':
        this.#onProcess(event.process);
        break;
      case 'reply':
        this.#queries.get(event.id)?.(event.result);
        break;
      case 'reply_error':
        this.#queries.get(event.id)?.(new KernelQueryError(event.message));
        break;
      default:
        event satisfies never;
    }
  }

  #start(id: string, executionOrder: number): void {
    const run = this.#runs.get(id);
    if (!run) return;
    run.sink.start(executionOrder, run.startedAt ?? undefined);
    this.#listener.started(run.cell, executionOrder);
  }

  #onProcess(info: ChildProcessInfo): void {
    // One that was given up stays, so that it can be started again.
    if (info.exit === null || info.failure) this.#processes.set(info.id, info);
    else this.#processes.delete(info.id);
    if (info.failure) this.#listener.runtimeFailed(info);
    this.#listener.processes();
  }

  #answerInput(event: KernelEvent & { readonly type: 'input_request' }): void {
    const { request, prompt, password } = event;
    const run = this.#runs.get(event.run);
    const answer = (value: string | null): void =>
      this.#process?.send({ type: 'input_reply', request, value });
    if (!run) return answer(null);
    const over = AbortSignal.any([run.over.signal, this.#interrupted.signal]);
    run.sink.ask({ prompt, password }, over).then(answer, () => answer(null));
    return undefined;
  }

  #chooseModel({ request, run, name }: KernelEvent & { readonly type: 'model_request' }): void {
    const over = run === null ? undefined : this.#runs.get(run)?.over;
    const answer = (model: string | null): void =>
      this.#process?.send({ type: 'model_reply', request, model });
    const { signal } = over ?? new AbortController();
    this.#listener.chooseModel(name, signal).then(answer, () => answer(null));
  }

  #finish(id: string, outcome: RunOutcome): void {
    const run = this.#take(id);
    if (!run) return;
    if (this.#runs.size === 0) this.#cancelForcedKill();
    const kernel = this.#process;
    void run.sink.end(outcome).finally(() => {
      if (kernel) this.#settleLater(kernel, id);
      run.ended();
    });
    this.#listener.finished(run.cell, outcome);
  }

  /**
   * VS Code backs a notebook up once it has been quiet for a second. Until then a reload may lose what its
   * cells show, and the kernel has to tell it again.
   */
  #settleLater(kernel: KernelConnection, run: string): void {
    this.#drawn.push(run);
    if (this.#settling !== null) clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#settling = null;
      // A running cell's output keeps the notebook from being backed up.
      if (this.#runs.size > 0) return;
      for (const drawn of this.#drawn.splice(0)) kernel.settled(drawn);
    }, SETTLED_AFTER);
  }

  #stopSettling(): void {
    if (this.#settling !== null) clearTimeout(this.#settling);
    this.#settling = null;
    this.#drawn.length = 0;
  }

  #onExit(reason: string): void {
    this.#process = null;
    this.#python = null;
    this.#guest = null;
    this.#processes.clear();
    this.#stopSettling();
    this.#listener.processes();
    this.#cancelForcedKill();
    const noAnswer = new KernelQueryError(reason);
    for (const answer of this.#queries.values()) answer(noAnswer);
    for (const id of this.#runs.keys()) {
      const run = this.#take(id);
      if (run) void run.sink.fail('KernelDied', reason).finally(run.ended);
    }
    this.#setStatus('stopped', reason);
  }

  #take(id: string): Run | undefined {
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    run?.over.abort();
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
