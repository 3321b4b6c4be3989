/** Times of alternating rounds, and what they say. */

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

export async function seconds(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

export interface Row {
  readonly work: string;
  /** Both sides in their units. */
  readonly figures: string;
  /** In the sense of the goal; null where there is none to compare with. */
  readonly value: string;
  readonly goal: string;
}

/**
 * Runs both sides alternately, so that what else the machine does hits both, and gives the ratio
 * `other / ours` of each round: its median is what counts, its spread says how much to trust it.
 */
export async function compare(
  rounds: number,
  ours: () => Promise<number>,
  other: () => Promise<number>,
): Promise<Comparison> {
  const times: { ours: number; other: number }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    // Whoever comes second finds a warmer machine.
    const first = round % 2 === 0 ? await ours() : null;
    const second = await other();
    times.push({ ours: first ?? (await ours()), other: second });
  }
  const ratios = times.map((time) => time.other / time.ours);
  return {
    ours: median(times.map((time) => time.ours)),
    other: median(times.map((time) => time.other)),
    ratio: median(ratios),
    spread: `${Math.min(...ratios).toFixed(2)} – ${Math.max(...ratios).toFixed(2)}`,
  };
}

export interface Comparison {
  readonly ours: number;
  readonly other: number;
  readonly ratio: number;
  readonly spread: string;
}

export const times = ({ ratio, spread }: Comparison, digits = 2): string =>
  `${ratio.toFixed(digits)}× (${spread})`;

/** Rows as a table that is readable as it is, and in Markdown. */
export function table(rows: readonly Row[]): string {
  const cells = [
    ['work', 'measured', 'ratio, median (spread)', 'goal'],
    ...rows.map(({ work, figures, value, goal }) => [work, figures, value, goal]),
  ];
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const [head = [], ...body] = cells;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...body.map(line)].join('\n');
}
