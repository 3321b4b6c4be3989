/** The Python of the active notebook in the status bar; a click chooses another one. */
import { basename } from 'node:path';
import {
  l10n,
  StatusBarAlignment,
  window,
  workspace,
  type Disposable,
  type NotebookDocument,
} from 'vscode';
import { describeInterpreter } from '../../python-environments/find-environments.ts';
import { COMMANDS } from '../commands/command-ids.ts';
import type { Guest } from './kernel-picker.ts';
import { NOTEBOOK_TYPE } from './notebook-type.ts';

export interface NotebookPython {
  readonly guest: Guest;
  /** The user's own interpreter, if it is known which. */
  readonly executable: string | null;
  /** Of the kernel that runs; `null` without one. */
  readonly version: string | null;
}

export class PythonStatusBar implements Disposable {
  readonly #item = window.createStatusBarItem('sglang.python', StatusBarAlignment.Left, -0.5);
  readonly #pythonOf: (notebook: NotebookDocument) => NotebookPython;
  readonly #subscriptions: readonly Disposable[];

  constructor(pythonOf: (notebook: NotebookDocument) => NotebookPython) {
    this.#pythonOf = pythonOf;
    this.#item.name = l10n.t('SGLang Python');
    this.#item.command = COMMANDS.selectPython;
    this.#subscriptions = [
      this.#item,
      window.onDidChangeActiveNotebookEditor(() => this.refresh()),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('sglang.kernel.python')) this.refresh();
      }),
    ];
    this.refresh();
  }

  refresh(): void {
    const notebook = window.activeNotebookEditor?.notebook;
    if (notebook?.notebookType !== NOTEBOOK_TYPE) return this.#item.hide();
    const python = this.#pythonOf(notebook);
    const text = shortName(python);
    this.#item.text = `$(server-environment) ${text}`;
    const label = l10n.t('{0}. Choose which Python runs the cells', text);
    this.#item.accessibilityInformation = { label, role: 'button' };
    const { executable } = python;
    this.#item.tooltip = executable === null ? label : `${executable}\n${label}`;
    return this.#item.show();
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
  }
}

/** `Python: bundled`, `Python 3.12.4 (.venv)`. */
function shortName({ guest, executable, version }: NotebookPython): string {
  if (guest === 'wasm') return l10n.t('Python: bundled');
  if (executable === null) return `Python ${version ?? ''}`.trimEnd();
  const found = describeInterpreter(executable, process.platform);
  const known = version ?? found.version;
  const name = found.name ?? (known === null ? basename(executable) : null);
  return ['Python', known, name === null ? null : `(${name})`].filter(Boolean).join(' ');
}
