/** Carries a run's commands out on VS Code's `NotebookCellExecution`, in batches. */
import { randomUUID } from 'node:crypto';
import { NotebookCellOutput, NotebookCellOutputItem, type NotebookCellExecution } from 'vscode';
import { answeredText } from '../../protocol/answered-text.ts';
import type { KernelError, KernelOutput, RunOutcome } from '../../protocol/kernel-protocol.ts';
import type { InputPayload } from '../../protocol/output-payloads.ts';
import type { InputQuestion } from '../kernel-client/kernel-session.ts';
import {
  coalesce,
  emptyRun,
  reduceOutput,
  type CellCommand,
  type CellRunState,
  type OutputContent,
  type ShownOutput,
} from './cell-run-reducer.ts';
import type { LongOutput } from './long-output.ts';
import { bundleItems } from './output-items.ts';

/** Milliseconds between two repaints of a running cell. */
const FLUSH_INTERVAL = 50;
/**
 * Milliseconds that a cell which shows nothing yet keeps the outputs of its last run. Most cells replace them
 * sooner, in one edit: the workbench lays the notebook out once, and nothing jumps.
 */
const CLEAR_AFTER = 200;

/** Gets a question that the cell shows answered; `null` at the end of input and when it is over. */
export type AskUser = (question: InputPayload, over: AbortSignal) => Promise<string | null>;

export class CellExecution {
  readonly #execution: NotebookCellExecution;
  readonly #linkTraceback: (traceback: string) => string;
  readonly #long: LongOutput;
  readonly #askUser: AskUser;
  /** Questions without an answer yet, by id. */
  readonly #questions = new Map<string, InputPayload>();
  #outputs: NotebookCellOutput[] = [];
  #state: CellRunState = emptyRun;
  #pending: CellCommand[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;
  #shows = false;
  #flushed = -Infinity;
  #phase: 'queued' | 'running' | 'ended' = 'queued';

  /**
   * `linkTraceback` makes the cells that a traceback names clickable; `long` takes the text that is too
   * long to show.
   */
  constructor(
    execution: NotebookCellExecution,
    linkTraceback: (traceback: string) => string,
    long: LongOutput,
    askUser: AskUser,
  ) {
    this.#long = long;
    this.#askUser = askUser;
    this.#execution = execution;
    this.#linkTraceback = linkTraceback;
  }

  get ended(): boolean {
    return this.#phase === 'ended';
  }

  start(executionOrder: number | null, startedAt = Date.now()): void {
    if (this.#phase !== 'queued') return;
    this.#phase = 'running';
    if (executionOrder !== null) this.#execution.executionOrder = executionOrder;
    this.#execution.start(startedAt);
    this.#pending.push({ kind: 'clear' });
    this.#timer = setTimeout(() => this.#flush(), CLEAR_AFTER);
  }

  output(output: KernelOutput): void {
    if (this.#phase !== 'running') return;
    this.#show(this.#long.take(output).map((shown) => this.#linked(shown)));
  }

  /** `input()`: the question stands in the cell until it is answered, then as text like in a terminal. */
  async ask({ prompt, password }: InputQuestion, over: AbortSignal): Promise<string | null> {
    if (this.#phase !== 'running') return null;
    const question: InputPayload = { id: randomUUID(), prompt, password };
    this.#questions.set(question.id, question);
    this.#show([{ kind: 'question', question }]);
    const answer = await this.#askUser(question, over);
    this.#answered(question, answer);
    return answer;
  }

  #answered({ id, prompt, password }: InputPayload, answer: string | null): void {
    if (!this.#questions.delete(id)) return;
    this.#show([{ kind: 'answered', id, text: answeredText(prompt, password, answer) }]);
  }

  #show(outputs: readonly ShownOutput[]): void {
    for (const output of outputs) {
      const { state, commands } = reduceOutput(this.#state, output);
      this.#state = state;
      this.#pending.push(...commands);
    }
    if (!this.#shows && this.#timer !== null) clearTimeout(this.#timer);
    if (!this.#shows) this.#timer = null;
    this.#shows = true;
    // What comes first is shown at once; what follows waits for the next repaint.
    const rest = Math.max(0, FLUSH_INTERVAL - (performance.now() - this.#flushed));
    this.#timer ??= setTimeout(() => this.#flush(), rest);
  }

  /** Ends the execution after everything it showed is drawn. Safe to call more than once. */
  async end(outcome: RunOutcome): Promise<void> {
    if (this.#phase === 'ended') return;
    this.#long.close();
    if (this.#phase === 'queued' && outcome.status === 'aborted') {
      // It never ran: what it showed before stays.
      this.#phase = 'ended';
      this.#execution.end(undefined);
      return;
    }
    if (this.#phase === 'queued') this.start(null);
    for (const question of this.#questions.values()) this.#answered(question, null);
    this.#phase = 'ended';
    this.#flush();
    this.#execution.end(success(outcome), Date.now());
  }

  /** Shows a failure that did not come from Python, then ends. */
  async fail(name: string, message: string): Promise<void> {
    if (this.#phase === 'queued') this.start(null);
    const error: KernelError = { name, message, traceback: message, line: null, cellId: null };
    this.output({ kind: 'error', error });
    await this.end({ status: 'error', error });
  }

  /**
   * VS Code sends edits in the order of the calls; waiting for each would make a cell with many outputs
   * end a second late. A notebook that was closed meanwhile rejects them: nothing is left to draw on.
   */
  #send(edit: () => Thenable<void> | undefined): void {
    const sent = async (): Promise<void> => edit();
    void sent().catch(() => {});
  }

  #linked(output: KernelOutput): KernelOutput {
    if (output.kind !== 'error') return output;
    const { error } = output;
    return { ...output, error: { ...error, traceback: this.#linkTraceback(error.traceback) } };
  }

  #flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#shows) this.#flushed = performance.now();
    const commands = coalesce(this.#pending);
    this.#pending = [];
    for (const group of groupEdits(commands)) {
      this.#send(() => this.#apply(group));
    }
  }

  #apply(group: readonly CellCommand[]): Thenable<void> | undefined {
    const [first] = group;
    const appended = group.flatMap((command) =>
      command.kind === 'append' ? [newOutput(command.content)] : [],
    );
    if (first?.kind === 'clear') {
      this.#outputs = appended;
      return appended.length > 0
        ? this.#execution.replaceOutput([...appended])
        : this.#execution.clearOutput();
    }
    if (appended.length > 0) {
      this.#outputs.push(...appended);
      return this.#execution.appendOutput(appended);
    }
    return first && first.kind !== 'append' ? this.#change(first) : undefined;
  }

  #change(command: Exclude<CellCommand, { kind: 'clear' | 'append' }>): Thenable<void> | undefined {
    switch (command.kind) {
      case 'extend': {
        const output = this.#outputs[command.index];
        const mime = output?.items[0]?.mime;
        if (!output || mime === undefined) return undefined;
        const item = new NotebookCellOutputItem(new TextEncoder().encode(command.text), mime);
        return this.#execution.appendOutputItems(item, output);
      }
      case 'replace': {
        const output = this.#outputs[command.index];
        if (!output) return undefined;
        // VS Code leaves this object as it was; its type says how it is extended.
        output.items = items(command.content);
        return this.#execution.replaceOutputItems(output.items, output);
      }
      default:
        return command satisfies never;
    }
  }
}

/**
 * Neighbouring appends together, with a clear before them, and every other command alone: each group is one
 * message to the workbench.
 */
function groupEdits(commands: readonly CellCommand[]): CellCommand[][] {
  const groups: CellCommand[][] = [];
  for (const command of commands) {
    const last = groups.at(-1);
    const isOpen = last?.[0]?.kind === 'append' || last?.[0]?.kind === 'clear';
    if (command.kind === 'append' && isOpen) last?.push(command);
    else groups.push([command]);
  }
  return groups;
}

function newOutput(content: OutputContent): NotebookCellOutput {
  const isResult = content.kind === 'bundle' && content.executionOrder !== null;
  return new NotebookCellOutput(items(content), { result: isResult });
}

function success(outcome: RunOutcome): boolean | undefined {
  switch (outcome.status) {
    case 'ok':
      return true;
    case 'error':
    case 'interrupted':
      return false;
    case 'aborted':
      return undefined;
    default:
      return outcome satisfies never;
  }
}

function items(content: OutputContent): NotebookCellOutputItem[] {
  switch (content.kind) {
    case 'stream':
      return [
        content.name === 'stdout'
          ? NotebookCellOutputItem.stdout(content.text)
          : NotebookCellOutputItem.stderr(content.text),
      ];
    case 'bundle':
      return bundleItems(content.data);
    case 'error':
      return [
        NotebookCellOutputItem.error({
          name: content.error.name,
          message: content.error.message,
          stack: content.error.traceback,
        }),
      ];
    default:
      return content satisfies never;
  }
}
