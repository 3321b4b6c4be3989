import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scanFilePrograms, scanPrograms } from '../../extension/src/program-scan.ts';
import { createLanguageService } from '../../language-server/src/service.ts';
import { samplePrograms } from '../language-server/support/sample-programs.ts';

/** `line name(parameter:annotation=default, …)` per program. */
function check(text: string, expected: readonly string[]): void {
  const found = scanPrograms(text).map((program) => {
    const parameters = program.parameters.map(
      (p) =>
        p.name +
        (p.annotation ? `:${p.annotation}` : '') +
        (p.defaultValue ? `=${p.defaultValue}` : ''),
    );
    return `${program.line} ${program.name}(${parameters.join(', ')})`;
  });
  expect(found).toEqual(expected);
}

describe('scanPrograms', () => {
  it('finds programs under any import style', () => {
    check('@function\ndef a(s, x): ...\n@sgl.function\ndef b(s): ...', ['0 a(x)', '2 b()']);
  });

  it('reads annotations and defaults, brackets and strings included', () => {
    check('@function\ndef f(s, a: dict[str, int] = {"k": 1}, b=",)", *, c: str = "x"):\n  pass', [
      '0 f(a:dict[str, int]={"k": 1}, b=",)", c:str="x")',
    ]);
  });

  it('reads parameters over several lines and decorators with arguments', () => {
    check('@function(num_api_spec_tokens=64)\ndef f(\n    s,\n    question: str,\n):\n    pass', [
      '0 f(question:str)',
    ]);
  });

  it('reads past comments and equals signs inside of types', () => {
    check(
      '@function\ndef f(\n    s,\n    n: int,  # how many, at most (2)\n    a: Literal["x=y"] = "x=y",\n    b="it\\\'s",\n    *args, c: int = 1, **rest):\n    pass',
      ['0 f(n:int, a:Literal["x=y"]="x=y", b="it\\\'s", c:int=1)'],
    );
  });

  it('ignores other decorators and unfinished code', () => {
    check('@functools.cache\ndef f(s): ...\n@function\nx = 1\n# @function', []);
  });
});

describe('scanFilePrograms', () => {
  it.each([
    ['from sglang import function', 'function'],
    ['from sglang import gen, function as program  # ours', 'program'],
    ['from sglang import (\n    gen,\n    function as program,\n)', 'program'],
    ['from sglang import *', 'function'],
    ['import sglang as sgl', 'sgl.function'],
    ['import sglang', 'sglang.function'],
    ['from sglang.lang.api import function', 'function'],
  ])('knows the decorator by its import: %s', (imports, decorator) => {
    const text = `${imports}\n@${decorator}\ndef a(s): ...\n@other.function\ndef b(s): ...`;
    expect(scanFilePrograms(text).map(({ name }) => name)).toEqual(['a']);
  });

  it("takes no other library's decorator for a program", () => {
    expect(scanFilePrograms('from modal import function\n@function\ndef a(s): ...')).toEqual([]);
  });

  it('lets cells import in another cell', () => {
    const names = scanPrograms('@prog\ndef a(s): ...', 'from sglang import function as prog');
    expect(names.map(({ name }) => name)).toEqual(['a']);
  });
});

it('agrees with the language server, so that there are never two answers', () => {
  const service = createLanguageService();
  let compared = 0;
  const tour = readFileSync('extension/examples/sglang-tour.sglnb', 'utf8');
  for (const [index, sample] of [...samplePrograms, tour].entries()) {
    const text = `from sglang import *\n${sample}`;
    const uri = `file:///${index}.py`;
    service.setFile(uri, text);
    const known = service.codeLenses(uri).filter(({ runnable }) => runnable);
    const theirs = known.map(({ name, parameters }) => [
      name,
      ...parameters.map((each) => [each.name, each.annotation, each.defaultText]),
    ]);
    const ours = scanFilePrograms(text).map(({ name, parameters }) => [
      name,
      ...parameters.map((each) => [each.name, each.annotation, each.defaultValue]),
    ]);
    expect(ours).toEqual(theirs);
    compared += ours.length;
  }
  expect(compared).toBeGreaterThan(5);
});
