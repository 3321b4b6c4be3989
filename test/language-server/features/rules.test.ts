import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../language-server/src/features/diagnostics.ts';
import { rules } from '../../../language-server/src/features/rules.ts';
import { analyze, imports } from '../support/check.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../language-server/docs/rules');

describe('pages of the rules', () => {
  it('are there for every rule, and for nothing else', () => {
    expect(readdirSync(folder).toSorted()).toEqual(
      [...rules.keys()].map((code) => `${code}.md`).toSorted(),
    );
  });

  for (const code of rules.keys()) {
    const [bad = '', good = ''] = [
      ...readFileSync(join(folder, `${code}.md`), 'utf8').matchAll(/```python\n([^]*?)```/g),
    ].map((match) => match[1] ?? '');
    const codes = (text: string) => diagnose(analyze(imports, text)).map((entry) => entry.code);

    it(`show what ${code} reports, and what it does not`, () => {
      expect(codes(bad)).toContain(code);
      expect(codes(good)).not.toContain(code);
    });

    it(`tell how ${code} is turned off`, () => {
      const analysis = analyze(imports, bad);
      const off = diagnose(analysis, { severities: { [code]: 'off' } });
      expect(off.map((entry) => entry.code)).not.toContain(code);
      const lines = diagnose(analysis)
        .filter((entry) => entry.code === code)
        .map(({ start }) => bad.slice(0, start).split('\n').length - 1);
      const ignored = bad
        .split('\n')
        .map((line, i) => (lines.includes(i) ? `${line}  # sglang: ignore[${code}]` : line));
      expect(codes(ignored.join('\n'))).not.toContain(code);
    });
  }
});

describe('what a merge left', () => {
  const program = '@function\ndef f(s):\n    s += gen("a")\n';
  const cell = `state = f.run()
<<<<<<< HEAD
x = state["a"]
||||||| 1f2e3d4
x = state["c"
=======
x = state["b
>>>>>>> other/branch
print(x)
`;
  const found = (text: string) => {
    const analysis = analyze(imports, program, text);
    return diagnose(analysis).map((entry) => [
      analysis.units.find(({ uri }) => uri === entry.uri)?.text.slice(entry.start, entry.end),
      entry.message,
    ]);
  };

  it('is one clear problem for each marker, and no other', () => {
    const what = 'resolve the conflict, keep one version and remove this line';
    expect(found(cell)).toEqual([
      ['<<<<<<< HEAD', `merge conflict marker (your version starts here): ${what}`],
      ['||||||| 1f2e3d4', `merge conflict marker (the version before both starts here): ${what}`],
      ['=======', `merge conflict marker (the other version starts here): ${what}`],
      ['>>>>>>> other/branch', `merge conflict marker (the other version ends here): ${what}`],
    ]);
    expect(found(cell.replaceAll('\n', '\r\n')).map(([text]) => text)).toEqual(
      found(cell).map(([text]) => text),
    );
  });

  it('leaves the first version to be read, in its place', () => {
    const { units, facts } = analyze(imports, program, cell);
    const [read, ...others] = facts.reads.filter(({ unit }) => unit === units[2]);
    expect(others).toEqual([]);
    expect(cell.slice(read?.node.start, read?.node.end)).toBe('"a"');
    expect(units[2]?.tree.code?.split('\n').map((line) => line.trim())).toEqual([
      'state = f.run()',
      '',
      'x = state["a"]',
      '',
      '',
      '',
      '',
      '',
      'print(x)',
      '',
    ]);
  });

  it('is text where a prompt holds it, and Python without an end', () => {
    const prompt = `p = """resolve:\n<<<<<<< HEAD\na\n=======\nb\n>>>>>>> x\n"""`;
    expect(found(prompt)).toEqual([]);
    expect(found(`${'>'.repeat(7)} x\ny = 1`).map(([text]) => text)).toEqual(['>>>>>>> x']);
    expect(found('=======\n').every(([, message]) => !message?.includes('merge'))).toBe(true);
  });
});
