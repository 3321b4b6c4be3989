// npm run bench:llama-server [-- FOLDER]
//
// Builds llama.cpp's own server for `npm run bench:runtime`: from the source that the engine's npm
// package contains, of the version whose libraries are installed, and on those libraries, so that both
// servers compute with the same code. Needs git, CMake and a C++ compiler; Linux.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fetchLlamaSource } from '../../../runtime/mtmd/llama-source.ts';

const folder = resolve(process.argv[2] ?? join(tmpdir(), 'sglang-notebooks-llama-server'));
const run = (command: string, args: readonly string[]): void => {
  execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
};

const { engine, source } = fetchLlamaSource(folder);
const build = join(folder, 'build');
run('cmake', [
  '-S',
  import.meta.dirname,
  '-B',
  build,
  `-DLLAMA_SOURCE=${source}`,
  `-DENGINE=${engine}`,
]);
run('cmake', ['--build', build, '--target', 'llama-server']);
// The server looks for its CPU code beside itself.
for (const file of readdirSync(engine).filter((name) => name.startsWith('libggml-cpu'))) {
  if (!existsSync(join(build, file))) symlinkSync(join(engine, file), join(build, file));
}
console.log(`\nLLAMA_SERVER=${join(build, 'llama-server')} npm run bench:runtime`);
