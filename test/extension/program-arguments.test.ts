import { describe, expect, it } from 'vitest';
import { loadingCode } from '../../extension/src/commands/loading-code.ts';
import { previewPage } from '../../extension/src/commands/preview-text.ts';
import { argumentLiterals } from '../../extension/src/commands/python-value.ts';
import { scanPrograms } from '../../extension/src/program-scan.ts';

function check(parameter: string, typed: string, expected: Record<string, string>): void {
  const [program] = scanPrograms(`@function\ndef f(s, ${parameter}): ...`);
  if (!program) throw new Error('no program');
  expect(argumentLiterals(program, { a: typed })).toEqual(expected);
}

describe('arguments', () => {
  it('takes numbers, lists and quoted text as Python', () => {
    check('a', '5', { a: '5' });
    check('a', '[1, 2]', { a: '[1, 2]' });
    check('a', '"x"', { a: '"x"' });
  });
  it('takes everything else as text', () => {
    check('a', 'France', { a: '"France"' });
    check('a', 'it\'s "x"', { a: '"it\'s \\"x\\""' });
    check('a: str', '5', { a: '"5"' });
    check('a', '', { a: '""' });
  });
  it('leaves a default out that was not changed, whatever it computes', () => {
    check('a=limit()', 'limit()', {});
    check('a="x"', '"x"', {});
    check('a=1', '2', { a: '2' });
  });
});

it('loads a file without its main part, and launches a model only where no server is known', () => {
  const code = loadingCode('/home/a "b"/p.py', false);
  expect(code).toContain(
    String.raw`runpy.run_path("/home/a \"b\"/p.py", run_name="sglang_programs")`,
  );
  expect(code).toContain('sgl.Runtime(');
  expect(loadingCode('/home/p.py', true)).not.toContain('sgl.Runtime(');
});

it('says on the page of a preview what is certain and what is not', () => {
  const page = previewPage(
    'f(a=1)',
    {
      prompt: {
        text: 'Pick ⟨x⟩',
        forks: [
          { text: 'one', forks: [] },
          { text: 'two', forks: [] },
        ],
      },
      template: 'chatml',
      model: null,
      tokens: { count: 3, exact: false },
      assumed: [['x', 'yes']],
      ended: 'it stops',
    },
    {
      tokens: (count, isExact) => `${isExact ? '' : 'about '}${count} tokens`,
      template: (name, model) => `${name} of ${model ?? 'none'}`,
      assumed: (name, value) => `${name} = ${value}`,
      ended: (reason) => reason,
      fork: (number, count) => `fork ${number} of ${count}`,
    },
  );
  expect(page.split('\n').map((line) => line.replace(/─{5,}/, '─'))).toEqual([
    'f(a=1)',
    'chatml of none',
    'about 3 tokens',
    'x = yes',
    'it stops',
    '─',
    'Pick ⟨x⟩',
    '── fork 1 of 2 ─',
    'one',
    '',
    '── fork 2 of 2 ─',
    'two',
  ]);
});
