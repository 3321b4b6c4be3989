// oxlint-disable typescript/no-explicit-any -- answers are JSON; the expectations check their shape
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Client } from './lsp-client.ts';

const notebook = 'file:///n.sglnb';
const cellUri = (i: number) => `vscode-notebook-cell:/n.sglnb#c${i}`;

let client: Client;
const cells = [
  'from sglang import *\n@function\ndef f(s, q: str):\n    s += gen("capital")\n    s += q\n',
  'st = f.run(q="x")\nst["capital"]\nst["captial"]\n',
];

beforeEach(async () => {
  client = new Client();
  const { capabilities } = await client.request('initialize', {
    processId: null,
    rootUri: null,
    capabilities: {},
  });
  expect(capabilities.hoverProvider).toBe(true);
  client.notify('initialized', {});
  const documents = cells.map((text, i) => ({
    uri: cellUri(i),
    languageId: 'sglang-python',
    version: 1,
    text,
  }));
  client.notify('notebookDocument/didOpen', {
    notebookDocument: {
      uri: notebook,
      notebookType: 'sglang-notebook',
      version: 1,
      cells: documents.map(({ uri }) => ({ kind: 2, document: uri })),
    },
    cellTextDocuments: documents,
  });
});

afterEach(async () => {
  await client.request('shutdown', {});
  const exited = new Promise((done) => client.child.on('exit', done));
  client.notify('exit', {});
  expect(await exited).toBe(0);
});

function childrenOf(pid: number | undefined): string[] {
  const { stdout } = spawnSync('ps', ['-eo', 'ppid=,args='], { encoding: 'utf8' });
  return stdout.split('\n').filter((row) => row.trim().startsWith(`${pid} `));
}

const position = (uri: string, line: number, character: number) => ({
  textDocument: { uri },
  position: { line, character },
});

describe('the language server over its protocol', () => {
  it('reports a typo, offers the fix, and withdraws the report when it is applied', async () => {
    const [typo] = await client.diagnostics(cellUri(1), 1);
    expect(typo).toMatchObject({
      code: 'unknown-variable',
      source: 'sglang',
      range: { start: { line: 2, character: 3 } },
    });
    const [fix] = await client.request('textDocument/codeAction', {
      textDocument: { uri: cellUri(1) },
      range: typo.range,
      context: { diagnostics: [typo] },
    });
    expect(fix.title).toBe('Change to "capital"');
    const [edit] = fix.edit.changes[cellUri(1)];
    client.notify('notebookDocument/didChange', {
      notebookDocument: { uri: notebook, version: 2 },
      change: {
        cells: {
          textContent: [
            {
              document: { uri: cellUri(1), version: 2 },
              changes: [{ range: edit.range, text: edit.newText }],
            },
          ],
        },
      },
    });
    expect(await client.diagnostics(cellUri(1), 2)).toEqual([]);
  });

  it('completes, hovers, goes to the definition and renames across cells', async () => {
    const items = await client.request('textDocument/completion', position(cellUri(1), 1, 4));
    expect(items.map((item: any) => item.label)).toEqual(['capital']);
    const definition = await client.request('textDocument/definition', position(cellUri(1), 1, 6));
    expect(definition).toMatchObject([
      { uri: cellUri(0), range: { start: { line: 3, character: 14 } } },
    ]);
    const { changes } = await client.request('textDocument/rename', {
      ...position(cellUri(1), 1, 6),
      newName: 'city',
    });
    expect(Object.keys(changes).toSorted()).toEqual([cellUri(0), cellUri(1)]);
    await expect(
      client.request('textDocument/rename', { ...position(cellUri(1), 1, 6), newName: '"' }),
    ).rejects.toThrow('cannot be empty or hold quotes');
  });

  it('shows values that the kernel has just generated', async () => {
    client.notify('sglang/generatedValues', {
      notebook,
      values: [
        {
          program: 'f',
          name: 'capital',
          value: 'Berlin',
          probability: 0.5,
          tokens: 2,
          milliseconds: 12,
          output: null,
        },
      ],
    });
    const hover = await client.request('textDocument/hover', position(cellUri(1), 1, 6));
    expect(hover.contents.value).toContain('Berlin');
    expect(hover.contents.value).toContain('2 tokens · 12 ms');
    expect(hover.contents.value).not.toContain('stale');
  });

  it('names the programs of a cell for run lenses', async () => {
    expect(await client.request('sglang/programs', { uri: cellUri(0) })).toEqual({
      programs: [
        {
          name: 'f',
          runnable: true,
          parameters: [{ name: 'q', annotation: 'str', defaultText: null }],
          range: { start: { line: 2, character: 0 }, end: { line: 2, character: 5 } },
        },
      ],
    });
  });

  it('serves Python files that use SGLang and leaves others alone', async () => {
    const open = (uri: string, text: string) =>
      client.notify('textDocument/didOpen', {
        textDocument: { uri, languageId: 'python', version: 1, text },
      });
    open('file:///plain.py', 'x = (');
    open('file:///a.py', `import sglang as sgl\n${cells[0]}${cells[1]}`);
    expect((await client.diagnostics('file:///a.py', 1)).map((entry: any) => entry.code)).toEqual([
      'unknown-variable',
    ]);
    expect(
      await client.request('textDocument/hover', position('file:///plain.py', 0, 0)),
    ).toBeNull();
  });

  it('adds to Jupyter notebooks that use SGLang what concerns it, and nothing else', async () => {
    const open = (name: string, ...texts: string[]) => {
      const documents = texts.map((text, i) => ({
        uri: `vscode-notebook-cell:/${name}#c${i}`,
        languageId: 'python',
        version: 1,
        text,
      }));
      client.notify('notebookDocument/didOpen', {
        notebookDocument: {
          uri: `file:///${name}`,
          notebookType: 'jupyter-notebook',
          version: 1,
          cells: documents.map(({ uri }) => ({ kind: 2, document: uri })),
        },
        cellTextDocuments: documents,
      });
      return documents.map(({ uri }) => uri);
    };
    const [plain = ''] = open('plain.ipynb', 'x = 1');
    const [, run = ''] = open('ours.ipynb', cells[0] ?? '', `${cells[1]}undefined_name\nx = (`);
    const found = await client.diagnostics(run, 1);
    expect(found.map((entry: any) => entry.code)).toEqual(['unknown-variable']);
    expect(
      (await client.request('textDocument/hover', position(run, 1, 5))).contents.value,
    ).toContain('capital');
    expect(await client.request('textDocument/hover', position(run, 3, 3))).toBeNull();
    expect(await client.request('textDocument/hover', position(plain, 0, 0))).toBeNull();
  });

  it('answers every other request', async () => {
    const document = { textDocument: { uri: cellUri(0) } };
    expect(await client.request('textDocument/documentSymbol', document)).toMatchObject([
      { name: 'f', children: [{ name: 'capital' }] },
    ]);
    expect((await client.request('textDocument/foldingRange', document)).length).toBeGreaterThan(0);
    expect(
      (await client.request('textDocument/semanticTokens/full', document)).data.length % 5,
    ).toBe(0);
    expect(
      await client.request('textDocument/signatureHelp', position(cellUri(0), 3, 13)),
    ).toMatchObject({ activeParameter: 0 });
    expect(
      (
        await client.request('textDocument/references', {
          ...position(cellUri(0), 3, 16),
          context: { includeDeclaration: true },
        })
      ).length,
    ).toBe(2);
    expect(
      await client.request('textDocument/prepareRename', position(cellUri(0), 3, 16)),
    ).toMatchObject({ placeholder: 'capital' });
    const range = { start: { line: 0, character: 0 }, end: { line: 9, character: 0 } };
    expect(
      await client.request('textDocument/inlayHint', { textDocument: { uri: cellUri(1) }, range }),
    ).toEqual([]);
    const [item] = await client.request(
      'textDocument/prepareCallHierarchy',
      position(cellUri(0), 2, 4),
    );
    expect(item.name).toBe('f');
    expect(await client.request('callHierarchy/outgoingCalls', { item })).toEqual([]);
  });
});

describe('the type engine', () => {
  it('is started by the first notebook, not by Python files', async () => {
    const file = new Client();
    await file.request('initialize', { processId: null, rootUri: null, capabilities: {} });
    file.notify('initialized', {});
    const uri = 'file:///alone.py';
    const textDocument = { uri, languageId: 'python', version: 1, text: cells.join('') };
    file.notify('textDocument/didOpen', { textDocument });
    expect(await file.diagnostics(uri, 1)).toMatchObject([{ code: 'unknown-variable' }]);
    expect(await file.request('textDocument/hover', position(uri, 6, 6))).not.toBeNull();
    expect(childrenOf(file.child.pid)).toEqual([]);
    await expect.poll(() => childrenOf(client.child.pid).length).toBe(1);
    await file.request('shutdown', {});
    file.notify('exit', {});
  });

  it(
    'carries gen types into plain Python of later cells, and leaves one report per place',
    { timeout: 60_000 },
    async () => {
      const uri = (i: number) => `vscode-notebook-cell:/types.sglnb#c${i}`;
      const texts = [
        'from sglang import *\n@function\ndef g(s, q: int = 1):\n    s += gen("kind", choices=["bug", "idea"])\n    k = s["kind"]\n    q + 1\n',
        'st = g.run()\nkind = st["kind"]\n',
        'upper = kind.upper()\nkind\nst["kint"]\nundefined_name\nsorted([])\n',
      ];
      const documents = texts.map((text, i) => ({
        uri: uri(i),
        languageId: 'sglang-python',
        version: 1,
        text,
      }));
      client.notify('notebookDocument/didOpen', {
        notebookDocument: {
          uri: 'file:///types.sglnb',
          notebookType: 'sglang-notebook',
          version: 1,
          cells: documents.map((document) => ({ kind: 2, document: document.uri })),
        },
        cellTextDocuments: documents,
      });
      const complete = await client.next(
        ({ method, params }) =>
          method === 'textDocument/publishDiagnostics' &&
          params.uri === uri(2) &&
          params.diagnostics.some((entry: any) => entry.code === 'reportUndefinedVariable'),
      );
      const codes = complete.params.diagnostics.map((entry: any) => entry.code);
      expect(codes.toSorted()).toEqual(['reportUndefinedVariable', 'unknown-variable']);
      const hover = await client.request('textDocument/hover', position(uri(2), 1, 1));
      expect(hover.contents.value).toContain("Literal['bug', 'idea']");
      const state = await client.request('textDocument/hover', position(uri(2), 2, 0));
      expect(state.contents.value).toContain('ProgramState');
      expect(state.contents.value).not.toContain('_g_State');
      // The engine answers late on a busy machine, and then there is none.
      const labels = async () => {
        const items = await client.request('textDocument/completion', position(uri(2), 0, 13));
        return items.map((item: any) => item.label);
      };
      await expect.poll(labels, { timeout: 30_000 }).toContain('upper');
      const definition = await client.request('textDocument/definition', position(uri(2), 1, 1));
      expect(definition.map((place: any) => place.uri)).toEqual([uri(1)]);

      // Within the program, left and right of what the engine sees in addition.
      const hoverText = async (line: number, character: number) =>
        (await client.request('textDocument/hover', position(uri(0), line, character)))?.contents
          .value;
      expect(await hoverText(4, 4)).toContain("k: Literal['bug', 'idea']");
      expect(await hoverText(2, 9)).toContain('q: int');
      expect(await hoverText(2, 6)).toContain('s: ProgramState');

      // Plain names: one answer, over all cells, nothing of the hidden ones.
      const places = await client.request('textDocument/references', {
        ...position(uri(1), 1, 1),
        context: { includeDeclaration: true },
      });
      expect(places.map((place: any) => place.uri).toSorted()).toEqual([uri(1), uri(2), uri(2)]);
      expect(
        await client.request('textDocument/prepareRename', position(uri(2), 1, 1)),
      ).toMatchObject({ placeholder: 'kind' });
      const { changes } = await client.request('textDocument/rename', {
        ...position(uri(2), 1, 1),
        newName: 'sort',
      });
      expect(Object.keys(changes).toSorted()).toEqual([uri(1), uri(2)]);
      const parameter = await client.request('textDocument/rename', {
        ...position(uri(0), 5, 4),
        newName: 'number',
      });
      expect(parameter.changes[uri(0)].map((edit: any) => edit.range.start)).toEqual([
        { line: 2, character: 9 },
        { line: 5, character: 4 },
      ]);
      const help = await client.request('textDocument/signatureHelp', position(uri(2), 4, 7));
      expect(help.signatures[0].label).toContain('iterable');
    },
  );
});

describe('the type engine on everyday programs', () => {
  it('finds nothing that our own types caused', { timeout: 240_000 }, async () => {
    const programs: readonly string[] = [
      'class A:\n    @function\n    def ask(s, q):\n        s += user(q) + assistant(gen("a"))\nA.ask.run(q="x")["a"].upper()\n',
      '@function\ndef f(s):\n    s += gen("a")\n@function\ndef g(s):\n    s += gen("b")\nd = {"st": f.run()}\nd.update(st=g.run())\n',
      '@function\ndef h(s, q: str = None, k: int = 0):\n    s += gen("n", dtype=int)\n    s["n"] = int(s["n"])\n    x = s["n"] + 1\n    forks = s.fork(2)\n    forks += gen("t")\n    forks.join()\n    y = s["t"][0].upper()\nh.run()["n"] + 1\nh.run()["t"].sort()\nst = None\nst["x"]\n',
      'def show(states: list[ProgramState]): ...\n@function\ndef i(s):\n    s += gen("a")\nshow(i.run_batch([{}]))\n',
      '@function\nasync def j(s):\n    s += gen("a", choices=("x", "y")) + gen("b", stop=("z",))\n    if await s["a"] == "x":\n        s += await s["b"]\n    forks = await s.fork(2)\n    forks += gen("t")\n    await forks.join()\n    async with s.copy() as c:\n        c += gen("z")\n    print((await s["z"])[0].upper())\nst = await j.run_async()\nst["a"].upper(), st["t"][0].upper()\n[x["a"].upper() for x in await j.run_batch_async([{}])]\n',
      'options = dict(max_tokens=16, temperature=0)\n@function\ndef k(s):\n    s += gen("a", choices="a b".split(), **options) + gen("b", **options)\n',
      'undefined_name\n',
    ];
    const documents = [
      'from sglang import *\nfrom sglang.lang.interpreter import ProgramState\n',
      ...programs,
    ].map((text, i) => ({
      uri: `vscode-notebook-cell:/everyday.sglnb#c${i}`,
      languageId: 'sglang-python',
      version: 1,
      text,
    }));
    client.notify('notebookDocument/didOpen', {
      notebookDocument: {
        uri: 'file:///everyday.sglnb',
        notebookType: 'sglang-notebook',
        version: 1,
        cells: documents.map(({ uri }) => ({ kind: 2, document: uri })),
      },
      cellTextDocuments: documents,
    });
    // The last cell's report tells that the engine has read all of them.
    const uri = documents.at(-1)?.uri;
    await client.next(
      ({ method, params }) =>
        method === 'textDocument/publishDiagnostics' &&
        params.uri === uri &&
        params.diagnostics.some((entry: any) => entry.code === 'reportUndefinedVariable'),
    );
    for (const [i, document] of documents.slice(0, -1).entries()) {
      const reports = client.taken(
        ({ method, params }) =>
          method === 'textDocument/publishDiagnostics' && params.uri === document.uri,
      );
      expect([i, reports.at(-1)?.params.diagnostics]).toEqual([i, []]);
    }
  });
});

describe('files that are not open', () => {
  let folder = '';
  let editor: Client;
  const outputs =
    '# %% [sglnb:outputs]\n{"id": "run", "outputs": ["answer: 42", "st[\\"answer\\"]"]}\n';
  const files: Readonly<Record<string, string>> = {
    'programs.py':
      'import sglang as sgl\n\n@sgl.function\ndef qa(s, q):\n    s += q + sgl.gen("answer")\n',
    'closed.sglnb': `# %% [markdown] id="about"\n# The "answer" of qa\n\n# %% id="run"\nfrom programs import qa\nst = qa.run(q="ä😀")\nprint("é", st["answer"], "answer")\n\n# %%\nst["answer"]\n\n${outputs}`,
    'windows.sglnb': '# %%\r\nfrom programs import qa\r\nprint(qa.run(q="")["answer"])\r\n',
    'script.py': 'from programs import qa\nprint(qa.run(q="x")["answer"])\n',
  };

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'rename-'));
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    editor = new Client(['--no-type-engine']);
    await editor.request('initialize', {
      processId: null,
      rootUri: null,
      capabilities: {},
      workspaceFolders: [{ uri: pathToFileURL(folder).href, name: 'w' }],
    });
    editor.notify('initialized', {});
  });
  afterEach(async () => {
    await editor.request('shutdown', {});
    editor.notify('exit', {});
    rmSync(folder, { recursive: true, force: true });
  });

  it('are renamed in on disk, and nothing else of them changes', async () => {
    const uri = pathToFileURL(join(folder, 'programs.py')).href;
    editor.notify('textDocument/didOpen', {
      textDocument: { uri, languageId: 'python', version: 1, text: files['programs.py'] },
    });
    const { changes } = await editor.request('textDocument/rename', {
      ...position(uri, 4, 22),
      newName: 'reply',
    });
    const names = Object.keys(changes).map((changed) =>
      changed.slice(changed.lastIndexOf('/') + 1),
    );
    expect(names.toSorted()).toEqual(Object.keys(files).toSorted());
    // What an editor does with the answer.
    for (const [changed, edits] of Object.entries<any>(changes)) {
      const path = new URL(changed);
      const document = TextDocument.create(changed, 'python', 0, readFileSync(path, 'utf8'));
      writeFileSync(path, TextDocument.applyEdits(document, edits));
    }
    const after = (name: string) => readFileSync(join(folder, name), 'utf8');
    expect(after('closed.sglnb')).toBe(
      files['closed.sglnb']?.replaceAll(/^(?!\{)(.*)st\["answer"\]/gm, '$1st["reply"]'),
    );
    expect(after('closed.sglnb').endsWith(outputs)).toBe(true);
    for (const name of ['windows.sglnb', 'script.py'])
      expect(after(name)).toBe(files[name]?.replace('["answer"]', '["reply"]'));

    // The server sees what is on disk now.
    const changed = files['programs.py']?.replace('"answer"', '"reply"') ?? '';
    editor.notify('textDocument/didChange', {
      textDocument: { uri, version: 2 },
      contentChanges: [{ text: changed }],
    });
    const places = await editor.request('textDocument/references', {
      ...position(uri, 4, 22),
      context: { includeDeclaration: true },
    });
    expect(places).toHaveLength(5);
  });
});
