/** The runtime of the active notebook in the status bar: model, speed, cache hits, memory. */
import { l10n, StatusBarAlignment, ThemeColor, window, type Disposable } from 'vscode';
import { COMMANDS } from '../commands/command-ids.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import type { RuntimeHealth } from './runtime-monitor.ts';
import { runtimeMood, runtimeText, type RuntimeMood } from './runtime-words.ts';

export interface RuntimeStatusSource {
  /** The newest runtime that the active notebook's kernel has started. */
  readonly active: () => ChildProcessInfo | undefined;
  readonly health: (pid: number) => RuntimeHealth | undefined;
}

const ICONS: Readonly<Record<RuntimeMood, string>> = {
  well: '$(vm-running)',
  restarting: '$(sync~spin)',
  silent: '$(warning)',
  failed: '$(error)',
};
const BACKGROUNDS: Readonly<Record<RuntimeMood, string | null>> = {
  well: null,
  restarting: 'statusBarItem.warningBackground',
  silent: 'statusBarItem.warningBackground',
  failed: 'statusBarItem.errorBackground',
};

export class RuntimeStatusBar implements Disposable {
  readonly #source: RuntimeStatusSource;
  readonly #item = window.createStatusBarItem('sglang.runtime', StatusBarAlignment.Left, -1);
  readonly #subscription = window.onDidChangeActiveNotebookEditor(() => this.refresh());

  constructor(source: RuntimeStatusSource) {
    this.#source = source;
    this.#item.name = l10n.t('SGLang Runtime');
    this.#item.command = COMMANDS.showDiagnostics;
  }

  refresh(): void {
    const shown = window.activeNotebookEditor?.notebook.notebookType === NOTEBOOK_TYPE;
    const runtime = shown ? this.#source.active() : undefined;
    if (runtime === undefined) {
      this.#item.hide();
      return;
    }
    const health = this.#source.health(runtime.pid);
    const mood = runtimeMood(runtime, health);
    const text = runtimeText(runtime, health) || l10n.t('starting');
    this.#item.text = `${ICONS[mood]} ${text}`;
    const background = BACKGROUNDS[mood];
    this.#item.backgroundColor = background === null ? undefined : new ThemeColor(background);
    this.#item.accessibilityInformation = { label: l10n.t('SGLang runtime: {0}', text) };
    this.#item.tooltip = l10n.t(
      'SGLang runtime at {0}, process {1}',
      runtime.url ?? '',
      runtime.pid,
    );
    this.#item.show();
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#item.dispose();
  }
}
