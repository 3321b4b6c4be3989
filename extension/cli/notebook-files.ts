/** Notebook files on disk: the format follows from the name's ending. */
import { readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import type { NotebookDocument } from '../notebook-format/document.ts';
import { exportHtml, exportMarkdown, exportPython } from '../notebook-format/exports.ts';
import { NotebookFormatError } from '../notebook-format/format-error.ts';
import { readIpynb, writeIpynb } from '../notebook-format/ipynb.ts';
import { importPython } from '../notebook-format/python-import.ts';
import { parseNotebook, serializeNotebook } from '../notebook-format/sglnb.ts';
import { UsageError } from './usage-error.ts';

/** Images above this do not belong into a text file; VS Code's setting has the same default. */
const MAXIMUM_IMAGE_BYTES = 1024 * 1024;

interface Loaded {
  readonly document: NotebookDocument;
  /** Sentences for the user: what in the file could not be used. */
  readonly warnings: readonly string[];
}

const readers: Readonly<Record<string, (text: string) => Loaded>> = {
  '.sglnb': (text) => {
    const { document, warnings } = parseNotebook(text);
    return { document, warnings: warnings.map(({ line, message }) => `line ${line}: ${message}`) };
  },
  '.ipynb': (text) => ({ document: readIpynb(text), warnings: [] }),
  '.py': (text) => ({ document: importPython(text), warnings: [] }),
};

const writers: Readonly<Record<string, (document: NotebookDocument, title: string) => string>> = {
  '.sglnb': (document) => serializeNotebook(document, { maximumImageBytes: MAXIMUM_IMAGE_BYTES }),
  '.ipynb': (document) => writeIpynb(document),
  '.py': (document) => exportPython(document),
  '.md': (document) => exportMarkdown(document),
  '.html': (document, title) => exportHtml(document, title),
};

/** @throws UsageError naming the file and the reason */
export async function readNotebook(file: string): Promise<Loaded> {
  const reader = readers[extname(file).toLowerCase()];
  if (!reader) throw wrongEnding(file, 'read', Object.keys(readers));
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    throw new UsageError(`Cannot read ${file}: ${reasonOf(error)}`);
  }
  try {
    return reader(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    if (error instanceof NotebookFormatError) {
      throw new UsageError(`${file}:${error.line}: ${error.message}`);
    }
    if (error instanceof TypeError) throw new UsageError(`${file} is not UTF-8 text.`);
    throw error;
  }
}

/** @throws UsageError if no format has this ending; called before a long run, too */
export function checkWritable(file: string): void {
  if (!writers[extname(file).toLowerCase()]) {
    throw wrongEnding(file, 'written', Object.keys(writers));
  }
}

/** Writes beside the file and renames: a full disk leaves the old file as it was. */
export async function writeNotebook(file: string, document: NotebookDocument): Promise<void> {
  const writer = writers[extname(file).toLowerCase()];
  if (!writer) throw wrongEnding(file, 'written', Object.keys(writers));
  const target = await realpath(file).catch(() => file);
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, writer(document, basename(file)));
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new UsageError(`Cannot write ${file}: ${reasonOf(error)}`);
  }
}

function wrongEnding(file: string, verb: string, endings: readonly string[]): UsageError {
  return new UsageError(`${file} cannot be ${verb}: its name must end in ${endings.join(', ')}`);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? error.code : null;
  if (code === 'ENOENT') return 'there is no such file or folder';
  if (code === 'EISDIR') return 'it is a folder';
  return code === 'EACCES' ? 'permission denied' : error.message;
}
