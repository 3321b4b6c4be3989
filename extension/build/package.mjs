// `npm run package`: the extension for this platform as a VSIX in `packages/`; with `--universal`, the
// one for all other platforms, without an engine: it needs a server to run models. Only what runs goes in:
// a staging folder gets the production bundles, the native library of this platform, and the files that
// the manifest names; vsce packs that folder. Sizes are printed against their budgets and asserted.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { partNotices, withoutFile } from './third-party.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const require = createRequire(join(root, 'runtime', 'package.json'));
const isUniversal = process.argv.includes('--universal');
const target = isUniversal ? 'universal' : `${process.platform}-${process.arch}`;

/** Folders of llama.cpp's libraries on npm, by target; the GPU back ends in them are not shipped. */
const llamaPackages = {
  'linux-x64': 'linux-x64-vulkan',
  'linux-arm64': 'linux-arm64',
  'darwin-arm64': 'mac-arm64-metal',
  'darwin-x64': 'mac-x64',
  'win32-x64': 'win-x64-vulkan',
  'win32-arm64': 'win-arm64',
};
const unshipped = /ggml-vulkan|llama-common|llama-addon|_nlcBuildMetadata|\.lib$/;

/** KiB. The runtime's parts are the engine's and the model's weight; the rest is ours. */
const budgets = {
  'dist/extension.cjs': 200,
  'dist/debug-session.cjs': 16,
  'dist/convert-commands.cjs': 48,
  'dist/language-client.cjs': 440,
  'dist/undici.cjs': 800,
  'dist/connect-command.cjs': 32,
  'dist/kernel.mjs': 1200,
  'dist/guest-worker.mjs': 1200,
  'dist/language-server.mjs': 1024,
  'dist/renderer.js': 250,
  'dist/web/extension.js': 512,
  'dist/web/language-server.js': 448,
  'dist/runtime.mjs': 600,
  'dist/engine-thread.mjs': 600,
  'dist/starter.gguf': 7_168,
  'dist/starter-mmproj.gguf': 3_072,
  'dist/webp_dec.wasm': 160,
  'dist/pyodide': 14_336,
  'dist/llama': 28_672,
  'dist/basedpyright': 12_288,
  'the VSIX': 32_768,
};

const shipped = [
  'package.nls.json',
  'l10n',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'extension/media',
  'extension/language',
  'extension/examples',
];

const checkoutOnly = [
  'private',
  'workspaces',
  'devDependencies',
  'optionalDependencies',
  'scripts',
  'bin',
];

function fail(message) {
  console.error(`package: ${message}`);
  process.exit(1);
}

function run(script, args, cwd = root) {
  const result = spawnSync(process.execPath, [script, ...args], { cwd, encoding: 'utf8' });
  if (result.status !== 0)
    fail(`${relative(root, script)} failed:\n${result.stdout}${result.stderr}`);
}

/** The manifest without what only a checkout needs. */
function stageManifest(stage) {
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const key of checkoutOnly) delete manifest[key];
  manifest.engines = { vscode: manifest.engines.vscode };
  writeFileSync(join(stage, 'package.json'), JSON.stringify(manifest, null, 2));
  return manifest;
}

/** Parts that run models here. */
const engineParts = [
  'dist/engine-thread.mjs',
  'dist/starter.gguf',
  'dist/starter-mmproj.gguf',
  'dist/webp_dec.wasm',
  'dist/llama',
];

function stageNoEngine(stage) {
  for (const part of engineParts) rmSync(join(stage, part), { force: true });
  cpSync(join(root, 'extension/build/no-engine.mjs'), join(stage, 'dist', 'runtime.mjs'));
  // Tells the diagnostics page that nothing is missing.
  writeFileSync(join(stage, 'dist', 'no-engine'), '');
}

/** koffi loads its binary by package name: it keeps a folder of its own beside the bundles. */
function stageNativeCode(stage) {
  const npmName = llamaPackages[target];
  if (!npmName)
    fail(`there is no engine for ${target}; --universal packs the extension without one`);
  const entry = require.resolve(`@node-llama-cpp/${npmName}`);
  const libraries = join(dirname(entry), '..', 'bins', npmName);
  cpSync(libraries, join(stage, 'dist', 'llama'), {
    recursive: true,
    filter: (file) => !unshipped.test(file),
  });
  // Of `npm run build:mtmd`, for vision models other than LLaVA's: for this machine's platform.
  const mtmd = join(root, 'runtime', 'mtmd', 'lib');
  if (target === `${process.platform}-${process.arch}` && existsSync(mtmd)) {
    cpSync(mtmd, join(stage, 'dist', 'llama'), { recursive: true });
  }
  const modules = join(stage, 'dist', 'node_modules');
  const koffi = packageFolder('koffi');
  for (const part of [
    'package.json',
    'LICENSE.txt',
    'index.js',
    'src/koffi/index.js',
    'src/koffi/src/static.js',
  ]) {
    cpSync(join(koffi, part), join(modules, 'koffi', part));
  }
  const binary = `@koromix/koffi-${target}`;
  cpSync(packageFolder(binary), join(modules, binary), {
    recursive: true,
    filter: (file) => !file.includes('musl'),
  });
}

/**
 * The type engine of the language server, with the standard library's types only. Its own manifest
 * goes along: without it, Node would take its CommonJS for modules.
 */
function stageTypeEngine(stage) {
  const engine = packageFolder('basedpyright');
  for (const part of [
    'package.json',
    'LICENSE.txt',
    'langserver.index.js',
    'dist/pyright-langserver.js',
    'dist/typeshed-fallback/LICENSE',
    'dist/typeshed-fallback/commit.txt',
    'dist/typeshed-fallback/stdlib',
  ]) {
    cpSync(join(engine, part), join(stage, 'dist', 'basedpyright', part), { recursive: true });
  }
}

function packageFolder(name) {
  const hoisted = join(root, 'node_modules', name);
  return existsSync(hoisted) ? hoisted : join(root, 'runtime', 'node_modules', name);
}

/** Name, licence and licence text of everything in the VSIX that others wrote. */
function stageNotices(stage) {
  const list = join(stage, 'dist', 'bundled-packages.json');
  const names = [
    ...JSON.parse(readFileSync(list, 'utf8')),
    'basedpyright',
    'pyodide',
    ...(isUniversal ? [] : ['koffi', `@node-llama-cpp/${llamaPackages[target]}`]),
  ];
  rmSync(list);
  const notices = [...new Set(names)]
    .toSorted((left, right) => (left < right ? -1 : 1))
    .map((name) => notice(name));
  const typeEngine = packageFolder('basedpyright');
  const sourceMap = readFileSync(join(typeEngine, 'dist', 'pyright-langserver.js.map'), 'utf8');
  const typeshed = join(typeEngine, 'dist', 'typeshed-fallback', 'LICENSE');
  notices.push(
    ...partNotices(sourceMap, !isUniversal),
    `## typeshed (in basedpyright)\n\nApache-2.0 and MIT, https://github.com/python/typeshed\n\n\`\`\`text\n${readFileSync(typeshed, 'utf8').trim()}\n\`\`\``,
  );
  const head =
    '# Third-party notices\n\nThis extension contains software of others, under these licences.';
  writeFileSync(join(stage, 'THIRD-PARTY-NOTICES.md'), `${[head, ...notices].join('\n\n')}\n`);
}

function notice(name) {
  const folder = packageFolder(name);
  const { version, license, homepage, repository } = JSON.parse(
    readFileSync(join(folder, 'package.json'), 'utf8'),
  );
  if (!license) fail(`${name} names no licence`);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file ? readFileSync(join(folder, file), 'utf8').trim() : withoutFile[name];
  if (!text) fail(`${name} has no licence file: name its terms in extension/build/third-party.mjs`);
  return `## ${name} ${version}\n\n${license}, ${homepage ?? repository?.url ?? `https://www.npmjs.com/package/${name}`}\n\n\`\`\`text\n${text}\n\`\`\``;
}

function size(path) {
  const status = statSync(path);
  if (!status.isDirectory()) return status.size;
  return readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0);
}

function checkBudgets(stage, vsix) {
  let isOver = false;
  for (const [part, budget] of Object.entries(budgets)) {
    if (isUniversal && engineParts.includes(part)) continue;
    const kib = size(part === 'the VSIX' ? vsix : join(stage, part)) / 1024;
    const mark = kib > budget ? 'OVER' : 'ok';
    isOver ||= kib > budget;
    console.log(
      `${part.padEnd(28)} ${kib.toFixed(0).padStart(7)} KiB of ${String(budget).padStart(6)}  ${mark}`,
    );
  }
  if (isOver) fail('a part is over its budget');
}

const stage = mkdtempSync(join(tmpdir(), 'sglang-package-'));
try {
  run(join(root, 'extension/build/esbuild.mjs'), ['--production', '--out', join(stage, 'dist')]);
  // The command line is started from a checkout; the extension has no use for it.
  rmSync(join(stage, 'dist', 'sglnb.mjs'), { force: true });
  for (const path of shipped) cpSync(join(root, path), join(stage, path), { recursive: true });
  const { name, version } = stageManifest(stage);
  if (isUniversal) stageNoEngine(stage);
  else stageNativeCode(stage);
  stageTypeEngine(stage);
  stageNotices(stage);
  writeFileSync(join(stage, '.vscodeignore'), '');
  mkdirSync(join(root, 'packages'), { recursive: true });
  const vsix = join(root, 'packages', `${name}-${target}-${version}.vsix`);
  rmSync(vsix, { force: true });
  const options = [
    '--no-dependencies',
    '--allow-missing-repository',
    '--no-rewrite-relative-links',
  ];
  run(
    join(root, 'node_modules/@vscode/vsce/vsce'),
    ['package', ...(isUniversal ? [] : ['--target', target]), '--out', vsix, ...options],
    stage,
  );
  checkBudgets(stage, vsix);
  console.log(vsix);
} finally {
  rmSync(stage, { recursive: true, force: true });
}
