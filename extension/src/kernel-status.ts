/** The active notebook's kernel in the status bar. */
import {
  l10n,
  StatusBarAlignment,
  window,
  type Disposable,
  type NotebookDocument,
  type StatusBarItem,
} from 'vscode';
import type { KernelStatus } from '../protocol/kernel-protocol.ts';
import { COMMANDS } from './commands/command-ids.ts';
import { NOTEBOOK_TYPE } from './notebook/notebook-type.ts';

const ICONS: Readonly<Record<KernelStatus, string>> = {
  starting: '$(loading~spin)',
  idle: '$(check)',
  busy: '$(sync~spin)',
  interrupting: '$(debug-stop)',
  restarted: '$(debug-restart)',
  stopped: '$(circle-slash)',
};

export function kernelStatusText(status: KernelStatus): string {
  switch (status) {
    case 'starting':
      return l10n.t('starting');
    case 'idle':
      return l10n.t('idle');
    case 'busy':
      return l10n.t('busy');
    case 'interrupting':
      return l10n.t('interrupting');
    case 'restarted':
      return l10n.t('restarted');
    case 'stopped':
      return l10n.t('no kernel');
    default:
      return status satisfies never;
  }
}

export class KernelStatusBar implements Disposable {
  readonly #item: StatusBarItem;
  readonly #statuses = new WeakMap<NotebookDocument, KernelStatus>();
  readonly #subscription: Disposable;

  constructor() {
    this.#item = window.createStatusBarItem('sglang.kernel', StatusBarAlignment.Left, 0);
    this.#item.name = l10n.t('SGLang Kernel');
    this.#item.command = COMMANDS.showDiagnostics;
    this.#subscription = window.onDidChangeActiveNotebookEditor(() => this.#draw());
    this.#draw();
  }

  status(notebook: NotebookDocument, status: KernelStatus): void {
    this.#statuses.set(notebook, status);
    this.#draw();
  }

  dispose(): void {
    this.#subscription.dispose();
    this.#item.dispose();
  }

  #draw(): void {
    const notebook = window.activeNotebookEditor?.notebook;
    if (notebook?.notebookType !== NOTEBOOK_TYPE) {
      this.#item.hide();
      return;
    }
    const status = this.#statuses.get(notebook) ?? 'stopped';
    const label = `SGLang: ${kernelStatusText(status)}`;
    this.#item.text = `${ICONS[status]} ${label}`;
    this.#item.accessibilityInformation = { label };
    this.#item.tooltip = l10n.t('Show what runs: SGLang diagnostics');
    this.#item.show();
  }
}
