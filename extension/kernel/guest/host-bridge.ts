/**
 * The interpreter behind the Python package `sglang`: takes its messages and answers them. One bridge
 * serves one guest; `state-table.ts` and `backend-calls.ts` know what the messages mean.
 */
import type {
  EndpointOptions,
  GenRecord,
  JsonValue,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';
import { NOTICE_MIME, type NoticePayload } from '../../protocol/output-payloads.ts';
import type { LocalServers, LocalServerState, StateMoment } from '../backends/local-servers.ts';
import { isKnownHere } from '../loopback.ts';
import { InterruptedProgramError, ProgramError, wireError } from '../sglang/program-error.ts';
import { BackendCalls } from './backend-calls.ts';
import { BackendTable } from './backend-table.ts';
import { objectField } from './bridge-fields.ts';
import {
  isProcessCall,
  type BridgeCallName,
  type BridgeCalls,
  type BridgePost,
} from './bridge-protocol.ts';
import type { BridgeMessage, BridgeReply, HostBridge } from './guest.ts';
import { HttpExchanges } from './http-exchanges.ts';
import { StateTable } from './state-table.ts';

export interface HostBridgeOptions {
  /** Everything that cells show, in order. */
  readonly emit: (output: KernelOutput) => void;
  readonly onGen: (record: GenRecord) => void;
  /** Folder against which relative image paths are resolved. */
  readonly cwd: string;
  /** Base URL of the backend for programs that set none. */
  readonly defaultEndpoint: string | null;
  /** Its key and certificates. */
  readonly endpointOptions?: EndpointOptions;
  /** Id of the cell that has this file name in tracebacks; `null` for other files. */
  readonly cellOf?: (file: string) => string | null;
  /** Answers the calls of `ProcessCalls`; absent where there are no processes. */
  readonly processCall?: (message: BridgeMessage, signal: AbortSignal) => Promise<BridgeReply>;
}

export function createHostBridge(options: HostBridgeOptions): HostBridge {
  return new InterpreterBridge(options);
}

type Handlers = {
  readonly [Name in BridgeCallName]: (
    message: BridgeMessage,
    signal: AbortSignal,
  ) => Promise<BridgeCalls[Name]['answer']>;
};

const NEVER = new AbortController().signal;

class InterpreterBridge implements HostBridge {
  readonly #options: HostBridgeOptions;
  readonly #backends: BackendCalls;
  readonly #states: StateTable;
  readonly #exchanges: HttpExchanges;
  readonly #calls: Handlers;
  /** Questions of the moment that are on their way, by URL: requests that start meanwhile share the answer. */
  readonly #asked = new Map<string, Promise<LocalServerState | null>>();
  /** Wakes every waiting call when the cell is interrupted. */
  #interruption = new AbortController();

  constructor(options: HostBridgeOptions) {
    this.#options = options;
    const local: LocalServers = {
      state: (url, moment, signal) => this.#serverState(url, moment, signal),
    };
    const table = new BackendTable(
      options.defaultEndpoint,
      (text) => this.#notice(text),
      options.endpointOptions,
      local,
    );
    this.#backends = new BackendCalls(table, local);
    this.#exchanges = new HttpExchanges(local);
    this.#states = new StateTable({
      onGen: options.onGen,
      cwd: options.cwd,
      cellOf: options.cellOf ?? (() => null),
      warn: (text) => this.#stderr(text),
    });
    this.#calls = { ...this.#states.calls, ...this.#backends.calls, ...this.#exchanges.calls };
  }

  post(message: BridgeMessage): void {
    try {
      this.#post(message);
    } catch (error) {
      this.#stderr(`The kernel could not handle "${message.op}": ${wireError(error).message}`);
    }
  }

  async call(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> {
    try {
      if (isProcessCall(message.op)) return await this.#processCall(message, signal);
      if (!Object.hasOwn(this.#calls, message.op)) {
        throw new ProgramError('RuntimeError', `Unknown bridge call "${message.op}".`);
      }
      // SAFETY: the check above says that the table has this name.
      const handler = this.#calls[message.op as BridgeCallName];
      const answer: Promise<unknown> = handler(message, signal);
      const value = await unlessAborted(answer, signal, this.#interruption.signal);
      // SAFETY: the answers of `BridgeCalls` consist of JSON values only.
      return { ok: value as JsonValue };
    } catch (error) {
      const { type, message: text } = wireError(error);
      return { error: { pythonType: type, message: text } };
    }
  }

  interrupt(): void {
    this.#states.interrupt();
    this.#interruption.abort();
    this.#interruption = new AbortController();
  }

  async dispose(): Promise<void> {
    this.interrupt();
    this.#states.clear();
    await Promise.all([this.#backends.close(), this.#exchanges.close()]);
  }

  #post(message: BridgeMessage): void {
    // SAFETY: only compared with the known names; the default branch reports any other.
    const op = message.op as BridgePost['op'];
    switch (op) {
      case 'new':
        return this.#states.create(message, this.#backends.of(message));
      case 'submit':
        return this.#states.submit(message);
      case 'set':
        return this.#states.set(message);
      case 'end':
        return this.#states.end(message);
      case 'cancel':
        return this.#states.cancel(message);
      case 'decide':
        return this.#states.decide(message);
      case 'drop':
        return this.#states.drop(message);
      case 'set_template':
        return this.#backends.setTemplate(message);
      case 'register_template':
        return this.#backends.registerTemplate(message);
      case 'output':
        // SAFETY: our Python package builds it to the type in kernel-protocol.ts.
        return this.#options.emit(objectField(message, 'output') as unknown as KernelOutput);
      default:
        op satisfies never;
        throw new ProgramError('RuntimeError', 'no such message');
    }
  }

  async #processCall(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> {
    if (this.#options.processCall !== undefined) return this.#options.processCall(message, signal);
    throw new ProgramError('NotImplementedError', 'This kernel cannot start processes.');
  }

  async #serverState(
    url: string,
    moment: StateMoment,
    signal: AbortSignal,
  ): Promise<LocalServerState | null> {
    // A batch sends thousands of requests at once, and each question goes to another thread and back.
    const asked = moment === 'now' ? this.#asked.get(url) : undefined;
    if (asked) return asked;
    if (this.#options.processCall === undefined || !isKnownHere(url)) return null;
    if (moment !== 'now') return this.#askState(url, moment, signal);
    // Whoever is interrupted must not end it for the others; it is answered at once.
    const answer = this.#askState(url, moment, NEVER).finally(() => this.#asked.delete(url));
    this.#asked.set(url, answer);
    return answer;
  }

  async #askState(
    url: string,
    moment: StateMoment,
    signal: AbortSignal,
  ): Promise<LocalServerState | null> {
    const message = { op: 'server_state', url, moment };
    const reply = await this.#options.processCall?.(message, signal);
    if (reply === undefined) return null;
    // SAFETY: the kernel's own processes answer it, to this type.
    return 'ok' in reply ? (reply.ok as unknown as LocalServerState | null) : null;
  }

  #notice(text: string): void {
    const payload: NoticePayload = { severity: 'warning', text };
    const data = { [NOTICE_MIME]: payload, 'text/plain': text };
    this.#options.emit({ kind: 'display', data, displayId: null });
  }

  #stderr(text: string): void {
    this.#options.emit({ kind: 'stream', name: 'stderr', text: `${text}\n` });
  }
}

/** The promise's value, or `InterruptedProgramError` as soon as one of the signals is aborted. */
function unlessAborted<Value>(
  promise: Promise<Value>,
  ...signals: readonly AbortSignal[]
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new InterruptedProgramError());
    const release = (): void => {
      for (const signal of signals) signal.removeEventListener('abort', stop);
    };
    for (const signal of signals) {
      if (signal.aborted) stop();
      else signal.addEventListener('abort', stop, { once: true });
    }
    promise.then(resolve, reject).finally(release);
  });
}
