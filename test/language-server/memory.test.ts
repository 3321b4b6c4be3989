/** An analysis that builds on earlier ones says what a new one would say. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { diagnose } from '../../language-server/src/features/diagnostics.ts';
import type { CellText } from '../../language-server/src/documents/documents.ts';
import { createLanguageService, type LanguageService } from '../../language-server/src/service.ts';
import { imports } from './support/check.ts';
import { mutate, randomFrom, type Random } from './support/mutations.ts';
import { samplePrograms } from './support/sample-programs.ts';

/** SGLNB_MUTATIONS raises the number of edits. */
const edits = Math.ceil(Number(process.env['SGLNB_MUTATIONS'] ?? 400) / 8);

/** Cells that depend on each other in every way that the analysis follows. */
const entangled = [
  'import sglang as sgl\nfrom sglang import gen, select, function, user, assistant\nlimit = 3',
  '@function\ndef triage(s, mail):\n    s += user(mail)\n    s += assistant(select("kind", choices=["spam", "ham"]))\n    if s["kind"] == "spam":\n        s += assistant(gen("why", max_tokens=limit))',
  'state = triage.run(mail="hello")\nkind = state["kind"]',
  'if kind == "spam":\n    print(state["why"])\nelse:\n    note = "fine"',
  'class Agent:\n    mode = "fast"\n    def __init__(self):\n        self.program = triage\n        self.mode = "slow"\n    def ask(self, mail):\n        return self.program.run(mail=mail)\nagent = Agent()',
  'class Keeper(Agent):\n    def __init__(self, names, state=None):\n        self.names = names\n        self.state = state\n        self.last = None\n    def ask(self, mail):\n        self.last = triage.run(mail=mail)\n        return self.last\nkeeper = Keeper(names, state)\nother = Keeper(["p"], None)',
  'keeper.ask("x")["kind"] == "eggs"\nkeeper.last["why"], other.names, keeper.state["kind"]',
  'for name in ["c", "d"]:\n    each = Keeper([name])\n    labels = [x.upper() for x in each.names]\nkeeper.names = labels',
  'answer = agent.ask("mail")\nif answer["kind"] == "eggs":\n    pass\nanswer["why"]',
  'agent.program = later\nagent.mode = 1',
  '@sgl.function\ndef later(s, depth: int = 2):\n    s += helper(s, "again")\n    for i in range(depth):\n        s += gen(f"tip_{i}", stop="\\n")\n    forks = s.fork(2)\n    forks += gen("draft", max_tokens=20)\n    forks.join()\n    s += assistant(gen("end", choices=names))',
  'def helper(s, word):\n    s += word + gen("helped", regex=r"[a-z]+")\n    return s["helped"]',
  'names = ["a", "b"]\nnames[0] = "c"\nresults = {}\nresults["x"] = later.run()',
  'def counter():\n    found = {}\n    def add(key):\n        found[key] = triage.run(mail=key)\n        return found[key]["kind"]\n    return add\nadd = counter()\nadd("one")',
  'def collector():\n    all = []\n    def keep(state):\n        all.append(state)\n        return all[0]["kind"]\n    return keep\nkeep = collector()\nkeep(state)',
  'keep(answer) == "eggs"',
  'add("two") == "eggs"\nresults["x"]["end"] == "d"',
  'sgl.set_default_backend(sgl.OpenAI("gpt-3.5-turbo-instruct"))\nstate = later.run(depth=limit)\nstate["tip_0"], state["draft"][0], state["nothing"]',
  'for piece in triage.run_batch([{"mail": "a"}, {"mail": "b"}]):\n    if piece["kind"] == "ham":\n        continue\n    piece["why"]',
  'try:\n    flag = state["why"]\nexcept KeyError:\n    flag = None\nwhile flag:\n    flag = helper(state, "x")',
  'if limit > 2:\n    def chosen(s):\n        s += gen("inner", max_tokens=limit)\n        results["y"] = s\n    limit = 4\nelse:\n    chosen = helper\nchosen(state, "z")',
];

function opinion(service: LanguageService, uris: readonly string[]): unknown {
  const analyses = new Set(uris.flatMap((uri) => service.analysis(uri) ?? []));
  // Without the ones that `diagnostics` holds back while a cell is broken.
  const problems = [...analyses].map((analysis) => diagnose(analysis, { syntaxErrors: true }));
  const cells = uris.map((uri) => {
    const text = service.text(uri) ?? '';
    const words = [...text.matchAll(/"(\w+)"|\b\w{4,}/g)].slice(0, 12);
    return {
      hints: service.inlayHints(uri, 0, text.length),
      tokens: service.semanticTokens(uri),
      lenses: service.codeLenses(uri),
      symbols: service.documentSymbols(uri),
      words: words.map(({ index }) => ({
        hover: service.hover(uri, index + 1),
        completions: service.completions(uri, index + 1),
        definitions: service.definitions(uri, index + 1),
        references: service.references(uri, index + 1, true),
      })),
    };
  });
  return { problems, cells };
}

/** Mostly with another word of the notebook, which often leaves it valid; else with whatever fingers do. */
function changed(text: string, notebook: readonly CellText[], random: Random): string {
  if (random() < 0.3) return mutate(text, random);
  const pick = <Item>(items: readonly Item[]) => items[Math.floor(random() * items.length)];
  const old = pick([...text.matchAll(/\w+/g)]);
  const word = pick([...(pick(notebook)?.text ?? '').matchAll(/\w+/g)])?.[0] ?? 'x';
  return old ? text.slice(0, old.index) + word + text.slice(old.index + old[0].length) : word;
}

function compare(cells: readonly string[], seed: number, count = edits): void {
  const random = randomFrom(seed);
  const at = (count: number) => Math.floor(random() * count);
  const service = createLanguageService();
  let next = 0;
  const made = (text: string) => ({ uri: `cell:${next++}`, text });
  let notebook = cells.map(made);
  const original = notebook;
  service.setNotebook('notebook:', notebook);
  for (let edit = 0; edit < count; edit++) {
    const chosen = notebook[at(notebook.length)];
    const way = random();
    if (edit % 25 === 24) {
      notebook = original;
      service.setNotebook('notebook:', notebook);
    } else if (chosen && way < 0.8) {
      const text = changed(chosen.text, notebook, random);
      notebook = notebook.map((cell) => (cell === chosen ? { ...cell, text } : cell));
      service.setCell(chosen.uri, text);
    } else {
      const others = notebook.filter((cell) => cell !== chosen);
      const moved = chosen && way < 0.9 ? [chosen] : way < 0.95 ? [made(chosen?.text ?? '')] : [];
      const to = at(others.length + 1);
      notebook = [...others.slice(0, to), ...moved, ...others.slice(to)];
      service.setNotebook('notebook:', notebook);
    }
    const uris = notebook.map(({ uri }) => uri);
    const fresh = createLanguageService();
    fresh.setNotebook('notebook:', notebook);
    expect(opinion(service, uris), `edit ${edit}`).toEqual(opinion(fresh, uris));
  }
}

it('in cells that depend on each other', { timeout: 600_000 }, () => compare(entangled, 1));
it('in everyday programs', { timeout: 600_000 }, () => {
  const programs = readFileSync(new URL('features/everyday-programs.txt', import.meta.url), 'utf8')
    .split(/^(?:###|# %%) .*\n/m)
    .slice(1);
  for (let first = 0; first < programs.length; first += 12)
    compare([imports, ...programs.slice(first, first + 12)], first, Math.ceil(edits / 10));
});
it('in many programs', { timeout: 600_000 }, () => compare(samplePrograms, 2));
