import type { Diagnostic } from 'vscode-languageserver';
import { describe, expect, it } from 'vitest';
import {
  cleanCompletions,
  cleanHover,
  cleanLocations,
  cleanRename,
  cleanSignatureHelp,
  mergeDiagnostics,
  rangeAt,
} from '../../language-server/src/lsp-type-answers.ts';
import { parse } from '../../language-server/src/syntax/parser.ts';
import { literalTypes, stateTypes } from '../../language-server/src/type-engine/hidden-cell.ts';
import { mapAnswer } from '../../language-server/src/type-engine/map-answer.ts';
import { packageStubs } from '../../language-server/src/type-engine/package-stubs.ts';
import {
  toOriginal,
  toVirtual,
  virtualCell,
} from '../../language-server/src/type-engine/virtual-cell.ts';
import { analyze, imports } from './support/check.ts';

describe('hidden cells', () => {
  it('type the state of each program', () => {
    const analysis = analyze(
      imports,
      '@function\ndef f(s):\n    s += gen("a", choices=["x"]) + gen("b")',
    );
    const text = stateTypes(analysis);
    expect(text).toContain(`name: Literal["a"], /) -> Literal['x']: ...`);
    expect(text).toContain('name: Literal["b"], /) -> str: ...');
    expect(text).toContain('def __sgl_as_f(');
    expect(parse(text).errors).toEqual([]);
    expect(stateTypes(analyze(imports))).toBe('');
  });
  it('keep programs of one name apart', () => {
    const first = '@function\ndef f(s):\n    s += gen("a", choices=["x"])';
    const analysis = analyze(imports, first, first.replace('"x"', '"y"'));
    const text = stateTypes(analysis);
    expect(parse(text).errors).toEqual([]);
    expect(text).toMatch(/class _f_State\(.*\):\n.*\n.*Literal\['x'\]/);
    expect(text).toMatch(/class _f__2_State\(.*\):\n.*\n.*Literal\['y'\]/);
    expect(virtualCell(analysis, 'cell:1').text).toContain('__sgl_as_f(function)');
    expect(virtualCell(analysis, 'cell:2').text).toContain('s: "_f__2_Body_State"');
  });
  it('know lists after join, gens of helpers, and what a body reads before', () => {
    const text = stateTypes(
      analyze(
        imports,
        'def h(s, name):\n    s += gen(name)\n@function\ndef f(s):\n    h(s, "helped")\n    forks = s.fork(2)\n    forks += gen("tip")\n    forks.join()\n    s += gen("age")\n    x = s["age"]\n    s["age"] = int(x)',
      ),
    );
    const [result = '', body = ''] = text.split('class _f_Body_State');
    expect(result).toContain('Literal["tip"], /) -> list[str]');
    expect(result).toContain('Literal["helped"], /) -> str');
    expect(result).toContain('Literal["age"], /) -> int');
    expect(body).toContain('Literal["age"], /) -> str');
    const changed = stateTypes(
      analyze(
        imports,
        '@function\ndef f(s):\n    s += gen("n")\n    s["n"] = int(s["n"])\n    x = s["n"] + 1',
      ),
    );
    expect(changed.split('class _f_Body_State')[1]).toContain('Literal["n"], /) -> __Any');
  });
  it('know that coroutines await what they read, and that their runs do not', () => {
    const text = stateTypes(
      analyze(imports, '@function\nasync def f(s):\n    s += gen("a")\n    x = await s["a"]'),
    );
    expect(parse(text).errors).toEqual([]);
    const [result = '', body = ''] = text.split('class _f_Body_State');
    expect(result).toContain('Literal["a"], /) -> str');
    expect(body).toContain('(__AsyncProgramState)');
    expect(body).toContain('Literal["a"], /) -> __Awaitable[str]');
  });
  it('keep literals of names that other cells read', () => {
    const analysis = analyze(
      imports,
      '@function\ndef f(s):\n    s += gen("a", choices=["x", "y"])',
      'a = f.run()["a"]\nb = 1\na2 = a\na2 = 3',
    );
    expect(literalTypes(analysis, 'cell:2')).toContain("a: Literal['x', 'y'] = a  # type: ignore");
    expect(literalTypes(analysis, 'cell:2')).not.toContain('a2');
    expect(literalTypes(analysis, 'cell:1')).toBe('');
  });
});

describe('virtual cells', () => {
  const virtual = (text: string) => {
    const cell = virtualCell(analyze(imports, text), 'cell:1');
    expect(parse(cell.text).errors).toEqual([]);
    return cell;
  };
  it('put types into programs, nested ones and methods too, and leave the rest', () => {
    const { text } = virtual(
      'x = 1\n@sgl.function\ndef f(s, q): pass\nclass A:\n    @function\n    def m(self, s: Any): pass\ndef g(s): pass\ndef o():\n    @log\n    @function(num_api_spec_tokens=3)\n    def inner(s): pass\n',
    );
    expect(text).toBe(
      'x = 1\n@__sgl_as_f(sgl.function)\ndef f(s: "_f_Body_State", q): pass\nclass A:\n    @__sgl_as_m(function)\n    def m(self, s: Any): pass\ndef g(s): pass\ndef o():\n    @log\n    @__sgl_as_inner(function(num_api_spec_tokens=3))\n    def inner(s: "_inner_Body_State"): pass\n',
    );
  });
  it('keep every place of the author', () => {
    const source = '@function\ndef f(s, q):\n    s += q\n';
    const cell = virtual(source);
    const lines = source.split('\n');
    const seen = cell.text.split('\n');
    for (const [line, text] of lines.entries()) {
      for (let character = 0; character <= text.length; character++) {
        const place = { line, character };
        const moved = toVirtual(cell, place);
        expect(toOriginal(cell, moved)).toEqual(place);
        if (/\w/.test(text[character] ?? '') && text[character - 1] !== 's')
          expect(seen[line]?.[moved.character]).toBe(text[character]);
      }
    }
    expect(toOriginal(cell, { line: 0, character: 5 })).toEqual({ line: 0, character: 1 });
  });
  it('move all ranges of an answer, each by the cell it names', () => {
    const cell = virtual('@function\ndef f(s, q): pass');
    const range = (start: number, end: number) => ({
      start: { line: 1, character: start },
      end: { line: 1, character: end },
    });
    const answer = [
      { uri: 'here', range: range(26, 27) },
      { uri: 'other', range: range(26, 27) },
      { range: range(6, 7), nested: [{ range: range(26, 27) }], text: 'x', none: null },
    ];
    expect(mapAnswer(answer, 'here', (uri) => (uri === 'here' ? cell : undefined))).toEqual([
      { uri: 'here', range: range(9, 10) },
      { uri: 'other', range: range(26, 27) },
      { range: range(6, 7), nested: [{ range: range(9, 10) }], text: 'x', none: null },
    ]);
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
  it('say nothing of what our own types did', () => {
    const said = (message: string) =>
      mergeDiagnostics([], [{ ...at(0, 0, 1, 'x'), message }]).length;
    expect(said('Type of parameter "s" must be a supertype of its class "Agent"')).toBe(0);
    expect(said('"_g_State" is not assignable to "_f_State"')).toBe(0);
    expect(said('"list[_f_State]" is not assignable to "list[ProgramState]"')).toBe(0);
    expect(said('Expression of type "None" cannot be assigned to parameter of type "str"')).toBe(0);
    expect(said('"_f_State" is not assignable to "str"')).toBe(1);
    expect(said('"Literal[1]" is not assignable to "str"')).toBe(1);
  });
  it('say nothing of what options hold for other parameters', () => {
    const argument = () => at(0, 4, 9, 'reportArgumentType');
    expect(codes([], [argument(), argument(), at(1, 4, 9, 'reportArgumentType')])).toEqual([
      'reportArgumentType',
    ]);
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
  it('rename only what the author sees', () => {
    const edits = (start: number, end: number) => [
      {
        range: { start: { line: 0, character: start }, end: { line: 0, character: end } },
        newText: 'b',
      },
    ];
    const answer = {
      documentChanges: [
        { textDocument: { uri: 'c1' }, edits: edits(2, 5) },
        { textDocument: { uri: 'c1-types' }, edits: edits(0, 1) },
      ],
    };
    expect(cleanRename(answer)).toEqual({ c1: edits(2, 5) });
    expect(cleanRename({ documentChanges: [] })).toBeNull();
    expect(cleanRename(null)).toBeNull();
    expect(rangeAt(edits(2, 5), { line: 0, character: 5 })).toEqual(edits(2, 5)[0]?.range);
    expect(rangeAt(edits(2, 5), { line: 0, character: 1 })).toBeNull();
    expect(cleanSignatureHelp({ signatures: [{ label: '(s: _f_State)' }] })).toEqual({
      signatures: [{ label: '(s: ProgramState)' }],
    });
    expect(cleanSignatureHelp({ signatures: null })).toBeNull();
  });
});
