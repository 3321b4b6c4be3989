/** Export to and import from the formats of other tools. */
import { commands, l10n, window, workspace, type NotebookDocument, type Uri } from 'vscode';
import { exportHtml, exportMarkdown, exportPython } from '../../notebook-format/exports.ts';
import { readIpynb, writeIpynb } from '../../notebook-format/ipynb.ts';
import { importPython } from '../../notebook-format/python-import.ts';
import { parseNotebook, serializeNotebook } from '../../notebook-format/sglnb.ts';
import type { NotebookDocument as FileDocument } from '../../notebook-format/document.ts';
import { NOTEBOOK_TYPE } from '../notebook/notebook-type.ts';
import type { ReplaceFile } from './replace-file.ts';

const EXPORTS: Readonly<Record<string, (document: FileDocument, title: string) => string>> = {
  ipynb: (document) => writeIpynb(document),
  py: (document) => exportPython(document),
  md: (document) => exportMarkdown(document),
  html: (document, title) => exportHtml(document, title),
};

const IMPORTED = /\.(ipynb|py)$/;

export async function exportNotebook(
  notebook: NotebookDocument,
  replace: ReplaceFile,
): Promise<void> {
  // The saved bytes are what every export starts from: one path from the editor to a document.
  if (notebook.isDirty || notebook.isUntitled) {
    if (!(await notebook.save())) return;
  }
  const target = await window.showSaveDialog({
    defaultUri: notebook.uri.with({ path: notebook.uri.path.replace(/\.sglnb$/, '.ipynb') }),
    filters: {
      [l10n.t('Jupyter notebook')]: ['ipynb'],
      Python: ['py'],
      Markdown: ['md'],
      HTML: ['html'],
    },
  });
  if (!target) return;
  const extension = target.path.slice(target.path.lastIndexOf('.') + 1);
  const convert = EXPORTS[extension];
  if (!convert) {
    await window.showErrorMessage(
      l10n.t(
        'Cannot export to ".{0}"; choose one of: {1}.',
        extension,
        Object.keys(EXPORTS).join(', '),
      ),
    );
    return;
  }
  const source = new TextDecoder().decode(await workspace.fs.readFile(notebook.uri));
  const title = notebook.uri.path.slice(notebook.uri.path.lastIndexOf('/') + 1);
  await write(replace, target, convert(parseNotebook(source).document, title));
}

/** False, with a message on screen, when the file could not be written. */
async function write(replace: ReplaceFile, target: Uri, text: string): Promise<boolean> {
  try {
    await replace(target, text);
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
  if (!(await write(replace, target, serializeNotebook(document)))) return;
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
