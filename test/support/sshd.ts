/**
 * OpenSSH's server for tests, on a port of the loopback and without any rights: it knows one key, and whoever logs
 * in with that may forward ports. Where the system has no `sshd`, Debian's is unpacked beside the other test tools.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { processTree } from '../../extension/kernel/processes/process-tree.ts';
import { cacheDebianPackages, cachedPackages } from './debian-packages.ts';

/** Who runs it where the tests run as root, as whom it would want a user and a folder of the system's. */
const UNPRIVILEGED = { name: 'daemon', uid: 1, gid: 1 };
const PACKAGE = 'openssh-server';
const SYSTEM_FOLDERS = ['/usr/sbin', '/usr/local/sbin', '/usr/bin', '/opt/homebrew/sbin'];

export type FoundSshd =
  | { readonly executable: string; readonly missing: null }
  | { readonly executable: null; readonly missing: string };

/** `missing` begins with "not run". */
export function findSshd(): FoundSshd {
  if (spawnSync('ssh', ['-V']).status !== 0) return lacks('there is no ssh');
  const system = SYSTEM_FOLDERS.map((folder) => join(folder, 'sshd')).find(existsSync);
  if (system !== undefined) return { executable: system, missing: null };
  const executable = join(cachedPackages(PACKAGE), 'usr', 'sbin', 'sshd');
  if (existsSync(executable)) return { executable, missing: null };
  try {
    console.log(`unpacking Debian's ${PACKAGE} (once, some seconds) …`);
    cacheDebianPackages(PACKAGE, { suite: null, packages: [PACKAGE] });
    return { executable, missing: null };
  } catch (error) {
    return lacks(error instanceof Error ? error.message : String(error));
  }
}

function lacks(reason: string): FoundSshd {
  return { executable: null, missing: `not run: no sshd (${reason})` };
}

/**
 * Names of the configuration: as it should be; a key that the server does not know; a key with a passphrase; a server
 * that the client does not know; a server that had another key before.
 */
export type SshName = 'gpu-box' | 'stranger' | 'locked' | 'unknown' | 'changed';

export class SshServer {
  readonly port: number;
  readonly user = isRoot() ? UNPRIVILEGED.name : userInfo().username;
  /** `PATH` by which `ssh` knows the names of `SshName`. */
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sshd-test-'));
  readonly #executable: string;
  #child: ChildProcess | null = null;
  #log = '';

  private constructor(executable: string, port: number) {
    this.port = port;
    chmodSync(this.#folder, 0o755);
    const [hostKey, key] = [this.#newKey('host_key'), this.#newKey('id')];
    copyFileSync(`${key}.pub`, join(this.#folder, 'authorized_keys'));
    if (isRoot()) chownSync(hostKey, UNPRIVILEGED.uid, UNPRIVILEGED.gid);
    this.path = this.#makeClient();
    this.#executable = this.#readableCopy(executable);
    mkdirSync(join(this.#folder, 'libraries'));
    for (const library of librariesBeside(executable)) this.#readableCopy(library, 'libraries');
    writeFileSync(join(this.#folder, 'sshd_config'), this.#settings(executable).join('\n'));
  }

  static async start(executable: string): Promise<SshServer> {
    const server = new SshServer(executable, await freePort());
    await server.run();
    return server;
  }

  /** What it has said so far. */
  get log(): string {
    return this.#log;
  }

  /** Starts it, also again after `stop`. */
  async run(): Promise<void> {
    const child = spawn(this.#executable, ['-D', '-e', '-f', join(this.#folder, 'sshd_config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, LD_LIBRARY_PATH: join(this.#folder, 'libraries') },
      ...(isRoot() ? { uid: UNPRIVILEGED.uid, gid: UNPRIVILEGED.gid } : {}),
    });
    const count = (): number => this.#log.split('Server listening').length;
    const before = count();
    child.stderr.setEncoding('utf8').on('data', (text: string) => (this.#log += text));
    this.#child = child;
    while (count() === before) {
      if (child.exitCode !== null) throw new Error(`sshd ended:\n${this.#log}`);
      await sleep(20);
    }
  }

  /** With the connections that it has. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    for (const pid of processTree(child.pid)) process.kill(pid, 'SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Address of a server that this one reaches as `host:port`, by a name of the configuration. */
  url(name: SshName, target: string): string {
    return `ssh://${name}/${target}`;
  }

  /**
   * `PATH` of somebody whose `ssh` has a configuration of its own; it asks the system for the home, not `HOME`.
   * One name for each way to be let in, or not.
   */
  #makeClient(): string {
    const folder = join(this.#folder, 'client');
    mkdirSync(folder);
    const file = (name: string, text: string): string => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const known = file('known_hosts', this.#hostLine(join(this.#folder, 'host_key')));
    const names: Readonly<Record<SshName, string>> = {
      'gpu-box': `IdentityFile ${join(this.#folder, 'id')}`,
      stranger: `IdentityFile ${this.#newKey('stranger')}`,
      locked: `IdentityFile ${this.#newKey('locked', 'secret words')}`,
      unknown: `UserKnownHostsFile ${file('none', '')}`,
      changed: `UserKnownHostsFile ${file('other', this.#hostLine(this.#newKey('other_host')))}`,
    };
    const hosts = Object.entries(names).map(
      ([name, line]) =>
        `Host ${name}\n ${line}\n HostName 127.0.0.1\n Port ${this.port}\n User ${this.user}\n`,
    );
    const rest = `Host *\n IdentitiesOnly yes\n IdentityAgent none\n UserKnownHostsFile ${known}\n`;
    const config = file('config', `${hosts.join('')}${rest}`);
    const path = process.env['PATH'] ?? '';
    const ssh = path
      .split(':')
      .map((each) => join(each, 'ssh'))
      .find(existsSync);
    const script = file('ssh', `#!/bin/sh\nexec ${ssh ?? 'ssh'} -F ${config} "$@"\n`);
    chmodSync(script, 0o755);
    return `${folder}:${path}`;
  }

  /** Line of a file of known hosts: this address has that key. */
  #hostLine(key: string): string {
    const [type, text] = readFileSync(`${key}.pub`, 'utf8').split(' ');
    return `[127.0.0.1]:${this.port} ${type} ${text}\n`;
  }

  /** File of a new private key. */
  #newKey(name: string, passphrase = ''): string {
    const file = join(this.#folder, name);
    const made = spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', file]);
    if (made.status !== 0) throw new Error(`ssh-keygen failed: ${String(made.stderr)}`);
    return file;
  }

  #settings(executable: string): string[] {
    const helpers = join(dirname(executable), '..', 'lib', 'openssh');
    // Newer servers run each session in a program of its own.
    const programs = { SshdSessionPath: 'sshd-session', SshdAuthPath: 'sshd-auth' };
    return [
      'ListenAddress 127.0.0.1',
      `Port ${this.port}`,
      `HostKey ${join(this.#folder, 'host_key')}`,
      `AuthorizedKeysFile ${join(this.#folder, 'authorized_keys')}`,
      'AuthenticationMethods publickey',
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'LogLevel VERBOSE',
      ...Object.entries(programs)
        .map(([option, name]) => [option, join(helpers, name)] as const)
        .filter(([, program]) => existsSync(program))
        .map(([option, program]) => `${option} ${this.#readableCopy(program)}`),
      '',
    ];
  }

  /** The cache may lie in a folder that not everybody can enter. */
  #readableCopy(program: string, folder = '.'): string {
    const copy = join(this.#folder, folder, basename(program));
    copyFileSync(program, copy);
    chmodSync(copy, 0o755);
    return copy;
  }
}

/** Shared libraries that were unpacked with it, because the system has them not. */
function librariesBeside(executable: string): string[] {
  const root = join(dirname(executable), '..', '..');
  if (SYSTEM_FOLDERS.includes(dirname(executable))) return [];
  return ['lib', 'usr/lib']
    .map((folder) => join(root, folder))
    .filter(existsSync)
    .flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .filter((file) => /\.so(?:\.\d+)*$/.test(file))
        .map((file) => join(folder, file)),
    );
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}
