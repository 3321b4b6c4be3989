import { describe, expect, it } from 'vitest';
import { diagnose } from '../../../language-server/src/features/diagnostics.ts';
import { analyze, checkDiagnostics, imports } from '../support/check.ts';

/** These would take minutes or exhaust the stack without limits; vitest's timeout is the judge. */
describe('code that could be followed for ever', () => {
  it('functions that call each other many times', () => {
    const functions = Array.from(
      { length: 14 },
      (_, i) => `def f${i}(s):\n${`    f${i + 1}(s)\n`.repeat(8)}`,
    );
    const cells = [
      `${functions.join('')}def f14(s):\n    s += gen("deep")\n`,
      '@function\ndef p(s):\n    f0(s)\n    s += s["unknown"]',
    ];
    // The limit makes the state open: nothing is claimed that was not followed.
    checkDiagnostics(...cells);
  });

  it('recursion, direct and through others', () => {
    const text =
      'def a(s):\n    s += gen("x")\n    b(s)\ndef b(s):\n    a(s)\n    a(s)\n@function\ndef p(s):\n    a(s)\n    s += s["x"]\n    p.run()';
    checkDiagnostics(text);
  });

  it('loops in loops', () => {
    const loops = Array.from(
      { length: 20 },
      (_, i) => `${'    '.repeat(i + 1)}for v${i} in range(3):\n`,
    ).join('');
    checkDiagnostics(
      `@function\ndef p(s):\n${loops}${'    '.repeat(21)}s += gen("x")\n    s += s["x"]`,
    );
  });

  it('conditions in conditions', () => {
    const ifs = Array.from(
      { length: 40 },
      (_, i) => `    if c${i}:\n        s += gen("v${i}")\n`,
    ).join('');
    checkDiagnostics(
      `@function\ndef p(s, ${Array.from({ length: 40 }, (_, i) => `c${i}`).join(', ')}):\n${ifs}`,
    );
  });

  it('expressions and strings without end', () => {
    for (const piece of [
      '(',
      '[',
      '{',
      'not ',
      '-',
      'f"{',
      'lambda: ',
      'a if b else ',
      'x.',
      'x(',
      'await ',
      '*',
    ]) {
      expect(diagnose(analyze(imports, `y = ${piece.repeat(3000)}`))).toBeInstanceOf(Array);
    }
  });

  it('a sum of a thousand parts', () => {
    checkDiagnostics(
      `@function\ndef p(s):\n    s += ${'"a" + '.repeat(1000)}gen("x")\n    s += s["x"]`,
    );
  });
});

it('gives lists for several samples', () => {
  checkDiagnostics(
    '@function\ndef p(s):\n    s += gen("x", n=3)',
    'for each in p.run()["x"]:\n    print(each)\nok = p.run()["x"] == «impossible-comparison:"a"»',
  );
});
