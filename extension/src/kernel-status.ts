/** The active notebook's kernel in the status bar. */
import {
  StatusBarAlignment,
  window,
  type Disposable,
  type NotebookDocument,
  type StatusBarItem,
} from 'vscode';
import type { GenRecord, KernelStatus } from '../protocol/kernel-protocol.ts';
import { COMMANDS } from './commands/command-ids.ts';
import { NOTEBOOK_TYPE } from './notebook/notebook-type.ts';

const LABELS: Readonly<Record<KernelStatus, string>> = {
  starting: '$(loading~spin) SGLang: starting',
  idle: '$(check) SGLang: idle',
  busy: '$(sync~spin) SGLang: busy',
  interrupting: '$(debug-stop) SGLang: interrupting',
  restarted: '$(debug-restart) SGLang: restarted',
  stopped: '$(circle-slash) SGLang: no kernel',
};

export class KernelStatusBar implements Disposable {
  readonly #item: StatusBarItem;
  readonly #statuses = new WeakMap<NotebookDocument, KernelStatus>();
  readonly #speeds = new WeakMap<NotebookDocument, string>();
  readonly #subscription: Disposable;

  constructor() {
    this.#item = window.createStatusBarItem('sglang.kernel', StatusBarAlignment.Left, 0);
    this.#item.name = 'SGLang Kernel';
    this.#item.command = COMMANDS.showLog;
    this.#subscription = window.onDidChangeActiveNotebookEditor(() => this.#draw());
    this.#draw();
  }

  status(notebook: NotebookDocument, status: KernelStatus): void {
    this.#statuses.set(notebook, status);
    this.#draw();
  }

  gen(notebook: NotebookDocument, record: GenRecord): void {
    if (record.completionTokens === null || record.milliseconds <= 0) return;
    const rate = (record.completionTokens * 1000) / record.milliseconds;
    const cached =
      record.promptTokens && record.cachedTokens !== null
        ? `, ${Math.round((100 * record.cachedTokens) / record.promptTokens)} % cached`
        : '';
    this.#speeds.set(notebook, `${rate.toFixed(0)} tok/s${cached}`);
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
    const label = LABELS[this.#statuses.get(notebook) ?? 'stopped'];
    const speed = this.#speeds.get(notebook);
    this.#item.text = speed ? `${label} · ${speed}` : label;
    this.#item.accessibilityInformation = {
      label: this.#item.text.replaceAll(/\$\([^)]*\)\s*/g, ''),
    };
    this.#item.tooltip = 'Show the SGLang log';
    this.#item.show();
  }
}
