/** Open texts, parsed once per version, grouped into modules: a notebook's cells, or one file. */
import type { SourceUnit } from '../semantics/source-unit.ts';
import { parse } from '../syntax/parser.ts';

export interface CellText {
  readonly uri: string;
  readonly text: string;
}

export interface SourceModule {
  readonly uri: string;
  readonly kind: 'notebook' | 'file';
  readonly units: readonly SourceUnit[];
}

export class Documents {
  readonly #modules = new Map<string, SourceModule>();
  readonly #moduleOfUnit = new Map<string, string>();

  setFile(uri: string, text: string): void {
    this.#set({ uri, kind: 'file', units: [this.#unit(uri, text)] });
  }

  /** Cells in notebook order, code cells only. */
  setNotebook(uri: string, cells: readonly CellText[]): void {
    this.#set({
      uri,
      kind: 'notebook',
      units: cells.map((cell) => this.#unit(cell.uri, cell.text)),
    });
  }

  /** One cell's new text. False if the cell is not known. */
  setCell(cellUri: string, text: string): boolean {
    const module = this.moduleOf(cellUri);
    if (!module) return false;
    const units = module.units.map((unit) =>
      unit.uri === cellUri ? this.#unit(cellUri, text) : unit,
    );
    this.#set({ ...module, units });
    return true;
  }

  close(uri: string): void {
    const module = this.#modules.get(uri);
    for (const unit of module?.units ?? []) this.#moduleOfUnit.delete(unit.uri);
    this.#modules.delete(uri);
  }

  /** The module that holds a cell or file. */
  moduleOf(unitUri: string): SourceModule | undefined {
    return this.#modules.get(this.#moduleOfUnit.get(unitUri) ?? unitUri);
  }

  get modules(): readonly SourceModule[] {
    return [...this.#modules.values()];
  }

  #set(module: SourceModule): void {
    this.close(module.uri);
    this.#modules.set(module.uri, module);
    for (const unit of module.units) this.#moduleOfUnit.set(unit.uri, module.uri);
  }

  /** Cells that did not change keep their tree. */
  #unit(uri: string, text: string): SourceUnit {
    const known = this.moduleOf(uri)?.units.find((unit) => unit.uri === uri);
    return known?.text === text ? known : { uri, text, tree: parse(text) };
  }
}
