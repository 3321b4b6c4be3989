/**
 * Looks at every saved notebook: VS Code takes a short write for a whole one, and "File: Save without
 * Formatting" passes by `SafeSave`. What the file lost is kept, and the notebook counts as unsaved again.
 */
import {
  commands,
  l10n,
  NotebookEdit,
  Uri,
  window,
  workspace,
  WorkspaceEdit,
  type Disposable,
  type LogOutputChannel,
  type NotebookData,
  type NotebookDocument,
} from 'vscode';
import { mkdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { replaceDiskFile } from '../commands/replace-disk-file.ts';
import { NOTEBOOK_TYPE } from './notebook-type.ts';
import { isOf } from './safe-save.ts';

/** Milliseconds from a serializer's turn to the end of the save, in which its bytes are remembered. */
const SAVE_TIME = 30_000;
/** Backups are serialized, too: that many of the latest bytes may be those of a save. */
const REMEMBERED = 3;

interface Serialized {
  readonly notebooks: readonly NotebookDocument[];
  readonly bytes: Uint8Array;
}

export class TornSaves implements Disposable {
  readonly #folder: string;
  readonly #log: Pick<LogOutputChannel, 'error'>;
  readonly #subscription: Disposable;
  /** Files of `#folder`, until their notebook is saved. */
  readonly #kept = new Map<NotebookDocument, string>();
  #recent: readonly Serialized[] = [];
  #forget: ReturnType<typeof setTimeout> | null = null;

  /** @param folder of this machine, for what torn files lost; made when it is needed */
  constructor(folder: string, log: Pick<LogOutputChannel, 'error'>) {
    this.#folder = folder;
    this.#log = log;
    this.#subscription = workspace.onDidSaveNotebookDocument((notebook) => {
      if (notebook.notebookType !== NOTEBOOK_TYPE || notebook.uri.scheme !== 'file') return;
      this.#look(notebook).catch((error: unknown) =>
        log.error(`${notebook.uri.fsPath} was not looked at after its save: ${String(error)}`),
      );
    });
  }

  /** `data` became `bytes`, which may be what is written next. */
  serialized(data: NotebookData, bytes: Uint8Array): void {
    const notebooks = workspace.notebookDocuments.filter(
      (notebook) => notebook.notebookType === NOTEBOOK_TYPE && isOf(data, notebook),
    );
    if (notebooks.length === 0) return;
    this.#recent = [{ notebooks, bytes }, ...this.#recent].slice(0, REMEMBERED);
    if (this.#forget !== null) clearTimeout(this.#forget);
    this.#forget = setTimeout(() => (this.#recent = []), SAVE_TIME);
  }

  dispose(): void {
    if (this.#forget !== null) clearTimeout(this.#forget);
    this.#subscription.dispose();
  }

  async #look(notebook: NotebookDocument): Promise<void> {
    const candidates = this.#recent.filter(({ notebooks }) => notebooks.includes(notebook));
    const { size } = await stat(notebook.uri.fsPath);
    if (candidates.length === 0) return;
    if (candidates.some(({ bytes }) => bytes.byteLength === size)) {
      this.#recent = this.#recent.filter((each) => !candidates.includes(each));
      await this.#dropCopy(notebook);
      return;
    }
    const torn = await tornFrom(notebook.uri.fsPath, candidates);
    if (torn !== undefined) await this.#rescue(notebook, torn, size);
  }

  async #rescue(notebook: NotebookDocument, bytes: Uint8Array, size: number): Promise<void> {
    const name = basename(notebook.uri.fsPath);
    this.#log.error(
      `${notebook.uri.fsPath} was cut off by its save: ${size} of ${bytes.byteLength} bytes`,
    );
    const text = new TextDecoder().decode(bytes);
    const copy = await this.#keep(notebook, text);
    await countAsUnsaved(notebook);
    const again = l10n.t('Save Again');
    const elsewhere = l10n.t('Save Elsewhere…');
    const chosen = await window.showErrorMessage(
      copy === null
        ? l10n.t(
            '{0} was cut off when it was saved: the disk is full. The whole notebook is in the editor alone, which counts as unsaved. Free some space and save again, or save it elsewhere.',
            name,
          )
        : l10n.t(
            '{0} was cut off when it was saved: the disk is full. The editor counts as unsaved, and {1} has the whole notebook, too. Free some space and save again, or save it elsewhere.',
            name,
            copy,
          ),
      again,
      elsewhere,
    );
    // With the command that announces itself, so that a disk that is still full is noticed before.
    if (chosen === again && !notebook.isClosed) await notebook.save();
    if (chosen === elsewhere && !notebook.isClosed) {
      // Of the editor, in which work may have gone on while the message was shown.
      if (await workspace.saveAs(notebook.uri)) await this.#dropCopy(notebook);
    } else if (chosen !== undefined && notebook.isClosed) await saveElsewhere(notebook.uri, text);
  }

  /** The path of a copy; null if this disk is full, too. */
  async #keep(notebook: NotebookDocument, text: string): Promise<string | null> {
    const time = new Date().toISOString().replaceAll(/[:.]/g, '-');
    const path = join(this.#folder, `${basename(notebook.uri.fsPath, '.sglnb')}-${time}.sglnb`);
    try {
      await mkdir(this.#folder, { recursive: true });
      await replaceDiskFile(Uri.file(path), text);
    } catch (error) {
      this.#log.error(String(error));
      return null;
    }
    await this.#dropCopy(notebook);
    this.#kept.set(notebook, path);
    return path;
  }

  async #dropCopy(notebook: NotebookDocument): Promise<void> {
    const path = this.#kept.get(notebook);
    this.#kept.delete(notebook);
    if (path !== undefined) await rm(path, { force: true });
  }
}

/** The bytes of which the file holds the beginning only; undefined if it holds anything else. */
async function tornFrom(
  path: string,
  candidates: readonly Serialized[],
): Promise<Uint8Array | undefined> {
  const found = await readFile(path);
  return candidates
    .map(({ bytes }) => bytes)
    .find((bytes) => found.length < bytes.length && found.equals(bytes.subarray(0, found.length)));
}

/** Serializers write nothing of this field. */
async function countAsUnsaved(notebook: NotebookDocument): Promise<void> {
  if (notebook.isClosed) return;
  const edit = new WorkspaceEdit();
  const metadata = { ...notebook.metadata, torn: Date.now() };
  edit.set(notebook.uri, [NotebookEdit.updateNotebookMetadata(metadata)]);
  await workspace.applyEdit(edit);
}

async function saveElsewhere(uri: Uri, text: string): Promise<void> {
  const target = await window.showSaveDialog({
    defaultUri: uri,
    filters: { [l10n.t('SGLang notebook')]: ['sglnb'] },
  });
  if (!target) return;
  try {
    await replaceDiskFile(target, text);
  } catch (error) {
    await window.showErrorMessage(error instanceof Error ? error.message : String(error));
    return;
  }
  await commands.executeCommand('vscode.openWith', target, NOTEBOOK_TYPE);
}
