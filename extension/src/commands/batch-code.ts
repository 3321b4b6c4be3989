/** Pure: the cell that runs a program over the rows of a file. */
import type { ScannedProgram } from '../program-scan.ts';

/** Python that reads the file into `rows`, a list of dicts; `null` for a kind that is not known. */
function readingCode(path: string): string | null {
  const name = JSON.stringify(path);
  if (/\.csv$/i.test(path)) {
    return `import csv\n\nwith open(${name}, newline="", encoding="utf-8-sig") as file:\n    rows = list(csv.DictReader(file))`;
  }
  if (/\.(jsonl|ndjson)$/i.test(path)) {
    return `import json\n\nwith open(${name}, encoding="utf-8") as file:\n    rows = [json.loads(line) for line in file if line.strip()]`;
  }
  if (/\.json$/i.test(path)) {
    return `import json\n\nwith open(${name}, encoding="utf-8") as file:\n    rows = json.load(file)`;
  }
  return null;
}

/**
 * Rows may have more columns than the program has parameters. The cell's value is the rows with what
 * was generated for each. `path` is relative to the notebook's folder.
 */
export function batchCode(program: ScannedProgram, path: string): string | null {
  const reading = readingCode(path);
  if (reading === null) return null;
  const taken = program.parameters.map(
    ({ name }) => `${JSON.stringify(name)}: row[${JSON.stringify(name)}]`,
  );
  const made = program.variables.map(
    (name) => `${JSON.stringify(name)}: state[${JSON.stringify(name)}]`,
  );
  return [
    reading,
    `states = ${program.name}.run_batch([{${taken.join(', ')}} for row in rows], progress_bar=True)`,
    `[{${['**row', ...made].join(', ')}} for row, state in zip(rows, states)]`,
  ].join('\n\n');
}
