import type { Diagnostic } from 'vscode-languageserver';
import { describe, expect, it } from 'vitest';
import {
  cleanCompletions,
  cleanHover,
  cleanLocations,
  mergeDiagnostics,
} from '../../language-server/src/lsp-type-answers.ts';
import { parse } from '../../language-server/src/syntax/parser.ts';
import { hiddenCell } from '../../language-server/src/type-engine/hidden-cell.ts';
import { packageStubs } from '../../language-server/src/type-engine/package-stubs.ts';
import { analyze, imports } from './support/check.ts';

describe('hidden cells', () => {
  it('type the state of each program', () => {
    const analysis = analyze(
      imports,
      '@function\ndef f(s):\n    s += gen("a", choices=["x"]) + gen("b")',
    );
    const text = hiddenCell(analysis, 'cell:1');
    expect(text).toContain(`name: Literal["a"], /) -> Literal['x']: ...`);
    expect(text).toContain('name: Literal["b"], /) -> str: ...');
    expect(text).toContain('f = __sgl_as_f(f)');
    expect(parse(text).errors).toEqual([]);
    expect(hiddenCell(analysis, 'cell:0')).toBe('');
  });
  it('keep literals of names that other cells read', () => {
    const analysis = analyze(
      imports,
      '@function\ndef f(s):\n    s += gen("a", choices=["x", "y"])',
      'a = f.run()["a"]\nb = 1\na2 = a\na2 = 3',
    );
    expect(hiddenCell(analysis, 'cell:2')).toContain("a: Literal['x', 'y'] = a  # type: ignore");
    expect(hiddenCell(analysis, 'cell:2')).not.toContain('a2');
  });
});

it('stubs of the package are valid Python', () => {
  for (const [path, text] of packageStubs()) expect([path, parse(text).errors]).toEqual([path, []]);
});

describe('answers of the engine', () => {
  const at = (
    line: number,
    start: number,
    end: number,
    code: string,
    severity: 1 | 2 | 3 | 4 = 1,
  ): Diagnostic => ({
    range: { start: { line, character: start }, end: { line, character: end } },
    code,
    severity,
    message: `about _f_State (${code})`,
  });
  const codes = (own: Diagnostic[], engine: Diagnostic[]) =>
    mergeDiagnostics(own, engine).map((entry) => entry.code);

  it('never report a place twice', () => {
    expect(codes([at(1, 2, 8, 'ours')], [at(1, 0, 20, 'theirs'), at(2, 0, 3, 'other')])).toEqual([
      'ours',
      'other',
    ]);
  });
  it('are left out while the cell is no Python, and as hints', () => {
    expect(codes([at(0, 0, 1, 'syntax-error')], [at(5, 0, 1, 'noise')])).toEqual(['syntax-error']);
    expect(
      codes([], [at(5, 0, 1, 'unaccessed', 4), at(6, 0, 1, 'reportUnusedExpression', 2)]),
    ).toEqual([]);
  });
  it('name states as users know them', () => {
    expect(mergeDiagnostics([], [at(0, 0, 1, 'x')])[0]?.message).toBe('about ProgramState (x)');
    expect(cleanHover({ contents: { kind: 'markdown', value: 'st: _f_State' } })?.contents).toEqual(
      { kind: 'markdown', value: 'st: ProgramState' },
    );
    expect(cleanHover(null)).toBeNull();
  });
  it('show nothing of the hidden cells', () => {
    const items = [
      { label: '_f_State' },
      { label: '__sgl_as_f' },
      { label: 'upper' },
      { nonsense: 1 },
    ];
    expect(cleanCompletions({ items })).toEqual([{ label: 'upper' }]);
    expect(cleanCompletions(null)).toEqual([]);
    const range = { start: { line: 0, character: 0 }, end: { line: 0, character: 1 } };
    const found = cleanLocations([{ uri: 'c1-types', range }, { uri: 'c2', range }, 7], (uri) => [
      { uri: `${uri}!`, range },
    ]);
    expect(found.map((place) => place.uri)).toEqual(['c1!', 'c2']);
  });
});
