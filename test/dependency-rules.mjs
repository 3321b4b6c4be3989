// Who may import whom, as dependency-cruiser rules. `test/architecture.test.ts` runs them and
// plants violations to prove that each rule bites.

/** A rule: files matching `from` must not import files matching `to`. */
const forbid = (name, from, to, comment) => ({
  name,
  comment,
  severity: 'error',
  from: typeof from === 'string' ? { path: from } : from,
  to: typeof to === 'string' ? { path: to } : to,
});

const nothingBut = (name, folder, allowed, comment) =>
  forbid(
    name,
    `^${folder}/`,
    {
      path: '^(extension|language-server|notebook-renderer|runtime|test)/',
      pathNot: [`^${folder}/`, ...allowed.map((path) => `^${path}`)],
    },
    comment,
  );

export const forbidden = [
  nothingBut('protocol-alone', 'extension/protocol', [], 'the boundary depends on neither side'),
  nothingBut('format-alone', 'extension/notebook-format', [], 'the file format is pure'),
  nothingBut('environments-alone', 'extension/python-environments', [], 'it only looks at files'),
  nothingBut(
    'child-processes-alone',
    'extension/child-processes',
    [],
    'every process may start some',
  ),
  nothingBut('models-alone', 'extension/model-manager', [], 'every process may manage models'),
  nothingBut(
    'extension-imports',
    'extension/src',
    [
      'extension/protocol/',
      'extension/notebook-format/',
      'extension/model-manager/',
      'extension/python-environments/',
      'extension/child-processes/',
    ],
    'the extension talks to other processes, it does not contain them',
  ),
  nothingBut(
    'kernel-imports',
    'extension/kernel',
    ['extension/protocol/', 'extension/model-manager/', 'extension/child-processes/'],
    'the kernel knows neither VS Code nor the runtime code',
  ),
  nothingBut(
    'cli-imports',
    'extension/cli',
    [
      'extension/protocol/',
      'extension/notebook-format/',
      'extension/model-manager/',
      'extension/child-processes/',
      'language-server/src/check.ts',
    ],
    'the command line drives processes through their protocols',
  ),
  nothingBut('language-server-alone', 'language-server', [], 'the server runs anywhere'),
  nothingBut(
    'renderer-imports',
    'notebook-renderer',
    ['extension/protocol/output-payloads.ts'],
    'the webview sees payloads, nothing else',
  ),
  nothingBut(
    'runtime-alone',
    'runtime',
    [],
    "the runtime speaks SGLang's HTTP API; a real server can replace it",
  ),
  forbid(
    'vscode-only-in-extension',
    { pathNot: '^(extension/src|test)/' },
    { path: '(^|/)vscode(/index\\.d\\.ts)?$' },
    'only the extension host has the module',
  ),
  forbid(
    'interpreter-below-guest',
    '^extension/kernel/(sglang|backends)/',
    { path: '^extension/kernel/guest/', pathNot: '^extension/kernel/guest/bridge-protocol\\.ts$' },
    'the interpreter knows what Python says, not how it gets there',
  ),
  forbid(
    'backends-below-interpreter',
    '^extension/kernel/backends/',
    '^extension/kernel/sglang/',
    'a backend sends requests; it does not interpret programs',
  ),
  forbid(
    'undici-in-one-file',
    { path: '^extension/kernel/', pathNot: '^extension/kernel/backends/http\\.ts$' },
    { path: 'node_modules/undici' },
    'one place for pools, deadlines and retries',
  ),
  forbid(
    'native-binding-in-one-folder',
    { path: '^runtime/', pathNot: '^runtime/src/engine/' },
    { path: 'node_modules/koffi' },
    'only the engine calls native code',
  ),
  forbid(
    'scheduler-knows-no-http',
    '^runtime/src/(scheduler|cache|constraints|sampling|tokenizer|engine)/',
    '^runtime/src/http/',
    'stages import downwards only',
  ),
  forbid(
    'cache-knows-no-scheduler',
    '^runtime/src/(cache|constraints|sampling|tokenizer|engine)/',
    '^runtime/src/scheduler/',
    'stages import downwards only',
  ),
  forbid(
    'syntax-alone',
    '^language-server/src/syntax/',
    '^language-server/src/(semantics|features|documents)/',
    'the parser knows nothing above it',
  ),
  forbid(
    'semantics-below-features',
    '^language-server/src/semantics/',
    '^language-server/src/features/',
    'layers import downwards only',
  ),
  forbid(
    'lsp-only-in-server',
    {
      path: '^language-server/src/',
      pathNot: '^language-server/src/(server|main|lsp-.*)\\.ts$',
    },
    { path: '(^|/)vscode-languageserver(/|$)' },
    'features return plain data',
  ),
  {
    name: 'no-cycles',
    comment: 'a cycle is one idea spread over several files, or two in one',
    severity: 'error',
    from: {},
    to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
  },
];
