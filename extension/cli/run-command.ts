/** `sglnb run`: every code cell in order, live on the terminal, recorded for `--output`. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { answeredText } from '../protocol/answered-text.ts';
import type { NotebookCell, NotebookDocument } from '../notebook-format/document.ts';
import { pythonLiteral } from '../notebook-format/python-literal.ts';
import type { KernelOutput } from '../protocol/kernel-protocol.ts';
import type { RunCommand } from './arguments.ts';
import { formatTime, type ConsoleView } from './console-view.ts';
import type { InputPrompt } from './input-prompt.ts';
import { KernelDiedError, KernelSession, type RunResult } from './kernel-session.ts';
import { checkWritable, readNotebook, writeNotebook } from './notebook-files.ts';
import { OutputRecorder, type DisplayTable } from './output-recorder.ts';
import { injectParameters } from './parameters.ts';
import { EXIT } from './usage-error.ts';

export interface RunEnvironment {
  readonly kernelEntry: string;
  readonly view: ConsoleView;
  readonly input: InputPrompt;
  readonly showSource: boolean;
  /** Which file to run for a model's name in a notebook of this folder; `null`: the runtime decides. */
  readonly chooseModel: (
    name: string,
    folder: string,
    signal: AbortSignal,
  ) => Promise<string | null>;
  /** Aborted by the first Ctrl-C (reason `interrupt`) or by SIGTERM (reason `terminate`). */
  readonly interrupt: AbortSignal;
  /** Aborted by the second Ctrl-C. */
  readonly kill: AbortSignal;
}

/** How long an interrupted cell may take before its kernel is killed, after a timeout. */
const INTERRUPT_GRACE_MILLISECONDS = 5000;

export async function runCommand(
  command: RunCommand,
  environment: RunEnvironment,
): Promise<number> {
  if (command.output !== null) checkWritable(command.output);
  const file = resolve(command.file);
  const { document, warnings } = await readNotebook(command.file);
  const { view } = environment;
  for (const warning of warnings) view.message('notice', `${command.file}: ${warning}`);
  const cells = injectParameters(document.cells, command.parameters);
  const run = new NotebookRun(command, environment, cells);
  const exitCode = await run.execute(dirname(file));
  if (command.output !== null) {
    await writeNotebook(command.output, run.document(document));
    view.message('dim', `written to ${command.output}`);
  }
  return exitCode;
}

/** A file that exists is meant as file, seen from here; the kernel runs in the notebook's folder. */
function modelPath(model: string | null): string | null {
  return model !== null && existsSync(model) ? resolve(model) : model;
}

class NotebookRun {
  readonly #command: RunCommand;
  readonly #environment: RunEnvironment;
  readonly #cells: NotebookCell[];
  readonly #displays: DisplayTable = new Map();
  readonly #recorders = new Map<number, OutputRecorder>();
  #recorder: OutputRecorder;
  #failures = 0;

  constructor(command: RunCommand, environment: RunEnvironment, cells: readonly NotebookCell[]) {
    this.#command = command;
    this.#environment = environment;
    this.#cells = [...cells];
    this.#recorder = new OutputRecorder(this.#displays);
  }

  /** The notebook with the outputs of this run; cells that did not run have none. */
  document(original: NotebookDocument): NotebookDocument {
    const cells = this.#cells.map((cell, index) => {
      const outputs = this.#recorders.get(index)?.outputs();
      return outputs === undefined ? cell : { ...cell, outputs };
    });
    return { ...original, cells };
  }

  async execute(cwd: string): Promise<number> {
    const { view, interrupt, kill, kernelEntry } = this.#environment;
    for (const [index, cell] of this.#cells.entries()) {
      this.#cells[index] = { ...cell, outputs: [], executionCount: null };
    }
    if (interrupt.aborted) return this.#interruptedCode();
    const started = performance.now();
    const session = new KernelSession(
      kernelEntry,
      {
        cwd,
        guest:
          this.#command.python === null
            ? { kind: 'wasm' }
            : { kind: 'cpython', executable: this.#command.python },
        env: {},
        endpoint: this.#command.endpoint,
        model: modelPath(this.#command.model),
        answersModelRequests: true,
      },
      {
        output: (output) => this.#output(output),
        input: (request) => this.#input(request.prompt, request.password),
        chooseModel: (name) => this.#environment.chooseModel(name, cwd, interrupt),
        log: (level, message) => {
          if (level === 'error' || level === 'warn') view.message('notice', message);
        },
      },
    );
    const onInterrupt = () => this.#onInterrupt(session);
    const onKill = () => session.kill();
    interrupt.addEventListener('abort', onInterrupt);
    kill.addEventListener('abort', onKill);
    try {
      await session.ready;
      await this.#setArguments(session);
      await this.#runCells(session);
    } catch (error) {
      if (!(error instanceof KernelDiedError)) throw error;
      if (!interrupt.aborted) view.message('error', error.message);
      this.#failures += 1;
    } finally {
      interrupt.removeEventListener('abort', onInterrupt);
      await session.close();
      kill.removeEventListener('abort', onKill);
    }
    view.finish();
    if (interrupt.aborted) return this.#interruptedCode();
    this.#summarise(performance.now() - started);
    return this.#failures > 0 ? EXIT.failed : EXIT.ok;
  }

  /** As for a script: the file and what follows `--`. */
  async #setArguments(session: KernelSession): Promise<void> {
    const { file, programArguments } = this.#command;
    if (programArguments.length === 0 && !file.endsWith('.py')) return;
    const argv = pythonLiteral([file, ...programArguments]);
    const cell = { id: 'arguments', label: 'arguments' };
    await session.execute(cell, `import sys; sys.argv = ${argv}; del sys`, true);
  }

  #interruptedCode(): number {
    if (this.#environment.interrupt.reason === 'terminate') return EXIT.terminated;
    this.#environment.view.message('error', 'interrupted');
    return EXIT.interrupted;
  }

  #onInterrupt(session: KernelSession): void {
    const { interrupt, view } = this.#environment;
    if (interrupt.reason === 'terminate' || !session.running) {
      session.kill();
      return;
    }
    view.message('notice', 'interrupting the cell; press Ctrl-C again to kill the kernel');
    session.interrupt();
  }

  #summarise(milliseconds: number): void {
    const ran = this.#recorders.size;
    const cells = ran === 1 ? '1 cell' : `${ran} cells`;
    const failed = this.#failures > 0 ? `, ${this.#failures} failed` : '';
    const style = this.#failures > 0 ? 'error' : 'dim';
    this.#environment.view.message(style, `\n${cells} in ${formatTime(milliseconds)}${failed}`);
  }

  async #runCells(session: KernelSession): Promise<void> {
    const { view, showSource, interrupt } = this.#environment;
    const total = this.#cells.filter(isRunnable).length;
    let number = 0;
    for (const [index, cell] of this.#cells.entries()) {
      if (interrupt.aborted) return;
      if (cell.kind === 'markdown') view.markdown(cell.source);
      if (!isRunnable(cell)) continue;
      number += 1;
      view.cellStarts(number, total, cell, showSource);
      this.#recorder = new OutputRecorder(this.#displays);
      this.#recorders.set(index, this.#recorder);
      const { outcome, executionOrder, milliseconds } = await this.#runCell(session, cell, number);
      this.#cells[index] = { ...cell, executionCount: executionOrder };
      view.cellEnds(outcome, milliseconds);
      if (outcome.status === 'ok') continue;
      this.#failures += 1;
      if (!this.#command.allowErrors) return;
    }
  }

  async #runCell(session: KernelSession, cell: NotebookCell, number: number): Promise<RunResult> {
    const { timeoutSeconds } = this.#command;
    const label = `cell ${number}`;
    const run = session.execute({ id: cell.id, label }, cell.source, !this.#command.allowErrors);
    if (timeoutSeconds === null) return run;
    const { view } = this.#environment;
    let grace: NodeJS.Timeout | undefined;
    const timer = setTimeout(() => {
      view.message('error', `${label} ran longer than ${timeoutSeconds} s and is interrupted`);
      session.interrupt();
      grace = setTimeout(() => session.kill(), INTERRUPT_GRACE_MILLISECONDS);
    }, timeoutSeconds * 1000);
    try {
      return await run;
    } finally {
      clearTimeout(timer);
      clearTimeout(grace);
    }
  }

  #output(output: KernelOutput): void {
    this.#recorder.add(output);
    this.#environment.view.output(output);
  }

  async #input(prompt: string, password: boolean): Promise<string | null> {
    const { view, input } = this.#environment;
    view.prompt(prompt);
    const line = await input.readLine(password);
    view.answered();
    const text = answeredText(prompt, password, line);
    this.#recorder.add({ kind: 'stream', name: 'stdout', text });
    return line;
  }
}

function isRunnable({ kind, source }: NotebookCell): boolean {
  return kind === 'code' && source.trim() !== '';
}
