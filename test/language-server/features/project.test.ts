import { expect, it, describe } from 'vitest';
import {
  createLanguageService,
  type LanguageService,
  type ModuleHost,
  type ProjectFile,
} from '../../../language-server/src/service.ts';
import { splitUnitUri, unitUri } from '../../../language-server/src/unit-uri.ts';
import { cursor } from '../support/check.ts';

const programs = `import sglang as sgl
@sgl.function
def qa(s, q):
    s += sgl.gen("answer")
@sgl.function
def twice(s, q):
    st = qa.run(q=q)
    s += st["answer"]
`;
const script = `from programs import qa as ask, twice
import programs
print(ask.run(q="x")["answer"])
print(programs.qa.run(q="y")["answer"])
print(twice.run(q="z"))
`;
const other = 'qa = 3\nprint({"answer": qa})\n';

const files: Readonly<Record<string, string>> = {
  'programs.py': programs,
  'script.py': script,
  'other.py': other,
};

/** Closed files, a closed notebook whose only cell begins at offset 5, and one open notebook. */
function project(open: string): { service: LanguageService; uri: string; offset: number } {
  const closed: ProjectFile[] = [
    ...Object.entries(files).map(([uri, text]) => ({ uri, units: [{ uri, text }] })),
    {
      uri: 'n.sglnb',
      units: [
        { uri: unitUri('n.sglnb', 5), text: 'from programs import qa\nqa.run(q="")["answer"]' },
      ],
    },
  ];
  const host: ModuleHost = {
    files: () => closed,
    filesWillChange: () => undefined,
    resolve: (path) => {
      const text = files[`${path}.py`];
      return text === undefined ? null : { uri: `${path}.py`, text };
    },
  };
  const service = createLanguageService({ modules: host });
  const { text, offset } = cursor(open);
  service.setNotebook('open.sglnb', [{ uri: 'cell:0', text }]);
  return { service, uri: 'cell:0', offset };
}

const head = 'from programs import qa\nst = qa.run(q="x")\n';
const textAt = (service: LanguageService, uri: string, start: number, end: number) => {
  const closed = uri.startsWith('n.sglnb')
    ? 'from programs import qa\nqa.run(q="")["answer"]'
    : files[uri];
  return (service.text(uri) ?? closed ?? '').slice(start, end);
};
const shown = (
  service: LanguageService,
  places: readonly { uri: string; start: number; end: number }[],
) =>
  places
    .map(({ uri, start, end }) => `${uri} ${textAt(service, uri, start, end)}@${start}`)
    .toSorted();

describe('a variable of an imported program', () => {
  it('is defined, referred to and renamed in all files', () => {
    const { service, uri, offset } = project(`${head}st["ans|wer"]\n`);
    const at = (text: string, word: string, from = 0) => text.indexOf(word, from);
    const gen = at(programs, '"answer"') + 1;
    expect(shown(service, service.definitions(uri, offset))).toEqual([`programs.py answer@${gen}`]);
    const everywhere = [
      `cell:0 answer@${head.length + 4}`,
      `n.sglnb#offset=5 answer@38`,
      `programs.py answer@${gen}`,
      `programs.py answer@${at(programs, '"answer"', gen) + 1}`,
      `script.py answer@${at(script, '"answer"') + 1}`,
      `script.py answer@${script.lastIndexOf('"answer"') + 1}`,
    ].toSorted();
    expect(shown(service, service.references(uri, offset, true))).toEqual(everywhere);
    expect(service.references(uri, offset, false)).toHaveLength(5);
    const edits = service.rename(uri, offset, 'reply');
    expect(shown(service, edits)).toEqual(everywhere);
    expect(new Set(edits.map((edit) => edit.text))).toEqual(new Set(['reply']));
  });
});

describe('an imported program', () => {
  it('is referred to under its own name, not under aliases, and not where others have it', () => {
    const { service, uri, offset } = project(head.replace('qa.run', 'q|a.run'));
    const definition = programs.indexOf('qa(');
    expect(service.definitions(uri, offset)).toEqual([
      { uri: 'programs.py', start: definition, end: definition + 2 },
    ]);
    const places = shown(service, service.references(uri, offset, true));
    expect(places).toEqual(
      [
        `cell:0 qa@${head.indexOf('qa')}`,
        `cell:0 qa@${head.indexOf('qa.run')}`,
        'n.sglnb#offset=5 qa@21',
        'n.sglnb#offset=5 qa@24',
        `programs.py qa@${definition}`,
        `programs.py qa@${programs.indexOf('qa.run')}`,
        `script.py qa@${script.indexOf('qa as')}`,
        `script.py qa@${script.indexOf('qa.run(q="y")')}`,
      ].toSorted(),
    );
    expect(service.references(uri, offset, false)).toHaveLength(places.length - 1);
    expect(service.prepareRename(uri, offset)?.placeholder).toBe('qa');
  });

  it('has its callers in all files', () => {
    const { service, uri, offset } = project(
      `from programs import qa\ndef go():\n    return q|a.run(q="x")\n`,
    );
    const item = service.prepareCallHierarchy(uri, offset);
    expect(item?.uri).toBe('programs.py');
    if (!item) return;
    expect(service.incomingCalls(item).map((call) => `${call.item.uri} ${call.item.name}`)).toEqual(
      ['cell:0 go', 'programs.py twice'],
    );
    const [, twice] = service.incomingCalls(item);
    if (!twice) throw new Error('twice is no caller');
    expect(service.outgoingCalls(twice.item).map((call) => call.item.name)).toEqual(['qa']);
  });
});

it('symbols of the workspace are programs and their gens, found by letters in order', () => {
  const { service } = project('import sglang\n|');
  const found = (query: string) =>
    service
      .workspaceSymbols(query)
      .map(({ uri, name, container }) => `${uri} ${container}.${name}`);
  expect(found('')).toEqual(['programs.py .qa', 'programs.py qa.answer', 'programs.py .twice']);
  expect(found('AwR')).toEqual(['programs.py qa.answer']);
  expect(found('(')).toEqual([]);
});

it('addresses cells of closed notebooks by their place in the file', () => {
  expect(splitUnitUri(unitUri('file:///a b#c.sglnb', 12))).toEqual({
    uri: 'file:///a b#c.sglnb',
    offset: 12,
  });
  expect(splitUnitUri('file:///x.py')).toEqual({ uri: 'file:///x.py', offset: 0 });
});
