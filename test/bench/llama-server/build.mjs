// node test/bench/llama-server/build.mjs [FOLDER]
//
// Builds llama.cpp's own server for `npm run bench:runtime`: from the source that the engine's npm
// package contains, of the version whose libraries are installed, and on those libraries, so that both
// servers compute with the same code. Needs git, CMake and a C++ compiler; Linux.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const folder = resolve(process.argv[2] ?? join(tmpdir(), 'sglang-notebooks-llama-server'));
const run = (command, args, cwd = folder) =>
  execFileSync(command, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] });

/** The engine package of this platform. */
function enginePackage() {
  const require = createRequire(import.meta.url);
  for (const suffix of ['-vulkan', '']) {
    try {
      return require.resolve(
        `@node-llama-cpp/${process.platform}-${process.arch}${suffix}/package.json`,
      );
    } catch {
      // Not this one.
    }
  }
  throw new Error(`no engine package for ${process.platform}-${process.arch} is installed`);
}

const manifest = enginePackage();
const { version } = createRequire(import.meta.url)(manifest);
const bins = join(dirname(manifest), 'bins');
const engine = join(bins, readdirSync(bins)[0]);

mkdirSync(folder, { recursive: true });
const source = join(folder, `llama.cpp-${version}`);
if (!existsSync(source)) {
  run('npm', ['pack', `node-llama-cpp@${version}`, '--silent']);
  run('tar', ['xzf', `node-llama-cpp-${version}.tgz`, 'package/llama/gitRelease.bundle']);
  run('git', ['clone', '--quiet', 'package/llama/gitRelease.bundle', source]);
}
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
