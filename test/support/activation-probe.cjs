// Run by test/extension/activation.test.ts: activates the extension's bundle in a plain Node, with a VS
// Code that answers anything and knows no document, and prints what that took beside time.
const { createRequire, Module } = require('node:module');

const [, , bundle] = process.argv;
const seen = { modules: [], children: [], files: [], settings: 0 };

/** Anything: it can be called, constructed, read and looped over, and leads to more of it. */
function anything(known = {}) {
  const held = new Map(Object.entries(known));
  return new Proxy(function everything() {}, {
    get(_, name) {
      if (name === 'then') return undefined;
      if (name === Symbol.iterator) return [][Symbol.iterator].bind([]);
      if (name === Symbol.toPrimitive) return () => '';
      if (!held.has(name)) held.set(name, anything());
      return held.get(name);
    },
    has: () => true,
    set: (_, name, value) => Boolean(held.set(name, value)),
    apply: () => anything(),
    construct: () => anything(),
  });
}

const vscode = anything({
  workspace: anything({
    isTrusted: true,
    workspaceFolders: [],
    notebookDocuments: [],
    textDocuments: [],
    getConfiguration: () => {
      seen.settings += 1;
      return { get: () => undefined, inspect: () => undefined };
    },
  }),
  window: anything({ visibleNotebookEditors: [], activeNotebookEditor: undefined }),
  l10n: anything({ t: (text) => text }),
  commands: anything({ executeCommand: async () => undefined }),
});

function spy(module, names, list) {
  for (const name of names) {
    const real = module[name];
    module[name] = (...parameters) => {
      list.push(`${name} ${String(parameters[0])}`);
      return real(...parameters);
    };
  }
}
const children = require('node:child_process');
spy(
  children,
  ['spawn', 'fork', 'exec', 'execFile', 'spawnSync', 'execSync', 'execFileSync'],
  seen.children,
);
const fs = require('node:fs');
const load = Module._load;
Module._load = (request, ...rest) => {
  seen.modules.push(request);
  // Other bundles are not built here; that they are asked for is what matters.
  const isOurs = request.startsWith('./');
  return request === 'vscode' || isOurs ? vscode : load(request, ...rest);
};
const { activate } = createRequire(bundle)(bundle);
spy(
  fs,
  Object.keys(fs).filter((name) => name.endsWith('Sync')),
  seen.files,
);
const context = anything({
  subscriptions: [],
  extension: { packageJSON: {} },
  globalStorageUri: { fsPath: '/nowhere' },
  asAbsolutePath: (path) => `/nowhere/${path}`,
});
activate(context);
seen.subscriptions = context.subscriptions.length;
console.log(JSON.stringify(seen));
process.exit(0);
