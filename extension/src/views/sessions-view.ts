/**
 * Tree of the live kernels and, under each, the programs its cells started; also kernels that wait for a
 * window or belong to another one. While it is visible it is drawn afresh every few seconds.
 */
import {
  EventEmitter,
  l10n,
  ThemeIcon,
  TreeItem,
  TreeItemCollapsibleState,
  Uri,
  window,
  workspace,
  type Disposable,
  type NotebookDocument,
  type TreeDataProvider,
  type TreeView,
} from 'vscode';
import type { KernelRecord } from '../../protocol/attach-protocol.ts';
import type { ChildProcessInfo } from '../../protocol/kernel-protocol.ts';
import type { KernelSession } from '../kernel-client/kernel-session.ts';
import { kernelStatusText } from '../kernel-status.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { residentMemory } from '../runtime-manager/process-memory.ts';
import { formatBytes } from '../runtime-manager/runtime-info.ts';
import type { RuntimeHealth } from '../runtime-manager/runtime-monitor.ts';
import { runtimeMood, runtimeText, type RuntimeMood } from '../runtime-manager/runtime-words.ts';
import { spoken } from './spoken-item.ts';

export type SessionNode =
  | {
      readonly kind: 'kernel';
      readonly notebook: NotebookDocument;
      readonly session: KernelSession;
    }
  | {
      readonly kind: 'process';
      readonly info: ChildProcessInfo;
      readonly session: KernelSession;
    }
  /** A kernel without a window, or of another window. */
  | { readonly kind: 'survivor'; readonly record: KernelRecord };

export interface SessionsSource {
  readonly sessions: () => ReadonlyMap<NotebookDocument, KernelSession>;
  /** All live kernels of this user. */
  readonly records: () => readonly KernelRecord[];
  readonly health: (pid: number) => RuntimeHealth | undefined;
}

/** Milliseconds between two drawings of the visible tree. */
const INTERVAL = 5_000;

export class SessionsView implements TreeDataProvider<SessionNode>, Disposable {
  readonly #source: SessionsSource;
  readonly #changed = new EventEmitter<void>();
  readonly #view: TreeView<SessionNode>;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #subscription: Disposable;
  readonly onDidChangeTreeData = this.#changed.event;
  #memory: ReadonlyMap<number, number> = new Map();

  constructor(source: SessionsSource) {
    this.#source = source;
    this.#view = window.createTreeView('sglang.sessions', { treeDataProvider: this });
    this.#subscription = this.#view.onDidChangeVisibility(() => this.refresh());
    this.#timer = setInterval(() => {
      if (this.#view.visible) this.refresh();
    }, INTERVAL);
  }

  refresh(): void {
    this.#changed.fire();
  }

  async getChildren(node?: SessionNode): Promise<SessionNode[]> {
    if (node?.kind === 'kernel')
      return node.session.processes.map((info) => ({
        kind: 'process',
        info,
        session: node.session,
      }));
    if (node !== undefined) return [];
    const kernels = [...this.#source.sessions()].filter(([, session]) => session.pid !== undefined);
    const own = new Set(kernels.map(([, session]) => session.pid));
    const others = this.#source.records().filter(({ pid }) => !own.has(pid));
    this.#memory = await residentMemory([
      ...kernels.flatMap(([, { pid, processes }]) => [
        pid ?? 0,
        ...processes.map((info) => info.pid),
      ]),
      ...others.map(({ pid }) => pid),
    ]);
    return [
      ...kernels.map(([notebook, session]) => ({ kind: 'kernel' as const, notebook, session })),
      ...others.map((record) => ({ kind: 'survivor' as const, record })),
    ];
  }

  getTreeItem(node: SessionNode): TreeItem {
    switch (node.kind) {
      case 'kernel':
        return kernelItem(node, this.#size(node.session.pid));
      case 'process':
        return processItem(
          node.info,
          this.#source.health(node.info.pid),
          this.#size(node.info.pid),
        );
      case 'survivor':
        return survivorItem(node.record, this.#size(node.record.pid));
      default:
        return node satisfies never;
    }
  }

  dispose(): void {
    clearInterval(this.#timer);
    this.#subscription.dispose();
    this.#view.dispose();
    this.#changed.dispose();
  }

  /** ` · 120 MiB`, or nothing when it is not known. */
  #size(pid: number | undefined): string {
    const bytes = pid === undefined ? undefined : this.#memory.get(pid);
    return bytes === undefined ? '' : ` · ${formatBytes(bytes)}`;
  }
}

function kernelItem(
  { notebook, session }: SessionNode & { readonly kind: 'kernel' },
  size: string,
): TreeItem {
  // Also without programs: a row that gets its first one later would stay folded.
  const item = new TreeItem(fileName(notebook.uri), TreeItemCollapsibleState.Expanded);
  item.id = `${notebook.uri.toString()}#${session.pid}`;
  item.description = l10n.t(
    '{0} · process {1}',
    kernelStatusText(session.status) + size,
    session.pid ?? '–',
  );
  item.iconPath = new ThemeIcon(session.status === 'busy' ? 'sync' : 'server-process');
  item.contextValue = 'kernel';
  item.tooltip = l10n.t('Python {0}', session.python ?? '…');
  item.command = {
    command: 'vscode.openWith',
    title: '',
    arguments: [notebook.uri, NOTEBOOK_TYPE],
  };
  return spoken(item);
}

const MOOD_ICONS: Readonly<Record<RuntimeMood, string>> = {
  well: 'vm-running',
  restarting: 'sync~spin',
  silent: 'warning',
  failed: 'error',
};

function processItem(
  info: ChildProcessInfo,
  health: RuntimeHealth | undefined,
  size: string,
): TreeItem {
  const isRuntime = info.kind === 'runtime';
  const item = new TreeItem(isRuntime ? l10n.t('SGLang runtime') : info.command);
  // The number that stays when it is started again: the row keeps its place and its selection.
  item.id = `process#${info.id}`;
  const state = isRuntime ? runtimeText(info, health) : '';
  item.description = info.failure
    ? state
    : l10n.t('{0} · process {1}', state || info.url || l10n.t('shell'), info.pid) +
      (health?.kind === 'ready' ? '' : size);
  item.iconPath = new ThemeIcon(isRuntime ? MOOD_ICONS[runtimeMood(info, health)] : 'terminal');
  item.contextValue = info.kind;
  const about = info.url === null ? info.command : `${info.command}\n${info.url}`;
  item.tooltip = info.failure ? `${about}\n${info.failure}` : about;
  return spoken(item);
}

function survivorItem(record: KernelRecord, size: string): TreeItem {
  const item = new TreeItem(fileName(notebookOf(record)));
  item.id = `survivor#${record.id}`;
  item.description =
    (record.driven
      ? l10n.t('in another window · process {0}', record.pid)
      : l10n.t('waits for a window · process {0}', record.pid)) + size;
  item.iconPath = new ThemeIcon(record.driven ? 'multiple-windows' : 'debug-disconnect');
  item.contextValue = 'survivor';
  item.tooltip = l10n.t('Started {0}', new Date(record.startedAt).toLocaleString());
  return spoken(item);
}

/** URI of a record's notebook; an untitled one's name goes with its workspace. */
export function notebookOf(record: KernelRecord): Uri {
  return Uri.parse(record.notebook.replace(/^(untitled:[^@]*)@.*$/, '$1'));
}

/** With the folders in the workspace: notebooks of several folders may have one name. */
function fileName(uri: Uri): string {
  if (workspace.getWorkspaceFolder(uri)) return workspace.asRelativePath(uri);
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}
