import { describe, expect, it } from 'vitest';
import { batchCode } from '../../extension/src/commands/batch-code.ts';
import { readColumns } from '../../extension/src/commands/batch-rows.ts';
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

it('makes values of the fields of a CSV file by their types; an empty one leaves a default', () => {
  const [typed] = scanPrograms(
    '@function\ndef f(s, tags: list[str], loud: bool = False, how: Literal["a", "b"] = "a", n: int = 1): ...',
  );
  if (!typed) throw new Error('no program found');
  const code = batchCode(typed, 'a.csv');
  expect(code).toMatch(/^import ast\nimport csv\n/);
  expect(code).toContain('    row["tags"] = ast.literal_eval(row["tags"])\n');
  expect(code).toContain(
    '    if field := row.pop("loud", ""):\n        row["loud"] = field.strip().lower() in ("true", "yes", "1")\n',
  );
  expect(code).toContain('    if field := row.pop("n", ""):\n        row["n"] = int(field)\n');
  expect(code).not.toContain('row["how"] =');
  // What the file does not have needs no conversion.
  expect(batchCode(typed, 'a.csv', { tags: 'tags' })).not.toContain('"loud"]');
});

describe('the columns of a file', () => {
  function check(path: string, text: string, expected: unknown): void {
    if (!program) throw new Error('no program found');
    const found = readColumns(program, path, text);
    expect('problem' in found ? found.problem : found.columns).toEqual(expected);
  }

  it('go to the parameters of their names, or nearly their names', () => {
    check('a.csv', '\uFEFFquestion,"tone ""x"""\nq,t', { question: 'question' });
    check('a.csv', 'id,Question,TONE\r\n1,q,t', { question: 'Question', tone: 'TONE' });
    check('a.jsonl', '\n{"question": "q"}\n', { question: 'question' });
    check('a.json', '[{"question": "q", "tone": "t"}]', { question: 'question', tone: 'tone' });
  });
  it('are renamed for the program in the cell', () => {
    if (!program) throw new Error('no program found');
    expect(batchCode(program, 'a.csv', { question: 'Question', tone: 'tone' })).toContain(
      'for row in rows:\n    row["question"] = row.pop("Question")\n\nnames',
    );
  });
  it('must have what the program needs', () => {
    const missing = { kind: 'missing-column', names: ['question'] };
    check('a.csv', 'tone,other\nt,o', { ...missing, columns: ['tone', 'other'] });
    check('a.csv', 'q_uestion,Question\na,b', { ...missing, columns: ['q_uestion', 'Question'] });
    check('a.jsonl', '{"tone": 1}', { ...missing, columns: ['tone'] });
  });
  it('are not looked for in a file without rows, or that is none', () => {
    check('a.csv', 'question\n\n', { kind: 'empty' });
    check('a.csv', '', { kind: 'empty' });
    check('a.jsonl', '\n', { kind: 'empty' });
    check('a.json', '[]', { kind: 'empty' });
    check('a.json', '{"question": 1}', { kind: 'not-objects' });
    check('a.jsonl', '{"question": 1}\n\n["q"]', { kind: 'not-objects', line: 3 });
    check('a.jsonl', '{"question": 1}\n{', {
      kind: 'not-json',
      line: 2,
      reason: expect.stringContaining('JSON'),
    });
  });
});
