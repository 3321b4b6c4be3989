import { describe, expect, it } from 'vitest';
import type { Block, Statement } from '../../../language-server/src/syntax/ast.ts';
import { parse } from '../../../language-server/src/syntax/parser.ts';

/** Statement kinds with their bodies, and the error messages. */
function check(text: string, shape: string, ...messages: readonly string[]): void {
  const { body, errors } = parse(text);
  expect(outline(body)).toBe(shape);
  expect(errors.map((error) => error.message)).toEqual(messages);
}

function outline(block: Block): string {
  return block.map(outlineOf).join(' ');
}

function outlineOf(node: Statement): string {
  if (!('body' in node)) return node.kind;
  const inner = outline(node.body);
  const rest = 'orElse' in node && node.orElse.length > 0 ? ` | ${outline(node.orElse)}` : '';
  return `${node.kind}(${inner}${rest})`;
}

const valid: Readonly<Record<string, string>> = {
  'x = 1': 'Assign',
  'x = y = z, *w = 1, 2': 'Assign',
  'x: int': 'AnnotatedAssign',
  'x: int = (yield)': 'AnnotatedAssign',
  'x += yield': 'AugmentedAssign',
  'x @= y': 'AugmentedAssign',
  'a; b; c': 'Expression Expression Expression',
  'if a: b\nelif c: d\nelse: e': 'If(Expression | If(Expression | Expression))',
  'while a:\n  pass\nelse:\n  pass': 'While(Pass | Pass)',
  'for i, *j in x, y: pass': 'For(Pass)',
  'try:\n  pass\nexcept A as e:\n  pass\nexcept (B, C):\n  pass\nelse:\n  pass\nfinally:\n  pass':
    'Try(Pass | Pass)',
  'try:\n  pass\nexcept* A:\n  pass': 'Try(Pass)',
  'with a as b, c as (d, e): pass': 'With(Pass)',
  'with (\n  a as b,\n  c,\n): pass': 'With(Pass)',
  'async def f():\n  async with a: pass\n  async for x in y: await z\n  return [i async for i in j]':
    'FunctionDef(With(Pass) For(Expression) Return)',
  '@a\n@b.c(d)\ndef f(x, /, y=1, *, z: int = 2, **k) -> int: ...': 'FunctionDef(Expression)',
  'class A[T: int, *Ts, **P = []](B, metaclass=C):\n  x = 1': 'ClassDef(Assign)',
  'def f[T](x: T) -> T: return x': 'FunctionDef(Return)',
  'type A[T] = list[T]': 'TypeAlias',
  'type = 1': 'Assign',
  'match x:\n  case 1 | -2 | "a" | None: pass\n  case [a, *_] if a: pass\n  case {"k": v, **rest}: pass\n  case P(1, x=y) as z: pass\n  case (a): pass\n  case A.b: pass\n  case _: pass':
    'Match',
  'match = 1\nmatch.group(1)\nmatch[0]\nmatch(x)': 'Assign Expression Expression Expression',
  'lambda: (yield)': 'Expression',
  'lambda x, *y, z=1, **k: x if y else z': 'Expression',
  'x = [a for b in c if d if e for f in g]': 'Assign',
  'x = {**a, "b": c, **d}': 'Assign',
  'x = {*a, b}': 'Assign',
  'f(*a, **b, c=d, e for e in f)': 'Expression',
  'x[1:2, ::3, ..., *y]': 'Expression',
  'x = a if b else c if d else e': 'Assign',
  'x = not a in b is not c not in d': 'Assign',
  'x = a ** -b ** c': 'Assign',
  'if (n := f(x)) > 1: pass': 'If(Pass)',
  'x = "a" \'b\' """c\n"d" """ r"\\d" rb"e"': 'Assign',
  'x = f"{a!r:>{b}} {c=} {{d}} {e[\'k\']:%H:%M} {f"{g}"}"': 'Assign',
  // As formatters write them: a closing bracket before `+=`, operators in quotes at a line's start.
  'forks[\n  i\n] += f"{i}"\nforks[i] += 1': 'AugmentedAssign AugmentedAssign',
  "x = {\n'+=': a,\n'!=': b,\n'%=': c,\n}\nf(\na,\n'*='\n)": 'Assign Expression',
  "x = rf'\\{{%)' + f'\\{a}' + f'\\N{DASH} {b}' + rf'\\N{c}'": 'Assign',
  'x = 0x_ff + 0b1 + 0o7 + 1_000.5e-3j + .5 + 5.': 'Assign',
  'print(a,\n# comment\n  b\n)': 'Expression',
  'x = \\\n  1': 'Assign',
  'global a, b\nnonlocal c': 'Global Nonlocal',
  'del a, b[0], c.d': 'Delete',
  'from . import a\nfrom .. b import (c as d,)\nfrom ...e import *\nimport a.b.c as d, e':
    'ImportFrom ImportFrom ImportFrom Import',
  'raise A from b\nassert a, b\nreturn': 'Raise Assert Return',
  '!ls -la\n%time x = 1\nfiles = !ls *.py\nx?\n?y\n%%time':
    'Magic Magic Magic Expression Magic Magic',
  '%%bash\nthis is "not python': 'Magic',
  'été = π = 変数 = 1': 'Assign',
  '\ufeffx = 1\r\nif x:\r\n  y\r\n': 'Assign If(Expression)',
  'if a:\n\tb\n\tc\nd': 'If(Expression Expression) Expression',
  '': '',
};

describe('valid code', () => {
  for (const [text, shape] of Object.entries(valid))
    it(JSON.stringify(text), () => check(text, shape));
});

describe('broken code keeps the statements around it', () => {
  it('an unclosed call', () => {
    check(
      's += gen("a", max_tok\ns += gen("b")\n',
      'AugmentedAssign AugmentedAssign',
      "'(' was never closed",
      "expected ')'",
    );
  });
  it('an unclosed call at the end of a block', () => {
    check(
      'def f(s):\n    s += gen("a"\n\nx = 1\n',
      'FunctionDef(AugmentedAssign) Assign',
      "'(' was never closed",
      "expected ')'",
    );
  });
  it('an unclosed list in a call', () => {
    check(
      'f(choices=["a", "b")\nx = 1',
      'Expression Assign',
      "')' does not close '['",
      "expected ']'",
    );
  });
  it('an unclosed subscript and string', () => {
    check(
      'state["\nx = 1',
      'Expression Assign',
      "'[' was never closed",
      'unterminated string',
      "expected ']'",
    );
  });
  it('unclosed parameters', () => {
    check(
      'def f(s, q\n    s += user(q)\n    return 1\n',
      'FunctionDef(AugmentedAssign Return)',
      "'(' was never closed",
      "expected ',' or ')'",
    );
  });
  it('a missing condition', () =>
    check('if x ==\n    y = 1\nelse:\n    z = 2', 'If(Assign | Assign)', 'expected an expression'));
  it('an unfinished attribute', () =>
    check('state.\nx = 1', 'Expression Assign', 'expected an attribute name'));
  it('an unfinished assignment', () =>
    check('x =\ny = 1', 'Assign Assign', 'expected an expression'));
  it('a stray else', () =>
    check('else:\n    x = 1\ny = 2', 'If(Assign) Assign', "'else' without its statement"));
  it('an unexpected indent', () =>
    check('x = 1\n    y = 2\nz = 3', 'Assign Assign Assign', 'unexpected indent'));
  it('a def without a body', () =>
    check('def f():\nx = 1', 'FunctionDef() Assign', 'expected an indented block'));
  it('a triple quote that was just typed', () =>
    check('x = """\ny = 1', 'Assign Assign', 'unterminated string'));
  it('an open f-string field', () => check('x = f"hello {name"\ny = 1', 'Assign Assign'));
  it('a decorator without its function', () =>
    check(
      '@function\nx = 1',
      'Invalid Assign',
      'expected a function or class after the decorator',
    ));
  it('rubbish', () =>
    check(
      'x = 1\n$ ] )\ny = 2',
      'Assign Invalid Assign',
      'unexpected character "$"',
      'expected an expression',
      "unmatched ']'",
      "unmatched ')'",
    ));
  it('nesting without end', () => {
    const { body, errors } = parse(`x = ${'('.repeat(5000)}\ny = 1`);
    expect(body.length).toBeGreaterThan(0);
    expect(errors.length).toBeGreaterThan(0);
  });
});

describe('strings', () => {
  const value = (text: string): string | null => {
    const [statement] = parse(text).body;
    return statement?.kind === 'Expression' && statement.value.kind === 'Str'
      ? statement.value.value
      : null;
  };
  it.each([
    ['"a\\n\\x41\\u00e9\\101"', 'a\nAéA'],
    ['r"\\d"', '\\d'],
    ['"\\d"', '\\d'],
    ['"a" "b"', 'ab'],
    ['"""a\nb"""', 'a\nb'],
    ['f"{{x}}"', '{x}'],
    ['"\\\n"', ''],
  ])('%s', (source, expected) => expect(value(source)).toBe(expected));
});

describe('conflict markers', () => {
  const errorLines = (text: string): number[] =>
    parse(text).errors.map(({ start, message }) => {
      expect(message).toMatch(/^merge conflict marker \(.*\): resolve the conflict/);
      return text.slice(0, start).split('\n').length;
    });

  it('are one problem each; the first side is the code', () => {
    const text =
      'a = 1\n<<<<<<< HEAD\nb = 2\nif b:\n=======\nb = (\n>>>>>>> other branch\n    c = 3\n';
    expect(errorLines(text)).toEqual([2, 5, 7]);
    expect(outline(parse(text).body)).toBe('Assign Assign If(Assign)');
    expect(parse(text).text).toBe(text);
  });

  it('with the common ancestor between the sides', () => {
    const text = '<<<<<<< HEAD\na = 1\n||||||| 4f3a\na = 0\n=======\na = 2\n>>>>>>> x\nb = a\n';
    expect(errorLines(text)).toEqual([1, 3, 5, 7]);
    expect(outline(parse(text).body)).toBe('Assign Assign');
  });

  it('may stand in different cells', () => {
    expect(errorLines('<<<<<<< HEAD\na = 1\n')).toEqual([1]);
    const end = 'a = 1\n=======\na = 2\n>>>>>>> x\nb = a\n';
    expect(errorLines(end)).toEqual([2, 4]);
    expect(outline(parse(end).body)).toBe('Assign Assign');
  });

  it('are not what a text of headings or a shift has', () => {
    expect(parse('x = """\nTitle\n=======\n"""\ny = x << 7\n').errors).toEqual([]);
  });
});
