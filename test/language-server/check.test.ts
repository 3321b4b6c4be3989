import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkPaths, formatReport, hasFailures } from '../../language-server/src/check.ts';

const code =
  'import sglang as sgl\n@sgl.function\ndef f(s, q: str, n=3):\n    s += sgl.gen("kind", choices=["a", "b"])\n';
let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'check-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const put = (path: string, text: string) => {
  mkdirSync(join(folder, path, '..'), { recursive: true });
  writeFileSync(join(folder, path), text);
};

describe('sglnb check', () => {
  it('reports places of percent notebooks, Python files and Jupyter notebooks', () => {
    put(
      'a.sglnb',
      `# %% [markdown]\n# It's "fine"\n\n# %% id="x"\n${code}\n# %%\nst = f.run(q="")\nst["kid"]\n\n# %% [sglnb:outputs]\n{"id": "x"\n`,
    );
    put('lib/b.py', `${code}f.run(q="")["kind"] == "c"\n`);
    put(
      'c.ipynb',
      JSON.stringify({
        cells: [
          { cell_type: 'markdown', source: 'hi (' },
          { cell_type: 'code', source: [code, 'f.run()'] },
        ],
      }),
    );
    put('plain.py', 'x = (');
    const report = checkPaths(['.'], { cwd: folder });
    expect(report.files).toBe(3);
    expect(formatReport(report, 'text').split('\n')).toEqual([
      'a.sglnb:12:4: error: `f` has no variable "kid". Did you mean "kind"? [unknown-variable]',
      'c.ipynb (cell 2):5:1: error: `f` is called without `q`. [call-arguments]',
      'lib/b.py:5:24: warning: No choice equals "c": this is never true. Here it is one of "a", "b". [impossible-comparison]',
      '3 files checked: 2 errors, 1 warnings',
      '',
    ]);
    expect(hasFailures(report)).toBe(true);
  });

  it('writes JSON and SARIF', () => {
    put('a.py', `${code}f.run(q="")["kid"]\n`);
    const report = checkPaths(['a.py'], { cwd: folder });
    expect(
      JSON.parse(formatReport(report, 'json')).findings.map((f: { code: string }) => f.code),
    ).toEqual(['unused-gen', 'unknown-variable']);
    const sarif = JSON.parse(formatReport(report, 'sarif'));
    expect(sarif.version).toBe('2.1.0');
    expect(sarif.runs[0].results[1]).toMatchObject({
      ruleId: 'unknown-variable',
      level: 'error',
      locations: [
        {
          physicalLocation: {
            artifactLocation: { uri: 'a.py' },
            region: { startLine: 5, startColumn: 13 },
          },
        },
      ],
    });
    expect(sarif.runs[0].tool.driver.rules.map((rule: { id: string }) => rule.id)).toContain(
      'unknown-variable',
    );
  });

  it('says what could not be read', () => {
    put('bad.ipynb', 'not JSON');
    const report = checkPaths(['missing.py', 'bad.ipynb'], { cwd: folder });
    expect(report.unreadable.map(({ reason }) => reason.replace(/'.*'/, '…'))).toEqual([
      'ENOENT: no such file or directory, stat …',
      'not a Jupyter notebook: its JSON cannot be read',
    ]);
    expect(hasFailures(report)).toBe(true);
  });

  it('follows imports between files', () => {
    put('programs.py', code);
    put('main.py', 'import sglang\nfrom programs import f\nf.run(q="")["kid"]\n');
    const report = checkPaths(['main.py'], { cwd: folder });
    expect(report.findings.map((finding) => finding.code)).toEqual(['unknown-variable']);
  });

  it('writes stubs', () => {
    put('programs.py', code);
    const report = checkPaths(['programs.py'], { cwd: folder, stubsFolder: join(folder, 'stubs') });
    expect(report.stubs).toHaveLength(1);
    const stub = readFileSync(join(folder, 'stubs', 'programs.pyi'), 'utf8');
    expect(stub).toContain(
      "def __getitem__(self, name: Literal[\"kind\"]) -> Literal['a', 'b']: ...",
    );
    for (const head of ['def run', 'async def run_async'])
      expect(stub).toContain(
        `    ${head}(self, q: str, n = ..., **sampling: Any) -> _f_State: ...`,
      );
  });

  it('writes stubs where the modules of packages lie, once for each program', () => {
    mkdirSync(join(folder, 'pkg'), { recursive: true });
    put('pkg/programs.py', `${code}\n@sgl.function\ndef f(s):\n    s += sgl.gen("last")\n`);
    checkPaths(['pkg'], { cwd: folder, stubsFolder: folder });
    const stub = readFileSync(join(folder, 'pkg', 'programs.pyi'), 'utf8');
    expect(stub.match(/^class _f_State/gm)).toHaveLength(1);
    expect(stub).toContain('Literal["last"]) -> str');
  });

  it('writes stubs with lists for forks, gens of helpers, and only types that are known there', () => {
    put(
      'programs.py',
      `from typing import List
import sglang as sgl
class Doc: pass
def tip(s, name):
    s += sgl.gen(name, choices=["a", "b"])
@sgl.function
def f(s, doc: Doc, hints: List[str], *, k: "int" = 3, **rest):
    forks = s.fork(2)
    forks += sgl.gen("tips")
    forks.join()
    tip(s, "helped")
`,
    );
    checkPaths(['programs.py'], { cwd: folder, stubsFolder: folder });
    const stub = readFileSync(join(folder, 'programs.pyi'), 'utf8');
    expect(stub).toContain('Literal["tips"]) -> list[str]');
    expect(stub).toContain(`Literal["helped"]) -> Literal['a', 'b']`);
    expect(stub).toContain('def run(self, doc: Any, hints: List[str], *, k: Any = ..., **rest)');
    expect(stub).toContain('from typing import List\n');
    expect(stub).not.toContain('Doc');
  });
});
