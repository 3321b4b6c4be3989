/**
 * Python 3.14 for the tests of the user's own Pythons, where Debian has it and the system does not: run by the C
 * library that it was built with, from the cache outside the checkout.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { cacheDebianPackages, cachedPackages } from './debian-packages.ts';

/** Debian 14, the first release that has it. */
const SUITE = 'forky';
const NAME = 'python3.14';
/** Debian's names of what Node calls `process.arch`. */
const MACHINES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

/** Its name in the cache. */
const CACHED = `${NAME}-${SUITE}`;

/** Where it lies once it is installed. */
export function cachedPython314(): string {
  return join(cachedPackages(CACHED), 'usr', 'bin', NAME);
}

/** Installs it if there is none. Null when there is one afterwards, otherwise the reason. */
export function ensurePython314(): string | null {
  const executable = cachedPython314();
  if (existsSync(executable) || works(NAME)) return null;
  if (!(process.arch in MACHINES)) return `there is none for ${process.arch}`;
  try {
    console.log(`installing ${NAME} of Debian's ${SUITE} (once, under half a minute) …`);
    const packages = [`${NAME}-minimal`, `lib${NAME}-stdlib`];
    cacheDebianPackages(CACHED, { suite: SUITE, packages }, writeLauncher);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  if (works(executable)) return null;
  rmSync(cachedPackages(CACHED), { recursive: true, force: true });
  return 'the one that was installed does not start';
}

/**
 * In place of the program, a script that has it run by its own loader and libraries. Python takes the script for
 * itself: from there it finds its modules and starts others of its kind.
 */
function writeLauncher(root: string): void {
  const program = join(root, 'usr', 'bin', NAME);
  mkdirSync(join(root, 'usr', 'libexec'), { recursive: true });
  renameSync(program, join(root, 'usr', 'libexec', NAME));
  const libraries = `usr/lib/${MACHINES[process.arch]}-linux-gnu`;
  const loader = readdirSync(join(root, libraries)).find((name) => /^ld-linux-.*\.so/.test(name));
  if (loader === undefined) throw new Error('the packages have no loader of programs');
  const script = `#!/bin/sh
root=$(dirname "$(readlink -f "$0")")/../..
exec "$root/${libraries}/${loader}" --library-path "$root/${libraries}" \\
  --argv0 "$0" "$root/usr/libexec/${NAME}" "$@"
`;
  writeFileSync(program, script);
  chmodSync(program, 0o755);
}

function works(executable: string): boolean {
  const code = 'import sys, sqlite3, ssl, ctypes; print("%d.%d" % sys.version_info[:2])';
  return spawnSync(executable, ['-c', code], { encoding: 'utf8' }).stdout?.trim() === '3.14';
}
