/** Pure: the cell that runs a program over the rows of a file. */
import type { ScannedParameter, ScannedProgram } from '../program-scan.ts';
import { parameterKind } from './parameter-kind.ts';

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
 * relative to the notebook's folder. `columns`: column by parameter, where their names may differ.
 */
export function batchCode(
  program: ScannedProgram,
  path: string,
  columns?: Readonly<Record<string, string>>,
): string | null {
  const reading = readingCode(path);
  if (reading === null) return null;
  const isCsv = /\.csv$/i.test(path);
  const made = program.variables.map(
    (name) => `${JSON.stringify(name)}: state[${JSON.stringify(name)}]`,
  );
  const inFile = program.parameters.filter(({ name }) => columns === undefined || name in columns);
  const typed = isCsv ? inFile.flatMap(typing) : [];
  return [
    typed.some((code) => code.includes('ast.')) ? `import ast\n${reading}` : reading,
    ...renaming(columns ?? {}),
    ...typed,
    `names = ${pythonList(program.parameters.map(({ name }) => name))}\nstates = ${program.name}.run_batch([{name: row[name] for name in names if name in row} for row in rows], progress_bar=True)`,
    `results = [{${['**row', ...made].join(', ')}} for row, state in zip(rows, states) if state.error() is None]`,
  ].join('\n\n');
}

function pythonList(names: readonly string[]): string {
  return JSON.stringify(names).replaceAll(',', ', ');
}

function renaming(columns: Readonly<Record<string, string>>): string[] {
  return Object.entries(columns).flatMap(([name, column]) =>
    name === column
      ? []
      : [`for row in rows:\n    row[${JSON.stringify(name)}] = row.pop(${JSON.stringify(column)})`],
  );
}

/** A CSV file holds text only. An empty field of a parameter with a default leaves it at that. */
function typing(parameter: ScannedParameter): string[] {
  const value = fieldValue(parameter);
  if (value === null) return [];
  const field = `row[${JSON.stringify(parameter.name)}]`;
  if (parameter.defaultValue === null) return [`for row in rows:\n    ${field} = ${value(field)}`];
  const pop = `row.pop(${JSON.stringify(parameter.name)}, "")`;
  return [`for row in rows:\n    if field := ${pop}:\n        ${field} = ${value('field')}`];
}

/** Python that makes a field's value of its text; `null` where that is the value. */
function fieldValue(parameter: ScannedParameter): ((text: string) => string) | null {
  const { type } = parameterKind(parameter);
  if (type.kind === 'int' || type.kind === 'float') return (text) => `${type.kind}(${text})`;
  if (type.kind === 'container') return (text) => `ast.literal_eval(${text})`;
  if (type.kind !== 'choice') return null;
  if (type.literals.includes('True')) {
    return (text) => `${text}.strip().lower() in ("true", "yes", "1")`;
  }
  return type.literals.every((literal) => /^["']/.test(literal))
    ? null
    : (text) => `ast.literal_eval(${text})`;
}
