// Everything a fresh clone needs, then the command: `node extension/build/setup.mjs start|test|package|…`.
// Runs on Node 20; what it starts runs on the Node 24 that npm installs with the dependencies.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');
const stampFile = join(root, 'node_modules', '.setup-stamp');
const manifests = [
  'package.json',
  'package-lock.json',
  'extension/package.json',
  'language-server/package.json',
  'notebook-renderer/package.json',
  'runtime/package.json',
  'test/package.json',
];

/** What each runs, and when `dist/` is built before it: always, if it is missing, or never. */
const commands = {
  start: {
    run: [
      'dist/sglnb.mjs',
      'run',
      '--missing-model',
      'starter',
      'extension/examples/sglang-tour.sglnb',
    ],
    build: 'always',
  },
  test: { run: ['test/run-all.mjs'], build: 'always' },
  package: { run: ['extension/build/package.mjs'], build: 'always' },
  sglnb: { run: ['dist/sglnb.mjs'], build: 'missing' },
  bench: { run: ['test/bench/run.mjs'], build: 'missing' },
  'bench:llama-server': { run: ['test/bench/llama-server/build.ts'], build: 'never' },
  'test:desktop': { run: ['test/vscode/desktop.mjs'], build: 'missing' },
  check: { run: ['test/check.mjs'], build: 'never' },
  'build:mtmd': { run: ['runtime/mtmd/build.ts'], build: 'never' },
};

function fail(message) {
  console.error(`\nsetup: ${message}`);
  process.exit(1);
}

function dependencyStamp() {
  const hash = createHash('sha256').update(`${process.platform}-${process.arch}\n`);
  for (const file of manifests) hash.update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function installDependencies() {
  const stamp = dependencyStamp();
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return;
  console.log('setup: installing dependencies and Node 24 from npm (once, under a minute) …');
  // Nothing here needs an install script; refusing them keeps strangers' code from running.
  // `npm ci` would refuse registries that lack some other platform's optional packages; this
  // installs the same locked versions and leaves the lock file as it is.
  const npm = spawnSync('npm', ['install', '--no-save', '--ignore-scripts', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  });
  if (npm.error) fail(`could not start npm: ${npm.error.message}`);
  if (npm.status !== 0)
    fail('`npm install` failed; its message above says why. Is the registry reachable?');
  writeFileSync(stampFile, stamp);
}

/** The bundled Node 24, or this Node if it is new enough (platforms without a package). */
function modernNode() {
  const windows = process.platform === 'win32';
  const name = `${windows ? 'win' : process.platform}-${process.arch}`;
  const bundled = [`node-${name}`, `node-bin-${name}`]
    .map((folder) => join(root, 'node_modules', folder, 'bin', windows ? 'node.exe' : 'node'))
    .find((file) => existsSync(file));
  if (bundled) return bundled;
  const [major = 0] = process.versions.node.split('.').map(Number);
  if (major >= 24) return process.execPath;
  return fail(`no Node 24 package for ${name}; install Node 24 yourself and run again`);
}

function build(node) {
  const result = spawnSync(node, [join(root, 'extension/build/esbuild.mjs')], {
    cwd: root,
    stdio: 'inherit',
  });
  if (result.status !== 0) fail('the build failed; see above');
}

const [name = '', ...rest] = process.argv.slice(2);
const command = commands[name];
if (!command) fail(`unknown command "${name}"; use: ${Object.keys(commands).join(', ')}`);
installDependencies();
const node = modernNode();
const hasBuild = existsSync(join(root, 'dist', 'sglnb.mjs'));
if (command.build === 'always' || (command.build === 'missing' && !hasBuild)) build(node);
const [script, ...fixed] = command.run;
const child = spawn(node, [join(root, script), ...fixed, ...rest], { cwd: root, stdio: 'inherit' });
// Ctrl-C reaches the whole foreground group; the child decides how to end.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => child.kill('SIGTERM'));
child.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)));
