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
import { EXTENSION_ID } from '../extension-id.ts';
import { cellLanguage } from '../settings.ts';
import { NOTEBOOK_TYPE, SUPPORTED_LANGUAGES } from './notebook-type.ts';

/** How often, and with which pause in milliseconds, an entry is selected until it is. */
const ATTEMPTS = 20;
const DELAY = 250;
/** Milliseconds after which notebooks that were read are taken for such that nobody opens. */
const OPENING = 20_000;

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
  readonly #showing = new WeakMap<NotebookDocument, Promise<void>>();
  readonly #subscriptions: Disposable[];
  /** Notebooks that were read and have no entry yet. */
  #opening = 0;
  #patience: ReturnType<typeof setTimeout> | null = null;

  constructor(owner: PickerOwner) {
    this.#owner = owner;
    this.#add(owner.preferred());
    this.#subscriptions = [
      window.onDidChangeVisibleNotebookEditors(() => void this.refresh()),
      workspace.onDidOpenNotebookDocument((notebook) => {
        if (notebook.notebookType !== NOTEBOOK_TYPE) return;
        this.#prefer(notebook);
        void this.whenSelected(notebook).then(() => this.#opened());
      }),
      workspace.onDidChangeConfiguration((change) => {
        if (change.affectsConfiguration('sglang.notebook.cellLanguage')) this.#orderLanguages();
      }),
    ];
    void this.refresh().then(() => this.#complete());
  }

  /**
   * A notebook is read, and may be shown. Until it has its entry, and so have all that are read meanwhile, there is
   * no other one: between two, the workbench asks whoever runs a cell at once.
   */
  opening(): void {
    this.#opening += 1;
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      this.#opening = 0;
      this.#complete();
    }, OPENING);
    const other = otherThan(this.#owner.preferred());
    const isUsed = workspace.notebookDocuments.some(
      (notebook) => this.#selected.get(notebook) === other,
    );
    if (isUsed) return;
    this.#entries.get(other)?.dispose();
    this.#entries.delete(other);
  }

  dispose(): void {
    if (this.#patience !== null) clearTimeout(this.#patience);
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
    // Whoever asks meanwhile waits for the same selection, and looks again: the guest may have changed at its end.
    for (let round = 0; round < 2; round += 1) {
      await (this.#showing.get(notebook) ?? this.#startShowing(notebook));
      if (this.#selected.get(notebook) === this.#owner.guest(notebook)) return;
    }
  }

  #startShowing(notebook: NotebookDocument): Promise<void> {
    const showing = this.#select(notebook).finally(() => this.#showing.delete(notebook));
    this.#showing.set(notebook, showing);
    return showing;
  }

  async #select(notebook: NotebookDocument): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const guest = this.#owner.guest(notebook);
      if (this.#selected.get(notebook) === guest) {
        this.#settled.add(notebook);
        return;
      }
      const entry = this.#entries.get(guest) ?? this.#add(guest);
      const editor = window.visibleNotebookEditors.find((shown) => shown.notebook === notebook);
      if (!editor) return;
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

  #opened(): void {
    this.#opening = Math.max(0, this.#opening - 1);
    this.#complete();
  }

  /** Offers both, once no notebook is opening. */
  #complete(): void {
    if (this.#opening > 0) return;
    if (this.#patience !== null) clearTimeout(this.#patience);
    this.#patience = null;
    const other = otherThan(this.#owner.preferred());
    if (!this.#entries.has(other)) this.#add(other);
    void this.refresh();
  }

  #add(guest: Guest): NotebookController {
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
    return entry;
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

function otherThan(guest: Guest): Guest {
  return guest === 'wasm' ? 'cpython' : 'wasm';
}
