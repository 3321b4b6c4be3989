// Puts a real VS Code workbench on this machine from npm and Debian packages alone: the VS Code
// server and web workbench inside npm's `code-server`, and Chromium. Cached outside the checkout.
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

const CODE_SERVER_VERSION = '4.139.1';

/** Dependencies of the server that build natively and that no extension test needs. */
const UNNEEDED = [
  '@github/copilot-sdk',
  '@microsoft/mxc-sdk',
  '@devcontainers/cli',
  '@vscode/sandbox-runtime',
  '@vscode/copilot-api',
  'kerberos',
  'ssh2',
  '@vscode/sqlite3',
  '@vscode/windows-process-tree',
  '@vscode/windows-registry',
];

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache');
  return join(base, 'sglang-notebooks');
}

function run(command, args, options = {}) {
  const result = spawnSync(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
    ...options,
  });
  if (result.error) throw new Error(`could not start ${command}: ${result.error.message}`);
  if (result.status !== 0) {
    const output = `${result.stdout ?? ''}${result.stderr ?? ''}`
      .trim()
      .split('\n')
      .slice(-15)
      .join('\n');
    throw new Error(`${command} ${args.join(' ')} failed with status ${result.status}:\n${output}`);
  }
  return result.stdout ?? '';
}

/** Path of a Chromium that Playwright can drive; installs Debian's when there is none. */
export function ensureChromium() {
  const candidates = [
    process.env.CHROMIUM_PATH,
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  ];
  const found = candidates.find((path) => path && existsSync(path));
  if (found) return found;
  if (!existsSync('/usr/bin/apt-get')) {
    throw new Error('no Chromium found; install Chrome or Chromium, or set CHROMIUM_PATH');
  }
  console.log('vscode: installing Chromium with apt-get (once) …');
  const root = process.getuid?.() === 0;
  const apt = (...args) =>
    run(root ? 'apt-get' : 'sudo', [...(root ? [] : ['-n', 'apt-get']), ...args], {
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    });
  apt('update', '-qq');
  apt('install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core');
  return '/usr/bin/chromium';
}

function trimManifest(folder) {
  const file = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(file, 'utf8'));
  for (const name of UNNEEDED) {
    delete manifest.dependencies?.[name];
    delete manifest.optionalDependencies?.[name];
  }
  for (const key of Object.keys(manifest.overrides ?? {})) {
    if (key.startsWith('kerberos')) delete manifest.overrides[key];
  }
  writeFileSync(file, JSON.stringify(manifest, null, 2));
}

/** Folder of VS Code's server (`out/server-main.js` lies in it). */
export function ensureVsCodeServer() {
  const folder = join(cacheFolder(), `vscode-server-${CODE_SERVER_VERSION}`);
  const ready = join(folder, '.ready');
  if (existsSync(ready)) return folder;
  console.log(
    `vscode: installing the VS Code workbench of code-server ${CODE_SERVER_VERSION} (once) …`,
  );
  const work = `${folder}.${process.pid}`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  const packed = run(
    'npm',
    ['pack', `code-server@${CODE_SERVER_VERSION}`, '--silent', '--ignore-scripts'],
    { cwd: work },
  );
  const tarball = packed.trim().split('\n').at(-1) ?? '';
  run('tar', ['xzf', tarball], { cwd: work });
  const server = join(work, 'package', 'lib', 'vscode');
  trimManifest(server);
  run(
    'npm',
    ['install', '--omit=dev', '--ignore-scripts', '--loglevel=error', '--no-audit', '--no-fund'],
    { cwd: server },
  );
  rmSync(join(server, 'extensions', 'copilot'), { recursive: true, force: true });
  writeFileSync(join(server, '.ready'), CODE_SERVER_VERSION);
  mkdirSync(dirname(folder), { recursive: true });
  if (existsSync(folder)) rmSync(folder, { recursive: true, force: true });
  renameSync(server, folder);
  rmSync(work, { recursive: true, force: true });
  if (!readdirSync(folder).includes('out')) throw new Error(`${folder} holds no VS Code server`);
  return folder;
}
