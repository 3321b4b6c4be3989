/** Export to and import from the formats of other tools. */
import {
  commands,
  l10n,
  NotebookCellData,
  NotebookData,
  Uri,
  window,
  workspace,
  type NotebookDocument,
} from 'vscode';
import { exportHtml, exportMarkdown, exportPython } from '../../notebook-format/exports.ts';
import { readIpynb, writeIpynb } from '../../notebook-format/ipynb.ts';
import { importPython } from '../../notebook-format/python-import.ts';
import { parseNotebook, serializeNotebook } from '../../notebook-format/sglnb.ts';
import type { NotebookDocument as FileDocument } from '../../notebook-format/document.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import { bytesOf } from '../notebook/sglnb-serializer.ts';
import type { ReplaceFile } from './replace-file.ts';

interface ExportFormat {
  readonly extension: string;
  readonly label: string;
  readonly convert: (document: FileDocument, title: string) => string;
}

const exportFormats = (): readonly ExportFormat[] => [
  { extension: 'ipynb', label: l10n.t('Jupyter notebook'), convert: writeIpynb },
  { extension: 'py', label: 'Python', convert: exportPython },
  { extension: 'md', label: 'Markdown', convert: exportMarkdown },
  { extension: 'html', label: 'HTML', convert: exportHtml },
];

const IMPORTED = /\.(ipynb|py)$/;

/** What is in the editor; its file stays as it is. */
export async function exportNotebook(
  notebook: NotebookDocument,
  replace: ReplaceFile,
): Promise<void> {
  const name = notebook.uri.path.slice(notebook.uri.path.lastIndexOf('/') + 1);
  const title = l10n.t('Export {0}', name);
  // A dialog of VS Code's own, as over ssh, shows no formats.
  const format = await window.showQuickPick(
    exportFormats().map((each) => ({ ...each, description: `.${each.extension}` })),
    { title, matchOnDescription: true },
  );
  if (!format) return;
  const { extension, label, convert } = format;
  const folder = folderOf(notebook);
  const proposed = `${name.replace(/\.sglnb$/, '')}.${extension}`;
  const target = await window.showSaveDialog({
    title,
    ...(folder ? { defaultUri: Uri.joinPath(folder, proposed) } : {}),
    filters: { [label]: [extension] },
  });
  if (!target) return;
  await write(replace, target, () => {
    const source = new TextDecoder().decode(bytesOf(dataOf(notebook)));
    return convert(parseNotebook(source).document, name);
  });
}

/** A new notebook has no folder yet. */
function folderOf({ uri, isUntitled }: NotebookDocument): Uri | undefined {
  return isUntitled ? workspace.workspaceFolders?.[0]?.uri : Uri.joinPath(uri, '..');
}

function dataOf(notebook: NotebookDocument): NotebookData {
  const cells = notebook.getCells().map((cell) => {
    const { document, kind, metadata, outputs, executionSummary = {} } = cell;
    const data = new NotebookCellData(kind, document.getText(), document.languageId);
    return Object.assign(data, { metadata, outputs: [...outputs], executionSummary });
  });
  return Object.assign(new NotebookData(cells), { metadata: notebook.metadata });
}

/** False, with a message on screen, when the text could not be made or written. */
async function write(replace: ReplaceFile, target: Uri, text: () => string): Promise<boolean> {
  try {
    await replace(target, text());
    return true;
  } catch (error) {
    await window.showErrorMessage(error instanceof Error ? error.message : String(error));
    return false;
  }
}

export async function importNotebook(replace: ReplaceFile): Promise<void> {
  const [source] =
    (await window.showOpenDialog({
      filters: { [l10n.t('Notebooks and Python')]: ['ipynb', 'py'] },
    })) ?? [];
  if (source) await importFrom(source, replace);
}

/** From the explorer, which says what was clicked and everything that is selected. */
export async function importFiles(
  replace: ReplaceFile,
  clicked?: Uri,
  selected?: readonly Uri[],
): Promise<void> {
  for (const source of selected ?? (clicked ? [clicked] : [])) {
    if (IMPORTED.test(source.path)) await importFrom(source, replace);
  }
}

async function importFrom(source: Uri, replace: ReplaceFile): Promise<void> {
  const text = new TextDecoder().decode(await workspace.fs.readFile(source));
  let document: FileDocument;
  try {
    document = source.path.endsWith('.py') ? importPython(text) : readIpynb(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await window.showErrorMessage(l10n.t('Could not import {0}: {1}', source.fsPath, reason));
    return;
  }
  const target = await freeName(source);
  if (!(await write(replace, target, () => serializeNotebook(document)))) return;
  await commands.executeCommand('vscode.openWith', target, NOTEBOOK_TYPE);
}

/** `base.sglnb`, or the first `base-2.sglnb` … that does not exist: importing overwrites nothing. */
async function freeName(source: Uri): Promise<Uri> {
  const base = source.path.replace(IMPORTED, '');
  for (let number = 1; ; number += 1) {
    const path = number === 1 ? `${base}.sglnb` : `${base}-${number}.sglnb`;
    const target = source.with({ path });
    const exists = await workspace.fs.stat(target).then(
      () => true,
      () => false,
    );
    if (!exists) return target;
  }
}
