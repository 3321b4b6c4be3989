import { describe, expect, it } from 'vitest';
import { programSource } from '../../../language-server/src/features/program-source.ts';
import { GeneratedValues } from '../../../language-server/src/generated-values.ts';
import {
  createLanguageService,
  type LanguageService,
  type ServiceOptions,
} from '../../../language-server/src/service.ts';
import { cursor, imports } from '../support/check.ts';

const program = `@function
def f(s, q: str = "x"):
    s += gen("kind", choices=["bug", "idea"])
    s += gen("age", dtype=int)
    forks = s.fork(2)
    forks += gen("reply")
    forks.join()
`;

/** A notebook of imports, the cells given, and the cursor in one of them. */
function at(
  cells: readonly string[],
  lastValues?: ServiceOptions['lastValues'],
): { service: LanguageService; uri: string; offset: number; texts: string[] } {
  const service = createLanguageService(lastValues ? { lastValues } : {});
  let place = { uri: '', offset: -1 };
  const texts = cells.map((marked, i) => {
    if (!marked.includes('|')) return marked;
    const { text, offset } = cursor(marked);
    place = { uri: `cell:${i + 1}`, offset };
    return text;
  });
  service.setNotebook(
    'notebook:',
    [imports, ...texts].map((text, i) => ({ uri: `cell:${i}`, text })),
  );
  return { service, ...place, texts: [imports, ...texts] };
}

describe('completion', () => {
  const check = (cells: readonly string[], expected: readonly string[]) => {
    const { service, uri, offset } = at(cells);
    expect(service.completions(uri, offset).map((item) => `${item.label} ${item.detail}`)).toEqual(
      expected,
    );
  };
  const all = ["kind Literal['bug', 'idea']", 'age str', 'reply list[str]'];

  it('offers variables after a run', () => check([program, 'st = f.run()\nst["|"]'], all));
  it('offers variables while the string is open', () =>
    check([program, 'st = f.run()\nst["|'], all));
  it('offers variables before the bracket is closed', () =>
    check([program, 'st = f.run()\nst["k|"\nprint(1)'], all));
  it('offers variables in batch results', () =>
    check([program, 'for st in f.run_batch([{}]):\n    st["|"]'], all));
  it('offers what is set so far inside the program', () =>
    check([`${program.split('\n').slice(0, 4).join('\n')}\n    s["|"]`], all.slice(0, 2)));
  it('offers variables to get_meta_info', () =>
    check([program, 'f.run().get_meta_info("|")'], all));
  it('offers choices in comparisons', () =>
    check(
      [program, 'st = f.run()\nst["kind"] == "|"'],
      ['bug one of the choices', 'idea one of the choices'],
    ));
  it('offers choices for a name', () =>
    check(
      [program, 'k = f.run()["kind"]\nif k == "|": pass'],
      ['bug one of the choices', 'idea one of the choices'],
    ));
  it('offers the keys of a schema', () =>
    check(
      [
        `@function\ndef g(s):\n    s += gen("j", json_schema='{"properties": {"name": {}, "age": {}}}')`,
        'd = json.loads(g.run()["j"])\nd["|"]',
      ],
      ['name key of the JSON schema', 'age key of the JSON schema'],
    ));
  it('offers the keys of a schema that allows others, with their types', () =>
    check(
      [
        `@function\ndef g(s):\n    s += gen("j", json_schema='{"additionalProperties": true, "properties": {"age": {"type": "integer"}}}')`,
        'd = json.loads(g.run()["j"])\nd["other"], d["|"]',
      ],
      ['age int, key of the JSON schema'],
    ));
  it('offers the fields of a pydantic model, inherited and nested ones too', () => {
    const models = `from pydantic import BaseModel, Field
class Mood(str, Enum):
    GOOD = "good"
    BAD = "bad"
class Place(BaseModel):
    name: str = Field(description="As people say it.")
    mood: Mood = Mood.GOOD
class City(Place):
    limit: ClassVar[int] = 3
    population: Optional[int] = None
    parts: list[Place] = []
    first: str = Field(alias="firstMayor")
@function
def g(s):
    s += gen("j", json_schema=json.dumps(City.model_json_schema()))`;
    check(
      [models, 'd = json.loads(g.run()["j"])\nd["|"]'],
      [
        'name str, City',
        "mood Literal['good', 'bad'], City",
        'population int | None, City',
        'parts list[dict], City',
        'firstMayor str, City',
      ],
    );
    check(
      [models, 'd = json.loads(g.run()["j"])\nd["parts"][0]["|"]'],
      ['name str, Place', "mood Literal['good', 'bad'], Place"],
    );
    const { service, uri } = at([models, 'json.loads(g.run()["j"])["nmae|"]']);
    expect(service.diagnostics(uri).map(({ message }) => message)).toEqual([
      'The JSON schema has no key "nmae". Did you mean "name"?',
    ]);
  });
  it('says nothing about fields that a pydantic model may have from elsewhere', () => {
    const of = (text: string) => {
      const program = `@function\ndef g(s):\n    s += gen("j", json_schema=M.schema_json())`;
      const { service, uri } = at([
        `from pydantic import *\n${text}\n${program}`,
        'json.loads(g.run()["j"])["|other"]',
      ]);
      return service.diagnostics(uri).map(({ code }) => code);
    };
    expect(of('class M(BaseModel):\n    a: int')).toEqual(['unknown-json-key']);
    expect(of('class M(BaseModel, Shared):\n    a: int')).toEqual([]);
    expect(
      of(
        'class B(BaseModel):\n    model_config = ConfigDict(extra="allow")\nclass M(B):\n    a: int',
      ),
    ).toEqual([]);
    expect(
      of(
        'class M(BaseModel):\n    model_config = ConfigDict(alias_generator=to_camel)\n    a: int',
      ),
    ).toEqual([]);
    expect(
      of('class M(BaseModel):\n    a: int = Field(validation_alias=AliasPath("b", 0))'),
    ).toEqual([]);
  });
  it('offers what get_meta_info has', () => {
    const { service, uri, offset } = at([program, 'm = f.run().get_meta_info("kind")\nm["|"]']);
    const items = service.completions(uri, offset);
    expect(items.map(({ label, detail }) => [label, detail])).toContainEqual([
      'cached_tokens',
      'int, meta info of a gen',
    ]);
    expect(items.every(({ documentation }) => documentation !== '')).toBe(true);
  });
  it('says nothing about keys that a server may add to the meta info', () => {
    const { service, uri } = at([program, 'f.run().get_meta_info("kind")["spec_verify_ct|"]']);
    expect(service.diagnostics(uri)).toEqual([]);
  });
  const both = ['bug one of the choices', 'idea one of the choices'];
  it.each([
    'st["kind"] in ["|"]',
    'st["kind"] not in ("bug", "|")',
    'x = [1] if "|" in {st["kind"]} else []',
  ])('offers choices in lists: %s', (text) =>
    check([program, `st = f.run()\n${text}`], text.startsWith('x') ? [] : both),
  );
  it('offers choices in cases', () => {
    const match = 'match f.run()["kind"]:\n    case "bug" | "|" as k:\n        pass';
    check([program, match], both);
    check([program, match.replace('"bug" | "|" as k', '["|"]')], []);
  });
  it('offers keys to get', () =>
    check(
      [
        `@function\ndef g(s):\n    s += gen("j", json_schema='{"properties": {"a": {"properties": {"b": {"type": "integer"}}}}}')`,
        'd = json.loads(g.run()["j"])\nd.get("other"), d.get("a", {}).get("|")',
      ],
      ['b int, key of the JSON schema'],
    ));
  it("offers a program's parameters as keys of a batch", () => {
    const cells = ['@function\ndef g(s, country, n=1):\n    s += country'];
    check([...cells, 'g.run_batch([{"|"}])'], ['country country', 'n n=1']);
    check([...cells, 'g.run_batch([{"n": 1}, {"country": "x", "|": 1}])'], ['n n=1']);
    check([...cells, 'g.run_batch([{"country": "|"}])'], []);
  });
  it('offers what a parameter takes', () => {
    const labels = (text: string) => {
      const { service, uri, offset } = at([`@function\ndef g(s):\n    ${text}`]);
      return service.completions(uri, offset).map(({ label, insertText }) => [label, insertText]);
    };
    expect(labels('s += gen("a", dtype=|)')).toContainEqual(['int', 'int']);
    expect(labels('s += gen("a", dtype="|")')).toEqual([]);
    expect(labels('s += sgl.select("a", ["b"], choices_method=|)')).toContainEqual([
      'greedy_token_selection',
      'sgl.greedy_token_selection',
    ]);
    expect(labels('s.fork(2).join("|")')).toEqual([
      ['gather_variable', 'gather_variable'],
      ['concate_and_append', 'concate_and_append'],
    ]);
    expect(labels('s += separate_reasoning(gen("a"), model_type="|")')).toContainEqual([
      'qwen3',
      'qwen3',
    ]);
  });
  it('writes the known part of a name with a hole', () => {
    const { service, uri, offset } = at([
      '@function\ndef g(s, n):\n    for i in n:\n        s += gen(f"tip_{i}")\n    s["|"]',
    ]);
    expect(service.completions(uri, offset)).toMatchObject([
      { label: 'tip_{…}', insertText: 'tip_' },
    ]);
  });
  it('explains every parameter', () => {
    for (const call of ['gen(|)', 'select(|)', 'gen_int(|)', 'separate_reasoning(|)']) {
      const { service, uri, offset } = at([`@function\ndef g(s):\n    s += ${call}`]);
      const items = service.completions(uri, offset);
      expect(items.length).toBeGreaterThan(1);
      expect(items.filter(({ documentation }) => documentation.length < 10)).toEqual([]);
    }
    const { service, uri, offset } = at(['@function\ndef g(s):\n    s += "x"', 'g.run(|)']);
    const vague = ({ documentation }: { documentation: string }) =>
      documentation.length < 10 || documentation.startsWith('See');
    expect(service.completions(uri, offset).filter(vague)).toEqual([]);
  });
  it('offers parameters of gen that are not given yet', () => {
    const { service, uri, offset } = at(['x = gen("a", max_tokens=3, te|)']);
    const labels = service.completions(uri, offset).map((item) => item.label);
    expect(labels).toContain('temperature=');
    expect(labels).toContain('json_schema=');
    expect(labels).not.toContain('max_tokens=');
    expect(labels).not.toContain('name=');
  });
  it("offers a program's own parameters first", () => {
    const { service, uri, offset } = at([program, 'f.run(|)']);
    const items = service.completions(uri, offset);
    expect(items[0]?.label).toBe('q=');
    expect(items.map((item) => item.label)).toContain('max_new_tokens=');
    expect(items.every((item) => item.insertText.endsWith('='))).toBe(true);
  });
  it('offers nothing in ordinary code', () => check(['x = |1'], []));
  it('offers nothing inside an argument that is text', () => check(['x = gen("a|")'], []));
});

describe('hover', () => {
  const check = (cells: readonly string[], ...parts: readonly string[]) => {
    const { service, uri, offset } = at(cells);
    const found = service.hover(uri, offset)?.markdown ?? '';
    for (const part of parts) expect(found).toContain(part);
  };
  it('shows the type of a read', () =>
    check([program, 'f.run()["ki|nd"]'], "kind: Literal['bug', 'idea']", 'Made by `f` at line 3'));
  it('says that dtype gives text', () =>
    check([program, 'f.run()["ag|e"]'], 'age: str', '`int(...)` reads it'));
  it('shows lists after join', () => check([program, 'f.run()["re|ply"]'], 'reply: list[str]'));
  it('shows a gen where it is made', () =>
    check([program.replace('"age"', '"a|ge"'), 'f.run()["age"]'], 'age: str', 'Read once'));
  it('shows a program', () =>
    check([program.replace('def f', 'def |f')], '(program) f', '- `kind`: `Literal['));
  it('shows a call', () =>
    check([program, 'f.r|un()'], 'f.run(q: str = "x", max_new_tokens: int | None = 128'));
  it('shows gen', () =>
    check(['x = g|en("a")'], 'gen(name: str | None = None', 'Lets the model write'));
  it('says when a variable is set', () =>
    check(
      [
        '@function\ndef g(s):\n    s += gen("t", choices=["x", "y"])\n    if s["t"] == "x":\n        s += gen("a")',
        'g.run()["|a"]',
      ],
      'Set only when t is "x"',
    ));
  it('shows a program where it is used, lists after join', () =>
    check(
      [program, 'states = |f.run_batch([{"q": "x"}])'],
      '(program) f(q: str = "x")',
      '- `reply`: `list[str]`',
    ));
  it('says what a gen of forks is after join', () =>
    check([program.replace('"reply"', '"re|ply"')], 'reply: str', 'A `list[str]` after `join`.'));
  it('says that a gen is in another cell', () => {
    check([program, 'f.run()["ki|nd"]'], 'Made by `f` at line 3 of another cell.');
    check([`${program}f.run()["ki|nd"]`], 'Made by `f` at line 3.');
    const branches =
      '@function\ndef g(s, q):\n    if q: h(s)\n    else: s += gen("a")\n    s["|a"]';
    check(
      ['def h(s):\n    s += gen("a")', branches],
      'Made by `g` at line 2 of another cell and line 4.',
    );
  });
  it('shows what a parameter means', () => {
    check(['x = gen("a", max_to|kens=3)'], '(parameter) max_tokens: int | None', 'Most tokens');
    check([program, 'f.run(top|_k=1)'], '-1 for all. For gens that name none.');
    check([program, 'f.run(|q="a")'], '(parameter) q: str = "x"');
  });
  it('shows keys of a schema and of meta information', () => {
    check(
      [
        `@function\ndef g(s):\n    s += gen("j", json_schema='{"properties": {"age": {"type": "integer", "description": "In years"}}}')`,
        'json.loads(g.run()["j"])["a|ge"]',
      ],
      '(key) age: int',
      'In years',
    );
    check([program, 'f.run().get_meta_info("kind")["cached|_tokens"]'], '(key) cached_tokens: int');
  });
  it('says nothing on other things', () => {
    const { service, uri, offset } = at(['x| = 1']);
    expect(service.hover(uri, offset)).toBeNull();
  });
  it('shows the last values, fenced whatever they hold, stale ones marked', () => {
    const values: ServiceOptions['lastValues'] = {
      lastValues: (_notebook, owner, name) => [
        {
          value: `${owner} ${name} \`\`\`\n<b>`,
          probability: 0.254,
          tokens: 7,
          milliseconds: 31.4,
          stale: true,
          output: 'command:show',
        },
      ],
    };
    const { service, uri, offset } = at([program, 'f.run()["ki|nd"]'], values);
    const { markdown } = service.hover(uri, offset) ?? { markdown: '' };
    expect(markdown).toContain('````text\nf kind ```\n<b>\n````');
    expect(markdown).toContain(
      'p = 0.25 · 7 tokens · 31 ms · stale: the code changed since · [show output](command:show)',
    );
  });
  it('calls a value stale while the program, or what it calls, is not as it was', () => {
    const values = new GeneratedValues();
    const helper = 'def h(s):\n    s += gen("x")';
    const caller = '@function\ndef p(s):\n    h(s)\n    s += gen("y")';
    const { service, uri, offset } = at([helper, caller, 'p.run()["|y"]', 'z = 1'], values);
    const analysis = service.analysis(uri)!;
    const value = { value: 'v', probability: null, tokens: 1, milliseconds: 2, output: null };
    values.add('notebook:', 'p', 'y', value, programSource(analysis, 'p'));
    const isStale = (cell: string, text: string) => {
      service.setCell(cell, text);
      return service.hover(uri, offset)?.markdown.includes('stale');
    };
    expect(isStale('cell:4', 'z = 2')).toBe(false);
    expect(isStale('cell:2', caller.replace('"y"', '"y", stop="."'))).toBe(true);
    expect(isStale('cell:2', caller)).toBe(false);
    expect(isStale('cell:1', helper.replace('"x"', '"x", stop="."'))).toBe(true);
    expect(isStale('cell:1', helper)).toBe(false);
    expect(values.lastValues('other:', 'p', 'y', null)).toEqual([]);
    values.close('notebook:');
    expect(values.lastValues('notebook:', 'p', 'y', null)).toEqual([]);
  });
});

describe('inlay hints', () => {
  it('show types of names that got generated values', () => {
    const { service, texts } = at([
      program,
      'st = f.run()\nk = st["kind"]\nfor r in st["reply"]:\n    print(r)\n|',
    ]);
    const text = texts[2] ?? '';
    const hints = service.inlayHints('cell:2', 0, text.length);
    const shown = hints.reduceRight(
      (all, hint) => all.slice(0, hint.offset) + hint.label + all.slice(hint.offset),
      text,
    );
    expect(shown).toBe(
      'st = f.run()\nk: Literal[\'bug\', \'idea\'] = st["kind"]\nfor r: str in st["reply"]:\n    print(r)\n',
    );
  });
});

/** The texts of places, with the cell's number. */
function shown(
  texts: readonly string[],
  places: readonly { uri: string; start: number; end: number }[],
): string[] {
  return places.map(({ uri, start, end }) => {
    const cell = Number(uri.replace('cell:', ''));
    const line = (texts[cell] ?? '').slice(0, start).split('\n').length;
    return `${cell}:${line} ${(texts[cell] ?? '').slice(start, end)}`;
  });
}

describe('navigation', () => {
  it('goes from a read to its gen in another cell', () => {
    const { service, uri, offset, texts } = at([program, 'st = f.run()\nst["ki|nd"]']);
    expect(shown(texts, service.definitions(uri, offset))).toEqual(['1:3 kind']);
  });
  it('goes to every gen that may have set it', () => {
    const { service, uri, offset, texts } = at([
      '@function\ndef g(s, q):\n    if q:\n        s += gen("a")\n    else:\n        s += gen("a")',
      'g.run(q=input())["|a"]',
    ]);
    expect(shown(texts, service.definitions(uri, offset))).toEqual(['1:4 a', '1:6 a']);
  });
  it('goes from a call to the program', () => {
    const { service, uri, offset, texts } = at([program, 'f.ru|n()']);
    expect(shown(texts, service.definitions(uri, offset))).toEqual(['1:2 f']);
  });
  it('goes from a name to the program', () => {
    const { service, uri, offset, texts } = at([program, '|f.run()']);
    expect(shown(texts, service.definitions(uri, offset))).toEqual(['1:2 f']);
  });
  it('finds all references of a variable', () => {
    const { service, uri, offset, texts } = at([
      program.replace('"kind"', '"ki|nd"'),
      'a = f.run()["kind"]',
      'b = f.run()\nb.get_meta_info("kind")',
    ]);
    expect(shown(texts, service.references(uri, offset, true))).toEqual([
      '1:3 kind',
      '2:1 kind',
      '3:2 kind',
    ]);
    expect(shown(texts, service.references(uri, offset, false))).toEqual(['2:1 kind', '3:2 kind']);
  });
  it('keeps variables of the same name in other programs apart', () => {
    const other = '@function\ndef g(s):\n    s += gen("kind")\ng.run()["kind"]';
    const { service, uri, offset, texts } = at([program, other, 'f.run()["ki|nd"]']);
    expect(shown(texts, service.references(uri, offset, true))).toEqual(['1:3 kind', '3:1 kind']);
  });
});

describe('rename', () => {
  const renamed = (cells: readonly string[], name: string) => {
    const { service, uri, offset, texts } = at(cells);
    const result = [...texts];
    for (const edit of [...service.rename(uri, offset, name)].sort((a, b) => b.start - a.start)) {
      const cell = Number(edit.uri.replace('cell:', ''));
      result[cell] =
        (result[cell] ?? '').slice(0, edit.start) +
        edit.text +
        (result[cell] ?? '').slice(edit.end);
    }
    return result.slice(1);
  };
  it('renames a variable across cells, keeping each quote', () => {
    expect(
      renamed(
        ['@function\ndef g(s):\n    s += gen("a")\n    s += s[\'a\']', 'g.run()["|a"]'],
        'answer',
      ),
    ).toEqual([
      '@function\ndef g(s):\n    s += gen("answer")\n    s += s[\'answer\']',
      'g.run()["answer"]',
    ]);
  });
  it('renames a program', () => {
    expect(
      renamed(['@function\ndef g(s):\n    s += "x"', '|g.run()\nh = g.bind()'], 'hello'),
    ).toEqual(['@function\ndef hello(s):\n    s += "x"', 'hello.run()\nh = hello.bind()']);
  });
  it('renames a variable together with what is stored under its name and with its reasoning', () => {
    expect(
      renamed(
        ['@function\ndef g(s):\n    s += gen("a")\n    s["|a"] = int(s["a"])', 'g.run()["a"]'],
        'age',
      ),
    ).toEqual([
      '@function\ndef g(s):\n    s += gen("age")\n    s["age"] = int(s["age"])',
      'g.run()["age"]',
    ]);
    const thinks = '@function\ndef g(s):\n    s += separate_reasoning(gen("a"), "qwen3")';
    expect(renamed([thinks, 'g.run()["|a"], g.run()["a_reasoning_content"]'], 'b')[1]).toBe(
      'g.run()["b"], g.run()["b_reasoning_content"]',
    );
    expect(renamed(['@function\ndef g(s):\n    s += gen("a" "b")', 'g.run()["|ab"]'], 'c')).toEqual(
      ['@function\ndef g(s):\n    s += gen("c")', 'g.run()["c"]'],
    );
  });
  it('refuses names that the code puts together, and says where', () => {
    const refused = (...cells: readonly string[]) => {
      const { service, uri, offset } = at(cells);
      return () => service.rename(uri, offset, 'new');
    };
    const message = '"tip_1" is not written out at line 4: change by hand';
    expect(
      refused(
        '@function\ndef g(s):\n    for i in range(2):\n        s += gen(f"tip_{i}")\n    s["tip|_1"]',
      ),
    ).toThrow(message);
    expect(refused('N = "a"\n@function\ndef g(s):\n    s += gen(N)', 'g.run()["|a"]')).toThrow(
      'line 4',
    );
    expect(
      refused('def h(s, n):\n    s += gen(n)\n@function\ndef g(s):\n    h(s, "a")\n    s["|a"]'),
    ).toThrow('line 2');
    expect(
      refused(
        '@function\ndef g(s):\n    s += separate_reasoning(gen("a"), "qwen3")\n    key = "a_reasoning_content"\n    x = s["|a"], s[key]',
      ),
    ).toThrow('"a_reasoning_content" is not written out at line 5');
  });
  it("renames a program's parameter in its body, in calls and in batches", () => {
    const body =
      '@function\ndef g(s, topic, n=1):\n    s += user(f"On {topic}")\n    def other(topic): return topic\n    x = [topic for topic in n] + [topic for y in n]\n    return lambda: topic';
    const runs =
      'g.run(topic="x")\ng.run_batch([{"topic": "x", "n": 2}, {"topic": topic}])\ng.run_batch(batch_kwargs=[{\'topic\': q} for q in "ab"])\ng.bind(topic=1).run(n=3)\nprint(dict(topic=1))';
    const after = [
      body
        .replace('s, topic', 's, country')
        .replace('{topic}', '{country}')
        .replace('[topic for y', '[country for y')
        .replace('lambda: topic', 'lambda: country'),
      runs
        .replace('g.run(topic', 'g.run(country')
        .replace('{"topic": "x"', '{"country": "x"')
        .replace('{"topic": topic', '{"country": topic')
        .replace("{'topic'", "{'country'")
        .replace('bind(topic', 'bind(country'),
    ];
    expect(renamed([body.replace('s, topic', 's, |topic'), runs], 'country')).toEqual(after);
    expect(renamed([body, runs.replace('run(topic', 'run(|topic')], 'country')).toEqual(after);
    const { service, uri, offset } = at([body.replace('{topic}', '{to|pic}')]);
    expect(service.prepareRename(uri, offset)).toMatchObject({ placeholder: 'topic' });
    expect(() => service.rename(uri, offset, 'n')).toThrow('has a parameter "n" already');
    expect(() => service.rename(uri, offset, 's')).toThrow('has a parameter "s" already');
    expect(() => service.rename(uri, offset, 'user')).toThrow('uses the name "user" already');
    for (const name of ['1n', 'class'])
      expect(() => service.rename(uri, offset, name)).toThrow('not a Python name');
  });
  it('refuses names that would break the code', () => {
    const { service, uri, offset } = at([program, 'f.run()["ki|nd"]']);
    expect(() => service.rename(uri, offset, 'a"b')).toThrow('cannot be empty or hold quotes');
    const other = at([program, '|f.run()']);
    expect(() => other.service.rename(other.uri, other.offset, '1x')).toThrow('not a Python name');
  });
  it('offers the text between the quotes', () => {
    const { service, uri, offset } = at([program, 'f.run()["ki|nd"]']);
    expect(service.prepareRename(uri, offset)).toEqual({ start: 9, end: 13, placeholder: 'kind' });
  });
  it('offers nothing for names made by f-strings', () => {
    const { service, uri, offset } = at(['@function\ndef g(s, n):\n    s += gen(f"t|ip_{n}")']);
    expect(service.prepareRename(uri, offset)).toBeNull();
  });
});

describe('signature help', () => {
  const check = (cells: readonly string[], name: string, active: string | undefined) => {
    const { service, uri, offset } = at(cells);
    const found = service.signatureHelp(uri, offset);
    expect(found?.signature.name).toBe(name);
    expect(found?.signature.parameters[found.activeParameter]?.name).toBe(active);
  };
  it('of gen, first parameter', () => check(['x = gen(|)'], 'gen', 'name'));
  it('of gen, second parameter', () => check(['x = gen("a", |)'], 'gen', 'max_tokens'));
  it('of gen, by keyword', () => check(['x = gen("a", regex="|")'], 'gen', 'regex'));
  it('of a program', () => check([program, 'f.run(|)'], 'f.run', 'q'));
  it('of an unclosed call', () => check([program, 'f.run(q=|\nx = 1'], 'f.run', 'q'));
  it('of a helper', () => check(['def help(a, b): pass\nhelp(1, |)'], 'help', 'b'));
  it('inside the inner call', () => check(['x = user("a" + gen("b", |))'], 'gen', 'max_tokens'));
});

describe('structure', () => {
  it('lists programs with their gens', () => {
    const { service } = at([`class A:\n    def m(self): pass\n${program}|`]);
    const outline = (symbols: ReturnType<LanguageService['documentSymbols']>): unknown =>
      symbols.map((symbol) => [
        `${symbol.kind} ${symbol.name}`,
        ...(symbol.children.length > 0 ? [outline(symbol.children)] : []),
      ]);
    expect(outline(service.documentSymbols('cell:1'))).toEqual([
      ['class A', [['function m']]],
      ['program f', [['gen kind'], ['gen age'], ['gen reply']]],
    ]);
  });
  it('lists roles with the gens in them', () => {
    const { service } = at([
      '@function\ndef p(s, many):\n    s += system("x")\n    for i in range(many):\n        s += user("q") + assistant("a" + gen("x"))\n    with s.user():\n        s += gen("y")\n|',
    ]);
    const [symbol] = service.documentSymbols('cell:1');
    expect(
      symbol?.children.map(({ kind, name, children }) => [
        `${kind} ${name}`,
        ...children.map((child) => child.name),
      ]),
    ).toEqual([['role system'], ['role user'], ['role assistant', 'x'], ['gen y']]);
  });
  it('folds blocks and calls', () => {
    const { service } = at(['def f():\n    x = [\n        1,\n    ]\n    return x\n|']);
    expect(service.foldingRanges('cell:1').map(({ start, end }) => [start, end])).toEqual([
      [0, 48],
      [13, 35],
      [17, 35],
    ]);
  });
  it('gives the parameters of programs for run lenses', () => {
    const { service } = at([
      '@sgl.function\ndef ask(s, q: str, n=3, *, deep: bool = False):\n    s += q\n|',
    ]);
    expect(service.codeLenses('cell:1')).toMatchObject([
      {
        name: 'ask',
        runnable: true,
        parameters: [
          { name: 'q', annotation: 'str', defaultText: null },
          { name: 'n', annotation: null, defaultText: '3' },
          { name: 'deep', annotation: 'bool', defaultText: 'False' },
        ],
      },
    ]);
  });
  it('marks gens, reads and programs', () => {
    const { service, texts } = at([program, 'f.run()["kind"]|']);
    const tokens = service
      .semanticTokens('cell:2')
      .map((token) => `${token.type} ${texts[2]?.slice(token.start, token.end)}`);
    expect(tokens).toEqual(['function run', 'property kind']);
  });
  it('knows which program calls which', () => {
    const { service, uri, offset } = at([
      program,
      '@function\ndef g(s):\n    s += f.run()["age"]',
      '@function\ndef |h(s):\n    x = g.run()\n    y = f.run()',
    ]);
    const item = service.prepareCallHierarchy(uri, offset);
    expect(item?.name).toBe('h');
    expect(service.outgoingCalls(item!).map((call) => call.item.name)).toEqual(['g', 'f']);
    const target = service.outgoingCalls(item!)[1]!.item;
    expect(
      service
        .incomingCalls(target)
        .map((call) => call.item.name)
        .toSorted(),
    ).toEqual(['g', 'h']);
  });
});

describe('code actions', () => {
  const apply = (cells: readonly string[], title: string): string | undefined => {
    const { service, uri, offset, texts } = at(cells);
    const action = service
      .codeActions(uri, offset, offset)
      .find((candidate) => candidate.title === title);
    let text = texts[Number(uri.replace('cell:', ''))] ?? '';
    if (!action)
      return `no "${title}" among ${service
        .codeActions(uri, offset, offset)
        .map((a) => a.title)
        .join(', ')}`;
    for (const edit of [...action.edits].sort((a, b) => b.start - a.start))
      text = text.slice(0, edit.start) + edit.text + text.slice(edit.end);
    return text;
  };
  it('corrects a name', () =>
    expect(apply([program, "f.run()['ki|nt']"], 'Change to "kind"')).toBe("f.run()['kind']"));
  it('corrects a choice', () =>
    expect(apply([program, 'f.run()["kind"] == "b|ugs"'], "Change to 'bug'")).toBe(
      'f.run()["kind"] == "bug"',
    ));
  it('wraps in int', () =>
    expect(apply([program, 'st = f.run()\nst["age|"] > 3'], 'Wrap in int(...)')).toBe(
      'st = f.run()\nint(st["age"]) > 3',
    ));
  it('removes an ignored argument', () =>
    expect(apply(['x = gen("a", choices=["x"], max_|tokens=3)'], "Remove 'max_tokens'")).toBe(
      'x = gen("a", choices=["x"])',
    ));
  it('removes an argument in the middle', () =>
    expect(apply(['x = gen("a", max_|tokens=3, choices=["x"])'], "Remove 'max_tokens'")).toBe(
      'x = gen("a", choices=["x"])',
    ));
  it('renames the first parameter', () =>
    expect(
      apply(
        ['@function\ndef f(st|ate, q):\n    state += q\n    print(state["a"].state)'],
        "Rename to 's'",
      ),
    ).toBe('@function\ndef f(s, q):\n    s += q\n    print(s["a"].state)'));
  it('adds missing arguments', () =>
    expect(apply(['@function\ndef g(s, q):\n    s += q', '|g.run()'], 'Add q')).toBe(
      'g.run(q=...)',
    ));
  it.each([
    ['g.run("x", max|_tokens=4)', 'max_new_tokens'],
    ['x = gen("a", sche|ma="{}")', 'json_schema'],
    ['x = gen("a", stop|_str="x")', 'stop'],
    ['x = gen("a", te|mp=0)', 'temperature'],
  ])('knows what other APIs call it: %s', (text, name) =>
    expect(apply(['@function\ndef g(s, q):\n    s += q', text], `Change to '${name}'`)).toContain(
      `${name}=`,
    ),
  );
  it('corrects a name by its words', () =>
    expect(
      apply(
        [
          '@function\ndef g(s):\n    s += gen("final_answer") + gen("thoughts")',
          'g.run()["answ|er"]',
        ],
        'Change to "final_answer"',
      ),
    ).toBe('g.run()["final_answer"]'));
  it('makes a list of one run', () =>
    expect(
      apply(['@function\ndef g(s, q):\n    s += q', 'g.run_batch({|"q": "x"})'], 'Make it a list'),
    ).toBe('g.run_batch([{"q": "x"}])'));
  it.each([
    [
      's += user("x") + sgl.g|en("a")',
      'Wrap in assistant(...)',
      's += user("x") + sgl.assistant(sgl.gen("a"))',
    ],
    [
      'forks = s.fork(2); forks += "|a"',
      'Append to each fork',
      'forks = s.fork(2); forks += lambda i: "a"',
    ],
    [
      's.fork(2).join("gat|her")',
      'Change to "gather_variable"',
      's.fork(2).join("gather_variable")',
    ],
    ['s += gen("a", choices=["x", "y", "x|"])', 'Remove "x"', 's += gen("a", choices=["x", "y"])'],
    ['s += gen("a", choices=["|", "y"])', 'Remove ""', 's += gen("a", choices=["y"])'],
    ['s += gen("a", top_p=|2)', 'Change to 1', 's += gen("a", top_p=1)'],
    ['s += gen("a", temperature=-|1)', 'Change to 0', 's += gen("a", temperature=0)'],
    ['g.run_batch([{"q": 1, "r": 2|}])', 'Add n', 'g.run_batch([{"q": 1, "r": 2, "n": ...}])'],
    ['g.run_batch([{|}])', 'Add q, n', 'g.run_batch([{"q": ..., "n": ...}])'],
  ])('repairs %s', (before, title, after) => {
    const head = '@function\ndef g(s, q, n, r=1):\n    ';
    expect(apply([`${head}${before}`], title)).toBe(`${head}${after}`);
  });
  it('extracts the choices of select, and tuples', () => {
    const title = 'Extract choices into a constant';
    const of = (text: string) => apply([`@function\ndef g(s):\n    s += ${text}`], title);
    expect(of('select("a", ["x|", "y"])')).toBe(
      'A_CHOICES = ["x", "y"]\n\n\n@function\ndef g(s):\n    s += select("a", A_CHOICES)',
    );
    expect(of('gen("a", choices=("x|", "y"))')).toContain('A_CHOICES = ("x", "y")');
  });
  it('compares an answer', () =>
    expect(
      apply(
        ['@function\ndef g(s):\n    s += gen("ok", dtype=bool)', 'if g.run()["|ok"]: pass'],
        "Compare with 'True'",
      ),
    ).toBe('if g.run()["ok"] == "True": pass'));
  it('takes the schema of a class', () =>
    expect(
      apply(
        ['class A:\n    x: int\ny = gen("a", json_schema=A|)'],
        'Use json.dumps(….model_json_schema())',
      ),
    ).toContain('json_schema=json.dumps(A.model_json_schema()))'));
  it('wraps a schema', () =>
    expect(
      apply(['x = gen("a", json_schema={|"type": "object"})'], 'Wrap in json.dumps(...)'),
    ).toBe('x = gen("a", json_schema=json.dumps({"type": "object"}))'));
  it.each([
    [`f"So {gen('|a')} it is"`, `f"So " + gen('a') + f" it is"`],
    [`user(f"{ q }: {gen('|a')}")`, `user(f"{ q }: " + gen('a'))`],
    [`fr'''{\n  gen("|a")\n} it is'''`, `gen("a") + fr''' it is'''`],
    [`f"{gen('|a')}"`, `gen('a')`],
    [`("x" f"{gen('|a')}" "y")`, `("x" + gen('a') + "y")`],
  ])('takes a gen out of formatted text: %s', (before, after) =>
    expect(apply([`@function\ndef g(s, q):\n    s += ${before}`], "Add it with '+'")).toBe(
      `@function\ndef g(s, q):\n    s += ${after}`,
    ),
  );
  it('takes a traced value out of an f-string', () => {
    const program = (text: string) =>
      `@function\ndef g(s):\n    s += gen("a")\n    s += ${text}\ng.trace()`;
    expect(apply([program('f"so {s[\'|a\']}!"')], "Add it with '+'")).toBe(
      program('f"so " + s[\'a\'] + f"!"'),
    );
  });
  it('appends what is forgotten', () =>
    expect(apply(['@function\ndef g(s, q):\n    us|er(q)'], 'Append to s')).toBe(
      '@function\ndef g(s, q):\n    s += user(q)',
    ));
  it('adds the parts of a list', () =>
    expect(
      apply(
        ['@function\ndef g(s, q):\n    s += user([|image(q), "what is it?"])'],
        "Add the parts with '+'",
      ),
    ).toBe('@function\ndef g(s, q):\n    s += user(image(q) + "what is it?")'));
  it('joins the values of forks', () =>
    expect(
      apply(
        [
          '@function\ndef g(s, q):\n    forks = s.fork(2)\n    forks += gen("a")\n    forks.join()\n    s += s["|a"]',
        ],
        "Join with '\\n'",
      ),
    ).toContain('    s += "\\n".join(s["a"])'));
  it('ignores a finding on its line', () =>
    expect(apply([program, 'f.run()["n|o"]\nx = 1'], 'Ignore unknown-variable on this line')).toBe(
      'f.run()["no"]  # sglang: ignore[unknown-variable]\nx = 1',
    ));
  it('offers no comment where none can stand', () => {
    const { service, uri, offset } = at([
      `@function\ndef f(s):\n    s += gen("a", json_schema='''{"type":\n «o|»bject}\n''')`.replace(
        /[«»]/g,
        '',
      ),
    ]);
    const offered = service.codeActions(uri, 0, offset + 100);
    expect(service.diagnostics(uri).map((entry) => entry.code)).toEqual(['invalid-json-schema']);
    expect(offered.map((action) => action.title)).not.toContain(
      'Ignore invalid-json-schema on this line',
    );
  });
  it('adds max_tokens', () =>
    expect(apply(['@function\ndef f(s):\n    s += g|en("a")'], 'Add max_tokens')).toBe(
      '@function\ndef f(s):\n    s += gen("a", max_tokens=128)',
    ));
  it('extracts choices', () =>
    expect(
      apply(
        ['@function\ndef f(s):\n    s += ge|n("a", choices=["x", "y"])'],
        'Extract choices into a constant',
      ),
    ).toBe(
      'A_CHOICES = ["x", "y"]\n\n\n@function\ndef f(s):\n    s += gen("a", choices=A_CHOICES)',
    ));
  it('extracts choices under a name that is free, and only constants', () => {
    const program =
      'A_CHOICES = 1\n@function\ndef f(s, q):\n    s += ge|n("a", choices=["x", "y"])';
    expect(apply([program], 'Extract choices into a constant')).toContain('choices=A_CHOICES_2)');
    const { service, uri, offset } = at([program.replace('"y"', 'q')]);
    expect(service.codeActions(uri, offset, offset).map((action) => action.title)).not.toContain(
      'Extract choices into a constant',
    );
  });
  it('rewrites a regex that spells JSON as a schema', () => {
    const program = (pattern: string) =>
      `@function\ndef f(s):\n    s += ge|n("a", regex=r'${pattern}')`;
    const pattern = String.raw`\{"ok": (true|false), "kind": "(a|b)"\}`;
    const title = 'Rewrite regex as json_schema (whitespace may differ)';
    expect(apply([program(pattern)], title)).toBe(`@function
def f(s):
    s += gen("a", json_schema=json.dumps({
        "type": "object",
        "properties": {"ok": {"type": "boolean"}, "kind": {"enum": ["a", "b"]}},
        "required": ["ok", "kind"],
        "additionalProperties": False,
    }))`);
    const { service, uri, offset } = at([program(String.raw`[a-z]+`)]);
    expect(
      service
        .codeActions(uri, offset, offset)
        .map((action) => action.title)
        .join(),
    ).not.toContain('json_schema');
  });
});

describe('while typing', () => {
  it('does not call a variable unknown because its gen is being edited', () => {
    const { service } = at([program, 'f.run()["age"]|']);
    expect(service.diagnostics('cell:2')).toEqual([]);
    service.setCell(
      'cell:1',
      program.replace('s += gen("age", dtype=int)', 's += ge("age", dtype='),
    );
    expect(service.diagnostics('cell:2')).toEqual([]);
  });
  it('knows the other gens of a broken program', () => {
    const { service } = at([
      program.replace('gen("age", dtype=int)', 'gen("age", dtype='),
      'f.run()["kind"]|',
    ]);
    expect(service.diagnostics('cell:2')).toEqual([]);
    expect(service.diagnostics('cell:1').map((entry) => entry.code)).toContain('syntax-error');
  });
  it('lets severities be chosen', () => {
    const { service } = at([program, 'f.run()["nope"]|']);
    service.configure({ severities: { 'unknown-variable': 'information' } });
    expect(service.diagnostics('cell:2').map((entry) => entry.severity)).toEqual(['information']);
    service.configure({ severities: { 'unknown-variable': 'off' } });
    expect(service.diagnostics('cell:2')).toEqual([]);
  });
});

describe('imports', () => {
  it('follow programs into modules of the workspace', () => {
    const service = createLanguageService({
      modules: {
        files: () => [],
        filesWillChange: () => undefined,
        resolve: (path) =>
          path === 'lib.programs'
            ? { uri: 'file:///lib/programs.py', text: `${imports}${program}` }
            : null,
      },
    });
    service.setFile(
      'file:///main.py',
      'import sglang\nfrom lib.programs import f as triage\nst = triage.run()\nst["kint"]\nst["kind"]',
    );
    expect(service.diagnostics('file:///main.py').map((entry) => entry.message)).toEqual([
      '`f` has no variable "kint". Did you mean "kind"?',
    ]);
  });
  it.each([
    'import sglang as x\n@x.function\ndef g(s):\n    s += x.gen("a")\n',
    'import sglang\n@sglang.function\ndef g(s):\n    s += sglang.gen("a")\n',
    'from sglang import function as fn, gen as make\n@fn\ndef g(s):\n    s += make("a")\n',
    'from sglang import *\n@function(num_api_spec_tokens=8)\ndef g(s):\n    s += gen("a")\n',
    'import sglang as sgl\ndef h(s):\n    s += sgl.gen("a")\ng = sgl.function(h)\n',
    'from sglang.lang.api import gen, function\n@function\ndef g(s):\n    s += gen("a")\n',
  ])('work under any name: %j', (text) => {
    const service = createLanguageService();
    service.setFile('file:///a.py', `${text}g.run()["b"]`);
    expect(service.diagnostics('file:///a.py').map((entry) => entry.code)).toEqual([
      'unused-gen',
      'unknown-variable',
    ]);
  });
});

describe('keywords of newer servers', () => {
  const codes = (source: string) => {
    const { service } = at([`@function\ndef f(s):\n    s += ${source}\nf.run()["x"]`]);
    return service.diagnostics('cell:1').map(({ code }) => code);
  };
  it('are taken by gen, by name only', () => {
    expect(codes('gen("x", ebnf="root ::= \\"a\\"", seed=1, repetition_penalty=1.1)')).toEqual([]);
    expect(codes('gen("x", sead=1)')).toEqual(['call-arguments']);
    expect(codes('select("x", ["a", "b"], seed=1)')).toEqual(['call-arguments']);
  });
  it('are shown in the signature', () => {
    const { service, uri, offset } = at(['@function\ndef f(s):\n    s += gen(|)']);
    expect(
      service.signatureHelp(uri, offset)?.signature.parameters.map(({ name }) => name),
    ).toContain('repetition_penalty');
  });
});
