/** Debugs cells of a real kernel process in tests, as a debug adapter does. */
import type {
  DebugBreakpoint,
  DebugCommand,
  DebugEvent,
  DebugFrame,
  DebugQuestion,
  DebugScope,
  DebugSource,
  DebugStep,
  DebugValue,
  ExceptionFilter,
} from '../../extension/protocol/debug-protocol.ts';
import type { KernelDriver } from './kernel-driver.ts';

/** Milliseconds that a stop or an answer may take. */
const PATIENCE = 20_000;

type Stopped = DebugEvent & { readonly kind: 'stopped' };

export class DebugDriver {
  readonly #kernel: KernelDriver;
  #seenStops = 0;
  #questions = 0;
  #runs = 0;

  constructor(kernel: KernelDriver) {
    this.#kernel = kernel;
  }

  /** The source of a cell that is run under this label. */
  static cell(label: string): DebugSource {
    return { cell: `c-${label}` };
  }

  command(command: DebugCommand): void {
    this.#kernel.send({ type: 'debug', command });
  }

  breakpoints(source: DebugSource, ...breakpoints: readonly (number | DebugBreakpoint)[]): void {
    const all = breakpoints.map((each) => (typeof each === 'number' ? { line: each } : each));
    this.command({ kind: 'breakpoints', source, breakpoints: all });
  }

  exceptions(...filters: readonly ExceptionFilter[]): void {
    this.command({ kind: 'exceptions', filters });
  }

  /** Queues a cell for debugging; returns the name of the run. */
  execute(code: string, label: string): string {
    this.#runs += 1;
    const run = `debug-${this.#runs}`;
    const cell = { id: `c-${label}`, label };
    this.#kernel.send({ type: 'execute', run, cell, code, stopOnError: true, debug: true });
    return run;
  }

  /** The next stop that was not yet asked for. */
  async stopped(): Promise<Stopped> {
    await this.#until('a stop', () => this.#stops().length > this.#seenStops);
    this.#seenStops += 1;
    return this.#stops()[this.#seenStops - 1]!;
  }

  /** Stops that nobody has asked for. */
  get unseenStops(): number {
    return this.#stops().length - this.#seenStops;
  }

  /** Texts of log points. */
  get logged(): readonly string[] {
    return this.#events().flatMap((event) => (event.kind === 'log' ? [event.text] : []));
  }

  resume(step: DebugStep = 'continue'): void {
    this.command({ kind: 'resume', step });
  }

  /** Resumes and waits for the next stop. */
  async step(step: DebugStep): Promise<string> {
    this.resume(step);
    await this.stopped();
    return this.place();
  }

  /** Name and line of the innermost frame: `f:3`. */
  async place(): Promise<string> {
    const [frame] = await this.stack();
    return `${frame?.name}:${frame?.line}`;
  }

  /** Rejects with what the debugger refuses to answer. */
  async ask(question: DebugQuestion): Promise<unknown> {
    this.#questions += 1;
    const id = this.#questions;
    this.command({ kind: 'ask', id, question });
    const answered = (event: DebugEvent): boolean =>
      (event.kind === 'answer' || event.kind === 'refusal') && event.id === id;
    await this.#until(`an answer to ${question.kind}`, () => this.#events().some(answered));
    const event = this.#events().find(answered);
    if (event?.kind === 'refusal') throw new Error(event.message);
    return event?.kind === 'answer' ? event.result : null;
  }

  async stack(): Promise<readonly DebugFrame[]> {
    return (await this.ask({ kind: 'stack' })) as readonly DebugFrame[];
  }

  async evaluate(text: string, context = 'watch', frame?: number): Promise<DebugValue> {
    const where = frame === undefined ? {} : { frame };
    return (await this.ask({ kind: 'evaluate', text, context, ...where })) as DebugValue;
  }

  async value(text: string): Promise<string> {
    return (await this.evaluate(text)).value;
  }

  async scopes(frame: number): Promise<readonly DebugScope[]> {
    return (await this.ask({ kind: 'scopes', frame })) as readonly DebugScope[];
  }

  async parts(
    reference: number,
    range: { readonly start?: number; readonly count?: number } = {},
  ): Promise<readonly DebugValue[]> {
    return (await this.ask({ kind: 'variables', reference, ...range })) as readonly DebugValue[];
  }

  async #until(wanted: string, holds: () => boolean): Promise<void> {
    let late = false;
    const timer = setTimeout(() => (late = true), PATIENCE);
    const knock = setInterval(() => this.#kernel.wake(), 500);
    try {
      await this.#kernel.until(() => late || holds());
    } finally {
      clearTimeout(timer);
      clearInterval(knock);
    }
    if (!holds()) {
      const last = this.#kernel.events.slice(-6).map((event) => JSON.stringify(event));
      throw new Error(`${wanted} did not come; the last events:\n${last.join('\n')}`);
    }
  }

  #events(): readonly DebugEvent[] {
    return this.#kernel.events.flatMap((event) => (event.type === 'debug' ? [event.event] : []));
  }

  #stops(): readonly Stopped[] {
    return this.#events().flatMap((event) => (event.kind === 'stopped' ? [event] : []));
  }
}
