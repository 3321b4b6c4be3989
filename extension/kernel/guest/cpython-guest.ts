/**
 * The guest that runs in the user's own Python: a process which speaks frames over a pipe (see
 * `python/_sgl_transport_cpython.py`). The interpreter lives on this side, in the kernel's main thread.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { DebugControl } from '../../protocol/debug-protocol.ts';
import type {
  CellRef,
  EndpointOptions,
  GenRecord,
  JsonValue,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';
import type { KernelResources } from '../resources.ts';
import { redirected } from '../loopback.ts';
import { CellFiles } from './cell-files.ts';
import { encodeFrame, FrameReader } from './cpython-frames.ts';
import { GuestStartError, type ProcessCallHandler } from './guest-start.ts';
import type {
  BridgeMessage,
  BridgeReply,
  CellResult,
  GuestListener,
  HostBridge,
  PythonGuest,
} from './guest.ts';
import { createHostBridge } from './host-bridge.ts';
import { deadGuestResult, QueryTable } from './query-table.ts';
import { askWithStates } from './state-questions.ts';

export interface CPythonGuestOptions {
  readonly executable: string;
  readonly resources: KernelResources;
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly endpoint: string | null;
  readonly endpointOptions?: EndpointOptions;
  readonly listener: GuestListener;
  readonly onGen: (record: GenRecord) => void;
  readonly processCall: ProcessCallHandler;
}

type FromPython =
  | { readonly type: 'ready'; readonly python: string }
  | { readonly type: 'post'; readonly message: BridgeMessage }
  | { readonly type: 'call'; readonly id: number; readonly message: BridgeMessage }
  | { readonly type: 'finished'; readonly result: CellResult }
  | {
      readonly type: 'query_reply';
      readonly id: number;
      readonly ok?: JsonValue;
      readonly error?: string;
    };

type ToPython =
  | {
      readonly type: 'execute';
      readonly fileName: string;
      readonly cell: CellRef;
      readonly code: string;
      readonly debug: boolean;
    }
  | { readonly type: 'debug'; readonly command: DebugControl }
  | { readonly type: 'reply'; readonly id: number; readonly reply: BridgeReply }
  | { readonly type: 'query'; readonly id: number; readonly query: JsonValue }
  | { readonly type: 'interrupt' };

/** Characters of stderr that are kept to explain why Python did not start. */
const KEPT_STDERR = 2_000;

/** Settles when Python is ready; fails with `GuestStartError`. */
export async function startCPythonGuest(options: CPythonGuestOptions): Promise<PythonGuest> {
  const guest = new CPythonGuest(options);
  await guest.started;
  return guest;
}

class CPythonGuest implements PythonGuest {
  readonly started: Promise<void>;
  readonly #options: CPythonGuestOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #bridge: HostBridge;
  readonly #cells = new CellFiles();
  readonly #queries: QueryTable;
  #cancellation = new AbortController();
  #version = '';
  #stderr = '';
  #finish: ((result: CellResult) => void) | null = null;
  #ended = false;
  readonly #settleStart: { readonly resolve: () => void; readonly reject: (error: Error) => void };

  constructor(options: CPythonGuestOptions) {
    this.#options = options;
    let settle = { resolve: (): void => {}, reject: (_error: Error): void => {} };
    this.started = new Promise((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settleStart = settle;
    this.#bridge = createHostBridge({
      emit: (output) => this.#output(output),
      onGen: options.onGen,
      cwd: options.cwd,
      defaultEndpoint: options.endpoint,
      endpointOptions: options.endpointOptions ?? {},
      cellOf: (file) => this.#cells.cellOf(file),
      processCall: options.processCall,
    });
    this.#queries = new QueryTable((id, query) => this.#send({ type: 'query', id, query }));
    const script = join(options.resources.pythonFolder, '_sgl_cpython_main.py');
    this.#child = spawn(options.executable, ['-X', 'utf8', '-B', script], {
      cwd: options.cwd,
      env: { ...options.environment, PYTHONUNBUFFERED: '1' },
      stdio: 'pipe',
    });
    this.#listen();
  }

  get version(): string {
    return this.#version;
  }

  execute(cell: CellRef, code: string, debug = false): Promise<CellResult> {
    if (this.#ended) return Promise.resolve(deadGuestResult('it is not running'));
    this.#cancellation = new AbortController();
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#send({ type: 'execute', fileName: this.#cells.add(cell), cell, code, debug });
    });
  }

  control(command: DebugControl): void {
    this.#send({ type: 'debug', command });
  }

  interrupt(): void {
    if (this.#finish === null) return;
    this.#cancellation.abort();
    this.#cancellation = new AbortController();
    this.#bridge.interrupt();
    this.#send({ type: 'interrupt' });
  }

  query(
    query: { readonly kind: string } & { readonly [key: string]: JsonValue },
  ): Promise<JsonValue> {
    return askWithStates(query, (question) => this.#queries.ask(question), this.#bridge);
  }

  async dispose(): Promise<void> {
    const gone = new Promise<void>((resolve) => {
      if (
        this.#child.exitCode !== null ||
        this.#child.signalCode !== null ||
        this.#child.pid === undefined
      )
        resolve();
      else this.#child.once('exit', () => resolve());
    });
    this.#end('it was stopped');
    this.#child.kill('SIGKILL');
    await Promise.all([gone, this.#bridge.dispose()]);
  }

  #listen(): void {
    const frames = new FrameReader((json) => this.#receive(json));
    this.#child.stdout.on('data', (data: Buffer) => frames.push(data));
    // What C code prints, and Python's own last words.
    const decoder = new StringDecoder();
    this.#child.stderr.on('data', (data: Buffer) => {
      const text = decoder.write(data);
      this.#stderr = (this.#stderr + text).slice(-KEPT_STDERR);
      if (this.#version !== '') this.#output({ kind: 'stream', name: 'stderr', text });
    });
    // Writing to a Python that has just ended is reported by `exit`.
    this.#child.stdin.on('error', () => {});
    this.#child.on('error', (error) =>
      this.#died(`${this.#options.executable} cannot be run: ${error.message}`),
    );
    this.#child.on('close', (code, signal) => {
      const ending = signal === null ? `exit code ${code}` : `signal ${signal}`;
      const words = this.#version === '' ? this.#stderr.trim() : '';
      this.#died(words === '' ? `the process ended with ${ending}` : `${words} (${ending})`);
    });
  }

  #receive(json: string): void {
    let message: FromPython;
    try {
      // SAFETY: only `_sgl_transport_cpython.py` writes to this pipe.
      message = JSON.parse(json) as FromPython;
    } catch {
      // Or a cell, to a file descriptor that it does not know: nothing that follows can be trusted.
      this.#child.kill('SIGKILL');
      return this.#died('it wrote something else than messages to the pipe of the kernel');
    }
    switch (message.type) {
      case 'ready':
        this.#version = message.python;
        return this.#settleStart.resolve();
      case 'post':
        return this.#post(message.message);
      case 'call':
        void this.#call(message.id, message.message);
        return;
      case 'finished':
        return this.#finished(message.result);
      case 'query_reply':
        if (message.error === undefined)
          return this.#queries.resolve(message.id, message.ok ?? null);
        return this.#queries.reject(message.id, message.error);
      default:
        message satisfies never;
    }
  }

  #post(message: BridgeMessage): void {
    // SAFETY: our Python package builds it to `KernelOutput`.
    if (message.op === 'output') this.#output(message['output'] as unknown as KernelOutput);
    else this.#bridge.post(message);
  }

  async #call(id: number, message: BridgeMessage): Promise<void> {
    const routed = redirected(message, this.#options.endpoint, this.#options.endpointOptions);
    const reply = await this.#bridge.call(routed, this.#cancellation.signal);
    this.#send({ type: 'reply', id, reply });
  }

  #output(output: KernelOutput): void {
    if (this.#ended) return;
    this.#options.listener.output(output);
    // The pipe fills while the driver is slow, and Python waits in its write.
    this.#child.stdout.pause();
    void this.#options.listener.keepsUp().then(() => this.#child.stdout.resume());
  }

  #finished(result: CellResult): void {
    const finish = this.#finish;
    this.#finish = null;
    finish?.(result);
  }

  #died(reason: string): void {
    if (this.#ended) return;
    this.#end(reason);
    void this.#bridge.dispose();
    this.#settleStart.reject(new GuestStartError(reason));
    this.#options.listener.died(reason);
  }

  #end(reason: string): void {
    this.#ended = true;
    this.#cancellation.abort();
    this.#queries.close(reason);
    this.#finished(deadGuestResult(reason));
  }

  #send(message: ToPython): void {
    if (!this.#ended) this.#child.stdin.write(encodeFrame(JSON.stringify(message)));
  }
}
