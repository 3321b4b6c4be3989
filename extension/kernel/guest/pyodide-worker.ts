/**
 * The worker's side of the WebAssembly guest: Python, and the SGLang interpreter that it calls. Both
 * live in this thread, so that a call from Python needs no other thread.
 */
import { readdirSync } from 'node:fs';
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { PyodideAPI } from 'pyodide';
import type { PyCallable } from 'pyodide/ffi';
import type { DebugControl } from '../../protocol/debug-protocol.ts';
import type { JsonValue, KernelOutput } from '../../protocol/kernel-protocol.ts';
import { redirected } from '../loopback.ts';
import { CellFiles } from './cell-files.ts';
import type { BridgeMessage, CellResult, HostBridge } from './guest.ts';
import type { HostBridgeOptions } from './host-bridge.ts';
import { ControlReceiver } from './pyodide-control.ts';
import { trackCurrentFrame, type CurrentFrame } from './pyodide-frames.ts';
import { startPyodide } from './pyodide-load.ts';
import type { FromWorker, ToWorker, WorkerSetup } from './pyodide-messages.ts';
import { hostPath, planMounts, type MountPlan } from './pyodide-mounts.ts';
import { PackageDownloads, packageFolder } from './pyodide-packages.ts';
import { ProcessCalls } from './pyodide-process-calls.ts';
import { SuspendedWaits } from './pyodide-waits.ts';
import { askWithStates } from './state-questions.ts';

/** Where the guest sees our Python package. */
const PACKAGE_FOLDER = '/lib/sglang-notebooks';

export type BridgeFactory = (options: HostBridgeOptions) => HostBridge;

/** What `_sgl_pyodide_main.py` gives to this side. */
interface GuestModule {
  boot(cwd: string, environment: string): void;
  readonly execute_json: PyCallable;
  readonly query_json: (query: string) => string;
  readonly debug_control: (command: string) => void;
  readonly run_body: PyCallable;
}

export class PyodideWorker {
  readonly #setup: WorkerSetup;
  readonly #port: MessagePort;
  readonly #control: ControlReceiver;
  readonly #bridge: HostBridge;
  readonly #cells = new CellFiles();
  readonly #waits = new SuspendedWaits();
  readonly #processes: ProcessCalls;
  readonly #bodies = new Map<number, Promise<unknown>>();
  #cancellation = new AbortController();
  #guest: GuestModule | null = null;
  #running = false;
  #interrupts = 0;

  constructor(setup: WorkerSetup, port: MessagePort, createBridge: BridgeFactory) {
    this.#setup = setup;
    this.#port = port;
    this.#control = new ControlReceiver(setup.control);
    this.#processes = new ProcessCalls((message) => this.#send(message));
    this.#bridge = createBridge({
      emit: (output) => this.#emit(output),
      onGen: (record) => this.#send({ type: 'gen', record }),
      cwd: setup.cwd,
      defaultEndpoint: setup.endpoint,
      endpointOptions: setup.endpointOptions,
      cellOf: (file) => this.#cells.cellOf(file),
      processCall: (message, signal) => this.#processes.call(message, signal),
    });
  }

  async start(): Promise<void> {
    const { pyodide, fromSnapshot } = await startPyodide(
      this.#setup.pyodideFolder,
      this.#setup.cacheFolder,
      (level, message) => this.#send({ type: 'log', level, message }),
    );
    this.#redirectStreams(pyodide);
    pyodide.setInterruptBuffer(this.#control.signal);
    const plan = planMounts(process.platform, this.#setup.cwd, rootFolders());
    this.#mount(pyodide, plan);
    pyodide.registerJsModule('_sgl_js', {
      ...this.#hostModule(plan, trackCurrentFrame(pyodide)),
      ...this.#packageCalls(pyodide),
    });
    this.#guest = bootGuest(pyodide, plan.cwd, this.#setup.environment);
    this.#port.on('message', (message: ToWorker) => this.#receive(message));
    this.#setup.debugPort.on('message', (command: DebugControl) =>
      this.#guestModule.debug_control(JSON.stringify(command)),
    );
    this.#send({ type: 'ready', python: pythonVersion(pyodide), fromSnapshot });
  }

  #receive(message: ToWorker): void {
    switch (message.type) {
      case 'execute':
        void this.#execute(this.#cells.add(message.cell), message);
        return;
      case 'interrupt':
        return this.#interruptWaits();
      case 'query':
        void this.#query(message.id, message.query);
        return;
      case 'process_reply':
        return this.#processes.settle(message.id, message.reply);
      default:
        message satisfies never;
    }
  }

  async #execute(
    fileName: string,
    { cell, code, debug }: ToWorker & { type: 'execute' },
  ): Promise<void> {
    this.#cancellation = new AbortController();
    try {
      // The cell must not overtake its breakpoints, which come by another way.
      for (let control = this.#nextControl(); control; control = this.#nextControl())
        this.#guestModule.debug_control(control);
      const json: unknown = await this.#guestModule.execute_json.callPromising(
        fileName,
        cell.id,
        cell.label,
        code,
        debug,
      );
      // SAFETY: `_sgl_guest.py` builds it to this type.
      this.#send({ type: 'finished', result: JSON.parse(String(json)) as CellResult });
    } catch (error) {
      this.#executionFailed(error);
    } finally {
      this.#running = false;
    }
  }

  /** JSON of a debugger's command that has come, if any. */
  #nextControl(): string | undefined {
    const received = receiveMessageOnPort(this.#setup.debugPort);
    return received === undefined ? undefined : JSON.stringify(received.message);
  }

  /** The cell runner itself failed: an interrupt in its last lines, or an interpreter beyond repair. */
  #executionFailed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    const summary = text.trim().split('\n').at(-1) ?? '';
    if (isFatal(error)) return this.#send({ type: 'failed', reason: summary });
    const interrupted = summary.startsWith('KeyboardInterrupt');
    const name = interrupted ? 'KeyboardInterrupt' : 'RuntimeError';
    const failure = { name, message: summary, traceback: summary, line: null, cellId: null };
    this.#send({
      type: 'finished',
      result: { status: interrupted ? 'interrupted' : 'error', error: failure },
    });
  }

  async #query(id: number, query: JsonValue): Promise<void> {
    // SAFETY: `_sgl_guest.py` answers with JSON.
    const ask = (question: JsonValue) =>
      JSON.parse(this.#guestModule.query_json(JSON.stringify(question))) as JsonValue;
    try {
      const ok = await askWithStates(query, ask, this.#bridge);
      this.#send({ type: 'query_reply', id, ok });
    } catch (error) {
      const lines = (error instanceof Error ? error.message : String(error)).trim().split('\n');
      this.#send({ type: 'query_error', id, message: lines.at(-1) ?? 'the query failed' });
    }
  }

  /** Ends waits; when Python computes instead, its SIGINT handler takes the request. */
  #interruptWaits(): void {
    if (!this.#running || this.#waits.size === 0 || !this.#control.claim()) return;
    this.#control.quiet();
    this.#endWaits();
  }

  #endWaits(): void {
    this.#interrupts += 1;
    this.#cancellation.abort();
    this.#cancellation = new AbortController();
    this.#bridge.interrupt();
    this.#waits.endAll();
  }

  /** The module `_sgl_js` of `_sgl_transport_pyodide.py`. */
  #hostModule(plan: MountPlan, frame: CurrentFrame): object {
    return {
      post: (json: string) => this.#post(json),
      call: (json: string) => this.#waits.track(this.#call(json)),
      spawn: (id: number) => this.#spawn(id),
      body_end: (id: number) => this.#waits.track(this.#bodies.get(id) ?? Promise.resolve()),
      // The proxy that Python passes dies with the call; the wait needs its own.
      track: (future: PromiseLike<unknown> & { copy(): PromiseLike<unknown> }) =>
        this.#waits.track(future.copy()),
      claim_interrupt: () => this.#control.claim(),
      // Until now, only bodies that earlier cells left behind could have taken an interrupt.
      cell_begins: () => {
        this.#running = true;
      },
      end_waits: () => this.#endWaits(),
      interrupts: () => this.#interrupts,
      next_control: () => this.#nextControl(),
      suspend_frame: () => frame.suspend(),
      resume_frame: (suspended: number) => frame.resume(suspended),
      real_path: (path: string) => hostPath(plan.mounts, path),
    };
  }

  /** Of the module `_sgl_js`, for `_sgl_packages.py`. */
  #packageCalls(pyodide: PyodideAPI): object {
    const { cacheFolder, environment } = this.#setup;
    const folder = packageFolder(cacheFolder, pyodide.version);
    const downloads = new PackageDownloads(folder, ownPackagesUrl(pyodide), environment);
    return {
      fetch_package: (url: string, accept: string) =>
        downloads.get(url, accept, this.#cancellation.signal),
      provide_package: (fileName: string, sha256: string) =>
        downloads.provide(fileName, sha256, this.#cancellation.signal),
    };
  }

  #post(json: string): void {
    // SAFETY: our Python package builds messages to `BridgeMessage`.
    const message = JSON.parse(json) as BridgeMessage;
    if (message.op === 'output') {
      // SAFETY: as above, built to `KernelOutput`.
      this.#emit(message['output'] as unknown as KernelOutput, json.length);
    } else this.#bridge.post(message);
  }

  async #call(json: string): Promise<string> {
    // SAFETY: our Python package builds messages to `BridgeMessage`.
    const message = redirected(
      JSON.parse(json) as BridgeMessage,
      this.#setup.endpoint,
      this.#setup.endpointOptions,
    );
    const reply = await this.#bridge.call(message, this.#cancellation.signal);
    return JSON.stringify(reply);
  }

  #spawn(id: number): void {
    const end = this.#guestModule.run_body.callPromising(id).catch((error: unknown) => {
      if (isFatal(error)) this.#executionFailed(error);
    });
    this.#bodies.set(id, end);
    void end.then(() => this.#bodies.delete(id));
  }

  #redirectStreams(pyodide: PyodideAPI): void {
    for (const name of ['stdout', 'stderr'] as const) {
      const decoder = new TextDecoder();
      const write = (bytes: Uint8Array) => {
        const text = decoder.decode(bytes, { stream: true });
        if (text !== '') this.#emit({ kind: 'stream', name, text });
        return bytes.length;
      };
      if (name === 'stdout') pyodide.setStdout({ write });
      else pyodide.setStderr({ write });
    }
    pyodide.setStdin({ stdin: () => null });
  }

  #mount(pyodide: PyodideAPI, plan: MountPlan): void {
    const all = [...plan.mounts, { guest: PACKAGE_FOLDER, host: this.#setup.pythonFolder }];
    for (const mount of all) {
      try {
        pyodide.FS.mkdirTree(mount.guest);
        // Not `mountNodeFS`, which refuses folders that hold something, such as the guest's own /home.
        pyodide.FS.mount(pyodide.FS.filesystems.NODEFS, { root: mount.host }, mount.guest);
      } catch (error) {
        this.#send({
          type: 'log',
          level: 'warn',
          message: `${mount.host} is not visible to cells: ${String(error)}`,
        });
      }
    }
  }

  #emit(output: KernelOutput, characters = 64): void {
    this.#send({ type: 'output', output, characters });
    this.#control.outputSent(characters);
  }

  #send(message: FromWorker): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#port.postMessage(message);
  }

  get #guestModule(): GuestModule {
    if (this.#guest === null) throw new Error('Python has not started');
    return this.#guest;
  }
}

function bootGuest(
  pyodide: PyodideAPI,
  cwd: string,
  environment: WorkerSetup['environment'],
): GuestModule {
  pyodide.runPython(`import sys; sys.path.insert(0, ${JSON.stringify(PACKAGE_FOLDER)})`);
  // SAFETY: the module's functions are those of `GuestModule`.
  const guest = pyodide.pyimport('_sgl_pyodide_main') as GuestModule;
  guest.boot(cwd, JSON.stringify(environment));
  return guest;
}

function pythonVersion(pyodide: PyodideAPI): string {
  return String(pyodide.runPython('import sys; sys.version.split()[0]'));
}

/** Where Pyodide's makers publish the packages of this version. */
function ownPackagesUrl(pyodide: PyodideAPI): string {
  // SAFETY: Pyodide's own installer reads it from there, too.
  return (pyodide as unknown as { _api: { config: { cdnUrl: string } } })._api.config.cdnUrl;
}

function rootFolders(): readonly string[] {
  if (process.platform === 'win32') return [];
  return readdirSync('/', { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
}

function isFatal(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'pyodide_fatal_error' in error;
}
