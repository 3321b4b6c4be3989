/**
 * Executes what the driver asks for: cells one after the other, interrupts, restarts and side questions.
 * Whatever happens to the guest, every run ends with exactly one `finished`.
 */
import {
  KERNEL_PROTOCOL_VERSION,
  type GenRecord,
  type GuestChoice,
  type JsonValue,
  type KernelEvent,
  type KernelOutput,
  type KernelQuery,
  type KernelRequest,
  type KernelStatus,
  type RunOutcome,
} from '../protocol/kernel-protocol.ts';
import type { DebugControl } from '../protocol/debug-protocol.ts';
import type { LocalServerState } from './backends/local-servers.ts';
import { DebugRelay } from './debug-relay.ts';
import { OutputBatcher } from './guest/guest-output.ts';
import type { ProcessCallHandler } from './guest/guest-start.ts';
import type { BridgeMessage, CellResult, GuestListener, PythonGuest } from './guest/guest.ts';
import { InputRequests } from './input-requests.ts';
import { ModelRequests } from './model-requests.ts';
import { previewAnswer, type PreviewServer } from './preview.ts';

type Initialize = KernelRequest & { readonly type: 'initialize' };
type Execute = KernelRequest & { readonly type: 'execute' };

/** What a started guest talks to. */
export interface GuestHooks {
  readonly listener: GuestListener;
  readonly onGen: (record: GenRecord) => void;
  readonly processCall: ProcessCallHandler;
}

/** Programs that cells start; they outlive a cell, never the kernel. */
export interface ProcessService {
  readonly handle: ProcessCallHandler;
  /** Of a server of this machine or behind ssh, at this moment; `null` when none is known. */
  stateOf(url: string): Promise<LocalServerState | null>;
  /** What the user wants of one of them. @throws when it cannot be done */
  control(id: number, action: 'restart' | 'kill'): Promise<void>;
  /** Ends all of them and waits until they are gone. */
  killAll(): Promise<void>;
}

export interface KernelServerOptions {
  readonly send: (event: KernelEvent) => void;
  /** Settles when the driver has read most of what was sent. */
  readonly keepsUp: () => Promise<void>;
  readonly startGuest: (request: Initialize, hooks: GuestHooks) => Promise<PythonGuest>;
  readonly createProcesses: (request: Initialize, hooks: ProcessHooks) => ProcessService;
  /** The kernel has stopped: nothing of it is left running. */
  readonly onStopped: (code: number) => void;
  /** Milliseconds after which an interrupt that had no effect ends the guest; per kind of guest. */
  readonly escalation: Readonly<Record<GuestChoice['kind'], number>>;
}

export interface ProcessHooks {
  readonly output: (output: KernelOutput) => void;
  readonly send: (event: KernelEvent) => void;
  readonly ask: (prompt: string, password: boolean, signal: AbortSignal) => Promise<string | null>;
  /** A traced cell's `debug` call. */
  readonly debug: (message: BridgeMessage, signal: AbortSignal) => Promise<JsonValue>;
  /** Absent when the driver does not answer such questions. */
  readonly chooseModel?: (name: string, signal: AbortSignal) => Promise<string | null>;
}

interface Run {
  readonly request: Execute;
  readonly begin: number;
  /** Set when the guest was ended to stop this run: what the user is told. */
  forcedEnd: string | null;
}

/** A guest that ends more often than this is not started again. */
const MOST_DEATHS = 3;

export class KernelServer {
  readonly #options: KernelServerOptions;
  readonly #batcher = new OutputBatcher((output) => this.#sendOutput(output));
  readonly #inputs: InputRequests;
  readonly #models: ModelRequests;
  readonly #debug: DebugRelay;
  /** A debugger's breakpoints that came before Python was ready. */
  #controls: DebugControl[] = [];
  #initialize: Initialize | null = null;
  #processes: ProcessService | null = null;
  #guest: PythonGuest | null = null;
  /** Tells hooks of earlier guests from those of the present one. */
  #generation = 0;
  #queue: Execute[] = [];
  #current: Run | null = null;
  #executionOrder = 0;
  #escalation: NodeJS.Timeout | null = null;
  #stopping = false;
  /** Ends of guests since one last ran a cell to its end. */
  #deaths = 0;

  constructor(options: KernelServerOptions) {
    this.#options = options;
    this.#inputs = new InputRequests((event) => options.send(event));
    this.#models = new ModelRequests((event) => options.send(event));
    this.#debug = new DebugRelay({
      send: (event) => options.send({ type: 'debug', event }),
      control: (command) => {
        if (this.#guest === null) this.#controls.push(command);
        else this.#guest.control(command);
      },
    });
  }

  receive(request: KernelRequest): void {
    switch (request.type) {
      case 'initialize':
        void this.#start(request);
        return;
      case 'execute':
        this.#queue.push(request);
        void this.#runNext();
        return;
      case 'interrupt':
        return this.#interrupt();
      case 'restart':
        void this.#replaceGuest('restarted');
        return;
      case 'shutdown':
        void this.stop(0);
        return;
      case 'input_reply':
        return this.#inputs.reply(request.request, request.value);
      case 'model_reply':
        return this.#models.reply(request.request, request.model);
      case 'program':
        this.#processes
          ?.control(request.id, request.action)
          .catch((error: unknown) =>
            this.#log('warn', error instanceof Error ? error.message : String(error)),
          );
        return;
      case 'debug':
        return this.#debug.receive(request.command);
      case 'query':
        void this.#query(request.id, request.query);
        return;
      default:
        request satisfies never;
        this.#log('warn', 'The driver sent a request that this kernel does not know.');
    }
  }

  /** Cells go on without their driver; what a debugger of it held goes on, too. */
  driverLeft(): void {
    this.#debug.detach();
  }

  /** Ends everything that runs; also when the driver is gone. */
  async stop(code: number): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    this.#generation += 1;
    this.#abortQueue();
    if (this.#current !== null) this.#current.forcedEnd = 'The kernel was stopped.';
    await Promise.allSettled([this.#guest?.dispose(), this.#processes?.killAll()]);
    this.#status('stopped', null);
    this.#options.onStopped(code);
  }

  /* ---------------------------------------------------------------- starting */

  async #start(request: Initialize): Promise<void> {
    if (this.#initialize !== null) return this.#log('warn', 'The kernel is initialized already.');
    this.#initialize = request;
    if (request.protocolVersion !== KERNEL_PROTOCOL_VERSION) {
      const versions = `${request.protocolVersion}, this kernel ${KERNEL_PROTOCOL_VERSION}`;
      return this.#failed(
        `The driver speaks kernel protocol ${versions}; update both to one version.`,
      );
    }
    this.#processes = this.#options.createProcesses(request, {
      output: (output) => this.#batcher.add(output),
      send: (event) => this.#options.send(event),
      ask: (prompt, password, signal) => this.#ask(prompt, password, signal),
      debug: (message, signal) => {
        this.#batcher.flush();
        return this.#debug.call(message, signal);
      },
      ...(request.answersModelRequests === true
        ? { chooseModel: (name, signal) => this.#chooseModel(name, signal) }
        : {}),
    });
    const begin = performance.now();
    this.#status('starting', null);
    const guest = await this.#startGuest(request);
    if (guest === null) return;
    this.#begin(guest);
    this.#options.send({
      type: 'ready',
      protocolVersion: KERNEL_PROTOCOL_VERSION,
      pid: process.pid,
      python: guest.version,
      guest: request.guest.kind,
      startupMilliseconds: Math.round(performance.now() - begin),
    });
    this.#becomeIdle();
  }

  /** `null`: it did not start, which has been reported, or it is no longer wanted. */
  async #startGuest(request: Initialize): Promise<PythonGuest | null> {
    this.#generation += 1;
    const generation = this.#generation;
    try {
      const guest = await this.#options.startGuest(request, this.#hooks(generation));
      if (generation !== this.#generation) {
        await guest.dispose();
        return null;
      }
      return guest;
    } catch (error) {
      if (generation === this.#generation) {
        this.#failed(
          `Python could not be started. ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      return null;
    }
  }

  #begin(guest: PythonGuest): void {
    this.#guest = guest;
    for (const control of this.#controls.splice(0)) guest.control(control);
  }

  #hooks(generation: number): GuestHooks {
    const isPresent = (): boolean => generation === this.#generation;
    return {
      listener: {
        output: (output) => {
          if (isPresent()) this.#batcher.add(output);
        },
        log: (level, message) => this.#log(level, message),
        keepsUp: () => this.#options.keepsUp(),
        died: (reason) => {
          if (isPresent() && this.#guest !== null) this.#guestDied(reason);
        },
      },
      onGen: (record) =>
        this.#options.send({ type: 'gen', run: this.#current?.request.run ?? null, record }),
      processCall: (message, signal) => this.#handleProcessCall(message, signal),
    };
  }

  readonly #handleProcessCall: ProcessCallHandler = async (message, signal) => {
    if (this.#processes === null)
      return { error: { pythonType: 'RuntimeError', message: 'not initialized' } };
    return this.#processes.handle(message, signal);
  };

  /** The kernel cannot go on: every run ends, the reason is the status. */
  #failed(reason: string): void {
    this.#log('error', reason);
    for (const { run } of this.#queue.splice(0)) {
      const error = {
        name: 'KernelError',
        message: reason,
        traceback: reason,
        line: null,
        cellId: null,
      };
      this.#options.send({ type: 'output', run, output: { kind: 'error', error } });
      this.#options.send({
        type: 'finished',
        run,
        outcome: { status: 'error', error },
        milliseconds: 0,
      });
    }
    this.#status('stopped', reason);
    this.#stopping = true;
    void this.#processes?.killAll();
    this.#options.onStopped(1);
  }

  /* ---------------------------------------------------------------- running */

  async #runNext(): Promise<void> {
    const guest = this.#guest;
    if (guest === null || this.#current !== null) return;
    const request = this.#queue.shift();
    if (request === undefined) return;
    this.#batcher.flush();
    this.#executionOrder += 1;
    const run: Run = { request, begin: performance.now(), forcedEnd: null };
    this.#current = run;
    this.#status('busy', null);
    this.#options.send({ type: 'started', run: request.run, executionOrder: this.#executionOrder });
    const result = await guest.execute(request.cell, request.code, request.debug === true);
    this.#finish(run, result);
  }

  #finish(run: Run, result: CellResult): void {
    this.#stopEscalation();
    this.#inputs.closeAll();
    this.#models.closeAll();
    this.#debug.runEnded();
    const outcome = this.#outcome(run, result);
    this.#batcher.flush();
    this.#current = null;
    const milliseconds = Math.round(performance.now() - run.begin);
    this.#options.send({ type: 'finished', run: run.request.run, outcome, milliseconds });
    if (outcome.status !== 'ok' && run.request.stopOnError) this.#abortQueue();
    if (this.#guest === null || this.#stopping) return;
    if (this.#queue.length === 0) this.#becomeIdle();
    else void this.#runNext();
  }

  #outcome(run: Run, result: CellResult): RunOutcome {
    if (run.forcedEnd !== null) {
      this.#batcher.add({ kind: 'stream', name: 'stderr', text: `${run.forcedEnd}\n` });
      return { status: 'interrupted' };
    }
    if (result.status === 'ok') {
      this.#deaths = 0;
      return result;
    }
    this.#batcher.add({ kind: 'error', error: result.error });
    return result.status === 'error' ? result : { status: 'interrupted' };
  }

  #becomeIdle(): void {
    if (this.#current !== null || this.#guest === null) return;
    if (this.#queue.length > 0) void this.#runNext();
    else this.#status('idle', null);
  }

  #abortQueue(): void {
    for (const { run } of this.#queue.splice(0)) {
      this.#options.send({
        type: 'finished',
        run,
        outcome: { status: 'aborted' },
        milliseconds: 0,
      });
    }
  }

  /* ---------------------------------------------------------------- interrupt and restart */

  #interrupt(): void {
    this.#abortQueue();
    const run = this.#current;
    if (run === null || this.#guest === null || this.#initialize === null) return;
    this.#status('interrupting', null);
    this.#guest.interrupt();
    // Its handlers and `finally` clauses must not stop again.
    this.#debug.detach();
    const patience = this.#options.escalation[this.#initialize.guest.kind];
    this.#escalation ??= setTimeout(() => this.#endStubbornRun(run, patience), patience);
  }

  #endStubbornRun(run: Run, patience: number): void {
    this.#escalation = null;
    if (this.#current !== run) return;
    run.forcedEnd =
      `The cell did not stop within ${patience / 1000} seconds of the interrupt, so Python was restarted. ` +
      'All variables are lost; run the cells above again.';
    void this.#replaceGuest('Python was restarted to stop a cell; all variables are lost.');
  }

  #stopEscalation(): void {
    if (this.#escalation !== null) clearTimeout(this.#escalation);
    this.#escalation = null;
  }

  #guestDied(reason: string): void {
    this.#deaths += 1;
    if (this.#deaths <= MOST_DEATHS)
      return void this.#replaceGuest(`Python ended unexpectedly: ${reason}`);
    this.#guest = null;
    return this.#failed(
      `Python ended ${this.#deaths} times in a row without running a cell: ${reason}`,
    );
  }

  /** A fresh guest in place of the present one. Programs that cells started end with it. */
  async #replaceGuest(reason: string): Promise<void> {
    const { request, old } = { request: this.#initialize, old: this.#guest };
    if (request === null || this.#stopping) return;
    this.#abortQueue();
    this.#generation += 1;
    this.#guest = null;
    if (reason === 'restarted' && this.#current !== null)
      this.#current.forcedEnd = 'The kernel was restarted.';
    await Promise.allSettled([old?.dispose(), this.#processes?.killAll()]);
    if (this.#stopping) return;
    const fresh = await this.#startGuest(request);
    if (fresh === null) return;
    this.#begin(fresh);
    this.#executionOrder = 0;
    this.#status('restarted', reason === 'restarted' ? null : reason);
    this.#becomeIdle();
  }

  /* ---------------------------------------------------------------- questions */

  async #query(id: number, query: KernelQuery): Promise<void> {
    try {
      if (this.#guest === null) throw new Error('Python is not running yet');
      // SAFETY: `KernelQuery` is plain JSON with a `kind`.
      const question = query as KernelQuery & Parameters<PythonGuest['query']>[0];
      const found = await this.#guest.query(question);
      const result =
        query.kind === 'preview' ? await previewAnswer(found, this.#previewServer()) : found;
      // SAFETY: answers are plain JSON; TypeScript does not see that of an interface.
      this.#options.send({ type: 'reply', id, result: result as JsonValue });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#options.send({ type: 'reply_error', id, message });
    }
  }

  #previewServer(): PreviewServer {
    const { endpoint = null, endpointOptions } = this.#initialize ?? {};
    return {
      endpoint,
      apiKey: endpointOptions?.apiKey,
      stateOf: (url) => this.#processes?.stateOf(url) ?? Promise.resolve(null),
    };
  }

  #ask(prompt: string, password: boolean, signal: AbortSignal): Promise<string | null> {
    this.#batcher.flush();
    const run = this.#current?.request.run;
    return run === undefined
      ? Promise.resolve(null)
      : this.#inputs.ask(run, prompt, password, signal);
  }

  #chooseModel(name: string, signal: AbortSignal): Promise<string | null> {
    this.#batcher.flush();
    return this.#models.ask(this.#current?.request.run ?? null, name, signal);
  }

  /* ---------------------------------------------------------------- events */

  #sendOutput(output: KernelOutput): void {
    const run = this.#current?.request.run ?? null;
    const numbered =
      output.kind === 'result' ? { ...output, executionOrder: this.#executionOrder } : output;
    this.#options.send({ type: 'output', run, output: numbered });
  }

  #status(status: KernelStatus, reason: string | null): void {
    this.#options.send({ type: 'status', status, reason });
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', message: string): void {
    this.#options.send({ type: 'log', level, message });
  }
}
