/** Code cells of the file kinds that `sglnb check` reads, with the line each begins on. */

export interface FileCell {
  readonly text: string;
  /** 0-based line of the file; for `.ipynb` the position within the cell is all there is. */
  readonly line: number;
  /** What to call the cell where line numbers do not lead to it. */
  readonly label: string | null;
}

/** `null` if the file is not what its name says. */
export function splitCells(path: string, text: string): readonly FileCell[] | null {
  if (path.endsWith('.ipynb')) return jupyterCells(text);
  if (path.endsWith('.sglnb')) return percentCells(text);
  return [{ text, line: 0, label: null }];
}

const marker = /^#[ \t]*%%(?=[ \t\r]|$)/;
const notCode = /\[(?:markdown|md|raw|sglnb:[\w-]+)\](?=\s|$)/;

function percentCells(text: string): readonly FileCell[] {
  const cells: FileCell[] = [];
  let lines: string[] = [];
  let start = 0;
  let isCode = true;
  const end = () => {
    if (isCode && lines.some((line) => line.trim() !== '')) {
      cells.push({ text: lines.join('\n'), line: start, label: null });
    }
  };
  text.split('\n').forEach((line, i) => {
    if (!marker.test(line)) {
      lines.push(line);
      return;
    }
    end();
    [lines, start, isCode] = [[], i + 1, !notCode.test(line)];
  });
  end();
  return cells;
}

function jupyterCells(text: string): readonly FileCell[] | null {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // Not a notebook at all; the caller says so.
    return null;
  }
  if (
    typeof parsed !== 'object' ||
    parsed === null ||
    !('cells' in parsed) ||
    !Array.isArray(parsed.cells)
  )
    return null;
  const cells: readonly unknown[] = parsed.cells;
  return cells.flatMap((cell, i) => {
    const source = codeOf(cell);
    return source === null ? [] : [{ text: source, line: 0, label: `cell ${i + 1}` }];
  });
}

function codeOf(cell: unknown): string | null {
  if (
    typeof cell !== 'object' ||
    cell === null ||
    !('cell_type' in cell) ||
    cell.cell_type !== 'code'
  )
    return null;
  if (!('source' in cell)) return null;
  if (typeof cell.source === 'string') return cell.source;
  return Array.isArray(cell.source)
    ? cell.source.filter((line) => typeof line === 'string').join('')
    : null;
}
