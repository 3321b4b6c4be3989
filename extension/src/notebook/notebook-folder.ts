/** Where a notebook's relative paths start. */
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import type { Uri } from 'vscode';

type Place = Pick<Uri, 'scheme' | 'fsPath'>;

/**
 * The notebook's own folder, else the first folder of the workspace, else home; always one on disk: the
 * path of a folder elsewhere names another one here, or none.
 */
export function notebookFolder(notebook: Place, workspaceFolders: readonly Place[]): string {
  if (notebook.scheme === 'file') return dirname(notebook.fsPath);
  return workspaceFolders.find(({ scheme }) => scheme === 'file')?.fsPath ?? homedir();
}
