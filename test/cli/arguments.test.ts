import { describe, expect, it } from 'vitest';
import { parseCommand } from '../../extension/cli/arguments.ts';
import { injectParameters } from '../../extension/cli/parameters.ts';
import { pythonLiteral } from '../../extension/notebook-format/python-literal.ts';
import { UsageError } from '../../extension/cli/usage-error.ts';
import { newCell, type NotebookCell } from '../../extension/notebook-format/document.ts';

describe('the command line', () => {
  it('of run has defaults', () => {
    expect(parseCommand(['run', 'a.sglnb'])).toEqual({
      kind: 'run',
      file: 'a.sglnb',
      output: null,
      parameters: [],
      python: null,
      programArguments: [],
      endpoint: null,
      model: null,
      missingModel: 'ask',
      timeoutSeconds: null,
      allowErrors: false,
      showSource: null,
    });
  });

  it('of models, check and doctor', () => {
    const models = (...words: string[]) => parseCommand(['models', ...words]);
    expect(models()).toEqual({ kind: 'models', action: { kind: 'list' } });
    expect(models('rm', 'a/b')).toEqual({
      kind: 'models',
      action: { kind: 'remove', name: 'a/b' },
    });
    expect(models('search', 'a', 'b')).toMatchObject({ action: { name: 'a b' } });
    expect(models('verify')).toMatchObject({ action: { name: null } });
    expect(parseCommand(['check', 'a', 'b'])).toEqual({
      kind: 'check',
      paths: ['a', 'b'],
      format: 'text',
      stubsFolder: null,
    });
    expect(parseCommand(['check', 'a', '--emit-stubs', 'types'])).toMatchObject({
      stubsFolder: 'types',
    });
    expect(parseCommand(['doctor'])).toEqual({ kind: 'doctor' });
  });

  it.each([
    'models pull',
    'models pull a b',
    'models list x',
    'models --timeout 3',
    'check',
    'check a --emit-stubs=',
    'doctor x',
    'run a --format json',
  ])('refuses "%s"', (line) => expect(() => parseCommand(line.split(' '))).toThrow(UsageError));

  it('takes every option, before or behind the file', () => {
    const text =
      'run --param a=1 -p b==x --endpoint http://h:1/ --model m a.ipynb --timeout 1.5 --allow-errors --no-source -o out.ipynb';
    expect(parseCommand(text.split(' '))).toEqual({
      kind: 'run',
      file: 'a.ipynb',
      output: 'out.ipynb',
      parameters: [
        { name: 'a', value: '1' },
        { name: 'b', value: '=x' },
      ],
      python: null,
      programArguments: [],
      endpoint: 'http://h:1',
      model: 'm',
      missingModel: 'ask',
      timeoutSeconds: 1.5,
      allowErrors: true,
      showSource: false,
    });
  });

  it('gives what follows -- to the program', () => {
    const text = 'run program.py --python /bin/python3 -- --parallel 8 -o x -- y';
    expect(parseCommand(text.split(' '))).toMatchObject({
      file: 'program.py',
      output: null,
      python: '/bin/python3',
      programArguments: ['--parallel', '8', '-o', 'x', '--', 'y'],
    });
    expect(() => parseCommand(['check', 'a', '--', 'b'])).toThrow('Only run takes arguments');
  });

  const wrong: readonly string[] = [
    '',
    'run',
    'run a b',
    'run a --param',
    'run a -p =1',
    'run a -p class=1',
    'run a -p a.b=1',
    'run a --timeout 0',
    'run a --timeout -1',
    'run a --timeout 1e99',
    'run a --endpoint ftp://x',
    'run a --endpoint ssh://box',
    'run a --endpoint ssh://-oProxyCommand=x/127.0.0.1:1',
    'convert a',
    'convert a b c',
    'convert a b --model x',
    'fly',
  ];
  for (const text of wrong) {
    it(`refuses "${text}"`, () => {
      const argv = text.split(' ').filter((word) => word !== '');
      expect(() => parseCommand(argv)).toThrow(UsageError);
    });
  }
});

describe('parameters', () => {
  const literals: readonly (readonly [unknown, string])[] = [
    [null, 'None'],
    [true, 'True'],
    [1.5, '1.5'],
    ['it\'s "q"\n', String.raw`"it's \"q\"\n"`],
    [[1, [false]], '[1, [False]]'],
    [{ a: null }, '{"a": None}'],
  ];
  for (const [value, literal] of literals) {
    it(`writes ${JSON.stringify(value)} as Python`, () => {
      expect(pythonLiteral(value as never)).toBe(literal);
    });
  }

  const tagged = (id: string, ...tags: string[]): NotebookCell => ({
    ...newCell('code', id, id),
    metadata: { tags },
  });
  const inject = (cells: readonly NotebookCell[], ...texts: string[]) =>
    injectParameters(
      cells,
      texts.map((text) => ({ name: text.split('=')[0]!, value: text.split('=')[1]! })),
    ).map(({ source }) => source);

  it('stand behind the tagged cell, or before all', () => {
    const cells = [newCell('code', 'a', 'a'), tagged('b', 'parameters'), newCell('code', 'c', 'c')];
    expect(inject(cells, 'n=3', 's=hi')).toEqual(['a', 'b', '# Parameters\nn = 3\ns = "hi"', 'c']);
    expect(inject([newCell('code', 'a', 'a')], 'n="3"')).toEqual(['# Parameters\nn = "3"', 'a']);
    expect(inject(cells)).toEqual(['a', 'b', 'c']);
  });

  it('find the cell by its id or title, too', () => {
    const titled = { ...newCell('code', 'x', 'x'), metadata: { title: 'parameters' } };
    for (const cell of [newCell('code', 'parameters', 'x'), titled]) {
      expect(inject([cell, newCell('code', 'y', 'y')], 'n=1')[1]).toBe('# Parameters\nn = 1');
    }
  });

  it('replace those of an earlier run', () => {
    const cells = [tagged('a', 'parameters'), tagged('b', 'injected-parameters')];
    expect(inject(cells, 'n=1')).toEqual(['a', '# Parameters\nn = 1']);
  });

  it('keep the digits of large numbers and leading zeros', () => {
    expect(inject([], 'a=12345678901234567890', 'b=007')).toEqual([
      '# Parameters\na = 12345678901234567890\nb = "007"',
    ]);
  });
});
