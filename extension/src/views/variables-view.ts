/**
 * Tree of the active notebook's Python variables. Asks the kernel only while it is visible, after cells
 * have ended, and never makes a cell wait: a kernel that computes answers later, and the last known
 * list stays until then.
 */
import {
  EventEmitter,
  l10n,
  TreeItem,
  window,
  type Disposable,
  type TreeDataProvider,
  type TreeView,
} from 'vscode';
import type { JsonValue } from '../../protocol/kernel-protocol.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { spoken } from './spoken-item.ts';

export interface Variable {
  readonly name: string;
  readonly type: string;
  readonly value: string;
  readonly size: number | null;
}

/** Variables shown; a namespace of thousands is searched in Python, not in a tree. */
const MOST_VARIABLES = 500;

export class VariablesView implements TreeDataProvider<Variable>, Disposable {
  readonly #controller: SglangNotebookController;
  readonly #changed = new EventEmitter<void>();
  readonly #subscriptions: Disposable[] = [];
  readonly #view: TreeView<Variable>;
  readonly onDidChangeTreeData = this.#changed.event;
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
    );
  }

  async refresh(): Promise<void> {
    if (!this.#view.visible) return;
    const question = ++this.#question;
    const notebook = window.activeNotebookEditor?.notebook;
    const session = notebook && this.#controller.session(notebook);
    if (session?.pid === undefined) return this.#show([], null);
    try {
      const answer = await session.query({ kind: 'variables', limit: MOST_VARIABLES });
      if (question === this.#question) this.#show(readVariables(answer), readTotal(answer));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      if (question === this.#question) this.#view.message = reason;
    }
  }

  getChildren(node?: Variable): Variable[] {
    return node === undefined ? [...this.#variables] : [];
  }

  getTreeItem({ name, type, value, size }: Variable): TreeItem {
    const item = new TreeItem(name);
    item.id = name;
    item.description = `${type}${size === null ? '' : `[${size}]`} = ${value}`;
    item.tooltip = value;
    item.contextValue = 'variable';
    return spoken(item);
  }

  dispose(): void {
    for (const subscription of this.#subscriptions) subscription.dispose();
    this.#changed.dispose();
  }

  #show(variables: readonly Variable[], total: number | null): void {
    this.#variables = variables;
    const hidden = (total ?? 0) - variables.length;
    this.#view.message = hidden > 0 ? l10n.t('{0} more variables are not shown', hidden) : '';
    this.#changed.fire();
  }
}

function readVariables(answer: JsonValue): Variable[] {
  const items = field(answer, 'items');
  if (!Array.isArray(items)) return [];
  return items.flatMap((item: JsonValue) => {
    const [name, type, value, size] = ['name', 'type', 'value', 'size'].map((key) =>
      field(item, key),
    );
    if (typeof name !== 'string' || typeof type !== 'string') return [];
    return [
      {
        name,
        type,
        value: typeof value === 'string' ? value : '',
        size: typeof size === 'number' ? size : null,
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
