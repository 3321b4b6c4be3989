/** Tree of the live kernels and, under each, the programs its cells started. */
import {
  EventEmitter,
  l10n,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
  type Disposable,
  type NotebookDocument,
  type TreeDataProvider,
} from 'vscode';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import type { KernelSession } from '../kernel-client/kernel-session.ts';
import { kernelStatusText } from '../kernel-status.ts';

export type SessionNode =
  | {
      readonly kind: 'kernel';
      readonly notebook: NotebookDocument;
      readonly session: KernelSession;
    }
  | { readonly kind: 'process'; readonly info: ChildProcessInfo };

export class SessionsView implements TreeDataProvider<SessionNode>, Disposable {
  readonly #sessions: () => ReadonlyMap<NotebookDocument, KernelSession>;
  readonly #changed = new EventEmitter<void>();
  readonly onDidChangeTreeData = this.#changed.event;

  constructor(sessions: () => ReadonlyMap<NotebookDocument, KernelSession>) {
    this.#sessions = sessions;
  }

  refresh(): void {
    this.#changed.fire();
  }

  getChildren(node?: SessionNode): SessionNode[] {
    if (node === undefined) {
      return [...this.#sessions()]
        .filter(([, session]) => session.pid !== undefined)
        .map(([notebook, session]) => ({ kind: 'kernel', notebook, session }));
    }
    if (node.kind === 'process') return [];
    return node.session.processes.map((info) => ({ kind: 'process', info }));
  }

  getTreeItem(node: SessionNode): TreeItem {
    return node.kind === 'kernel' ? kernelItem(node) : processItem(node.info);
  }

  dispose(): void {
    this.#changed.dispose();
  }
}

function kernelItem({ notebook, session }: SessionNode & { readonly kind: 'kernel' }): TreeItem {
  const name = notebook.uri.path.slice(notebook.uri.path.lastIndexOf('/') + 1);
  const item = new TreeItem(name, TreeItemCollapsibleState.Expanded);
  item.id = `${notebook.uri.toString()}#${session.pid}`;
  item.description = l10n.t(
    '{0} · process {1}',
    kernelStatusText(session.status),
    session.pid ?? '–',
  );
  item.iconPath = new ThemeIcon(session.status === 'busy' ? 'sync' : 'server-process');
  item.contextValue = 'kernel';
  item.tooltip = l10n.t('Python {0}', session.python ?? '…');
  return item;
}

function processItem(info: ChildProcessInfo): TreeItem {
  const isRuntime = info.kind === 'runtime';
  const item = new TreeItem(isRuntime ? l10n.t('SGLang runtime') : info.command);
  item.description = l10n.t('{0} · process {1}', info.url ?? l10n.t('shell'), info.pid);
  item.iconPath = new ThemeIcon(isRuntime ? 'vm-running' : 'terminal');
  item.contextValue = info.kind;
  item.tooltip = info.command;
  return item;
}
