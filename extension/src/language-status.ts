/** Says beside a cell's language whether its language server runs. */
import {
  l10n,
  languages,
  LanguageStatusSeverity,
  type Disposable,
  type DocumentSelector,
  type LanguageStatusItem,
} from 'vscode';
import { State, type BaseLanguageClient } from 'vscode-languageclient';
import { COMMANDS } from './commands/command-ids.ts';

export class LanguageStatus implements Disposable {
  readonly #item: LanguageStatusItem;
  readonly #subscription: Disposable;

  constructor(client: BaseLanguageClient, selector: DocumentSelector) {
    this.#item = languages.createLanguageStatusItem('sglang.languageServer', selector);
    this.#item.name = l10n.t('SGLang Language Server');
    this.#item.command = { command: COMMANDS.showLog, title: l10n.t('Show Log') };
    this.#subscription = client.onDidChangeState(({ newState }) => this.#draw(newState));
    this.#draw(client.state);
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#item.dispose();
  }

  #draw(state: State): void {
    const item = this.#item;
    const isGone = state === State.Stopped || state === State.StartFailed;
    item.busy = state === State.Starting;
    item.severity = isGone ? LanguageStatusSeverity.Error : LanguageStatusSeverity.Information;
    item.text = this.#text(state);
    item.detail = isGone ? l10n.t('no completion, hovers or diagnostics of SGLang') : '';
  }

  #text(state: State): string {
    switch (state) {
      case State.Running:
        return l10n.t('SGLang language server: running');
      case State.Starting:
        return l10n.t('SGLang language server: starting');
      case State.StartFailed:
      case State.Stopped:
        return l10n.t('SGLang language server: stopped');
      default:
        return state satisfies never;
    }
  }
}
