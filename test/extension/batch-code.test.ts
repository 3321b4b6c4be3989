import { expect, it } from 'vitest';
import { batchCode } from '../../extension/src/commands/batch-code.ts';
import { scanPrograms } from '../../extension/src/program-scan.ts';

const [program] = scanPrograms(
  '@function\ndef qa(s, question: str, tone="dry"):\n    s += user(question)\n\n    s += gen("answer") + select(name="kind", choices=["a"])\n\nother = gen("not mine")',
);

it('reads rows by the kind of file and keeps them with what was generated', () => {
  if (!program) throw new Error('no program found');
  expect(batchCode(program, 'data/rows.jsonl')).toBe(
    [
      'import json\n\nwith open("data/rows.jsonl", encoding="utf-8") as file:\n    rows = [json.loads(line) for line in file if line.strip()]',
      'names = ["question", "tone"]\nstates = qa.run_batch([{name: row[name] for name in names if name in row} for row in rows], progress_bar=True)',
      'results = [{**row, "answer": state["answer"], "kind": state["kind"]} for row, state in zip(rows, states) if state.error() is None]',
    ].join('\n\n'),
  );
  expect(batchCode(program, 'rows.CSV')).toContain('csv.DictReader');
  expect(batchCode(program, 'rows.json')).toContain('json.load(file)');
  expect(batchCode(program, 'rows.txt')).toBeNull();
});

it('makes numbers of the columns of a CSV file that the program takes as numbers', () => {
  const [typed] = scanPrograms('@function\ndef f(s, n: int, t: str):\n    s += gen("x")');
  if (!typed) throw new Error('no program found');
  expect(batchCode(typed, 'a.csv')).toContain('    row["n"] = int(row["n"])\n');
  expect(batchCode(typed, 'a.jsonl')).not.toContain('int(');
});
