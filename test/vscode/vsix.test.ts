/** The built VSIX, installed as a user installs it, away from the checkout and its node_modules. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { KernelDriver } from '../support/kernel-driver.ts';
// @ts-expect-error plain JavaScript, part of the build
import { packagesIn } from '../../extension/build/third-party.mjs';
import { eventually, freePort, installVsix, root, Workbench } from './workbench.ts';

it('packs only what runs, within its budgets, and runs the tour where it is installed', async () => {
  const built = spawnSync(process.execPath, [join(root, 'extension/build/package.mjs')], {
    encoding: 'utf8',
  });
  expect(built.stderr + built.stdout).toMatch(/the VSIX .* ok\n/);
  expect(built.status).toBe(0);
  const vsix = built.stdout.trim().split('\n').at(-1) ?? '';
  const extensionsFolder = installVsix(vsix);
  try {
    const [installed = ''] = readdirSync(extensionsFolder).filter((name) =>
      name.startsWith('sglang-notebooks.'),
    );
    const extension = join(extensionsFolder, installed);
    expect(readdirSync(extension).toSorted()).toEqual([
      '.vsixmanifest',
      'LICENSE.txt',
      'THIRD-PARTY-NOTICES.md',
      'changelog.md',
      'dist',
      'extension',
      'l10n',
      'package.json',
      'package.nls.json',
      'readme.md',
    ]);
    expectNotices(readFileSync(join(extension, 'THIRD-PARTY-NOTICES.md'), 'utf8'));
    expect(existsSync(join(extension, 'node_modules'))).toBe(false);
    await runTour(extension, extensionsFolder);
  } finally {
    rmSync(dirname(extensionsFolder), { recursive: true, force: true });
  }
});

it('packs an extension without an engine, which says how to reach one', async () => {
  const built = spawnSync(
    process.execPath,
    [join(root, 'extension/build/package.mjs'), '--universal'],
    { encoding: 'utf8' },
  );
  expect(built.stderr + built.stdout).toMatch(/the VSIX .* ok\n/);
  const extensionsFolder = installVsix(built.stdout.trim().split('\n').at(-1) ?? '');
  try {
    const [installed = ''] = readdirSync(extensionsFolder).filter((name) =>
      name.startsWith('sglang-notebooks.'),
    );
    const dist = join(extensionsFolder, installed, 'dist');
    for (const part of ['llama', 'starter.gguf', 'node_modules', 'engine-thread.mjs']) {
      expect(existsSync(join(dist, part)), part).toBe(false);
    }
    const kernel = new KernelDriver({ main: join(dist, 'kernel.mjs') });
    try {
      const run = await kernel.run('from sglang import Runtime\nRuntime(model_path="starter")');
      expect(run.outcome.status).toBe('error');
      expect(JSON.stringify(run)).toContain('There is no bundled engine for');
      expect(JSON.stringify(run)).toContain('sglang.kernel.endpoint');
    } finally {
      await kernel.close();
    }
    await using workbench = await Workbench.start({ files: {}, extensionsFolder });
    await workbench.command('SGLang: Show Diagnostics');
    // The editor draws spaces without width to break, and wraps the line.
    await workbench.waitForText(
      '.view-lines',
      /Engine:\snone\sin\sthis\spackage[^]*Connect\sto\sServer/,
    );
    await workbench.screenshot('diagnostics-without-engine');
    expect(await workbench.page.locator('.view-lines').innerText()).not.toContain('missing');
  } finally {
    rmSync(dirname(extensionsFolder), { recursive: true, force: true });
  }
});

/** Each part that others wrote, with the words of its licence; packages inside of packages, too. */
function expectNotices(notices: string): void {
  // Licences may have headings of their own inside of their fences.
  const sections = [...notices.matchAll(/^## (.+)\n\n.+\n\n```text\n([^]*?)\n```$/gm)];
  const wordless = sections.filter(([, , text = '']) => !LICENCE_WORDS.test(text));
  expect(wordless.map(([, name]) => name)).toEqual([]);
  const inTypeEngine = packagesIn(
    readFileSync(join(root, 'node_modules/basedpyright/dist/pyright-langserver.js.map'), 'utf8'),
  );
  expect(inTypeEngine.length).toBeGreaterThan(10);
  const names = sections.map(([, name = '']) => name.replace(/ [\d.]+$/, ''));
  expect(names).toEqual(
    expect.arrayContaining([
      ...inTypeEngine.map((name: string) => `${name} (in basedpyright)`),
      'basedpyright',
      'preact',
      'koffi',
      'pyodide',
      'undici',
      'vscode-languageclient',
      'llama.cpp and ggml',
      'CPython and its standard library (in Pyodide)',
      'typeshed (in basedpyright)',
    ]),
  );
}

const LICENCE_WORDS =
  /Permission is hereby granted|Redistribution and use|Apache License|Mozilla Public License|PSF hereby|Permission to use, copy|Permission is granted|Blue Oak/i;

async function runTour(extension: string, extensionsFolder: string): Promise<void> {
  const port = await freePort();
  const tour = readFileSync(join(extension, 'extension/examples/sglang-tour.sglnb'), 'utf8');
  const files = { 'tour.sglnb': tour.replace(/^port = \d+$/m, `port = ${port}`) };
  await using workbench = await Workbench.start({ files, extensionsFolder });
  await workbench.open('tour.sglnb');
  await workbench.runAll();
  const saved = await eventually(
    90_000,
    async () => {
      await workbench.save();
      const text = workbench.read('tour.sglnb');
      return text.includes(String.raw`the tour is over\n`) ? text : undefined;
    },
    () => workbench.read('tour.sglnb').slice(-3000),
  );
  expect(saved).toContain('Rome');
  expect(saved).not.toContain('Traceback');
  // The engine that answered is the installed one.
  expect(workbench.processes('/extensions/sglang-notebooks.').length).toBeGreaterThan(0);
}
