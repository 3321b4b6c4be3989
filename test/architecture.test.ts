import { cruise } from 'dependency-cruiser';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { existsSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
// @ts-expect-error plain JavaScript, shared with editors' dependency-cruiser plug-ins
import { forbidden } from './dependency-rules.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const sourceFolders = ['extension', 'language-server', 'notebook-renderer', 'runtime'];

function sourceFiles(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .filter((file) => !file.includes('node_modules'));
}

interface Verdict {
  readonly modules: number;
  readonly violations: readonly string[];
}

async function verdict(directory: string, folders: readonly string[]): Promise<Verdict> {
  const { output } = await cruise([...folders], {
    baseDir: directory,
    ruleSet: { forbidden },
    validate: true,
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)dist/' },
  });
  if (typeof output === 'string') throw new Error(output);
  return {
    modules: output.modules.filter((module) => !module.source.includes('node_modules')).length,
    violations: output.summary.violations
      .map((v) => `${v.rule.name}: ${v.from} -> ${v.to}`)
      .toSorted(),
  };
}

describe('import directions', () => {
  it('hold for every source file', async () => {
    const found = await verdict(root, sourceFolders);
    expect(found.violations).toEqual([]);
    // A checker that reads nothing finds nothing: it must have seen every file.
    expect(found.modules).toBeGreaterThanOrEqual(sourceFolders.flatMap(sourceFiles).length);
  });

  const planted = mkdtempSync(join(tmpdir(), 'architecture-'));
  afterAll(() => rmSync(planted, { recursive: true, force: true }));

  /** [rule, importing file, what it imports]: each must be caught. */
  const violations: readonly (readonly [string, string, string])[] = [
    ['protocol-alone', 'extension/protocol/a.ts', '../src/target.ts'],
    ['format-alone', 'extension/notebook-format/a.ts', '../src/target.ts'],
    ['models-alone', 'extension/model-manager/a.ts', '../protocol/target.ts'],
    ['child-processes-alone', 'extension/child-processes/a.ts', '../protocol/target.ts'],
    ['environments-alone', 'extension/python-environments/a.ts', '../protocol/target.ts'],
    ['extension-imports', 'extension/src/a.ts', '../kernel/target.ts'],
    ['kernel-imports', 'extension/kernel/a.ts', '../../runtime/src/target.ts'],
    ['cli-imports', 'extension/cli/a.ts', '../kernel/target.ts'],
    ['language-server-alone', 'language-server/src/a.ts', '../../extension/protocol/target.ts'],
    ['renderer-imports', 'notebook-renderer/src/a.ts', '../../extension/src/target.ts'],
    ['runtime-alone', 'runtime/src/a.ts', '../../extension/protocol/target.ts'],
    ['vscode-only-in-extension', 'extension/kernel/vs.ts', 'vscode'],
    ['interpreter-below-guest', 'extension/kernel/sglang/a.ts', '../guest/target.ts'],
    ['backends-below-interpreter', 'extension/kernel/backends/a.ts', '../sglang/target.ts'],
    ['undici-in-one-file', 'extension/kernel/sglang/http.ts', 'undici'],
    ['native-binding-in-one-folder', 'runtime/src/http/native.ts', 'koffi'],
    ['scheduler-knows-no-http', 'runtime/src/scheduler/a.ts', '../http/target.ts'],
    ['cache-knows-no-scheduler', 'runtime/src/cache/a.ts', '../scheduler/target.ts'],
    ['syntax-alone', 'language-server/src/syntax/a.ts', '../semantics/target.ts'],
    ['semantics-below-features', 'language-server/src/semantics/a.ts', '../features/target.ts'],
    ['lsp-only-in-server', 'language-server/src/features/lsp.ts', 'vscode-languageserver'],
    ['no-cycles', 'runtime/src/engine/a.ts', './b.ts'],
  ];

  it('covers every rule with a planted violation', () => {
    const rules: readonly { readonly name: string }[] = forbidden;
    expect(violations.map(([rule]) => rule).toSorted()).toEqual(
      rules.map((rule) => rule.name).toSorted(),
    );
  });

  it('catches each planted violation', async () => {
    const put = (file: string, text: string) => {
      mkdirSync(dirname(join(planted, file)), { recursive: true });
      writeFileSync(join(planted, file), text);
    };
    symlinkSync(join(root, 'node_modules'), join(planted, 'node_modules'));
    for (const [, file, target] of violations) {
      put(file, `import * as target from '${target}';\nexport const used = target;\n`);
      if (target.startsWith('.')) put(join(dirname(file), target), 'export const value = 1;\n');
    }
    put('runtime/src/engine/b.ts', "export * from './a.ts';\n");
    const found = await verdict(planted, sourceFolders);
    const caught = new Set(found.violations.map((line) => line.slice(0, line.indexOf(':'))));
    expect([...caught].toSorted()).toEqual(violations.map(([rule]) => rule).toSorted());
  });
});

describe('ARCHITECTURE.md', () => {
  it('names only paths that exist', () => {
    const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
    const named = [
      ...text.matchAll(
        /`((?:extension|language-server|notebook-renderer|runtime|test)\/[^`\s*{}]*)`/g,
      ),
    ].map((match) => match[1] ?? '');
    expect(named.length).toBeGreaterThan(20);
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
