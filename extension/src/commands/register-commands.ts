/** The table of commands: id → function. */
import { commands, Uri, window, type Disposable, type LogOutputChannel, type Memento, type NotebookDocument } from 'vscode';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { COMMANDS } from './command-ids.ts';
import { exportNotebook, importNotebook } from './convert-commands.ts';
import { newNotebook, openTour } from './notebook-commands.ts';
import { runProgram } from './run-program.ts';
import type { ScannedProgram } from '../program-scan.ts';

export interface CommandContext {
  readonly controller: SglangNotebookController;
  readonly log: LogOutputChannel;
  readonly memory: Memento;
  readonly tour: Uri;
}

export function registerCommands(context: CommandContext): Disposable[] {
  const { controller } = context;
  const onNotebook = (action: (notebook: NotebookDocument) => unknown) => () => {
    const notebook = window.activeNotebookEditor?.notebook;
    return notebook?.notebookType === NOTEBOOK_TYPE ? action(notebook) : undefined;
  };
  const restart = (notebook: NotebookDocument) => controller.session(notebook)?.restart();
  const table: Readonly<Record<keyof typeof COMMANDS, (...args: never[]) => unknown>> = {
    newNotebook,
    openTour: () => openTour(context.tour),
    interruptKernel: onNotebook((notebook) => controller.session(notebook)?.interrupt()),
    restartKernel: onNotebook(restart),
    restartAndRunAll: onNotebook(async (notebook) => {
      await restart(notebook);
      await commands.executeCommand('notebook.execute', notebook.uri);
    }),
    shutDownKernel: onNotebook((notebook) => controller.session(notebook)?.stop()),
    runProgram: (cell: Uri, program: ScannedProgram) => runProgram(context.memory, cell, program),
    exportNotebook: onNotebook(exportNotebook),
    importNotebook,
    showLog: () => context.log.show(),
  };
  return Object.entries(table).map(([name, action]) => {
    // SAFETY: the table's keys are COMMANDS' keys.
    return commands.registerCommand(COMMANDS[name as keyof typeof COMMANDS], action);
  });
}
