/** ▷ Run above every program of an SGLang cell. */
import {
  CodeLens,
  EventEmitter,
  l10n,
  Range,
  type CodeLensProvider,
  type Disposable,
  type TextDocument,
} from 'vscode';
import { COMMANDS } from './commands/command-ids.ts';
import { scanPrograms } from './program-scan.ts';
import { codeLensEnabled } from './settings.ts';

export class ProgramCodeLensProvider implements CodeLensProvider, Disposable {
  readonly #changed = new EventEmitter<void>();
  readonly onDidChangeCodeLenses = this.#changed.event;

  refresh(): void {
    this.#changed.fire();
  }

  provideCodeLenses(document: TextDocument): CodeLens[] {
    if (!codeLensEnabled(document.uri)) return [];
    return scanPrograms(document.getText()).flatMap((program) => {
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
      ];
    });
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
