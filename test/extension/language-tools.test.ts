import { describe, expect, it } from 'vitest';
import { scanPrograms } from '../../extension/src/program-scan.ts';
import { pythonLiteral } from '../../extension/notebook-format/python-literal.ts';
import { programCall } from '../../extension/src/tools/program-call.ts';
import { MOST_SHOWN, planMarkdown, ShownPlans } from '../../extension/src/tools/run-plan.ts';
import {
  chooseNotebook,
  readCellInput,
  readGenerationsInput,
  readNotebookInput,
  readProgramInput,
} from '../../extension/src/tools/tool-input.ts';
import {
  generationReport,
  shortened,
  variableReport,
} from '../../extension/src/tools/tool-report.ts';
import type { GenRecord } from '../../extension/protocol/kernel-protocol.ts';

describe('inputs of tools', () => {
  it.each([
    null,
    undefined,
    3,
    'x',
    [],
    { notebook: 5 },
    { notebook: 'a', cell: 0 },
    { cell: 1.5 },
  ])('that are no cell, %j, are refused with what is wanted', (input) => {
    expect(() => readCellInput(input)).toThrow(/must be/);
  });

  it('are read, and left-out parts have their defaults', () => {
    expect(readCellInput({ cell: 3 })).toEqual({ notebook: null, cell: 3 });
    expect(readNotebookInput({ notebook: '' })).toEqual({ notebook: null });
    expect(readProgramInput({ program: 'f' })).toEqual({
      notebook: null,
      program: 'f',
      arguments: {},
    });
    expect(readGenerationsInput({ limit: 1000, variable: 'a', requests: true })).toEqual({
      notebook: null,
      variable: 'a',
      limit: 50,
      requests: true,
    });
  });

  it('take nothing from the prototype', () => {
    const input: unknown = Object.create({ program: 'f' });
    expect(() => readProgramInput(input)).toThrow('"program" must be');
    expect(() => readProgramInput({ program: 'f', arguments: ['x'] })).toThrow('must be an object');
  });
});

describe('the notebook that is meant', () => {
  const open = (path: string, isActive = false) => ({
    uri: `file://${path}`,
    name: path.slice(3),
    path,
    isActive,
  });

  it('is the active one, the only one, or the one whose path fits', () => {
    const [a, b] = [open('/w/a.sglnb'), open('/w/sub/b.sglnb')];
    expect(chooseNotebook(null, [a])).toBe(a);
    expect(chooseNotebook(null, [a, { ...b, isActive: true }]).name).toBe('sub/b.sglnb');
    expect(chooseNotebook('b.sglnb', [a, b])).toBe(b);
    expect(chooseNotebook('/w/a.sglnb', [a, b])).toBe(a);
  });

  it('is asked for where it is not clear', () => {
    const twice = [open('/w/x/a.sglnb'), open('/w/y/a.sglnb')];
    expect(() => chooseNotebook(null, [])).toThrow('No SGLang notebook is open');
    expect(() => chooseNotebook(null, twice)).toThrow('x/a.sglnb, y/a.sglnb');
    expect(() => chooseNotebook('a.sglnb', twice)).toThrow('fits several');
    expect(() => chooseNotebook('c.sglnb', twice)).toThrow('No open notebook is "c.sglnb"');
  });
});

describe('a program’s call', () => {
  const [program] = scanPrograms(
    '@function\ndef ask(s, topic: str, style="short"):\n    s += topic',
  );
  if (!program) throw new Error('the program is not found');

  it('has the values as Python literals', () => {
    expect(
      pythonLiteral({ a: [1, 2.5, true, false, null], 'b"': 'two\nlines "quoted" \\ \u{1F600}' }),
    ).toBe('{"a": [1, 2.5, True, False, None], "b\\"": "two\\nlines \\"quoted\\" \\\\ \u{1F600}"}');
    expect(programCall(program, { topic: 'rivers' })).toBe(
      'state = ask.run(topic="rivers")\nstate',
    );
  });

  it('lets no code in by the name of a parameter', () => {
    expect(() => programCall(program, { topic: 'a', 'x=print(1)); import os; f(y': 1 })).toThrow(
      'No parameter names',
    );
  });

  it('says which arguments it lacks', () => {
    expect(() => programCall(program, { style: 'long' })).toThrow(
      '"arguments" lacks topic. The parameters of ask: topic, style',
    );
  });
});

describe('what will run', () => {
  it('is shown whole, in a fence that its text cannot close', () => {
    const code = 's = """\n```\n````\n"""';
    expect(planMarkdown([{ place: 'Cell 1', code }])).toBe(
      `Cell 1\n\n\`\`\`\`\`python\n${code}\n\n\`\`\`\`\``,
    );
  });

  it('shows characters that hide or reorder text', () => {
    expect(planMarkdown([{ place: 'Cell 1', code: 'a\u202Eb\u200Bc\td' }])).toContain(
      'a⟨U+202E⟩b⟨U+200B⟩c\td',
    );
  });

  it('is refused when nobody could read it', () => {
    expect(planMarkdown([{ place: '', code: 'x'.repeat(MOST_SHOWN + 1) }])).toBeNull();
  });

  it('counts as shown once, for the same call and the same text only', () => {
    const shown = new ShownPlans();
    const plan = [{ place: 'Cell 1', code: 'a' }];
    expect(shown.take('call', plan)).toBe(false);
    shown.show('call', plan);
    expect(shown.take('other', plan)).toBe(false);
    expect(shown.take('call', plan)).toBe(true);
    expect(shown.take('call', plan)).toBe(false);
    shown.show('call', plan);
    expect(shown.take('call', [{ place: 'Cell 1', code: 'b' }])).toBe(false);
  });

  it('is remembered for a few calls, the latest', () => {
    const shown = new ShownPlans();
    for (let call = 0; call < 30; call += 1) shown.show(`call ${call}`, []);
    expect(shown.take('call 0', [])).toBe(false);
    expect(shown.take('call 29', [])).toBe(true);
  });
});

describe('answers of tools', () => {
  const record: GenRecord = {
    program: 'ask',
    name: 'answer',
    kind: 'gen',
    value: 'v'.repeat(2000),
    error: null,
    cellId: 'cell:1',
    line: 4,
    promptTokens: 30,
    cachedTokens: 10,
    completionTokens: 20,
    milliseconds: 100.4,
    probability: null,
    request: { url: 'http://127.0.0.1/generate', body: { text: 'p'.repeat(20_000) } },
  };

  it('name a generation’s cell and its speed, and keep values short', () => {
    const report = generationReport(record, (uri) => (uri === 'cell:1' ? 2 : null), false);
    expect(report).toMatchObject({
      program: 'ask',
      variable: 'answer',
      cell: 2,
      line: 4,
      milliseconds: 100,
      tokensPerSecond: 200,
    });
    expect(report.value).toContain('1600 characters left out');
    expect(report).not.toHaveProperty('request');
    expect(report).not.toHaveProperty('error');
  });

  it('have the request where it is asked for, and no line of a cell that is gone', () => {
    const report = generationReport(record, () => null, true);
    expect(report.request?.url).toBe('http://127.0.0.1/generate');
    expect(report.request?.body.length).toBeLessThan(4200);
    expect(report).not.toHaveProperty('line');
  });

  it('keep both ends of a long text', () => {
    expect(shortened('short', 10)).toBe('short');
    expect(shortened(`start${'-'.repeat(100)}end`, 10)).toBe(
      'start\n[… 98 characters left out …]\n--end',
    );
  });

  it('leave out the values of variables that look secret', () => {
    const of = (name: string) => ({ name, type: 'str', value: '"sk-1"' });
    const names = ['OPENAI_API_KEY', 'apikey', 'password', 'hf_token', 'key', 'tokens', 'monkey'];
    const report = variableReport({ items: names.map(of), total: 7 });
    expect(JSON.stringify(report).match(/not shown/g)).toHaveLength(5);
    expect(report).toMatchObject({ total: 7, items: { 5: of('tokens'), 6: of('monkey') } });
  });
});
