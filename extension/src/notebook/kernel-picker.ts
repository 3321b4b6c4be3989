/** The two entries of VS Code's kernel picker, the bundled Python and the user's own: which one is selected. */
import {
  commands,
  l10n,
  notebooks,
  NotebookControllerAffinity,
  window,
  workspace,
  type Disposable,
  type NotebookCell,
  type NotebookCellExecution,
  type NotebookController,
  type NotebookDocument,
} from 'vscode';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestChoice } from '../../protocol/kernel-protocol.ts';
import { cellLanguage } from '../settings.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook-type.ts';

const EXTENSION_ID = 'sglang-notebooks.sglang-notebooks';
/** How often, and with which pause in milliseconds, an entry is selected until it is. */
const ATTEMPTS = 20;
const DELAY = 250;

export type Guest = GuestChoice['kind'];

export interface PickerOwner {
  execute(cells: readonly NotebookCell[], notebook: NotebookDocument): Promise<void>;
  interrupt(notebook: NotebookDocument): void;
  /** What runs the notebook's cells, or would. */
  guest(notebook: NotebookDocument): Guest;
  /** The guest of notebooks without a kernel. */
  preferred(): Guest;
  /** The user's own Python, if one is known. */
  ownPython(): string | null;
  /** The user selected another entry than that of `guest`. */
  picked(notebook: NotebookDocument, guest: Guest): void;
}

export class KernelPicker implements Disposable {
  readonly #owner: PickerOwner;
  readonly #entries = new Map<Guest, NotebookController>();
  readonly #selected = new WeakMap<NotebookDocument, Guest>();
  /** Past the selection that the workbench itself makes when a notebook opens. */
  readonly #settled = new WeakSet<NotebookDocument>();
  /** Selections of this class, whose events are nobody's choice. */
  readonly #asked = new WeakMap<NotebookDocument, Guest>();
  readonly #subscriptions: Disposable[];

  constructor(owner: PickerOwner) {
    this.#owner = owner;
    const first = owner.preferred();
    this.#add(first);
    this.#subscriptions = [
      window.onDidChangeVisibleNotebookEditors(() => void this.refresh()),
      workspace.onDidOpenNotebookDocument((notebook) => this.#prefer(notebook)),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('sglang.notebook.cellLanguage')) this.#orderLanguages();
      }),
    ];
    // While it is the only one, the workbench runs cells on it without asking.
    void this.refresh().then(() => {
      this.#add(first === 'wasm' ? 'cpython' : 'wasm');
      return this.refresh();
    });
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    for (const entry of this.#entries.values()) entry.dispose();
  }

  isSelected(notebook: NotebookDocument): boolean {
    return this.#selected.has(notebook);
  }

  /** Throws when no entry is selected for the cell's notebook. */
  execution(cell: NotebookCell): NotebookCellExecution {
    const guest = this.#selected.get(cell.notebook) ?? this.#owner.preferred();
    const entry = this.#entries.get(guest);
    if (!entry) throw new Error(`no kernel is selected for ${cell.notebook.uri.path}`);
    return entry.createNotebookCellExecution(cell);
  }

  /** Has the entries say and select what is true now, in each notebook that is shown. */
  async refresh(): Promise<void> {
    this.#entries.forEach((entry, guest) => {
      entry.description =
        guest === 'wasm'
          ? l10n.t('bundled Python and runtime')
          : (this.#owner.ownPython() ?? l10n.t('choose an interpreter of this machine'));
    });
    const ours = workspace.notebookDocuments.filter(
      ({ notebookType }) => notebookType === NOTEBOOK_TYPE,
    );
    for (const notebook of ours) this.#prefer(notebook);
    await Promise.all(ours.map((notebook) => this.show(notebook)));
  }

  /** Selects the entry of the notebook's guest, if the notebook is shown. */
  async show(notebook: NotebookDocument): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const guest = this.#owner.guest(notebook);
      if (this.#selected.get(notebook) === guest) {
        this.#settled.add(notebook);
        return;
      }
      const entry = this.#entries.get(guest);
      const editor = window.visibleNotebookEditors.find((shown) => shown.notebook === notebook);
      if (!entry || !editor) return;
      if (attempt > 0) await sleep(DELAY);
      this.#asked.set(notebook, guest);
      const choice = { notebookEditor: editor, id: entry.id, extension: EXTENSION_ID };
      await commands.executeCommand('notebook.selectKernel', choice);
      this.#asked.delete(notebook);
    }
  }

  /** Waits for an opened notebook to be shown, and shows its guest. */
  async whenSelected(notebook: NotebookDocument): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      await this.show(notebook);
      if (this.isSelected(notebook)) return;
      await sleep(DELAY);
    }
  }

  #add(guest: Guest): void {
    const entry =
      guest === 'wasm'
        ? notebooks.createNotebookController('sglang-bundled', NOTEBOOK_TYPE, 'SGLang')
        : notebooks.createNotebookController(
            'sglang-own',
            NOTEBOOK_TYPE,
            l10n.t('SGLang on your own Python'),
          );
    this.#entries.set(guest, entry);
    this.#orderLanguages();
    entry.supportsExecutionOrder = true;
    entry.executeHandler = (cells, notebook) => this.#owner.execute(cells, notebook);
    entry.interruptHandler = (notebook) => this.#owner.interrupt(notebook);
    entry.onDidChangeSelectedNotebooks(({ notebook, selected }) => {
      if (selected) this.#onSelected(notebook, guest);
      else if (this.#selected.get(notebook) === guest) this.#selected.delete(notebook);
    });
  }

  #onSelected(notebook: NotebookDocument, guest: Guest): void {
    this.#selected.set(notebook, guest);
    const isOurs = this.#asked.get(notebook) === guest;
    if (isOurs || !this.#settled.has(notebook) || guest === this.#owner.guest(notebook)) return;
    this.#owner.picked(notebook, guest);
  }

  #prefer(notebook: NotebookDocument): void {
    if (notebook.notebookType !== NOTEBOOK_TYPE) return;
    const preferred = this.#owner.preferred();
    this.#entries.forEach((entry, guest) => {
      const { Default, Preferred } = NotebookControllerAffinity;
      entry.updateNotebookAffinity(notebook, guest === preferred ? Preferred : Default);
    });
  }

  /** New cells get the first language. */
  #orderLanguages(): void {
    const first = cellLanguage();
    const rest = SUPPORTED_LANGUAGES.filter((language) => language !== first);
    for (const entry of this.#entries.values()) entry.supportedLanguages = [first, ...rest];
  }
}
