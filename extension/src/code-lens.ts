/** ▷ Run, Run batch and Preview prompt above every program of a cell or of a Python file. */
import {
  CodeLens,
  EventEmitter,
  l10n,
  Range,
  workspace,
  type CodeLensProvider,
  type Disposable,
  type TextDocument,
} from 'vscode';
import { COMMANDS } from './commands/command-ids.ts';
import { scanFilePrograms, scanPrograms, type ScannedProgram } from './program-scan.ts';
import { codeLensEnabled } from './settings.ts';

export class ProgramCodeLensProvider implements CodeLensProvider, Disposable {
  readonly #changed = new EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#changed.event;

  refresh(): void {
    this.#changed.fire();
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    if (!codeLensEnabled(document.uri)) return [];
    return programsOf(document).flatMap((program) => {
      const range = new Range(program.line, 0, program.line, 0);
      const target = [document.uri, program];
      return [
        new CodeLens(range, {
          title: `$(play) ${l10n.t('Run')}`,
          tooltip: l10n.t('Run {0} with arguments you type', program.name),
          command: COMMANDS.runProgram,
          arguments: target,
        }),
        new CodeLens(range, {
          title: l10n.t('Run batch…'),
          tooltip: l10n.t('Run {0} over the rows of a CSV or JSONL file', program.name),
          command: COMMANDS.runBatch,
          arguments: target,
        }),
        new CodeLens(range, {
          title: l10n.t('Preview prompt'),
          tooltip: l10n.t('Show what {0} would send to the model, with its tokens', program.name),
          command: COMMANDS.previewPrompt,
          arguments: target,
        }),
      ];
    });
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function programsOf(document: TextDocument): ScannedProgram[] {
  const notebook = workspace.notebookDocuments.find((open) =>
    open.getCells().some((cell) => cell.document === document),
  );
  if (!notebook) return scanFilePrograms(document.getText());
  const cells = notebook.getCells().map((cell) => cell.document.getText());
  return scanPrograms(document.getText(), cells.join('\n'));
}
