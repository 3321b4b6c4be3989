/**
 * Several SGLang servers of one model as one backend. A request goes to the server that has computed
 * most of its prompt before, unless that one is much busier than the idlest; when a server fails, its
 * requests go to another one, and it is asked again after a pause.
 */
import type { JsonObject, JsonValue } from '../../protocol/kernel-protocol.ts';
import {
  BackendError,
  ConnectionLostError,
  RequestAbortedError,
  ServerStatusError,
  ServerUnreachableError,
  UnsupportedByBackendError,
  type Backend,
  type Completion,
  type GenerateParams,
  type Prompt,
  type SentRequest,
} from './backend.ts';
import { PrefixMemory } from './prefix-memory.ts';

export interface PoolOptions {
  /** Tells the user that a server was left or came back. */
  readonly notice: (text: string) => void;
  /** Connects to one server; asked again when a server that was down may be back. */
  readonly connect: (url: string, signal: AbortSignal) => Promise<Backend>;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

/** Milliseconds that a failed server is left alone: the first time, and at most. */
const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
/** Requests in flight by which a server with the prefix may be busier than the idlest one. */
const STICKINESS = 4;
/** Statuses of a server, or of a proxy before it, that is not able to answer at the moment. */
const UNAVAILABLE = new Set([502, 503, 504]);

interface Member {
  readonly url: string;
  /** `null` until it has answered once. */
  backend: Backend | null;
  running: number;
  /** Failures in a row. */
  failures: number;
  /** It is not used before this time, monotonic milliseconds. */
  restsUntil: number;
  readonly prefixes: PrefixMemory;
}

export class EndpointPool implements Backend {
  readonly url: string;
  readonly modelInfo: JsonObject;
  readonly modelPath: string;
  readonly #members: readonly Member[];
  readonly #options: PoolOptions;
  readonly #now: () => number;

  private constructor(members: readonly Member[], first: Backend, options: PoolOptions) {
    this.#members = members;
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.url = members.map(({ url }) => url).join(',');
    this.modelInfo = first.modelInfo;
    this.modelPath = first.modelPath;
  }

  /**
   * Servers that do not answer now join when they do. @throws BackendError when none answers, or when
   * they serve different models
   */
  static async connect(
    urls: readonly string[],
    options: PoolOptions,
    signal: AbortSignal,
  ): Promise<EndpointPool> {
    const answers = await Promise.allSettled(urls.map((url) => options.connect(url, signal)));
    const members = urls.map((url, index): Member => {
      const answer = answers[index];
      const backend = answer?.status === 'fulfilled' ? answer.value : null;
      const rest = { running: 0, failures: 0, restsUntil: 0, prefixes: new PrefixMemory() };
      return { url: url.replace(/\/+$/, ''), backend, ...rest };
    });
    const working = members.flatMap(({ backend }) => (backend === null ? [] : [backend]));
    const [first] = working;
    const [failure] = answers.filter(({ status }) => status === 'rejected');
    if (first === undefined) {
      throw failure?.status === 'rejected'
        ? failure.reason
        : new BackendError('No server is named.');
    }
    const other = working.find(({ modelPath }) => modelPath !== first.modelPath);
    if (other !== undefined) throw differentModels(first, other);
    const pool = new EndpointPool(members, first, options);
    for (const member of members) if (member.backend === null) pool.#leave(member, null);
    return pool;
  }

  generate(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ): Promise<readonly Completion[]> {
    return this.#onSome(prompt, signal, (backend) =>
      backend.generate(prompt, params, onRequest, signal),
    );
  }

  /**
   * Goes on with another server only while that cannot change what was yielded: before the first text,
   * or when the answer is greedy and so the same everywhere.
   */
  async *generateStream(
    prompt: Prompt,
    params: GenerateParams,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ): AsyncGenerator<Completion, void> {
    const tried = new Set<Member>();
    let seen = '';
    for (;;) {
      const { member, backend } = await this.#choose(prompt.text, tried, signal);
      member.running += 1;
      try {
        for await (const part of backend.generateStream(prompt, params, onRequest, signal)) {
          if (part.text.length < seen.length) continue;
          seen = part.text;
          yield part;
        }
        this.#worked(member, prompt.text);
        return;
      } catch (error) {
        if (!isServerFailure(error, signal)) throw error;
        this.#leave(member, error);
        tried.add(member);
        if (seen !== '' && params.temperature !== 0) throw error;
        if (tried.size === this.#members.length) throw error;
      } finally {
        member.running -= 1;
      }
    }
  }

  scoreChoices(
    prompt: Prompt,
    choices: readonly string[],
    unconditional: boolean,
    onRequest: (request: SentRequest) => void,
    signal: AbortSignal,
  ) {
    return this.#onSome(prompt, signal, (backend) =>
      backend.scoreChoices(prompt, choices, unconditional, onRequest, signal),
    );
  }

  async cachePrefix(prompt: Prompt, signal: AbortSignal): Promise<void> {
    await this.#onSome(prompt, signal, (backend) => backend.cachePrefix(prompt, signal));
  }

  /** Of all servers that work. */
  async flushCache(signal: AbortSignal): Promise<void> {
    const working = this.#members.filter(({ restsUntil }) => restsUntil <= this.#now());
    await Promise.all(working.map(async ({ backend }) => backend?.flushCache(signal)));
    for (const { prefixes } of this.#members) prefixes.clear();
  }

  /** What one server says, and the state of all under `endpoints`. */
  async serverInfo(signal: AbortSignal): Promise<JsonValue> {
    const empty: Prompt = { text: '', messages: [], images: [] };
    const info = await this.#onSome(empty, signal, (backend) => backend.serverInfo(signal));
    const endpoints = this.#members.map(({ url, running, restsUntil }) => ({
      url,
      healthy: restsUntil <= this.#now(),
      running,
    }));
    return { ...asObject(info), endpoints };
  }

  async #onSome<Value>(
    prompt: Prompt,
    signal: AbortSignal,
    work: (backend: Backend) => Promise<Value>,
  ): Promise<Value> {
    const tried = new Set<Member>();
    for (;;) {
      const { member, backend } = await this.#choose(prompt.text, tried, signal);
      member.running += 1;
      try {
        const value = await work(backend);
        this.#worked(member, prompt.text);
        return value;
      } catch (error) {
        if (!isServerFailure(error, signal)) throw error;
        this.#leave(member, error);
        tried.add(member);
        if (tried.size === this.#members.length) throw error;
      } finally {
        member.running -= 1;
      }
    }
  }

  /** The best server that this request has not tried. @throws BackendError when none is left. */
  async #choose(
    text: string,
    tried: Set<Member>,
    signal: AbortSignal,
  ): Promise<{ readonly member: Member; readonly backend: Backend }> {
    let failure: unknown = null;
    for (;;) {
      const untried = this.#members.filter((member) => !tried.has(member));
      const awake = untried.filter(({ restsUntil }) => restsUntil <= this.#now());
      // When all rest, asking too early is better than giving up.
      const member = best(awake.length > 0 ? awake : untried, text);
      if (member === null) {
        throw failure ?? new ServerUnreachableError(`None of the servers ${this.url} answers.`);
      }
      try {
        // Takes its place at once, so that requests which start together do not all choose it.
        member.running += 1;
        return { member, backend: await this.#awake(member, signal) };
      } catch (error) {
        if (!isServerFailure(error, signal)) throw error;
        failure = error;
        this.#leave(member, error);
        tried.add(member);
      } finally {
        member.running -= 1;
      }
    }
  }

  /** A server that has failed is greeted first: it may have come back with another model. */
  async #awake(member: Member, signal: AbortSignal): Promise<Backend> {
    if (member.backend !== null && member.failures === 0) return member.backend;
    const backend = await this.#options.connect(member.url, signal);
    if (backend.modelPath !== this.modelPath) throw differentModels(this, backend);
    if (member.failures > 0) {
      this.#options.notice(`The server ${member.url} answers again and takes its share.`);
    }
    member.backend = backend;
    member.failures = 0;
    member.restsUntil = 0;
    return backend;
  }

  #worked(member: Member, text: string): void {
    member.prefixes.add(text);
  }

  #leave(member: Member, error: unknown): void {
    // Requests that were in flight together fail together: that is one failure.
    if (member.failures > 0 && member.restsUntil > this.#now()) return;
    if (member.failures === 0) {
      const reason = error instanceof Error ? ` ${error.message}` : '';
      const others = this.#members.filter((each) => each !== member && each.failures === 0).length;
      this.#options.notice(
        `The server ${member.url} does not answer; ${others} of ${this.#members.length} servers do the work.${reason}`,
      );
    }
    member.failures += 1;
    const pause = Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (member.failures - 1));
    member.restsUntil = this.#now() + pause;
    member.prefixes.clear();
  }
}

/** The one that knows most of the text, if it is not much busier than the idlest; else the idlest. */
function best(members: readonly Member[], text: string): Member | null {
  const [first, ...others] = members;
  if (first === undefined) return null;
  const idlest = others.reduce((a, b) => (b.running < a.running ? b : a), first);
  let chosen = idlest;
  let known = idlest.prefixes.match(text);
  for (const member of members) {
    const match = member.prefixes.match(text);
    if (match > known && member.running - idlest.running < STICKINESS) {
      chosen = member;
      known = match;
    }
  }
  return chosen;
}

function asObject(value: JsonValue): JsonObject {
  // SAFETY: an object that is neither null nor an array is a JsonObject.
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : {};
}

/** The server is at fault, or gone: another one may answer the same request. */
function isServerFailure(error: unknown, signal: AbortSignal): boolean {
  if (signal.aborted || error instanceof RequestAbortedError) return false;
  if (error instanceof ServerStatusError) return UNAVAILABLE.has(error.status);
  return error instanceof ServerUnreachableError || error instanceof ConnectionLostError;
}

function differentModels(one: Backend, other: Backend): UnsupportedByBackendError {
  return new UnsupportedByBackendError(
    `The servers have different models (${one.modelPath} and, on ${other.url}, ${other.modelPath}): ` +
      'answers would depend on which one is asked. Give them one model, or connect to one.',
  );
}
