import { describe, expect, it } from 'vitest';
import { loadingCode } from '../../extension/src/commands/loading-code.ts';
import { previewPage } from '../../extension/src/commands/preview-text.ts';
import { parameterKind } from '../../extension/src/commands/parameter-kind.ts';
import { argumentLiterals, valueProblem } from '../../extension/src/commands/python-value.ts';
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

function parameterOf(text: string) {
  const [program] = scanPrograms(`@function\ndef f(s, ${text}): ...`);
  const [parameter] = program?.parameters ?? [];
  if (!parameter) throw new Error('no parameter');
  return parameter;
}

describe('arguments by their type', () => {
  it('keeps numbers, lists and dictionaries as they are typed', () => {
    check('a: int', ' 5', { a: '5' });
    check('a: float', '1e-3', { a: '1e-3' });
    check('a: list[str]', '["x"]', { a: '["x"]' });
    check('a: dict', '{"k": 1}', { a: '{"k": 1}' });
    check('a: Literal["x", "y"]', '"y"', { a: '"y"' });
    check('a: bool = False', 'True', { a: 'True' });
  });
  it('quotes text, unless it is quoted: then it has line breaks', () => {
    check('a: str', '[1]', { a: '"[1]"' });
    check('a: str', 'None', { a: '"None"' });
    check('a: str', String.raw`"two\nlines"`, { a: String.raw`"two\nlines"` });
    check('a: str', '"a" or "b"', { a: String.raw`"\"a\" or \"b\""` });
  });
  it('takes nothing for None where that is allowed', () => {
    check('a: Optional[int]', '', { a: 'None' });
    check('a: int | None = 3', 'None', { a: 'None' });
    check('a: Optional[str] = None', '', { a: '""' });
    check('a: Optional[str] = None', 'None', {});
    check('a=None', 'x', { a: '"x"' });
  });
  it('takes an expression for what text cannot be', () => {
    check('a: Image.Image', 'picture', { a: 'picture' });
  });

  it.each([
    ['a: int', '5', null],
    ['a: int', '5.5', 'int'],
    ['a: int', '', 'int'],
    ['a: int = limit()', 'limit()', null],
    ['a: Optional[int]', '', null],
    ['a: float', '.5', null],
    ['a: float', 'half', 'float'],
    ['a: list[str]', 'x', 'list'],
    ['a: list[str]', '["x"', 'incomplete'],
    ['a: List[str]', '["]"]', null],
    ['a: dict[str, int]', '[1]', 'dict'],
    ['a: tuple[int, int]', '(1, 2', 'incomplete'],
    ['a: bytes', '', 'empty'],
    ['a: str', '', null],
    ['a', '', null],
  ] as const)('%s given %j: %s', (declared, typed, problem) => {
    expect(valueProblem(typed, parameterOf(declared))).toBe(problem);
  });

  it.each([
    ['a: "int"', { kind: 'int' }, false],
    ['a: typing.Optional[typing.List[int]]', { kind: 'container', opening: '[' }, true],
    ['a: Union[int, float]', { kind: 'float' }, false],
    ['a: str | int', { kind: 'unknown' }, false],
    ['a: Literal["a=b", "c,d"] | None', { kind: 'choice', literals: ['"a=b"', '"c,d"'] }, true],
    ['a: Annotated[int, Field(ge=1)] = 2', { kind: 'int' }, false],
    ['a: bool = True', { kind: 'choice', literals: ['True', 'False'] }, false],
    ['a=None', { kind: 'unknown' }, true],
  ])('%s', (declared, type, isOptional) => {
    expect(parameterKind(parameterOf(declared))).toEqual({ type, isOptional });
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
