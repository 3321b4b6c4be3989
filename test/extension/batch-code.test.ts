import { expect, it } from 'vitest';
import { batchCode } from '../../extension/src/commands/batch-code.ts';
import { scanPrograms } from '../../extension/src/program-scan.ts';

const [program] = scanPrograms(
  '@function\ndef qa(s, question: str, tone="dry"):\n    s += user(question)\n\n    s += gen("answer") + select(name="kind", choices=["a"])\n\nother = gen("not mine")',
);

it('reads rows by the kind of file and shows them with what was generated', () => {
  if (!program) throw new Error('no program found');
  expect(batchCode(program, 'data/rows.jsonl')).toBe(
    [
      'import json\n\nwith open("data/rows.jsonl", encoding="utf-8") as file:\n    rows = [json.loads(line) for line in file if line.strip()]',
      'states = qa.run_batch([{"question": row["question"], "tone": row["tone"]} for row in rows], progress_bar=True)',
      '[{**row, "answer": state["answer"], "kind": state["kind"]} for row, state in zip(rows, states)]',
    ].join('\n\n'),
  );
  expect(batchCode(program, 'rows.CSV')).toContain('csv.DictReader');
  expect(batchCode(program, 'rows.json')).toContain('json.load(file)');
  expect(batchCode(program, 'rows.txt')).toBeNull();
});
