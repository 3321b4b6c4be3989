/**
 * Executes the expressions of one program state, one after the other, in the order they were
 * appended. The first failure is remembered: what was appended after it is not executed, and whoever
 * waits for something that can no longer come is told the cause. Nothing here waits for ever.
 */
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { StatePayload } from '../../protocol/output-payloads.ts';
import type { Backend } from '../backends/backend.ts';
import type { WireError } from '../guest/bridge-protocol.ts';
import { executeExpression, type ExecutionHost } from './execute-expression.ts';
import { definedNames, type Expression } from './ir.ts';
import { OwnDecisions, type OwnDecision, type OwnEvidence } from './own-decisions.ts';
import { InterruptedProgramError, wireError } from './program-error.ts';
import { ProgramState } from './program-state.ts';

export interface ExecutorOptions {
  readonly program: string | null;
  readonly backend: Backend;
  readonly state: ProgramState;
  readonly stream: boolean;
  readonly defaults: ExecutionHost['defaults'];
  readonly record: ExecutionHost['record'];
  readonly readImage: ExecutionHost['readImage'];
  readonly readVideo: ExecutionHost['readVideo'];
  /** A state failed while nothing waited for it. */
  readonly unseenFailure: (message: string) => void;
}

export type Variable =
  | { readonly status: 'value'; readonly value: JsonValue }
  /** `known`: names that the program has set or is about to. */
  | { readonly status: 'missing'; readonly known: readonly string[] }
  | { readonly status: 'failed'; readonly error: WireError };

/** A piece of a growing text: `position` is where the next one starts. */
export interface Piece {
  readonly text: string;
  readonly position: number;
  readonly done: boolean;
}

export class StreamExecutor {
  readonly state: ProgramState;
  readonly options: ExecutorOptions;
  readonly forks: StreamExecutor[] = [];
  #queue: Expression[] = [];
  #running = false;
  #ended = false;
  #failure: WireError | null = null;
  #bodyError: WireError | null = null;
  /** How often each variable is still to be written. */
  readonly #pending = new Map<string | null, number>();
  readonly #scopes = new Map<string, number>();
  readonly #decisions = new OwnDecisions();
  #watchers: (() => void)[] = [];
  #abort = new AbortController();

  constructor(options: ExecutorOptions) {
    this.options = options;
    this.state = options.state;
  }

  get failure(): WireError | null {
    return this.#failure ?? this.#bodyError;
  }

  /** Nothing is queued and nothing runs. */
  get idle(): boolean {
    return !this.#running && this.#queue.length === 0;
  }

  /** The program's body ended and everything it appended is done. */
  get finished(): boolean {
    return this.#ended && this.idle;
  }

  submit(expressions: readonly Expression[]): void {
    if (this.#failure !== null) return;
    for (const expression of expressions) {
      for (const name of definedNames(expression))
        this.#pending.set(name, (this.#pending.get(name) ?? 0) + 1);
      this.#queue.push(expression);
    }
    if (!this.#running && this.#queue.length > 0) void this.#drain();
  }

  setVariable(name: string | null, value: JsonValue): void {
    this.state.variables.set(name, value);
    this.#notify();
  }

  /** The program's body is over; `error` is what it raised. */
  end(error: WireError | null): void {
    this.#ended = true;
    this.#bodyError = error;
    this.#notify();
  }

  /** Cancels what runs and fails what is queued; a state that is idle stays as it is. */
  interrupt(): void {
    if (!this.idle) this.#interrupt();
  }

  /** As an interrupt, for forks as well, and for what the body would still append. */
  cancel(): void {
    if (!this.finished) this.#interrupt();
    for (const child of this.forks) child.cancel();
  }

  #interrupt(): void {
    this.#abort.abort();
    this.#fail(new InterruptedProgramError());
    this.#abort = new AbortController();
  }

  /**
   * Children start from this state as it is now, with its failure if it has one. A child has no body
   * of its own: it is finished whenever it is idle.
   */
  fork(): StreamExecutor {
    const state = new ProgramState(this.state.template, this.state);
    const child = new StreamExecutor({ ...this.options, state });
    child.#failure = this.#failure;
    child.#ended = true;
    for (const [name, offset] of this.#scopes) child.#scopes.set(name, offset);
    this.forks.push(child);
    return child;
  }

  /** `concate_and_append`: the text that a fork wrote goes on this state's. */
  append(child: StreamExecutor): void {
    this.state.append(child.state);
    this.#failure ??= child.#failure;
    this.#notify();
  }

  whenIdle(): Promise<void> {
    return this.#until(() => this.idle);
  }

  /** `outer`: asked from outside the program's body, which may still define the variable. */
  async variable(name: string | null, outer = false): Promise<Variable> {
    const over = (): boolean => !outer || this.#ended || this.#written(name);
    await this.#until(() => this.#settled(name) && over());
    const error = this.failure;
    const value = this.state.variables.get(name);
    if (value !== undefined && !(this.#pending.get(name) ?? 0)) return { status: 'value', value };
    return error === null
      ? { status: 'missing', known: this.#names() }
      : { status: 'failed', error };
  }

  /** Of the variables that are set or on their way. */
  #names(): readonly string[] {
    const names = new Set([...this.state.variables.keys(), ...this.#pending.keys()]);
    return [...names].filter((name) => name !== null);
  }

  async meta(name: string | null, timeoutSeconds: number | null): Promise<JsonValue> {
    const settled = this.#until(() => this.#settled(name));
    if (timeoutSeconds === null) await settled;
    else await Promise.race([settled, timeoutAfter(timeoutSeconds, name)]);
    return this.state.meta.get(name) ?? null;
  }

  /** What a method of the program's own decides on; `null` when it never comes to that. */
  async evidence(ticket: number): Promise<OwnEvidence | null> {
    const asked = (): OwnEvidence | undefined => this.#decisions.evidence(ticket);
    await this.#until(() => this.#failure !== null || asked() !== undefined);
    return this.#failure === null ? (asked() ?? null) : null;
  }

  decide(ticket: number, decision: OwnDecision | Error): void {
    this.#decisions.decide(ticket, decision);
  }

  /**
   * Text that was not yet handed out. `name: undefined` is the whole text. While a program streams,
   * a piece comes as soon as there is one; otherwise the complete text comes once.
   */
  async next(name: string | null | undefined, position: number): Promise<Piece> {
    const live = this.options.stream;
    const done = (): boolean => {
      if (name === undefined) return live ? this.finished : this.idle;
      return live ? this.finished || this.#written(name) : this.#settled(name);
    };
    await this.#until(() => done() || (live && this.#growing(name).length > position));
    const text = this.#growing(name);
    return { text: text.slice(position), position: Math.max(position, text.length), done: done() };
  }

  snapshot(whole: boolean): StatePayload {
    const { segments, inherited } = this.state;
    return {
      program: this.options.program,
      running: !this.idle,
      error: this.failure?.message ?? null,
      segments: whole ? [...inherited, ...segments] : [...segments],
      forks: this.forks.map((child) => ({
        ...child.snapshot(false),
        after: child.state.inherited.length - (whole ? 0 : inherited.length),
      })),
    };
  }

  /** Whether waiting longer cannot change the variable. A name never announced waits for nothing. */
  #settled(name: string | null): boolean {
    return this.#failure !== null || !(this.#pending.get(name) ?? 0);
  }

  #written(name: string | null): boolean {
    return (
      this.#failure !== null || (this.state.variables.has(name) && !(this.#pending.get(name) ?? 0))
    );
  }

  #growing(name: string | null | undefined): string {
    if (name === undefined) return this.state.text;
    const value = this.state.variables.get(name);
    return typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value);
  }

  async #drain(): Promise<void> {
    this.#running = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#execute(next);
      } catch (error) {
        this.#fail(error);
      }
    }
    this.#running = false;
    this.#notify();
  }

  async #execute(expression: Expression): Promise<void> {
    if (expression.kind === 'scope_begin') {
      this.#scopes.set(expression.name, this.state.text.length);
    } else if (expression.kind === 'scope_end') {
      this.state.variables.set(
        expression.name,
        this.state.text.slice(this.#scopes.get(expression.name) ?? 0),
      );
    } else {
      await executeExpression(expression, this.#host());
    }
    for (const name of definedNames(expression))
      this.#pending.set(name, Math.max(0, (this.#pending.get(name) ?? 0) - 1));
    this.#notify();
  }

  #host(): ExecutionHost {
    const { backend, state, stream, defaults, record, readImage, readVideo } = this.options;
    const changed = (): void => this.#notify();
    const { signal } = this.#abort;
    const decideOwn = (ticket: number, evidence: OwnEvidence): Promise<OwnDecision> => {
      const decision = this.#decisions.ask(ticket, evidence, signal);
      changed();
      return decision;
    };
    return {
      backend,
      state,
      stream,
      defaults,
      record,
      readImage,
      readVideo,
      changed,
      signal,
      decideOwn,
      upcoming: () => this.#queue,
    };
  }

  #fail(error: unknown): void {
    if (this.#failure !== null) return;
    this.#failure = wireError(error);
    this.#queue = [];
    const unseen = this.#watchers.length === 0 && this.#failure.type !== 'KeyboardInterrupt';
    if (unseen) this.options.unseenFailure(this.#failure.message);
    this.#notify();
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  #notify(): void {
    const watchers = this.#watchers;
    this.#watchers = [];
    for (const wake of watchers) wake();
  }
}

function timeoutAfter(seconds: number, name: string | null): Promise<never> {
  return new Promise((_, reject) => {
    const error = Object.assign(new Error(`Timeout while waiting for event '${name ?? 'None'}'`), {
      pythonType: 'TimeoutError',
    });
    setTimeout(() => reject(error), seconds * 1000).unref();
  });
}
