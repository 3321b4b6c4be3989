/**
 * Pure: which cells show values that no longer follow from the notebook's text. A cell is stale when it
 * was edited after it ran, or when a cell above, whose names it uses, ran or was edited after that.
 */
export interface CellText {
  readonly uri: string;
  readonly text: string;
}

export type Staleness =
  | { readonly kind: 'edited' }
  /** `number`: of the cell above, from 1. */
  | { readonly kind: 'upstream'; readonly number: number; readonly change: 'ran' | 'edited' };

interface Run {
  readonly text: string;
  readonly order: number;
}

export class StaleCells {
  readonly #runs = new Map<string, Run>();
  #order = 0;

  ran({ uri, text }: CellText): void {
    this.#order += 1;
    this.#runs.set(uri, { text, order: this.#order });
  }

  hasRun(uri: string): boolean {
    return this.#runs.has(uri);
  }

  clear(): void {
    this.#runs.clear();
  }

  /** Of the cell at `index` of `cells`, all code cells of the notebook in order; `null` when fresh or never run. */
  staleness(index: number, cells: readonly CellText[]): Staleness | null {
    const cell = cells[index];
    const run = cell && this.#runs.get(cell.uri);
    if (!cell || !run) return null;
    if (changed(run.text, cell.text)) return { kind: 'edited' };
    const used = usedNames(cell.text);
    for (let above = index - 1; above >= 0; above -= 1) {
      const change = this.#changeSince(run, cells[above], used);
      if (change !== null) return { kind: 'upstream', number: above + 1, change };
    }
    return null;
  }

  #changeSince(
    run: Run,
    above: CellText | undefined,
    used: ReadonlySet<string>,
  ): 'ran' | 'edited' | null {
    if (!above) return null;
    const earlier = this.#runs.get(above.uri);
    if (!earlier) return null;
    const names = [...definedNames(earlier.text), ...definedNames(above.text)];
    if (!names.some((name) => used.has(name))) return null;
    if (earlier.order > run.order) return 'ran';
    return changed(earlier.text, above.text) ? 'edited' : null;
  }
}

/** Whether a text does something else: white space at line ends and comments do nothing. */
function changed(before: string, after: string): boolean {
  return before !== after && essence(before) !== essence(after);
}

function essence(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^\s*#.*$/, '').trimEnd());
  return lines.filter((line) => line !== '').join('\n');
}

const DEFINITION =
  /^(?:async\s+)?(?:def|class)\s+(\w+)|^([A-Za-z_][\w, ]*?)\s*(?::[^=\n]+)?[+\-*/|]?=(?!=)/gm;

/** Names that a cell gives a value at its top level. */
function definedNames(text: string): string[] {
  return [...text.matchAll(DEFINITION)].flatMap(([, defined, assigned]) =>
    (defined ?? assigned ?? '').split(',').map((name) => name.trim()),
  );
}

function usedNames(text: string): Set<string> {
  return new Set([...text.matchAll(/(?<![.\w])[A-Za-z_]\w*/g)].map(([name]) => name));
}
