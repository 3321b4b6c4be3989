/**
 * Tools for the language models of chats and agents: read what a notebook is and has generated, run a
 * cell or a program. What runs is shown first and confirmed by the user; nothing runs in a folder that
 * is not trusted.
 */
import {
  commands,
  Disposable,
  l10n,
  LanguageModelTextPart,
  LanguageModelToolResult,
  lm,
  MarkdownString,
  window,
  workspace,
  type CancellationToken,
  type NotebookCell,
  type NotebookDocument,
  type PreparedToolInvocation,
} from 'vscode';
import { runBelow } from '../commands/run-program.ts';
import type { ProgramHome, ProgramHomes } from '../commands/program-homes.ts';
import type { NotebookInsight } from '../insight/notebook-insight.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { runCells } from '../notebook/run-cells.ts';
import {
  findCodeCell,
  findNotebook,
  findProgram,
  notebookName,
  notebookState,
  outputText,
  runOutcome,
} from './notebook-state.ts';
import { programCall } from './program-call.ts';
import { planMarkdown, ShownPlans, type RunPlan } from './run-plan.ts';
import {
  readCellInput,
  readGenerationsInput,
  readNotebookInput,
  readProgramInput,
  ToolError,
} from './tool-input.ts';
import { TOOLS } from './tool-names.ts';
import { generationReport } from './tool-report.ts';

/** Context key of the tools' `when`: models without a notebook are not told of them. */
const NOTEBOOK_OPEN = 'sglang.notebookOpen';

export interface ToolContext {
  /** Undefined until the workspace is trusted. */
  readonly controller: () => SglangNotebookController | undefined;
  readonly insight: NotebookInsight;
  readonly homes: ProgramHomes;
}

/** Something to run, and how. */
interface Task {
  readonly title: string;
  readonly progress: string;
  readonly notebook: NotebookDocument;
  readonly plan: RunPlan;
  readonly run: () => Promise<NotebookCell>;
}

export function registerLanguageTools(context: ToolContext): Disposable {
  const shown = new ShownPlans();
  return Disposable.from(
    followNotebooks(),
    registerReader(TOOLS.readNotebook, async (input) => {
      const notebook = findNotebook(readNotebookInput(input).notebook);
      const session = context.controller()?.session(notebook);
      return notebookState(notebook, session, context.insight);
    }),
    registerReader(TOOLS.readGenerations, async (input) => readGenerations(context, input)),
    registerRunner(TOOLS.runCell, context, shown, async (input) => cellTask(input)),
    registerRunner(TOOLS.runProgram, context, shown, (input) => programTask(context, input)),
  );
}

function followNotebooks(): Disposable {
  const tell = () =>
    void commands.executeCommand(
      'setContext',
      NOTEBOOK_OPEN,
      workspace.notebookDocuments.some(
        ({ notebookType, isClosed }) => notebookType === NOTEBOOK_TYPE && !isClosed,
      ),
    );
  tell();
  return Disposable.from(
    workspace.onDidOpenNotebookDocument(tell),
    workspace.onDidCloseNotebookDocument(tell),
  );
}

function registerReader(name: string, read: (input: unknown) => Promise<object>): Disposable {
  return lm.registerTool<unknown>(name, {
    invoke: async ({ input }) => toolResult(await read(input)),
  });
}

function registerRunner(
  name: string,
  context: ToolContext,
  shown: ShownPlans,
  taskOf: (input: unknown) => Promise<Task>,
): Disposable {
  const callOf = (input: unknown) => JSON.stringify([name, input]);
  return lm.registerTool<unknown>(name, {
    prepareInvocation: async ({ input }): Promise<PreparedToolInvocation> => {
      trustedController(context);
      const { plan, title, progress } = await taskOf(input);
      const message = planMarkdown(plan);
      if (message === null) {
        throw new ToolError('This is too long to be shown for confirmation; the user can run it.');
      }
      shown.show(callOf(input), plan);
      return {
        invocationMessage: progress,
        confirmationMessages: { title, message: new MarkdownString(message) },
      };
    },
    invoke: async ({ input }, token) => {
      const controller = trustedController(context);
      const task = await taskOf(input);
      if (!shown.take(callOf(input), task.plan)) {
        throw new ToolError('What would run is not what was confirmed; call the tool again.');
      }
      return toolResult(await runTask(task, controller, token));
    },
  });
}

function trustedController({ controller }: ToolContext): SglangNotebookController {
  const found = workspace.isTrusted ? controller() : undefined;
  if (found) return found;
  throw new ToolError('The user has not trusted this workspace: nothing can be run in it.');
}

async function runTask(
  { notebook, run }: Task,
  controller: SglangNotebookController,
  token: CancellationToken,
): Promise<object> {
  // The workbench runs the cells of notebooks that it shows, and the user sees what happens.
  if (!window.visibleNotebookEditors.some((editor) => editor.notebook === notebook)) {
    await window.showNotebookDocument(notebook, { preserveFocus: true, preview: false });
  }
  await controller.ready(notebook);
  const cancelling = token.onCancellationRequested(() => controller.session(notebook)?.interrupt());
  try {
    const cell = await run();
    return {
      notebook: notebookName(notebook),
      cell: cell.index + 1,
      outcome: runOutcome(cell),
      output: outputText(cell),
    };
  } finally {
    cancelling.dispose();
  }
}

function cellTask(input: unknown): Task {
  const { notebook: wanted, cell: number } = readCellInput(input);
  const notebook = findNotebook(wanted);
  const cell = findCodeCell(notebook, number);
  const name = notebookName(notebook);
  return {
    title: l10n.t('Run cell {0} of {1}?', number, name),
    progress: l10n.t('Running cell {0} of {1}', number, name),
    notebook,
    plan: [{ place: cellPlace(cell), code: cell.document.getText() }],
    run: async () => {
      await runCells(notebook, [{ start: cell.index, end: cell.index + 1 }]);
      return cell;
    },
  };
}

async function programTask({ homes, controller }: ToolContext, input: unknown): Promise<Task> {
  const { notebook: wanted, program: wantedProgram, arguments: given } = readProgramInput(input);
  const notebook = findNotebook(wanted);
  const { cell, program } = findProgram(notebook, wantedProgram);
  const home = await homes.find(cell.document.uri);
  if (!home) throw new ToolError('The cell of the program has just gone.');
  const code = programCall(program, given);
  const name = notebookName(notebook);
  return {
    title: l10n.t('Run {0} of {1}?', program.name, name),
    progress: l10n.t('Running {0} of {1}', program.name, name),
    notebook,
    plan: [...neededCell(home), { place: l10n.t('New cell'), code }],
    run: () => runBelow(home, code, controller()),
  };
}

/** A program whose cell has not run yet is defined first. */
function neededCell({ isStale, cell }: ProgramHome): RunPlan {
  return isStale ? [{ place: cellPlace(cell), code: cell.document.getText() }] : [];
}

function cellPlace({ index }: NotebookCell): string {
  return l10n.t('Cell {0}', index + 1);
}

function readGenerations(context: ToolContext, input: unknown): object {
  const { notebook: wanted, variable, limit, requests } = readGenerationsInput(input);
  const notebook = findNotebook(wanted);
  const records = context.insight.of(notebook);
  const found = variable === null ? records?.recent() : records?.values(variable);
  const numberOf = (uri: string) => {
    const cell = notebook.getCells().find(({ document }) => document.uri.toString() === uri);
    return cell ? cell.index + 1 : null;
  };
  return {
    notebook: notebookName(notebook),
    order: 'latest first',
    generations: (found ?? [])
      .slice(0, limit)
      .map((record) => generationReport(record, numberOf, requests)),
    ...(found?.length ? {} : { note: 'Nothing has been generated since the kernel started.' }),
  };
}

function toolResult(answer: object): LanguageModelToolResult {
  return new LanguageModelToolResult([new LanguageModelTextPart(JSON.stringify(answer))]);
}
