/**
 * File names of cells in Python code objects. Each run has a name of its own, so that a function which
 * an earlier text of the cell defined still shows that text in a traceback.
 */
import type { CellRef } from '../../protocol/kernel-protocol.ts';

export class CellFiles {
  readonly #cells = new Map<string, string>();
  #runs = 0;

  add(cell: CellRef): string {
    this.#runs += 1;
    const fileName = `<${cell.label}#${this.#runs}>`;
    this.#cells.set(fileName, cell.id);
    return fileName;
  }

  /** Id of the cell with this file name; `null` for any other file. */
  cellOf(fileName: string): string | null {
    return this.#cells.get(fileName) ?? null;
  }
}
