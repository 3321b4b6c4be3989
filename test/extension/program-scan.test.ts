import { describe, expect, it } from 'vitest';
import { scanPrograms } from '../../extension/src/program-scan.ts';

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

  it('ignores other decorators and unfinished code', () => {
    check('@functools.cache\ndef f(s): ...\n@function\nx = 1\n# @function', []);
  });
});
