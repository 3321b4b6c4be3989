/**
 * The Debug Adapter Protocol for one run of a cell: the workbench's requests become commands of
 * `debug-protocol.ts`, the kernel's events go the other way. Pure: what it debugs is a `DebuggedRun`.
 */
import type {
  DebugBreakpoint,
  DebugCommand,
  DebugControl,
  DebugEvent,
  DebugFrame,
  DebugQuestion,
  DebugScope,
  DebugSource,
  DebugStep,
  DebugValue,
  ExceptionFilter,
} from '../../protocol/debug-protocol.ts';
import type {
  DapEvent,
  DapRequest,
  DapResponse,
  DapSource,
  DapSourceBreakpoint,
} from './dap-messages.ts';

export interface DebuggedRun {
  /** Runs the cell; settles when it has ended. `controls` hold from its first line on. */
  run(controls: readonly DebugControl[], onEvent: (event: DebugEvent) => void): Promise<void>;
  command(command: DebugCommand): void;
  interrupt(): void;
  /** The workbench's path as a source of this notebook's kernel; `null`: it is of another one. */
  sourceOf(path: string): DebugSource | null;
  shown(source: DebugSource): DapSource;
  readonly texts: DebugTexts;
}

/** What people see. */
export interface DebugTexts {
  readonly cell: string;
  readonly locals: string;
  readonly globals: string;
  readonly uncaught: string;
  readonly raised: string;
  readonly elsewhere: string;
  readonly badHits: string;
}

type Arguments = Readonly<Record<string, unknown>>;
type Handler = (given: Arguments) => unknown;

/** The stack on which cells run. */
const MAIN_THREAD = 1;
const HITS = /^\s*(?:>=|<=|==|>|<|%)?\s*\d+\s*$/;

export class CellDebugAdapter {
  readonly #run: DebuggedRun;
  readonly #send: (message: DapResponse | DapEvent) => void;
  readonly #handlers: Readonly<Record<string, Handler>>;
  readonly #breakpoints = new Map<string, DebugControl>();
  #exceptions: DebugControl = { kind: 'exceptions', filters: ['uncaught'] };
  readonly #threads = new Map<number, string>();
  readonly #questions = new Map<number, PromiseWithResolvers<unknown>>();
  /** The stack that stands still. */
  #stopped: number | null = null;
  #state: 'configuring' | 'running' | 'over' = 'configuring';
  #seq = 0;
  #lastQuestion = 0;

  constructor(run: DebuggedRun, send: (message: DapResponse | DapEvent) => void) {
    this.#run = run;
    this.#send = send;
    this.#threads.set(MAIN_THREAD, run.texts.cell);
    this.#handlers = {
      initialize: () => this.#capabilities(),
      launch: () => this.#event('initialized'),
      setBreakpoints: (given) => this.#setBreakpoints(given),
      setExceptionBreakpoints: (given) => this.#setExceptions(given),
      configurationDone: () => void this.#start(),
      threads: () => ({ threads: [...this.#threads].map(([id, name]) => ({ id, name })) }),
      stackTrace: (given) => this.#stackTrace(given),
      scopes: (given) => this.#scopes(numberOf(given, 'frameId') ?? 0),
      variables: (given) => this.#variables(given),
      evaluate: (given) => this.#evaluate(given),
      setVariable: (given) => this.#setVariable(given),
      continue: () => this.#resume('continue'),
      next: () => this.#resume('over'),
      stepIn: () => this.#resume('into'),
      stepOut: () => this.#resume('out'),
      pause: () => this.#run.command({ kind: 'pause' }),
      terminate: () => this.#run.interrupt(),
      disconnect: () => this.#detach(),
    };
  }

  /** The run has ended. */
  get isOver(): boolean {
    return this.#state === 'over';
  }

  /** Answers every request, unknown ones with a refusal. */
  async receive({ seq, command, arguments: given }: DapRequest): Promise<void> {
    const answer = { type: 'response', request_seq: seq, command } as const;
    try {
      const handler = Object.hasOwn(this.#handlers, command) ? this.#handlers[command] : undefined;
      if (handler === undefined) throw new Error(`The debugger does not know "${command}".`);
      const body = await handler(given ?? {});
      this.#seq += 1;
      this.#send({ ...answer, seq: this.#seq, success: true, ...(body ? { body } : {}) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.#seq += 1;
      this.#send({ ...answer, seq: this.#seq, success: false, message });
    }
  }

  /** The workbench is gone: the cell goes on without a debugger. */
  dispose(): void {
    this.#detach();
  }

  #capabilities(): unknown {
    const { uncaught, raised } = this.#run.texts;
    return {
      supportsConfigurationDoneRequest: true,
      supportsConditionalBreakpoints: true,
      supportsHitConditionalBreakpoints: true,
      supportsLogPoints: true,
      supportsEvaluateForHovers: true,
      supportsClipboardContext: true,
      supportsSetVariable: true,
      supportsTerminateRequest: true,
      exceptionBreakpointFilters: [
        { filter: 'uncaught', label: uncaught, default: true },
        { filter: 'raised', label: raised, default: false },
      ],
    };
  }

  /* ---------------------------------------------------------------- before and during the run */

  async #start(): Promise<void> {
    if (this.#state !== 'configuring') return;
    this.#state = 'running';
    const controls = [...this.#breakpoints.values(), this.#exceptions];
    try {
      await this.#run.run(controls, (event) => this.#onEvent(event));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#event('output', { category: 'important', output: `${reason}\n` });
    }
    this.#state = 'over';
    this.#goesOn();
    this.#event('terminated');
  }

  #control(command: DebugControl): void {
    if (this.#state === 'running') this.#run.command(command);
  }

  #setBreakpoints(given: Arguments): unknown {
    const { path } = Object(given['source']) as { readonly path?: unknown };
    const wanted = listOf(given['breakpoints']) as readonly DapSourceBreakpoint[];
    const source = typeof path === 'string' ? this.#run.sourceOf(path) : null;
    if (source === null) {
      const { elsewhere } = this.#run.texts;
      return { breakpoints: wanted.map(() => ({ verified: false, message: elsewhere })) };
    }
    const { badHits } = this.#run.texts;
    const hasBadHits = ({ hitCondition }: DapSourceBreakpoint): boolean =>
      Boolean(hitCondition) && !HITS.test(hitCondition ?? '');
    const breakpoints = wanted.filter((each) => !hasBadHits(each)).map(kernelBreakpoint);
    const control = { kind: 'breakpoints', source, breakpoints } as const;
    this.#breakpoints.set(String(path), control);
    this.#control(control);
    return {
      breakpoints: wanted.map((each) =>
        hasBadHits(each)
          ? { verified: false, line: each.line, message: badHits }
          : { verified: true, line: each.line },
      ),
    };
  }

  #setExceptions(given: Arguments): void {
    const filters = listOf(given['filters']) as readonly ExceptionFilter[];
    this.#exceptions = { kind: 'exceptions', filters };
    this.#control(this.#exceptions);
  }

  #detach(): void {
    if (this.#state === 'running') this.#run.command({ kind: 'detach' });
    this.#goesOn();
  }

  #onEvent(event: DebugEvent): void {
    switch (event.kind) {
      case 'stopped': {
        const { thread, reason, text } = event;
        this.#stopped = thread.id;
        if (!this.#threads.has(thread.id)) this.#threads.set(thread.id, thread.name);
        const told = text === null ? {} : { text, description: text };
        this.#event('stopped', { reason, threadId: thread.id, allThreadsStopped: false, ...told });
        return;
      }
      case 'continued':
        this.#goesOn();
        return this.#event('continued', { threadId: event.thread, allThreadsContinued: false });
      case 'answer':
        return this.#questions.get(event.id)?.resolve(event.result);
      case 'refusal':
        return this.#questions.get(event.id)?.reject(new Error(event.message));
      case 'log':
        return this.#event('output', { category: 'console', output: `${event.text}\n` });
      default:
        event satisfies never;
    }
  }

  /* ---------------------------------------------------------------- while a stack stands still */

  #resume(step: DebugStep): unknown {
    this.#goesOn();
    this.#run.command({ kind: 'resume', step });
    return { allThreadsContinued: false };
  }

  #goesOn(): void {
    this.#stopped = null;
    for (const question of this.#questions.values()) question.reject(new Error('The cell runs.'));
  }

  async #ask(question: DebugQuestion): Promise<unknown> {
    if (this.#stopped === null) throw new Error('The cell runs.');
    this.#lastQuestion += 1;
    const id = this.#lastQuestion;
    const answer = Promise.withResolvers<unknown>();
    this.#questions.set(id, answer);
    this.#run.command({ kind: 'ask', id, question });
    try {
      return await answer.promise;
    } finally {
      this.#questions.delete(id);
    }
  }

  async #stackTrace(given: Arguments): Promise<unknown> {
    if (given['threadId'] !== this.#stopped) return { stackFrames: [], totalFrames: 0 };
    const frames = listOf(await this.#ask({ kind: 'stack' })) as readonly DebugFrame[];
    const start = numberOf(given, 'startFrame') ?? 0;
    const levels = numberOf(given, 'levels') || frames.length;
    return {
      totalFrames: frames.length,
      stackFrames: frames.slice(start, start + levels).map(({ id, name, line, source }) => {
        const shown = this.#run.shown(source);
        const isCell = name === '<module>' && 'cell' in source;
        return { id, name: isCell ? shown.name : name, line, column: 1, source: shown };
      }),
    };
  }

  async #scopes(frame: number): Promise<unknown> {
    const { locals, globals } = this.#run.texts;
    const scopes = listOf(await this.#ask({ kind: 'scopes', frame })) as readonly DebugScope[];
    return {
      scopes: scopes.map(({ kind, reference }) => ({
        name: kind === 'locals' ? locals : globals,
        ...(kind === 'locals' ? { presentationHint: 'locals' } : {}),
        variablesReference: reference,
        expensive: false,
      })),
    };
  }

  async #variables(given: Arguments): Promise<unknown> {
    const [start, count] = [numberOf(given, 'start'), numberOf(given, 'count')];
    const values = await this.#ask({
      kind: 'variables',
      reference: numberOf(given, 'variablesReference') ?? 0,
      ...(start === undefined ? {} : { start }),
      ...(count === undefined || count === 0 ? {} : { count }),
    });
    return { variables: (listOf(values) as readonly DebugValue[]).map(variableOf) };
  }

  async #evaluate(given: Arguments): Promise<unknown> {
    const frame = numberOf(given, 'frameId');
    const value = await this.#ask({
      kind: 'evaluate',
      text: textOf(given, 'expression'),
      context: textOf(given, 'context') || 'repl',
      ...(frame === undefined ? {} : { frame }),
    });
    const { value: result, ...rest } = variableOf(value as DebugValue);
    return { ...rest, result };
  }

  async #setVariable(given: Arguments): Promise<unknown> {
    const value = await this.#ask({
      kind: 'set',
      reference: numberOf(given, 'variablesReference') ?? 0,
      name: textOf(given, 'name'),
      text: textOf(given, 'value'),
    });
    return variableOf(value as DebugValue);
  }

  #event(event: string, body?: unknown): void {
    this.#seq += 1;
    this.#send({ type: 'event', seq: this.#seq, event, ...(body ? { body } : {}) });
  }
}

function kernelBreakpoint(wanted: DapSourceBreakpoint): DebugBreakpoint {
  const { line, condition, hitCondition, logMessage } = wanted;
  return {
    line,
    ...(condition ? { condition } : {}),
    ...(hitCondition ? { hits: hitCondition } : {}),
    ...(logMessage ? { log: logMessage } : {}),
  };
}

function variableOf({ name, type, value, reference, indexed, expression }: DebugValue) {
  return {
    name,
    value,
    ...(type === '' ? {} : { type }),
    variablesReference: reference,
    ...(indexed === undefined ? {} : { indexedVariables: indexed }),
    ...(expression === undefined ? {} : { evaluateName: expression }),
  };
}

function numberOf(given: Arguments, name: string): number | undefined {
  const value = given[name];
  return typeof value === 'number' ? value : undefined;
}

function textOf(given: Arguments, name: string): string {
  const value = given[name];
  return typeof value === 'string' ? value : '';
}

/** @param list of whoever speaks the protocol; anything else counts as empty */
function listOf(list: unknown): readonly unknown[] {
  return Array.isArray(list) ? list : [];
}
