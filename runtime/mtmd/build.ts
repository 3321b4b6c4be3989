// npm run build:mtmd [-- --helpers]
//
// Builds llama.cpp's library for images beside this file, in lib/: with it the runtime runs vision models
// of all architectures that llama.cpp knows. Needs npm, tar, git, CMake and a C++ compiler; Linux, macOS.
// `npm run package` takes the library along. With --helpers it has what llama.cpp's own tools ask of it as
// well, into another folder: for test/runtime/vision/llava/record.ts.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { availableParallelism, tmpdir } from 'node:os';
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
const hasHelpers = process.argv.includes('--helpers');
// CMake refuses a folder that another checkout has built in.
const checkout = createHash('sha256')
  .update(import.meta.dirname)
  .digest('hex')
  .slice(0, 8);
const build = join(folder, `${hasHelpers ? 'build-helpers' : 'build'}-${checkout}`);
const output = hasHelpers ? join(build, 'lib') : join(import.meta.dirname, 'lib');
const run = (args: readonly string[]): void => {
  execFileSync('cmake', args, { stdio: ['ignore', 'inherit', 'inherit'] });
};
const options = [
  `-DLLAMA_SOURCE=${source}`,
  `-DOUTPUT=${output}`,
  `-DHELPERS=${hasHelpers ? 'ON' : 'OFF'}`,
];
run(['-S', import.meta.dirname, '-B', build, ...options]);
// A number: without one, Make starts all compilers at once.
run(['--build', build, '--parallel', `${availableParallelism()}`, '--target', 'mtmd']);
process.stdout.write(`\nlibmtmd is in ${output}\n`);
