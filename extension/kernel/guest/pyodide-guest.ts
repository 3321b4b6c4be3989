/** The WebAssembly guest as the kernel server sees it: a worker thread with Pyodide in it. */
import v8 from 'node:v8';
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import type { DebugControl } from '../../protocol/debug-protocol.ts';
import type {
  CellRef,
  EndpointOptions,
  GenRecord,
  JsonValue,
} from '../../protocol/kernel-protocol.ts';
import type { KernelResources } from '../resources.ts';
import { GuestStartError, type ProcessCallHandler } from './guest-start.ts';
import type { CellResult, GuestListener, PythonGuest } from './guest.ts';
import { ControlSender, createControlMemory } from './pyodide-control.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './pyodide-messages.ts';
import { deadGuestResult, QueryTable } from './query-table.ts';

/** A knock may come where nothing can be raised; it is repeated this often, milliseconds. */
const KNOCK_INTERVAL = 10;
/** Deep recursion in cells needs more stack than a worker has by default, megabytes. */
const WORKER_STACK = 4;

export interface PyodideGuestOptions {
  readonly resources: KernelResources;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoint: string | null;
  readonly endpointOptions?: EndpointOptions;
  readonly cacheFolder: string | null;
  readonly listener: GuestListener;
  readonly onGen: (record: GenRecord) => void;
  readonly processCall: ProcessCallHandler;
}

/** Settles when Python is ready; fails with `GuestStartError`. */
export async function startPyodideGuest(options: PyodideGuestOptions): Promise<PythonGuest> {
  allowStackSwitching();
  const guest = new PyodideGuest(options);
  await guest.started;
  return guest;
}

/**
 * WebAssembly stack switching is behind a flag in older Nodes. A flag that is set while the process runs
 * holds for workers that start afterwards, not for this thread.
 */
function allowStackSwitching(): void {
  if ('Suspending' in Object(Reflect.get(globalThis, 'WebAssembly'))) return;
  const [major = 0] = process.versions.node.split('.').map(Number);
  v8.setFlagsFromString(
    major < 23 ? '--experimental-wasm-stack-switching' : '--experimental-wasm-jspi',
  );
}

class PyodideGuest implements PythonGuest {
  readonly started: Promise<void>;
  readonly #options: PyodideGuestOptions;
  readonly #worker: Worker;
  readonly #control: ControlSender;
  readonly #debugPort: MessagePort;
  readonly #queries: QueryTable;
  readonly #processCalls = new Map<number, AbortController>();
  #version = '';
  #finish: ((result: CellResult) => void) | null = null;
  #knocking: NodeJS.Timeout | null = null;
  #ended = false;
  #settleStart: { readonly resolve: () => void; readonly reject: (error: Error) => void };

  constructor(options: PyodideGuestOptions) {
    this.#options = options;
    let settle = { resolve: (): void => {}, reject: (_error: Error): void => {} };
    this.started = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settleStart = settle;
    const control = createControlMemory();
    this.#control = new ControlSender(control);
    const debugging = new MessageChannel();
    this.#debugPort = debugging.port1;
    this.#debugPort.unref();
    const setup: WorkerSetup = {
      pyodideFolder: options.resources.pyodideFolder,
      pythonFolder: options.resources.pythonFolder,
      cwd: options.cwd,
      environment: options.environment,
      endpoint: options.endpoint,
      endpointOptions: options.endpointOptions ?? {},
      cacheFolder: options.cacheFolder,
      control,
      debugPort: debugging.port2,
    };
    this.#worker = new Worker(options.resources.guestWorker, {
      workerData: setup,
      transferList: [debugging.port2],
      resourceLimits: { stackSizeMb: WORKER_STACK },
      stdout: true,
      stderr: true,
    });
    for (const stream of [this.#worker.stdout, this.#worker.stderr]) {
      stream.on('data', (data: Buffer) => options.listener.log('warn', data.toString().trimEnd()));
    }
    this.#queries = new QueryTable((id, query) => this.#send({ type: 'query', id, query }));
    this.#worker.on('message', (message: FromWorker) => this.#receive(message));
    this.#worker.on('error', (error) => this.#died(error.message));
    this.#worker.on('exit', (code) => this.#died(`its thread ended with code ${code}`));
  }

  get version(): string {
    return this.#version;
  }

  execute(cell: CellRef, code: string, debug = false): Promise<CellResult> {
    if (this.#ended) return Promise.resolve(deadGuestResult('it is not running'));
    this.#control.settle();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#send({ type: 'execute', cell, code, debug });
    });
  }

  control(command: DebugControl): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#debugPort.postMessage(command);
  }

  interrupt(): void {
    if (this.#finish === null) return;
    this.#stopKnocking();
    const request = this.#control.request();
    const knock = (): void => {
      if (this.#finish === null || this.#control.isClaimed(request)) return this.#stopKnocking();
      this.#control.knock();
      this.#send({ type: 'interrupt' });
    };
    this.#knocking = setInterval(knock, KNOCK_INTERVAL);
    knock();
  }

  query(
    query: { readonly kind: string } & { readonly [key: string]: JsonValue },
  ): Promise<JsonValue> {
    return this.#queries.ask(query);
  }

  async dispose(): Promise<void> {
    this.#end('it was stopped');
    this.#debugPort.close();
    await this.#worker.terminate();
  }

  #receive(message: FromWorker): void {
    const { listener } = this.#options;
    switch (message.type) {
      case 'ready':
        this.#version = message.python;
        listener.log(
          'debug',
          `Python ${message.python} is ready${message.fromSnapshot ? ', from a snapshot' : ''}`,
        );
        return this.#settleStart.resolve();
      case 'output':
        if (!this.#ended) listener.output(message.output);
        void listener.keepsUp().then(() => this.#control.outputTaken(message.characters));
        return;
      case 'gen':
        return this.#options.onGen(message.record);
      case 'log':
        return listener.log(message.level, message.message);
      case 'finished':
        return this.#finished(message.result);
      case 'query_reply':
        return this.#queries.resolve(message.id, message.ok);
      case 'query_error':
        return this.#queries.reject(message.id, message.message);
      case 'process_call':
        void this.#processCall(message);
        return;
      case 'process_abort':
        return this.#processCalls.get(message.id)?.abort();
      case 'failed':
        return this.#died(message.reason);
      default:
        message satisfies never;
    }
  }

  async #processCall({ id, message }: FromWorker & { type: 'process_call' }): Promise<void> {
    const cancellation = new AbortController();
    this.#processCalls.set(id, cancellation);
    const reply = await this.#options.processCall(message, cancellation.signal);
    this.#processCalls.delete(id);
    if (!this.#ended) this.#send({ type: 'process_reply', id, reply });
  }

  #finished(result: CellResult): void {
    const finish = this.#finish;
    this.#finish = null;
    this.#stopKnocking();
    finish?.(result);
  }

  #died(reason: string): void {
    if (this.#ended) return;
    this.#end(reason);
    void this.#worker.terminate();
    this.#settleStart.reject(new GuestStartError(reason));
    this.#options.listener.died(reason);
  }

  #end(reason: string): void {
    this.#ended = true;
    for (const call of this.#processCalls.values()) call.abort();
    this.#queries.close(reason);
    this.#finished(deadGuestResult(reason));
  }

  #stopKnocking(): void {
    if (this.#knocking !== null) clearInterval(this.#knocking);
    this.#knocking = null;
  }

  #send(message: ToWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message);
  }
}
