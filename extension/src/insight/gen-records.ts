/**
 * What the programs of open notebooks generated last, by cell and by variable: for hovers, cell status
 * items and views. Pure; holds the records of one kernel session per notebook.
 */
import type { GenRecord } from '../../protocol/kernel-protocol.ts';

/** Sums over the generations of one run of a cell. */
export interface CellTotals {
  readonly generations: number;
  readonly failed: number;
  readonly completionTokens: number;
  /** Milliseconds spent in the generations that reported their tokens. */
  readonly milliseconds: number;
  readonly promptTokens: number;
  readonly cachedTokens: number;
}

const NOTHING: CellTotals = {
  generations: 0,
  failed: 0,
  completionTokens: 0,
  milliseconds: 0,
  promptTokens: 0,
  cachedTokens: 0,
};

/** Records kept per variable; a loop's earlier values are of no use in a hover. */
const MOST_VALUES = 5;
/** Records kept of all variables together; each holds its whole request. */
const MOST_RECENT = 50;

export class GenRecords {
  /** Latest first, by variable name. */
  readonly #byName = new Map<string, GenRecord[]>();
  readonly #byCell = new Map<string, CellTotals>();
  /** Oldest first. */
  readonly #recent: GenRecord[] = [];

  /** A cell runs again. */
  startCell(cell: string): void {
    this.#byCell.delete(cell);
  }

  add(runningCell: string | null, record: GenRecord): void {
    this.#recent.push(record);
    if (this.#recent.length > MOST_RECENT) this.#recent.shift();
    if (record.name !== null) {
      const earlier = this.#byName.get(record.name) ?? [];
      this.#byName.set(record.name, [record, ...earlier].slice(0, MOST_VALUES));
    }
    if (runningCell !== null) {
      const sum = this.#byCell.get(runningCell) ?? NOTHING;
      this.#byCell.set(runningCell, plus(sum, record));
    }
  }

  /** Latest first. */
  values(name: string): readonly GenRecord[] {
    return this.#byName.get(name) ?? [];
  }

  /** Variables that have a value. */
  names(): string[] {
    return [...this.#byName.keys()];
  }

  /** Latest first, those without a variable too. */
  recent(): GenRecord[] {
    return this.#recent.toReversed();
  }

  totals(cell: string): CellTotals | undefined {
    return this.#byCell.get(cell);
  }

  clear(): void {
    this.#byName.clear();
    this.#byCell.clear();
    this.#recent.length = 0;
  }
}

function plus(sum: CellTotals, record: GenRecord): CellTotals {
  return {
    generations: sum.generations + 1,
    failed: sum.failed + (record.error === null ? 0 : 1),
    completionTokens: sum.completionTokens + (record.completionTokens ?? 0),
    milliseconds: sum.milliseconds + (record.completionTokens === null ? 0 : record.milliseconds),
    promptTokens: sum.promptTokens + (record.promptTokens ?? 0),
    cachedTokens: sum.cachedTokens + (record.cachedTokens ?? 0),
  };
}

/** Tokens per second of each generation on its own, averaged by tokens; `null` if unknown. */
export function tokensPerSecond({ completionTokens, milliseconds }: CellTotals): number | null {
  if (completionTokens === 0 || milliseconds <= 0) return null;
  return (completionTokens * 1000) / milliseconds;
}

/** Share of the prompts' tokens that the server had in its cache, 0 to 1; `null` if unknown. */
export function cachedShare({ promptTokens, cachedTokens }: CellTotals): number | null {
  return promptTokens === 0 ? null : cachedTokens / promptTokens;
}
