/** Says beside a cell's language whether its language server runs. */
import {
  l10n,
  languages,
  LanguageStatusSeverity,
  window,
  type Disposable,
  type LanguageStatusItem,
} from 'vscode';
import type { BaseLanguageClient, State } from 'vscode-languageclient';
import { COMMANDS } from './commands/command-ids.ts';
import { CELL_LANGUAGE } from './notebook/notebook-type.ts';

export class LanguageStatus implements Disposable {
  readonly #item: LanguageStatusItem;
  readonly #subscriptions: readonly Disposable[];
  readonly #states: typeof State;
  #hasTypes = true;

  /** @param states of the library that `client` is from, which is not loaded with this file */
  constructor(client: BaseLanguageClient, states: typeof State) {
    this.#states = states;
    // Without the notebook's type, which VS Code does not know there: nothing would be shown.
    this.#item = languages.createLanguageStatusItem('sglang.languageServer', CELL_LANGUAGE);
    this.#item.name = l10n.t('SGLang Language Server');
    this.#item.command = { command: COMMANDS.showLog, title: l10n.t('Show Log') };
    this.#subscriptions = [
      client.onDidChangeState(({ newState }) => {
        this.#hasTypes = true;
        this.#draw(newState);
      }),
      client.onNotification('sglang/noTypes', () => {
        this.#hasTypes = false;
        this.#draw(client.state);
      }),
      // VS Code looks for what to show when a notebook opens, before it has drawn a cell, and when an item changes.
      window.onDidChangeActiveTextEditor((editor) => {
        if (editor?.document.languageId === CELL_LANGUAGE) this.#draw(client.state);
      }),
    ];
    this.#draw(client.state);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#item.dispose();
  }

  #draw(state: State): void {
    const item = this.#item;
    const states = this.#states;
    item.busy = state === states.Starting;
    item.text = this.#text(state);
    if (state === states.Stopped || state === states.StartFailed) {
      item.severity = LanguageStatusSeverity.Error;
      item.detail = l10n.t('no completion, hovers or diagnostics of SGLang');
    } else if (this.#hasTypes) {
      item.severity = LanguageStatusSeverity.Information;
      item.detail = '';
    } else {
      item.severity = LanguageStatusSeverity.Warning;
      item.detail = l10n.t('no types of plain Python: their engine ended again and again');
    }
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
