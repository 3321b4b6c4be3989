/** Pure: the cell that makes the programs of a Python file known, and gives them a model to run on. */

/**
 * The file runs under a name other than `__main__`, so that its own `if __name__ == "__main__":` part
 * does not. `path` is absolute. `hasServer`: the kernel knows a server for programs that name none.
 */
export function loadingCode(path: string, hasServer: boolean): string {
  const folder = path.replace(/[/\\][^/\\]*$/, '');
  const model = [
    '',
    'if sgl.global_config.default_backend is None and "runtime" not in globals():',
    '    runtime = sgl.Runtime(model_path="starter")  # the bundled model; name your own here',
    '    sgl.set_default_backend(runtime)',
  ];
  return [
    '# Loads the programs of the file; runs again when the file has changed.',
    'import runpy, sys',
    'import sglang as sgl',
    '',
    `if ${JSON.stringify(folder)} not in sys.path:`,
    `    sys.path.insert(0, ${JSON.stringify(folder)})`,
    `globals().update(runpy.run_path(${JSON.stringify(path)}, run_name="sglang_programs"))`,
    ...(hasServer ? [] : model),
  ].join('\n');
}
