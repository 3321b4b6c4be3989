// npm run build:mtmd
//
// Builds llama.cpp's library for images beside this file, in lib/: with it the runtime runs vision models
// of all architectures that llama.cpp knows. Needs npm, tar, git, CMake and a C++ compiler; Linux, macOS.
// `npm run package` takes the library along.
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchLlamaSource } from './llama-source.ts';

if (process.platform === 'win32') {
  process.stderr.write(
    'build:mtmd: on Windows the engine package has no import libraries to link with.\n',
  );
  process.exit(1);
}
const folder = join(tmpdir(), 'sglang-notebooks-mtmd');
const { source } = fetchLlamaSource(folder);
const build = join(folder, 'build');
const output = join(import.meta.dirname, 'lib');
const run = (args: readonly string[]): void => {
  execFileSync('cmake', args, { stdio: ['ignore', 'inherit', 'inherit'] });
};
run(['-S', import.meta.dirname, '-B', build, `-DLLAMA_SOURCE=${source}`, `-DOUTPUT=${output}`]);
run(['--build', build, '--parallel', '--target', 'mtmd']);
process.stdout.write(`\nlibmtmd is in ${output}\n`);
