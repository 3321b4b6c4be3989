/**
 * Debian packages for tests, unpacked into a folder: nothing of the system changes. apt itself finds what belongs
 * to a package, from the mirror that this machine is set up for, and checks signatures and hashes.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** Milliseconds that one command may take. */
const LONGEST = 180_000;

interface DebianPackages {
  /** Release of Debian; `null`: what belongs to this system. */
  readonly suite: string | null;
  readonly packages: readonly string[];
  /** Is made; holds a part when it fails. */
  readonly folder: string;
}

/** Where packages of that name are kept, outside the checkout. */
export function cachedPackages(name: string): string {
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  return join(cache, 'sglang-notebooks', name);
}

/**
 * Unpacks packages into the cache under a name, whole or not at all.
 *
 * @param prepare what is done to the unpacked folder before it is there
 * @throws Error that says what is missing
 */
export function cacheDebianPackages(
  name: string,
  packages: Omit<DebianPackages, 'folder'>,
  prepare: (folder: string) => void = () => {},
): void {
  const folder = cachedPackages(name);
  const staging = `${folder}.${process.pid}`;
  try {
    unpackDebianPackages({ ...packages, folder: staging });
    prepare(staging);
    mkdirSync(dirname(folder), { recursive: true });
    renameSync(staging, folder);
  } finally {
    rmSync(staging, { recursive: true, force: true });
  }
}

/**
 * With all that they depend on; of packages of this system, only what is not installed.
 * @throws Error that says what is missing
 */
function unpackDebianPackages({ suite, packages, folder }: DebianPackages): void {
  if (process.platform !== 'linux' || !existsSync('/usr/bin/apt-get') || !existsSync(KEYRING))
    throw new Error('this is no Debian');
  const work = mkdtempSync(join(tmpdir(), 'debian-packages-'));
  try {
    const apt = ownApt(work, suite);
    apt('update');
    apt('install', '--yes', '--download-only', ...packages);
    const archives = join(work, 'cache', 'archives');
    const files = readdirSync(archives).filter((name) => name.endsWith('.deb'));
    mkdirSync(folder, { recursive: true });
    for (const file of files) run('dpkg-deb', ['--extract', join(archives, file), folder]);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** apt-get with lists and archives of its own; proxies and keys are the system's. */
function ownApt(work: string, suite: string | null): (...args: readonly string[]) => string {
  for (const name of ['lists/partial', 'cache/archives/partial'])
    mkdirSync(join(work, name), { recursive: true });
  const options = {
    'Dir::State::Lists': join(work, 'lists'),
    'Dir::Cache': join(work, 'cache'),
    'Dir::Cache::Archives': join(work, 'cache', 'archives'),
    'Debug::NoLocking': 'true',
    'APT::Sandbox::User': '',
    'APT::Install-Recommends': 'false',
    'Acquire::Languages': 'none',
    'Acquire::Retries': '1',
    ...(suite === null ? {} : sourceOf(work, suite)),
  };
  const flags = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
  return (...args) => run('apt-get', ['--quiet=2', ...flags, ...args]);
}

/** Another release in place of the system's sources, for a system that has nothing installed. */
function sourceOf(work: string, suite: string): Readonly<Record<string, string>> {
  const source = `deb [signed-by=${KEYRING}] ${mirror()} ${suite} main\n`;
  const [list, status] = [join(work, 'sources.list'), join(work, 'status')];
  writeFileSync(list, source);
  writeFileSync(status, '');
  return {
    'Dir::Etc::SourceList': list,
    'Dir::Etc::SourceParts': '/dev/null',
    'Dir::Etc::Preferences': '/dev/null',
    'Dir::Etc::PreferencesParts': '/dev/null',
    'Dir::State::status': status,
    // Without its index there is nothing to be found.
    'APT::Update::Error-Mode': 'any',
  };
}

/** Of Debian's archive, as this system is set up. @throws Error where it has none */
function mirror(): string {
  const format = ['--format', '$(REPO_URI) $(COMPONENT)'];
  const targets = run('apt-get', ['indextargets', '--no-release-info', ...format]);
  const [, found] = /^(\S+\/debian\/?) main$/m.exec(targets) ?? [];
  if (found === undefined) throw new Error("apt has no source of Debian's main archive");
  return found;
}

function run(command: string, args: readonly string[]): string {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST,
    env: { ...process.env, LC_ALL: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (error === undefined && status === 0) return stdout;
  const said = (stderr ?? '').trim().split('\n').slice(-3).join(' ');
  throw new Error(`${command} failed: ${error?.message ?? said}`);
}
