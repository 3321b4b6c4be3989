import { Worker } from 'node:worker_threads';
import type { EngineLimits, ModelInfo } from '../engine/engine.ts';
import type {
  EngineThreadData,
  FinishReason,
  FromEngine,
  GenerationRequest,
  Progress,
  SchedulerState,
  ToEngine,
} from './messages.ts';
import type { ImagePart } from '../vision/image-parts.ts';
import { type Picture, PictureError } from '../vision/picture.ts';
import type { SchedulerDump } from './state-dump.ts';

export interface EngineClientOptions {
  readonly data: Omit<EngineThreadData, 'signal'>;
  readonly onLog: (line: string) => void;
  /** The thread's program; by default the engine's, beside this one. */
  readonly thread?: URL;
}

/** The engine thread is gone; `code` is an engine error's, or INTERNAL. */
export class EngineThreadError extends Error {
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.name = 'EngineThreadError';
    this.code = code;
  }
}

type Listener = (progress: Progress) => void;

/** The HTTP thread's side of the engine thread: typed messages, one listener per request. */
export class EngineClient {
  readonly model: ModelInfo;
  readonly limits: EngineLimits;
  /** Resolves, with the reason, when the thread has broken down; every request was answered then. */
  readonly broken: Promise<EngineThreadError>;
  readonly #worker: Worker;
  readonly #signal: Int32Array;
  readonly #listeners = new Map<number, Listener>();
  readonly #calls = new Map<number, (message: FromEngine) => void>();
  #nextCall = 1;
  #stopping = false;

  private constructor(link: Link, ready: Extract<FromEngine, { type: 'ready' }>) {
    this.model = ready.model;
    this.limits = ready.limits;
    this.#worker = link.worker;
    this.#signal = link.signal;
    link.onMessage = (message) => this.#receive(message);
    this.broken = link.ended.then((error) => {
      this.#failAll(error);
      // A stop that was asked for is no break-down: nobody hears of it.
      return this.#stopping ? new Promise<EngineThreadError>(() => {}) : error;
    });
  }

  /** Starts the thread and loads the model. Rejects with `EngineThreadError`. */
  static async start(options: EngineClientOptions): Promise<EngineClient> {
    const link = startThread(options);
    const first = await Promise.race([link.ready, link.ended]);
    if (first instanceof EngineThreadError) throw first;
    return new EngineClient(link, first);
  }

  get running(): number {
    return this.#listeners.size;
  }

  /** Queues requests; each gets progress until one has a finish reason. */
  submit(requests: readonly GenerationRequest[], listener: Listener): void {
    for (const { id } of requests) this.#listeners.set(id, listener);
    this.#post({ type: 'generate', requests });
  }

  abort(ids: readonly number[]): void {
    const known = ids.filter((id) => this.#listeners.has(id));
    if (known.length > 0) this.#post({ type: 'abort', ids: known });
  }

  async flushCache(): Promise<boolean> {
    const answer = await this.#call((call) => ({ type: 'flush', call }));
    return answer.type === 'flushed' && answer.done;
  }

  async state(): Promise<SchedulerState> {
    const answer = await this.#call((call) => ({ type: 'state', call }));
    if (answer.type !== 'state') throw new EngineThreadError('INTERNAL', 'the engine has stopped');
    return answer.state;
  }

  /** Everything that the scheduler knows, for bug reports. */
  async dump(): Promise<SchedulerDump> {
    const answer = await this.#call((call) => ({ type: 'dump', call }));
    if (answer.type !== 'dump') throw new EngineThreadError('INTERNAL', 'the engine has stopped');
    return answer.dump;
  }

  /** What stands for a picture in a prompt, by libmtmd. Throws `PictureError`. */
  async imageParts(picture: Picture): Promise<readonly ImagePart[]> {
    const answer = await this.#call((call) => ({ type: 'image', call, picture }));
    if (answer.type !== 'image') throw new EngineThreadError('INTERNAL', 'the engine has stopped');
    if (answer.parts === null) throw new PictureError('FORMAT', answer.reason);
    return answer.parts;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const ended = new Promise((resolve) => this.#worker.once('exit', resolve));
    this.#post({ type: 'stop' });
    await ended;
  }

  #post(message: ToEngine): void {
    this.#worker.postMessage(message, []);
    Atomics.add(this.#signal, 0, 1);
    Atomics.notify(this.#signal, 0);
  }

  #call(message: (call: number) => ToEngine): Promise<FromEngine> {
    const call = this.#nextCall;
    this.#nextCall += 1;
    const { promise, resolve } = Promise.withResolvers<FromEngine>();
    this.#calls.set(call, resolve);
    this.#post(message(call));
    return promise;
  }

  #receive(message: FromEngine): void {
    switch (message.type) {
      case 'progress':
        for (const progress of message.progress) this.#deliver(progress);
        break;
      case 'image':
      case 'flushed':
      case 'state':
      case 'dump':
        this.#calls.get(message.call)?.(message);
        this.#calls.delete(message.call);
        break;
      case 'ready':
      case 'log':
      case 'failed':
        break;
    }
  }

  #deliver(progress: Progress): void {
    const listener = this.#listeners.get(progress.id);
    if (progress.finish !== null) this.#listeners.delete(progress.id);
    listener?.(progress);
  }

  #failAll(error: EngineThreadError): void {
    const finish: FinishReason = {
      type: 'abort',
      message: `The engine stopped: ${error.message}`,
      status_code: 500,
      err_type: 'InternalServerError',
    };
    const nothing = {
      text: '',
      takenBack: 0,
      tokens: [],
      inputLogprobs: null,
      outputLogprobs: null,
    };
    for (const id of this.#listeners.keys()) {
      this.#deliver({ id, ...nothing, cachedTokens: 0, retractions: 0, finish });
    }
    for (const resolve of this.#calls.values()) {
      resolve({ type: 'failed', code: error.code, message: error.message });
    }
    this.#calls.clear();
  }
}

interface Link {
  readonly worker: Worker;
  readonly signal: Int32Array;
  readonly ready: Promise<Extract<FromEngine, { type: 'ready' }>>;
  readonly ended: Promise<EngineThreadError>;
  onMessage: (message: FromEngine) => void;
}

/** The thread's file lies beside this program: as source, or as a bundle. */
function threadFile(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('../engine-thread.ts', import.meta.url)
    : new URL('./engine-thread.mjs', import.meta.url);
}

function startThread({ data, onLog, thread }: EngineClientOptions): Link {
  const signal = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(thread ?? threadFile(), { workerData: { ...data, signal } });
  const ready = Promise.withResolvers<Extract<FromEngine, { type: 'ready' }>>();
  const ended = Promise.withResolvers<EngineThreadError>();
  const link: Link = {
    worker,
    signal,
    ready: ready.promise,
    ended: ended.promise,
    onMessage: () => {},
  };
  worker.on('message', (message: FromEngine) => {
    if (message.type === 'ready') ready.resolve(message);
    if (message.type === 'log') onLog(message.line);
    if (message.type === 'failed') {
      ended.resolve(new EngineThreadError(message.code, message.message));
    }
    link.onMessage(message);
  });
  worker.on('error', (error: Error) => {
    ended.resolve(new EngineThreadError('INTERNAL', error.message));
  });
  worker.on('exit', () => {
    ended.resolve(new EngineThreadError('INTERNAL', 'the engine thread ended'));
  });
  return link;
}
