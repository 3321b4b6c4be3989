/** Says beside a cell's language whether its language server runs. */
import {
  l10n,
  languages,
  LanguageStatusSeverity,
  type Disposable,
  type DocumentSelector,
  type LanguageStatusItem,
} from 'vscode';
import type { BaseLanguageClient, State } from 'vscode-languageclient';
import { COMMANDS } from './commands/command-ids.ts';

export class LanguageStatus implements Disposable {
  readonly #item: LanguageStatusItem;
  readonly #subscription: Disposable;
  readonly #states: typeof State;

  /** @param states of the library that `client` is from, which is not loaded with this file */
  constructor(client: BaseLanguageClient, states: typeof State, selector: DocumentSelector) {
    this.#states = states;
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
    const states = this.#states;
    const isGone = state === states.Stopped || state === states.StartFailed;
    item.busy = state === states.Starting;
    item.severity = isGone ? LanguageStatusSeverity.Error : LanguageStatusSeverity.Information;
    item.text = this.#text(state);
    item.detail = isGone ? l10n.t('no completion, hovers or diagnostics of SGLang') : '';
  }

  #text(state: State): string {
    const states = this.#states;
    switch (state) {
      case states.Running:
        return l10n.t('SGLang language server: running');
      case states.Starting:
        return l10n.t('SGLang language server: starting');
      case states.StartFailed:
      case states.Stopped:
        return l10n.t('SGLang language server: stopped');
      default:
        return state satisfies never;
    }
  }
}
