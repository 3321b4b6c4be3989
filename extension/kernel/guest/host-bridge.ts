/**
 * The interpreter behind the Python package `sglang`: keeps the program states and backends that
 * Python names by number, and answers its messages. One bridge serves one guest.
 */
import type { GenRecord, JsonValue, KernelOutput } from '../../protocol/kernel-protocol.ts';
import { HttpClient } from '../backends/http.ts';
import type { GenOutcome } from '../sglang/execute-expression.ts';
import { parseExpressions } from '../sglang/ir.ts';
import { InterruptedProgramError, ProgramError, wireError } from '../sglang/program-error.ts';
import { ProgramState } from '../sglang/program-state.ts';
import { StreamExecutor } from '../sglang/stream-executor.ts';
import { BackendTable, type ConnectedBackend } from './backend-table.ts';
import {
  errorField,
  nullableNumber,
  nullableString,
  numberField,
  numbersField,
  objectField,
  stringField,
  stringMap,
  templateField,
} from './bridge-fields.ts';
import {
  isProcessCall,
  type BridgeCallName,
  type BridgeCalls,
  type BridgePost,
} from './bridge-protocol.ts';
import type { BridgeMessage, BridgeReply, HostBridge } from './guest.ts';
import { readImageFile } from './read-image.ts';

export interface HostBridgeOptions {
  /** Everything that cells show, in order. */
  readonly emit: (output: KernelOutput) => void;
  readonly onGen: (record: GenRecord) => void;
  /** Folder against which relative image paths are resolved. */
  readonly cwd: string;
  /** Base URL of the backend for programs that set none. */
  readonly defaultEndpoint: string | null;
  /** Id of the cell that has this file name in tracebacks; `null` for other files. */
  readonly cellOf?: (file: string) => string | null;
  /** Answers the calls of `ProcessCalls`; absent where there are no processes. */
  readonly processCall?: (message: BridgeMessage, signal: AbortSignal) => Promise<BridgeReply>;
}

/** Prefixes up to this length are not worth a request of their own (SGLang's rule). */
const MIN_CACHED_PREFIX = 64;

type Answer<Name extends BridgeCallName> = Promise<BridgeCalls[Name]['answer']>;

export function createHostBridge(options: HostBridgeOptions): HostBridge {
  return new InterpreterBridge(options);
}

class InterpreterBridge implements HostBridge {
  readonly #options: HostBridgeOptions;
  readonly #backends: BackendTable;
  readonly #states = new Map<number, StreamExecutor>();
  readonly #http = new HttpClient();
  /** Wakes every waiting call when the cell is interrupted. */
  #interruption = new AbortController();

  constructor(options: HostBridgeOptions) {
    this.#options = options;
    this.#backends = new BackendTable(options.defaultEndpoint);
  }

  post(message: BridgeMessage): void {
    try {
      this.#post(message);
    } catch (error) {
      const text = `The kernel could not handle "${message.op}": ${wireError(error).message}\n`;
      this.#options.emit({ kind: 'stream', name: 'stderr', text });
    }
  }

  async call(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> {
    const interruption = this.#interruption.signal;
    try {
      if (isProcessCall(message.op)) return await this.#processCall(message, signal);
      // SAFETY: an unknown op falls through the table lookup below to an error.
      const handler = this.#calls[message.op as BridgeCallName] as Handler | undefined;
      if (handler === undefined)
        throw new ProgramError('RuntimeError', `Unknown bridge call "${message.op}".`);
      return { ok: await unlessAborted(handler(message, signal), signal, interruption) };
    } catch (error) {
      const { type, message: text } = wireError(error);
      return { error: { pythonType: type, message: text } };
    }
  }

  interrupt(): void {
    for (const executor of this.#states.values()) executor.interrupt();
    this.#interruption.abort();
    this.#interruption = new AbortController();
  }

  async dispose(): Promise<void> {
    this.interrupt();
    this.#states.clear();
    await Promise.all([this.#backends.close(), this.#http.close()]);
  }

  #post(message: BridgeMessage): void {
    // SAFETY: only compared with the known names; the default branch reports any other.
    const op = message.op as BridgePost['op'];
    switch (op) {
      case 'new':
        return this.#newState(message);
      case 'submit':
        return this.#state(message).submit(parseExpressions(message['exprs']));
      case 'set':
        return this.#state(message).setVariable(
          nullableString(message, 'name'),
          message['value'] ?? null,
        );
      case 'end':
        return this.#state(message).end(errorField(message, 'error'));
      case 'drop':
        return this.#drop(numbersField(message, 'sids'));
      case 'set_template':
        this.#backend(message).template = templateField(message, 'template');
        return;
      case 'register_template':
        return this.#backends.templates.register(templateField(message, 'template'));
      case 'output':
        // SAFETY: our Python package builds it to the type in kernel-protocol.ts.
        return this.#options.emit(objectField(message, 'output') as unknown as KernelOutput);
      default:
        op satisfies never;
        throw new ProgramError('RuntimeError', 'no such message');
    }
  }

  #newState(message: BridgeMessage): void {
    const { backend, template } = this.#backend(message);
    const program = nullableString(message, 'program');
    const executor = new StreamExecutor({
      program,
      backend,
      state: new ProgramState(template, null),
      stream: message['stream'] === true,
      defaults: objectField(message, 'sampling'),
      record: (outcome) => this.#record(program, outcome),
      readImage: (path) => readImageFile(path, this.#options.cwd),
      unseenFailure: (text) => this.#warn(program, text),
    });
    this.#states.set(numberField(message, 'sid'), executor);
  }

  /** A state whose queue still runs goes on to its end; it only can no longer be named. */
  #drop(sids: readonly number[]): void {
    for (const sid of sids) {
      const executor = this.#states.get(sid);
      void executor?.whenIdle().then(() => this.#states.delete(sid));
    }
  }

  #state(message: BridgeMessage): StreamExecutor {
    const executor = this.#states.get(numberField(message, 'sid'));
    if (executor !== undefined) return executor;
    throw new ProgramError(
      'RuntimeError',
      'This program state belongs to an earlier session of the kernel.',
    );
  }

  #backend(message: BridgeMessage): ConnectedBackend {
    return this.#backends.get(numberField(message, 'backend'));
  }

  #warn(program: string | null, message: string): void {
    const name = program === null ? 'a program' : `program ${program}`;
    this.#options.emit({ kind: 'stream', name: 'stderr', text: `Error in ${name}: ${message}\n` });
  }

  #record(program: string | null, { expression, value, error, timing, request }: GenOutcome): void {
    const [file, line] = expression.at ?? [null, null];
    this.#options.onGen({
      program,
      name: expression.name,
      kind: expression.kind,
      value,
      error,
      cellId: file === null ? null : (this.#options.cellOf?.(file) ?? null),
      line,
      promptTokens: timing.promptTokens,
      cachedTokens: timing.cachedTokens,
      completionTokens: timing.completionTokens,
      milliseconds: timing.milliseconds,
      request,
    });
  }

  async #processCall(message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> {
    if (this.#options.processCall !== undefined) return this.#options.processCall(message, signal);
    throw new ProgramError('NotImplementedError', 'This kernel cannot start processes.');
  }

  readonly #calls: {
    readonly [Name in BridgeCallName]: (
      message: BridgeMessage,
      signal: AbortSignal,
    ) => Answer<Name>;
  } = {
    get: (message) =>
      this.#state(message).variable(nullableString(message, 'name'), message['outer'] === true),
    variables: async (message) => namedEntries(this.#state(message).state.variables),
    meta: (message) =>
      this.#state(message).meta(
        nullableString(message, 'name'),
        nullableNumber(message, 'timeout'),
      ),
    metas: async (message) => namedEntries(this.#state(message).state.meta),
    sync: async (message) => {
      await this.#state(message).whenIdle();
      return null;
    },
    text: async (message) => (await this.#idle(message)).state.text,
    messages: async (message) => (await this.#idle(message)).state.messages,
    error: async (message) => (await this.#idle(message)).failure,
    snapshot: async (message) => {
      const executor = this.#state(message);
      return {
        state: executor.snapshot(true),
        text: executor.state.text,
        finished: executor.finished,
      };
    },
    fork: async (message) => {
      const ids = numbersField(message, 'ids');
      const parent = this.#state(message);
      if (ids.length > 1) parent.submit([{ kind: 'commit' }]);
      await parent.whenIdle();
      for (const id of ids) this.#states.set(id, parent.fork());
      return null;
    },
    join: (message) => this.#join(message),
    next: (message) => this.#next(message),
    backend: async (message, signal) => {
      const options = objectField(message, 'options');
      const { kind, url } = {
        kind: stringField(message, 'kind'),
        url: stringField(message, 'url'),
      };
      const { id, backend, template } = await this.#backends.connect(kind, url, options, signal);
      return { id, modelInfo: backend.modelInfo, template };
    },
    default_backend: async (_message, signal) => {
      const found = await this.#backends.default(signal);
      if (found === null) return null;
      const { id, backend, template } = found;
      return { id, url: backend.url, modelInfo: backend.modelInfo, template };
    },
    flush_cache: async (message, signal) => {
      await this.#backend(message).backend.flushCache(signal);
      return null;
    },
    server_info: (message, signal) => this.#backend(message).backend.serverInfo(signal),
    cache_prefix: (message, signal) => this.#cachePrefix(message, signal),
    templates: async () => this.#backends.templates.all(),
    match_template: async (message) =>
      this.#backends.templates.match(stringField(message, 'model')),
    http: (message, signal) => this.#request(message, signal),
  };

  async #idle(message: BridgeMessage): Promise<StreamExecutor> {
    const executor = this.#state(message);
    await executor.whenIdle();
    return executor;
  }

  async #join(message: BridgeMessage): Answer<'join'> {
    const parent = this.#state(message);
    const children = numbersField(message, 'ids').map((sid) => this.#state({ ...message, sid }));
    await Promise.all([parent.whenIdle(), ...children.map((child) => child.whenIdle())]);
    if (stringField(message, 'mode') === 'concate_and_append') {
      for (const child of children) parent.append(child);
    }
    return children.map((child) => ({
      variables: namedEntries(child.state.variables),
      unnamed: child.state.variables.get(null) ?? null,
      error: child.failure,
    }));
  }

  async #next(message: BridgeMessage): Answer<'next'> {
    const executor = this.#state(message);
    const name = nullableString(message, 'name');
    const whole = message['whole'] === true;
    const { text, position, done } = await executor.next(
      whole ? undefined : name,
      numberField(message, 'position'),
    );
    const meta = whole ? null : (executor.state.meta.get(name) ?? null);
    if (!done) return { piece: text, position, done, error: null, meta };
    const variable = whole ? null : await executor.variable(name);
    const failed = variable?.status === 'failed' ? variable.error : null;
    return { piece: text, position, done, error: whole ? executor.failure : failed, meta };
  }

  /** Renders constants as a program would and has the server compute them in advance. */
  async #cachePrefix(message: BridgeMessage, signal: AbortSignal): Answer<'cache_prefix'> {
    const { backend, template } = this.#backend(message);
    const state = new ProgramState(template, null);
    for (const expression of parseExpressions(message['exprs'])) {
      if (expression.kind === 'text') state.fill(expression.text);
      else if (expression.kind === 'role_begin') state.beginRole(expression.role);
      else if (expression.kind === 'role_end') state.endRole();
      else break;
    }
    const always = message['always'] === true;
    if (always || state.text.length > MIN_CACHED_PREFIX)
      await backend.cachePrefix(state.prompt(), signal);
    return null;
  }

  async #request(message: BridgeMessage, signal: AbortSignal): Answer<'http'> {
    const timeout = nullableNumber(message, 'timeout');
    const limit =
      timeout === null ? signal : AbortSignal.any([signal, AbortSignal.timeout(timeout * 1000)]);
    const url = stringField(message, 'url');
    const body = nullableString(message, 'body');
    return this.#http.send(
      stringField(message, 'method'),
      url,
      body,
      limit,
      stringMap(message, 'headers'),
    );
  }
}

type Handler = (message: BridgeMessage, signal: AbortSignal) => Promise<JsonValue>;

/** The variables that have a name, as an object. */
function namedEntries(map: ReadonlyMap<string | null, JsonValue>): Record<string, JsonValue> {
  const entries = [...map].filter((entry): entry is [string, JsonValue] => entry[0] !== null);
  return Object.fromEntries(entries);
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
