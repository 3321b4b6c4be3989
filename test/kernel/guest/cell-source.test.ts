/** The rewriting of shell lines and magics, run in the very Python that the kernel bundles. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadPyodide } from 'pyodide';
import { beforeAll, expect, test } from 'vitest';

const SOURCE = join(
  import.meta.dirname,
  '../../../extension/kernel/guest/python/_sgl_cell_source.py',
);
let toPython: (source: string) => string;
let splitCellMagic: (source: string) => string;
let compiles: (source: string) => boolean;

beforeAll(async () => {
  const pyodide = await loadPyodide();
  pyodide.FS.writeFile('/home/pyodide/_sgl_cell_source.py', readFileSync(SOURCE));
  toPython = pyodide.runPython('import _sgl_cell_source as s; s.to_python');
  splitCellMagic = pyodide.runPython(
    'import json; lambda text: json.dumps(s.split_cell_magic(text))',
  );
  compiles = pyodide.runPython(`
def compiles(text):
    try:
        compile(text, "cell", "exec")
        return True
    except SyntaxError:
        return False
compiles`);
}, 60_000);

function check(source: string, expected: string): void {
  expect(toPython(source)).toBe(expected);
  expect(expected.split('\n')).toHaveLength(source.split('\n').length);
  expect(compiles(expected), expected).toBe(true);
}

function checkUnchanged(source: string): void {
  expect(toPython(source)).toBe(source);
}

test('a shell line becomes a call', () => {
  check('!ls -l', "get_ipython().system('ls -l')");
  check('! ls', "get_ipython().system('ls')");
  check('!echo \'a\' "b"', "get_ipython().system('echo \\'a\\' \"b\"')");
  check('!!ls', "get_ipython().getoutput('ls')");
});

test('a shell line keeps its indentation', () => {
  check('if True:\n    !ls\n', "if True:\n    get_ipython().system('ls')\n");
  check('for f in []:\n\t!rm {f}', "for f in []:\n\tget_ipython().system('rm {f}')");
});

test('output can be assigned', () => {
  check('files = !ls', "files = get_ipython().getoutput('ls')");
  check('a, b = !echo', "a, b = get_ipython().getoutput('echo')");
  check("d['x'] = !ls", "d['x'] = get_ipython().getoutput('ls')");
  check('t = %time f()', "t = get_ipython().run_line_magic('time', 'f()')");
});

test('a continued shell line keeps the line numbers below it', () => {
  check('!curl a \\\n  b \\\n  c\nx = 1', "get_ipython().system('curl a   b   c')\n\n\nx = 1");
});

test('magics', () => {
  check('%cd ..', "get_ipython().run_line_magic('cd', '..')");
  check('%pwd', "get_ipython().run_line_magic('pwd', '')");
  check('%timeit  sum([1])', "get_ipython().run_line_magic('timeit', 'sum([1])')");
});

test('help', () => {
  check('print?', "get_ipython().help('print')");
  check('?a.b', "get_ipython().help('a.b')");
  check('a.b??', "get_ipython().help('a.b')");
});

test('what lies inside a string stays', () => {
  checkUnchanged('x = """\n!ls\n%cd\n"""');
  checkUnchanged("x = '''a\n!ls\n'''\n");
  checkUnchanged('x = "a\\\n!ls"');
  checkUnchanged('f"""\n{1}\n!ls\n"""');
  checkUnchanged("r'''\\\n!ls'''");
});

test('what lies inside brackets or a continuation stays', () => {
  checkUnchanged('x = (1\n%2)');
  checkUnchanged('x = [1,\n%s]');
  checkUnchanged('x = 5 \\\n%2');
  checkUnchanged('f(a,\n  b) % 2');
});

test('operators are not magics', () => {
  checkUnchanged('a % b');
  checkUnchanged('a != b');
  checkUnchanged('a %= b');
  checkUnchanged('x = a % b');
  checkUnchanged('x == 1');
  checkUnchanged('print("50%")');
});

test('comments and quotes in comments do not confuse', () => {
  check("# it's a comment\n!ls", "# it's a comment\nget_ipython().system('ls')");
  check('x = 1  # "\n!ls', "x = 1  # \"\nget_ipython().system('ls')");
});

test('a broken line does not hide the next one', () => {
  expect(toPython('x = "unfinished\n!ls')).toBe("x = \"unfinished\nget_ipython().system('ls')");
  expect(toPython('x = )\n!ls')).toBe("x = )\nget_ipython().system('ls')");
});

test('a string that ends on the line lets the next line be magic', () => {
  check('x = """a"""\n!ls', 'x = """a"""\nget_ipython().system(\'ls\')');
  check('x = "\\""\n!ls', 'x = "\\""\nget_ipython().system(\'ls\')');
  check('x = ""\n!ls', 'x = ""\nget_ipython().system(\'ls\')');
});

test('cell magics keep the line numbers of their body', () => {
  expect(JSON.parse(splitCellMagic('%%bash\necho a'))).toEqual(['bash', '', '\necho a']);
  expect(JSON.parse(splitCellMagic('\n%%writefile  a b.txt \nx'))).toEqual([
    'writefile',
    'a b.txt',
    '\n\nx',
  ]);
  expect(JSON.parse(splitCellMagic('x = 1\n%%bash'))).toBe(null);
  expect(JSON.parse(splitCellMagic('%time x'))).toBe(null);
  expect(JSON.parse(splitCellMagic(''))).toBe(null);
});
