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
    return scanPrograms(document.getText()).map(
      (program) =>
        new CodeLens(new Range(program.line, 0, program.line, 0), {
          title: `$(play) ${l10n.t('Run')}`,
          tooltip: l10n.t('Run {0} with arguments you type', program.name),
          command: COMMANDS.runProgram,
          arguments: [document.uri, program],
        }),
    );
  }

  dispose(): void {
    this.#changed.dispose();
  }
}
