/** The program states that Python names by number, and the messages about them. */
import type { GenRecord, JsonValue } from '../../protocol/kernel-protocol.ts';
import type { GenOutcome } from '../sglang/execute-expression.ts';
import { speculating } from '../backends/speculating.ts';
import { parseExpressions } from '../sglang/ir.ts';
import { ProgramError } from '../sglang/program-error.ts';
import { ProgramState } from '../sglang/program-state.ts';
import { StreamExecutor } from '../sglang/stream-executor.ts';
import type { ConnectedBackend } from './backend-table.ts';
import {
  errorField,
  nullableNumber,
  nullableString,
  numberField,
  numbersField,
  objectField,
  stringField,
  templateField,
} from './bridge-fields.ts';
import type { BridgeCallName, BridgeCalls } from './bridge-protocol.ts';
import type { BridgeMessage } from './guest.ts';
import { readImageFile } from './read-image.ts';
import { readVideoFrames } from './read-video.ts';

type Answer<Name extends BridgeCallName> = Promise<BridgeCalls[Name]['answer']>;

export interface StateTableOptions {
  readonly onGen: (record: GenRecord) => void;
  readonly cwd: string;
  readonly cellOf: (file: string) => string | null;
  /** A program failed while nobody waited for it. */
  readonly warn: (text: string) => void;
}

export class StateTable {
  readonly #options: StateTableOptions;
  readonly #states = new Map<number, StreamExecutor>();

  constructor(options: StateTableOptions) {
    this.#options = options;
  }

  create(message: BridgeMessage, { backend, template }: ConnectedBackend): void {
    const program = nullableString(message, 'program');
    const speculated = message['speculate'];
    const executor = new StreamExecutor({
      program,
      backend: typeof speculated === 'number' ? speculating(backend, speculated) : backend,
      state: new ProgramState(
        'template' in message ? templateField(message, 'template') : template,
        null,
      ),
      stream: message['stream'] === true,
      defaults: objectField(message, 'sampling'),
      record: (outcome) => this.#record(program, outcome),
      readImage: (path) => readImageFile(path, this.#options.cwd),
      readVideo: (path, frames, signal) => readVideoFrames(path, frames, this.#options.cwd, signal),
      unseenFailure: (text) => this.#options.warn(`Error in ${program ?? 'a program'}: ${text}`),
    });
    this.#states.set(numberField(message, 'sid'), executor);
  }

  submit(message: BridgeMessage): void {
    this.#state(message).submit(parseExpressions(message['exprs']));
  }

  set(message: BridgeMessage): void {
    this.#state(message).setVariable(nullableString(message, 'name'), message['value'] ?? null);
  }

  end(message: BridgeMessage): void {
    this.#state(message).end(errorField(message, 'error'));
  }

  cancel(message: BridgeMessage): void {
    this.#state(message).cancel();
  }

  decide(message: BridgeMessage): void {
    const error = errorField(message, 'error');
    this.#state(message).decide(
      numberField(message, 'ticket'),
      error === null
        ? { value: stringField(message, 'decision'), meta: objectField(message, 'meta') }
        : new ProgramError(error.type, error.message),
    );
  }

  /** A state whose queue still runs goes on to its end; it only can no longer be named. */
  drop(message: BridgeMessage): void {
    for (const sid of numbersField(message, 'sids')) {
      const executor = this.#states.get(sid);
      void executor?.whenIdle().then(() => this.#states.delete(sid));
    }
  }

  interrupt(): void {
    for (const executor of this.#states.values()) executor.interrupt();
  }

  clear(): void {
    this.#states.clear();
  }

  readonly calls = {
    get: (message: BridgeMessage): Answer<'get'> =>
      this.#state(message).variable(nullableString(message, 'name'), message['outer'] === true),
    variables: async (message: BridgeMessage): Answer<'variables'> =>
      namedEntries(this.#state(message).state.variables),
    meta: (message: BridgeMessage): Answer<'meta'> =>
      this.#state(message).meta(
        nullableString(message, 'name'),
        nullableNumber(message, 'timeout'),
      ),
    metas: async (message: BridgeMessage): Answer<'metas'> =>
      namedEntries(this.#state(message).state.meta),
    evidence: (message: BridgeMessage): Answer<'evidence'> =>
      this.#state(message).evidence(numberField(message, 'ticket')),
    sync: async (message: BridgeMessage): Answer<'sync'> => {
      await this.#state(message).whenIdle();
      return null;
    },
    text: async (message: BridgeMessage): Answer<'text'> => (await this.#idle(message)).state.text,
    messages: async (message: BridgeMessage): Answer<'messages'> =>
      (await this.#idle(message)).state.messages,
    error: async (message: BridgeMessage): Answer<'error'> => (await this.#idle(message)).failure,
    snapshot: async (message: BridgeMessage): Answer<'snapshot'> => {
      const executor = this.#state(message);
      return {
        state: executor.snapshot(true),
        text: executor.state.text,
        finished: executor.finished,
      };
    },
    fork: (message: BridgeMessage): Answer<'fork'> => this.#fork(message),
    join: (message: BridgeMessage): Answer<'join'> => this.#join(message),
    next: (message: BridgeMessage): Answer<'next'> => this.#next(message),
    video: async (message: BridgeMessage, signal: AbortSignal): Answer<'video'> => {
      const [path, frames] = [stringField(message, 'path'), numberField(message, 'frames')];
      return (await readVideoFrames(path, frames, this.#options.cwd, signal)).data;
    },
  };

  #state(message: BridgeMessage): StreamExecutor {
    const executor = this.#states.get(numberField(message, 'sid'));
    if (executor !== undefined) return executor;
    throw new ProgramError(
      'RuntimeError',
      'This program state belongs to an earlier session of the kernel.',
    );
  }

  async #idle(message: BridgeMessage): Promise<StreamExecutor> {
    const executor = this.#state(message);
    await executor.whenIdle();
    return executor;
  }

  async #fork(message: BridgeMessage): Answer<'fork'> {
    const ids = numbersField(message, 'ids');
    const parent = this.#state(message);
    if (ids.length > 1) parent.submit([{ kind: 'commit' }]);
    await parent.whenIdle();
    for (const id of ids) this.#states.set(id, parent.fork());
    return null;
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

  #record(program: string | null, outcome: GenOutcome): void {
    const { expression, value, error, timing, probability, request } = outcome;
    const [file, line] = expression.at ?? [null, null];
    this.#options.onGen({
      program,
      name: expression.name,
      kind: expression.kind,
      value,
      error,
      cellId: file === null ? null : this.#options.cellOf(file),
      line,
      promptTokens: timing.promptTokens,
      cachedTokens: timing.cachedTokens,
      completionTokens: timing.completionTokens,
      milliseconds: timing.milliseconds,
      probability,
      request,
    });
  }
}

/** The variables that have a name, as an object. */
function namedEntries(map: ReadonlyMap<string | null, JsonValue>): Record<string, JsonValue> {
  const entries = [...map].filter((entry): entry is [string, JsonValue] => entry[0] !== null);
  return Object.fromEntries(entries);
}
