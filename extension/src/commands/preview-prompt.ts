/** Preview prompt: what a program would send to the model, shown before anything is generated. */
import {
  EventEmitter,
  l10n,
  ProgressLocation,
  Uri,
  ViewColumn,
  window,
  workspace,
  type Disposable,
  type Memento,
  type TextDocumentContentProvider,
} from 'vscode';
import type { PreviewAnswer } from '../../protocol/kernel-protocol.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import type { ScannedProgram } from '../program-scan.ts';
import { previewPage, type PreviewWords } from './preview-text.ts';
import { askArguments } from './program-arguments.ts';
import type { ProgramHomes } from './program-homes.ts';

const SCHEME = 'sglang-prompt';
/** The manifest gives what lies here a language of its own, in which long lines wrap. */
const FOLDER = '/sglang-prompt';

export interface PreviewContext {
  readonly memory: Memento;
  readonly homes: ProgramHomes;
  /** Undefined until the workspace is trusted. */
  readonly controller: () => SglangNotebookController | undefined;
}

export class PromptPreview implements TextDocumentContentProvider, Disposable {
  readonly #context: PreviewContext;
  readonly #pages = new Map<string, string>();
  readonly #changed = new EventEmitter<Uri>();
  readonly onDidChange = this.#changed.event;
  readonly #registrations: Disposable[];

  constructor(context: PreviewContext) {
    this.#context = context;
    this.#registrations = [
      workspace.registerTextDocumentContentProvider(SCHEME, this),
      workspace.onDidCloseTextDocument(({ uri }) => this.#pages.delete(uri.toString())),
    ];
  }

  async show(source: Uri, program: ScannedProgram): Promise<void> {
    const controller = this.#context.controller();
    const home = await this.#context.homes.find(source);
    if (!controller || !home) return;
    const literals = await askArguments(this.#context.memory, program);
    if (!literals) return;
    const title = l10n.t('Preparing the prompt of {0}…', program.name);
    const location = ProgressLocation.Window;
    try {
      await window.withProgress({ location, title }, async () => {
        const session = await controller.startedSession(home.notebook);
        const answer = await session.query({
          kind: 'preview',
          program: program.name,
          args: {},
          literals,
          sources: home.texts(),
        });
        // SAFETY: the kernel is of this build and answers `preview` with this type.
        await this.#open(program, literals, answer as unknown as PreviewAnswer);
      });
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await window.showErrorMessage(l10n.t('No preview of {0}: {1}', program.name, reason));
    }
  }

  provideTextDocumentContent(uri: Uri): string {
    return this.#pages.get(uri.toString()) ?? '';
  }

  dispose(): void {
    for (const registration of this.#registrations) registration.dispose();
    this.#changed.dispose();
  }

  async #open(
    program: ScannedProgram,
    literals: Readonly<Record<string, string>>,
    answer: PreviewAnswer,
  ): Promise<void> {
    const call = Object.entries(literals).map(([name, value]) => `${name}=${value}`);
    const page = previewPage(`${program.name}(${call.join(', ')})`, answer, words());
    const path = `${FOLDER}/${l10n.t('Prompt of {0}', program.name)}.txt`;
    const uri = Uri.from({ scheme: SCHEME, path });
    this.#pages.set(uri.toString(), page);
    this.#changed.fire(uri);
    const document = await workspace.openTextDocument(uri);
    await window.showTextDocument(document, {
      viewColumn: ViewColumn.Beside,
      preserveFocus: true,
      preview: true,
    });
  }
}

function words(): PreviewWords {
  return {
    tokens: (count, isExact) =>
      isExact
        ? l10n.t('{0} tokens without the generated parts, by the server’s tokenizer', count)
        : l10n.t(
            'About {0} tokens without the generated parts (estimated: no server to ask)',
            count,
          ),
    template: (name, model) =>
      model === null
        ? l10n.t('Chat template "{0}" of the bundled model: no server is connected', name)
        : l10n.t('Chat template "{0}" of {1}', name, model),
    assumed: (name, value) => l10n.t('Assuming that {0} becomes {1}', name, JSON.stringify(value)),
    ended: (reason) => l10n.t('The program goes on; the preview ends here: {0}', reason),
    fork: (number, count) => l10n.t('fork {0} of {1}', number, count),
  };
}
