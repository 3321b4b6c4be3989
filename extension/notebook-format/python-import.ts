/**
 * A Python script in percent format (Jupytext, VS Code, Spyder) as a notebook. Magics that
 * Jupytext commented out to keep the script valid come back to life.
 */
import { NEW_LAYOUT, newCell, type NotebookCell, type NotebookDocument } from './document.ts';
import { parseNotebook } from './sglnb.ts';

const COMMENTED_MAGIC = /^(\s*)# ((?:!|%{1,2}[A-Za-z])[^\n]*)/;

export function importPython(text: string): NotebookDocument {
  const { document } = parseNotebook(text);
  // The notebook is a new file: nothing of the script's layout has to survive in it.
  const cells = document.cells.map((cell) => ({
    ...newCell(
      cell.kind,
      cell.id,
      withoutFinalBlankLines(activeMagics(cell)).replaceAll('\r\n', '\n'),
    ),
    metadata: cell.metadata,
  }));
  return { metadata: document.metadata, cells, ipynb: document.ipynb, layout: NEW_LAYOUT };
}

function withoutFinalBlankLines(source: string): string {
  return source.replace(/\s*$/, '');
}

function activeMagics({ kind, source }: Pick<NotebookCell, 'kind' | 'source'>): string {
  if (kind !== 'code') return source;
  const lines = source.split('\n');
  const first = lines.find((line) => line.trim() !== '') ?? '';
  // `# %%bash` turns the whole cell into comments.
  if (/^# %%[A-Za-z]/.test(first) && lines.every((line) => line === '' || line.startsWith('#'))) {
    return lines.map((line) => line.replace(/^# ?/, '')).join('\n');
  }
  let continues = false;
  return lines
    .map((line) => {
      const active = continues
        ? line.replace(/^(\s*)# /, '$1')
        : line.replace(COMMENTED_MAGIC, '$1$2');
      continues = active !== line && active.endsWith('\\');
      return active;
    })
    .join('\n');
}
