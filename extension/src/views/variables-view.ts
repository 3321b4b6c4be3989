/**
 * Tree of the active notebook's Python variables and of what is inside them. Asks the kernel only while it
 * is visible, after cells have ended, and never makes a cell wait: a kernel that computes answers later,
 * and the last known list stays until then.
 */
import {
  EventEmitter,
  l10n,
  TreeItem,
  TreeItemCollapsibleState,
  window,
  workspace,
  type Disposable,
  type NotebookDocument,
  type TreeDataProvider,
  type TreeView,
} from 'vscode';
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { spoken } from './spoken-item.ts';

export interface Variable {
  /** Names from the notebook's variable to this value, the last one its own. */
  readonly path: readonly string[];
  /** Unlike the path, of one row only: two long keys may look the same. */
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly size: number | null;
  readonly unfolds: boolean;
}

/** Variables shown; a namespace of thousands is searched in Python, not in a tree. */
const MOST_VARIABLES = 500;
/** Elements, items or attributes shown of one value. */
const MOST_INSIDE = 100;

export class VariablesView implements TreeDataProvider<Variable>, Disposable {
  readonly #controller: SglangNotebookController;
  readonly #changed = new EventEmitter<void>();
  readonly #subscriptions: Disposable[] = [];
  readonly #view: TreeView<Variable>;
  readonly onDidChangeTreeData = this.#changed.event;
  #notebook: NotebookDocument | undefined;
  #variables: readonly Variable[] = [];
  /** Numbers the questions, so that a late answer does not replace a newer one. */
  #question = 0;

  constructor(controller: SglangNotebookController) {
    this.#controller = controller;
    this.#view = window.createTreeView('sglang.variables', { treeDataProvider: this });
    this.#subscriptions.push(
      this.#view,
      this.#view.onDidChangeVisibility(() => void this.refresh()),
      window.onDidChangeActiveNotebookEditor(() => void this.refresh()),
      workspace.onDidCloseNotebookDocument((notebook) => {
        if (notebook !== this.#notebook) return;
        this.#notebook = undefined;
        void this.refresh();
      }),
    );
  }

  async refresh(): Promise<void> {
    // Whoever looks at a module or the settings meanwhile still works with that notebook.
    this.#notebook = window.activeNotebookEditor?.notebook ?? this.#notebook;
    if (!this.#view.visible) return;
    const question = ++this.#question;
    try {
      const answer = await this.#ask([], MOST_VARIABLES);
      if (question !== this.#question) return;
      if (answer === null) this.#show([], null);
      else this.#show(readVariables(answer, null), readTotal(answer));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (question === this.#question) this.#view.message = reason;
    }
  }

  async getChildren(node?: Variable): Promise<Variable[]> {
    if (node === undefined) return [...this.#variables];
    // A kernel that ended meanwhile has nothing inside; the view is told of that by itself.
    const answer = await this.#ask(node.path, MOST_INSIDE).catch(() => null);
    if (answer === null) return [];
    const inside = readVariables(answer, node);
    const hidden = (readTotal(answer) ?? 0) - inside.length;
    return hidden > 0 ? [...inside, more(node, hidden)] : inside;
  }

  getTreeItem({ id, name, type, value, size, unfolds }: Variable): TreeItem {
    const item = new TreeItem(
      name,
      unfolds ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.None,
    );
    item.id = id;
    const kind = size === null ? type : `${type}[${size}]`;
    // What has no better words than its type is unfolded.
    item.description = [kind, value]
      .filter((part) => part !== '' && part !== `<${type}>`)
      .join(' = ');
    item.tooltip = value;
    item.contextValue = 'variable';
    return spoken(item);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  /** Null where no kernel runs. */
  async #ask(path: readonly string[], limit: number): Promise<JsonValue> {
    const session = this.#notebook && this.#controller.session(this.#notebook);
    if (session?.pid === undefined) return null;
    return session.query({ kind: 'variables', limit, ...(path.length > 0 ? { path } : {}) });
  }

  #show(variables: readonly Variable[], total: number | null): void {
    this.#variables = variables;
    const hidden = (total ?? 0) - variables.length;
    this.#view.message = hidden > 0 ? l10n.t('{0} more variables are not shown', hidden) : '';
    this.#changed.fire();
  }
}

function more({ path, id }: Variable, hidden: number): Variable {
  const value = l10n.t('{0} more', hidden);
  return { path, id: `${id}…`, name: '…', type: '', value, size: null, unfolds: false };
}

function readVariables(answer: JsonValue, owner: Variable | null): Variable[] {
  const items = field(answer, 'items');
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: JsonValue, index) => {
    const [name, type, value, size] = ['name', 'type', 'value', 'size'].map((key) =>
      field(item, key),
    );
    if (typeof name !== 'string' || typeof type !== 'string') return [];
    return [
      {
        path: [...(owner?.path ?? []), name],
        id: owner === null ? name : `${owner.id}\n${index} ${name}`,
        name,
        type,
        value: typeof value === 'string' ? value : '',
        size: typeof size === 'number' ? size : null,
        unfolds: field(item, 'unfolds') === true,
      },
    ];
  });
}

function readTotal(answer: JsonValue): number | null {
  const total = field(answer, 'total');
  return typeof total === 'number' ? total : null;
}

function field(value: JsonValue, key: string): JsonValue | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // SAFETY: an object that is no array is a record; `JsonValue`'s array type is read-only and stays in the union.
  return (value as { readonly [key: string]: JsonValue })[key];
}
