// Builds every process of the project into dist/: one row per bundle, plus the files that are
// shipped as they are. `--watch` rebuilds on change, `--production` minifies and lists the packages
// that went into the bundles, `--out FOLDER` builds elsewhere than into dist/.
import { build, context } from 'esbuild';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const production = process.argv.includes('--production');
const watch = process.argv.includes('--watch');
const outIndex = process.argv.indexOf('--out');
const dist = outIndex === -1 ? join(root, 'dist') : resolve(process.argv[outIndex + 1] ?? 'dist');

const requireBanner =
  "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);";

/** Node bundles are ES modules; CommonJS dependencies inside them still call `require`. */
const nodeModule = {
  platform: 'node',
  format: 'esm',
  target: 'node22',
  banner: { js: requireBanner },
  external: ['koffi', '@node-llama-cpp/*'],
};

/** For VS Code in a browser, whose extension host is a web worker. */
const webWorker = { platform: 'browser', target: 'es2022' };

/** Activation must not read these: each is a file of its own, required at first use. */
const laterLibraries = {
  undici: './undici.cjs',
  'vscode-languageclient/node': './language-client.cjs',
};

const bundles = [
  {
    entry: 'extension/src/activate.ts',
    out: 'extension.cjs',
    // VS Code's own Node; the host loads CommonJS everywhere.
    options: {
      platform: 'node',
      format: 'cjs',
      target: 'node22',
      external: ['vscode', ...Object.values(laterLibraries)],
      alias: laterLibraries,
      supported: { 'dynamic-import': false },
    },
  },
  {
    entry: 'node_modules/vscode-languageclient/lib/node/main.js',
    out: 'language-client.cjs',
    options: { platform: 'node', format: 'cjs', target: 'node22', external: ['vscode'] },
  },
  {
    entry: 'node_modules/undici/index.js',
    out: 'undici.cjs',
    options: { platform: 'node', format: 'cjs', target: 'node22' },
  },
  { entry: 'extension/kernel/main.ts', out: 'kernel.mjs', options: nodeModule },
  { entry: 'extension/kernel/guest-worker.ts', out: 'guest-worker.mjs', options: nodeModule },
  { entry: 'extension/cli/main.ts', out: 'sglnb.mjs', options: nodeModule },
  { entry: 'language-server/src/main.ts', out: 'language-server.mjs', options: nodeModule },
  { entry: 'runtime/src/main.ts', out: 'runtime.mjs', options: nodeModule },
  { entry: 'runtime/src/engine-thread.ts', out: 'engine-thread.mjs', options: nodeModule },
  {
    entry: 'extension/src/activate-web.ts',
    out: 'web/extension.js',
    options: { ...webWorker, format: 'cjs', external: ['vscode'] },
  },
  {
    entry: 'language-server/src/lsp-worker.ts',
    out: 'web/language-server.js',
    options: { ...webWorker, format: 'iife' },
  },
  {
    entry: 'notebook-renderer/src/main.tsx',
    out: 'renderer.js',
    options: {
      platform: 'browser',
      format: 'esm',
      target: 'chrome138',
      jsx: 'automatic',
      jsxImportSource: 'preact',
      loader: { '.css': 'text' },
    },
  },
];

const pyodideFiles = [
  'pyodide.mjs',
  'pyodide.asm.mjs',
  'pyodide.asm.wasm',
  'python_stdlib.zip',
  'pyodide-lock.json',
];

const copies = [
  { from: 'extension/kernel/guest/python', to: 'python' },
  { from: 'runtime/starter-model/starter.gguf', to: 'starter.gguf' },
  { from: 'runtime/starter-model/starter-mmproj.gguf', to: 'starter-mmproj.gguf' },
  { from: 'node_modules/@jsquash/webp/codec/dec/webp_dec.wasm', to: 'webp_dec.wasm' },
  ...pyodideFiles.map((file) => ({ from: `node_modules/pyodide/${file}`, to: `pyodide/${file}` })),
];

function esbuildOptions({ entry, out, options }) {
  return {
    entryPoints: [join(root, entry)],
    outfile: join(dist, out),
    bundle: true,
    minify: production,
    sourcemap: production ? false : 'linked',
    logLevel: 'warning',
    legalComments: 'none',
    metafile: production,
    ...options,
  };
}

/** Names of the npm packages that esbuild took files from. */
function packagesIn(results) {
  const inputs = results.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const names = inputs.flatMap((input) => {
    const match = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
    return match ? [match[1]] : [];
  });
  return [...new Set(names)].toSorted((left, right) => (left < right ? -1 : 1));
}

async function copyAsset({ from, to }) {
  const target = join(dist, to);
  await mkdir(dirname(target), { recursive: true });
  await cp(join(root, from), target, {
    recursive: true,
    filter: (source) => !source.includes('__pycache__'),
  });
}

const started = performance.now();
if (production) await rm(dist, { recursive: true, force: true });
for (const missing of [...bundles.map((row) => row.entry), ...copies.map((row) => row.from)]) {
  if (!existsSync(join(root, missing))) {
    console.error(`build: ${missing} is missing; the checkout is incomplete`);
    process.exitCode = 1;
  }
}
if (process.exitCode !== 1) {
  const [results] = await Promise.all([
    Promise.all(
      bundles.map(async (row) => {
        if (!watch) return build(esbuildOptions(row));
        const watching = await context(esbuildOptions(row));
        return watching.watch();
      }),
    ),
    ...copies.map(copyAsset),
  ]);
  if (production) {
    await writeFile(join(dist, 'bundled-packages.json'), JSON.stringify(packagesIn(results)));
  }
  console.log(`built dist/ in ${Math.round(performance.now() - started)} ms`);
}
