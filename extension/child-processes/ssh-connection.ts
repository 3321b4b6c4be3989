/** One `ssh` that forwards a port of this machine's loopback to a server behind another machine. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import type { Reaper } from './reaper.ts';
import type { SshAddress } from './ssh-address.ts';
import { failureOf, type SshFailure } from './ssh-failure.ts';

export interface SshOptions {
  /** Where `ssh` and the user's agent are found. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Ends ssh when this process is killed. */
  readonly reaper: Reaper;
  /** Milliseconds until it must forward. */
  readonly patience: number;
}

/** ssh says so once every port is forwarded; it is a line of its log since its first versions. */
const FORWARDS = /^debug1: Entering interactive session/;
/** The other machine could not connect to the server. */
const REFUSED = /^channel \d+: open failed: (.*)$/;
/** What only its log level adds. */
const DETAIL = /^debug\d: |^OpenSSH_|^Authenticated to |^Transferred: |^Bytes per second/;
const LINES_KEPT = 40;
/** Ports that somebody else may take at the same moment. */
const PORTS_TRIED = 3;

/**
 * Keys, agents, jump hosts and known hosts are the user's own, by ~/.ssh/config. Nothing is asked, nothing
 * else is forwarded that the configuration does not name, and no connection is shared: it ends with us.
 */
function sshArguments(address: SshAddress, localPort: number): string[] {
  const { user, host, port, server, serverPort } = address;
  const options = {
    BatchMode: 'yes',
    ExitOnForwardFailure: 'yes',
    ConnectTimeout: '15',
    ServerAliveInterval: '15',
    ServerAliveCountMax: '3',
    ControlMaster: 'no',
    ControlPath: 'none',
    GatewayPorts: 'no',
    LogLevel: 'DEBUG1',
  };
  return [
    '-N',
    '-T',
    '-a',
    '-x',
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    '-L',
    `127.0.0.1:${localPort}:${server}:${serverPort}`,
    ...(port === null ? [] : ['-p', String(port)]),
    ...(user === null ? [] : ['-l', user]),
    '--',
    host,
  ];
}

export class SshConnection {
  /** Of 127.0.0.1. */
  readonly port: number;
  /** Settles when ssh has ended, with why. */
  readonly ended: Promise<SshFailure>;
  /** Settles when it forwards. */
  readonly forwards: Promise<void>;
  readonly #child: ChildProcess;
  #refusal: { readonly words: string; readonly at: number } | null = null;

  private constructor(address: SshAddress, port: number, options: SshOptions) {
    this.port = port;
    const child = spawn('ssh', sshArguments(address, port), {
      env: { ...options.environment },
      stdio: ['ignore', 'ignore', 'pipe'],
      // A group of its own, with what it starts itself (ProxyCommand), and no terminal to ask on.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    this.#child = child;
    const said: string[] = [];
    const ready = Promise.withResolvers<void>();
    this.forwards = ready.promise;
    createInterface({ input: child.stderr }).on('line', (line) => {
      const [, refusal] = REFUSED.exec(line) ?? [];
      if (FORWARDS.test(line)) ready.resolve();
      else if (refusal !== undefined) this.#refusal = { words: refusal, at: performance.now() };
      else if (!DETAIL.test(line)) said.push(line.trim());
      if (said.length > LINES_KEPT) said.shift();
    });
    const { pid } = child;
    if (pid !== undefined) options.reaper.add(pid);
    this.ended = new Promise((resolve) => {
      child.once('error', (error: NodeJS.ErrnoException) => {
        const kind = error.code === 'ENOENT' ? 'missing' : 'ended';
        resolve({ kind, words: error.message });
      });
      child.once('close', (code, signal) => {
        if (pid !== undefined) options.reaper.remove(pid);
        resolve(failureOf(said, signal === null ? `exit code ${code ?? '?'}` : `by ${signal}`));
      });
    });
  }

  /** One that forwards until `signal` is aborted, or why there is none. */
  static async open(
    address: SshAddress,
    options: SshOptions,
    signal: AbortSignal,
  ): Promise<SshConnection | SshFailure> {
    let failure: SshFailure = { kind: 'ended', words: 'it was not started' };
    for (let attempt = 0; attempt < PORTS_TRIED && !signal.aborted; attempt += 1) {
      const connection = new SshConnection(address, await freePort(), options);
      const end = (): void => connection.end();
      signal.addEventListener('abort', end, { once: true });
      void connection.ended.then(() => signal.removeEventListener('abort', end));
      const outcome = await connection.#outcome(options.patience, signal);
      if (outcome === null) return connection;
      connection.end();
      failure = outcome;
      if (!failure.words.includes(`cannot listen to port: ${connection.port}`)) break;
    }
    return failure;
  }

  /** What the other machine last said of the server, if that is at most so many milliseconds ago. */
  refusal(within: number): SshFailure | null {
    const last = this.#refusal;
    if (last === null || performance.now() - last.at > within) return null;
    return { kind: 'server', words: last.words };
  }

  end(): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL');
    } catch {
      // It has just ended by itself.
    }
  }

  /** `null` once it forwards. */
  async #outcome(patience: number, signal: AbortSignal): Promise<SshFailure | null> {
    const over = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
    const stopped = new Promise<SshFailure>((resolve) => {
      const words = signal.aborted ? 'cancelled' : `after ${patience / 1000} seconds`;
      const stop = (): void => resolve({ kind: 'silent', words });
      if (over.aborted) stop();
      over.addEventListener('abort', stop, { once: true });
    });
    return Promise.race([this.forwards.then(() => null), this.ended, stopped]);
  }
}

/** A port of the loopback that nothing listens on now. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const bound = server.address();
      server.close(() => resolve(typeof bound === 'object' && bound !== null ? bound.port : 0));
    });
  });
}
