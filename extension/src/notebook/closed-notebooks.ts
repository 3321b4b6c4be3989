/**
 * Says when a notebook is closed for the user: its last tab is gone. The document itself may live on
 * in the workbench for minutes, and its kernel must not.
 */
import {
  TabInputNotebook,
  TabInputNotebookDiff,
  window,
  workspace,
  type Disposable,
  type NotebookDocument,
} from 'vscode';

/** Milliseconds in which a tab that moves to another group shows up again. */
const MOVING = 500;

export function onNotebookClosed(
  candidates: () => Iterable<NotebookDocument>,
  closed: (notebook: NotebookDocument) => void,
): Disposable[] {
  const check = (): void => {
    const shown = shownNotebooks();
    for (const notebook of candidates()) if (!shown.has(notebook.uri.toString())) closed(notebook);
  };
  return [
    window.tabGroups.onDidChangeTabs((change) => {
      if (change.closed.length > 0) setTimeout(check, MOVING);
    }),
    workspace.onDidCloseNotebookDocument(closed),
  ];
}

/** Addresses of the notebooks that have a tab. */
export function shownNotebooks(): ReadonlySet<string> {
  const tabs = window.tabGroups.all.flatMap((group) => group.tabs);
  return new Set(
    tabs.flatMap(({ input }) => {
      if (input instanceof TabInputNotebook) return [input.uri.toString()];
      if (input instanceof TabInputNotebookDiff) return [input.modified.toString()];
      return [];
    }),
  );
}
