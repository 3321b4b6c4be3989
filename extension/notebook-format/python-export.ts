/** A notebook as a plain Python script in percent format: any interpreter can read it. */
import type { NotebookCell, NotebookDocument } from './document.ts';

const MAGIC = /^(\s*)(!|%{1,2}[A-Za-z])/;

export function exportPython(document: NotebookDocument): string {
  return document.cells.map(exportCell).join('\n');
}

function exportCell({ kind, source, metadata }: NotebookCell): string {
  const title = typeof metadata['title'] === 'string' ? ` ${oneLine(metadata['title'])}` : '';
  const tag = kind === 'code' ? '' : ` [${kind}]`;
  const body = kind === 'code' ? commentMagics(source) : comment(source);
  return `# %%${title}${tag}\n${body}${body === '' || body.endsWith('\n') ? '' : '\n'}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function comment(source: string): string {
  return source
    .replaceAll('\r\n', '\n')
    .replace(/\n+$/, '')
    .split('\n')
    .map(commentLine)
    .join('\n');
}

function commentLine(line: string): string {
  return line === '' ? '#' : `# ${line}`;
}

/** Shell lines and magics become comments, a cell magic its whole cell. */
function commentMagics(source: string): string {
  const text = source.replaceAll('\r\n', '\n');
  if (/^\s*%%[A-Za-z]/.test(text)) return comment(text.trimStart());
  let continues = false;
  return text
    .split('\n')
    .map((line) => {
      const isMagic = continues || MAGIC.test(line);
      continues = isMagic && line.endsWith('\\');
      return isMagic ? line.replace(/^(\s*)/, '$1# ') : line;
    })
    .join('\n');
}
