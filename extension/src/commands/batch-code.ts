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
 * Rows may have more columns than the program has parameters, and fewer where those have defaults. The
 * cell shows a table; `results` holds the rows with what was generated for each. `path` is absolute or
 * relative to the notebook's folder.
 */
export function batchCode(program: ScannedProgram, path: string): string | null {
  const reading = readingCode(path);
  if (reading === null) return null;
  const names = JSON.stringify(program.parameters.map(({ name }) => name)).replaceAll(',', ', ');
  const made = program.variables.map(
    (name) => `${JSON.stringify(name)}: state[${JSON.stringify(name)}]`,
  );
  return [
    reading,
    ...typing(program, path),
    `names = ${names}\nstates = ${program.name}.run_batch([{name: row[name] for name in names if name in row} for row in rows], progress_bar=True)`,
    `results = [{${['**row', ...made].join(', ')}} for row, state in zip(rows, states) if state.error() is None]`,
  ].join('\n\n');
}

/** A CSV file holds text only: what the program takes as numbers becomes numbers. */
function typing(program: ScannedProgram, path: string): string[] {
  if (!/\.csv$/i.test(path)) return [];
  return program.parameters.flatMap(({ name, annotation }) => {
    if (annotation !== 'int' && annotation !== 'float') return [];
    const field = `row[${JSON.stringify(name)}]`;
    return [`for row in rows:\n    ${field} = ${annotation}(${field})`];
  });
}
