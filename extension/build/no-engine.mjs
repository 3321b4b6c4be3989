// Stands for `dist/runtime.mjs` in the VSIX without an engine: whoever starts a server learns what to do.
console.error(
  `There is no bundled engine for ${process.platform}-${process.arch}: this is the extension without one. ` +
    'Connect to a server that runs elsewhere: "SGLang: Connect to Server" in VS Code, or the setting ' +
    'sglang.kernel.endpoint, for example http://host:30000.',
);
process.exitCode = 1;
