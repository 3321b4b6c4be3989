// What is built, one row per bundle: its entry, its file in dist/, and how esbuild makes it.
import { basename } from 'node:path';

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

/** Nor these of the extension itself, which come with their commands. */
const laterEntries = [
  'extension/src/commands/convert-commands.ts',
  'extension/src/debug/debug-session.ts',
  'extension/src/models/connect-command.ts',
];
const bundleOf = (entry) => `${basename(entry, '.ts')}.cjs`;
const laterModules = {
  name: 'later-modules',
  setup: ({ onResolve }) =>
    onResolve({ filter: /\.ts$/, namespace: 'file' }, ({ kind, path }) =>
      kind === 'dynamic-import' && laterEntries.some((entry) => basename(entry) === basename(path))
        ? { path: `./${bundleOf(path)}`, external: true }
        : undefined,
    ),
};

export const bundles = [
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
      plugins: [laterModules],
    },
  },
  ...laterEntries.map((entry) => ({
    entry,
    out: bundleOf(entry),
    options: { platform: 'node', format: 'cjs', target: 'node22', external: ['vscode'] },
  })),
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
