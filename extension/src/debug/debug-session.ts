/** One debug session: what the workbench's debug adapter debugs is a run of a cell in its notebook's kernel. */
import {
  EventEmitter,
  l10n,
  Uri,
  type DebugAdapter,
  type DebugProtocolMessage,
  type NotebookCell,
  type NotebookDocument,
} from 'vscode';
import type { DebugSource } from '../../protocol/debug-protocol.ts';
import { cellReference, cellUri } from '../notebook/cell-identity.ts';
import type { SglangNotebookController } from '../notebook/notebook-controller.ts';
import { CellDebugAdapter, type DebuggedRun } from './cell-debug-adapter.ts';
import type { DapRequest, DapSource } from './dap-messages.ts';

interface Debugged {
  readonly name: string;
  readonly adapter: CellDebugAdapter;
}

/** The latest debug session of each notebook. */
const debugged = new Map<NotebookDocument, Debugged>();

/** Why a cell of the notebook cannot be debugged now: another one is. */
export function obstacle(notebook: NotebookDocument): string | null {
  const other = debugged.get(notebook);
  return other && !other.adapter.isOver
    ? l10n.t('{0} of this notebook is being debugged; stop that first.', other.name)
    : null;
}

/** @throws Error when another cell of the notebook is being debugged */
export function adapterFor(
  cell: NotebookCell,
  name: string,
  controller: SglangNotebookController,
): DebugAdapter {
  const { notebook } = cell;
  const reason = obstacle(notebook);
  if (reason !== null) throw new Error(reason);
  const messages = new EventEmitter<DebugProtocolMessage>();
  const adapter = new CellDebugAdapter(runOf(cell, controller), (message) =>
    messages.fire(message),
  );
  debugged.set(notebook, { name, adapter });
  return {
    onDidSendMessage: messages.event,
    handleMessage: (message) => {
      // SAFETY: the workbench sends requests of the protocol to adapters.
      void adapter.receive(message as DapRequest);
    },
    dispose: () => {
      adapter.dispose();
      if (debugged.get(notebook)?.adapter === adapter) debugged.delete(notebook);
      messages.dispose();
    },
  };
}

function runOf(cell: NotebookCell, controller: SglangNotebookController): DebuggedRun {
  const { notebook } = cell;
  return {
    run: (controls, onEvent) => controller.debug(cell, { controls, event: onEvent }),
    command: (command) => controller.session(notebook)?.debug(command),
    interrupt: () => controller.session(notebook)?.interrupt(),
    sourceOf: (path) => sourceOf(notebook, path),
    shown: (source) => shown(notebook, source),
    texts: {
      cell: l10n.t('Cell {0}', cell.index + 1),
      locals: l10n.t('Locals'),
      globals: l10n.t('Globals'),
      uncaught: l10n.t('Uncaught Exceptions'),
      raised: l10n.t('Raised Exceptions'),
      elsewhere: l10n.t(
        'This breakpoint is not in a cell of the notebook or a module on this machine.',
      ),
      badHits: l10n.t('A hit count is a number, or a comparison with one: 3, >=3, %3.'),
    },
  };
}

function sourceOf(notebook: NotebookDocument, path: string): DebugSource | null {
  const isFile = !/^[\w-]{2,}:/.test(path);
  if (isFile) return /\.pyw?$/i.test(path) ? { path } : null;
  const uri = Uri.parse(path).toString();
  const cell = notebook.getCells().find(({ document }) => document.uri.toString() === uri);
  return cell ? { cell: cellReference(cell).id } : null;
}

function shown(notebook: NotebookDocument, source: DebugSource): DapSource {
  if ('path' in source) return { name: source.path.replace(/^.*[/\\]/, ''), path: source.path };
  const uri = cellUri(notebook, source.cell);
  const cell = notebook.getCells().find(({ document }) => document.uri.toString() === uri);
  // A cell that was deleted has a name only.
  return cell
    ? { name: l10n.t('Cell {0}', cell.index + 1), path: uri }
    : { name: source.label ?? source.cell };
}
