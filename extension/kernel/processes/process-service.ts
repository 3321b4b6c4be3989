/**
 * The programs that cells start: shell lines, `execute_shell_command`, and the bundled runtime in place
 * of `sglang.launch_server`. Answers the `ProcessCalls` of the bridge.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import type {
  ChildProcessInfo,
  EndpointOptions,
  JsonValue,
  KernelOutput,
} from '../../protocol/kernel-protocol.ts';
import {
  HIGHLIGHT_MIME,
  NOTICE_MIME,
  type HighlightPayload,
  type NoticePayload,
} from '../../protocol/output-payloads.ts';
import { isLoopback, loopbackUrl } from '../loopback.ts';
import { stringField } from '../guest/bridge-fields.ts';
import { isProcessCall, type ProcessCallName } from '../guest/bridge-protocol.ts';
import type { BridgeMessage, BridgeReply } from '../guest/guest.ts';
import { parseServerLaunch, splitCommand, withModel, type ServerLaunch } from './command-line.ts';
import { findInstalledSglang } from './installed-sglang.ts';
import { ManagedProcess } from './managed-process.ts';
import { ProcessError } from './process-error.ts';
import { Reaper } from './reaper.ts';
import { RuntimeLines } from './runtime-lines.ts';
import { waitForServer } from './server-wait.ts';
import { runShell, ShellError } from './shell-command.ts';

export interface ProcessServiceOptions {
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Script of the bundled runtime. */
  readonly runtime: string;
  /** Model that replaces the one of `launch_server`. */
  readonly model: string | null;
  /** Server that is used instead of launching one. */
  readonly endpoint: string | null;
  /** The endpoint's key and certificates. */
  readonly endpointOptions?: EndpointOptions;
  readonly output: (output: KernelOutput) => void;
  readonly onProcess: (info: ChildProcessInfo) => void;
  readonly ask: (prompt: string, password: boolean, signal: AbortSignal) => Promise<string | null>;
  /** Which file to run for a model's name; `null` leaves the name to the runtime. */
  readonly chooseModel?: (name: string, signal: AbortSignal) => Promise<string | null>;
  /** A server's lines, for the log. */
  readonly log?: (text: string) => void;
}

interface SpawnOptions {
  readonly cwd: string;
  readonly env: Record<string, string>;
  readonly stdio: ['ignore', 'pipe', 'pipe'];
  readonly detached: boolean;
  readonly windowsHide: boolean;
}

type Handler = (message: BridgeMessage, signal: AbortSignal) => Promise<JsonValue>;

/** Numbers of launches that were answered by the endpoint; no process has them. */
const FIRST_STAND_IN = 2 ** 31;

export class KernelProcesses {
  readonly #options: ProcessServiceOptions;
  readonly #processes = new Map<number, ManagedProcess>();
  /** Launches answered by the endpoint: exit code, or `null` while the cell believes that it runs. */
  readonly #standIns = new Map<number, number | null>();
  readonly #reaper = new Reaper();
  readonly #handlers: Readonly<Record<ProcessCallName, Handler>>;

  constructor(options: ProcessServiceOptions) {
    this.#options = options;
    this.#handlers = {
      shell: (message, signal) => this.#shell(message, signal),
      spawn_process: (message, signal) => this.#spawn(message, signal),
      kill_process: (message) => this.#kill(pidOf(message)),
      poll_process: (message) => Promise.resolve(this.#exitCode(pidOf(message))),
      wait_process: (message, signal) => this.#wait(pidOf(message), timeoutOf(message), signal),
      wait_for_server: (message, signal) => this.#waitForServer(message, signal),
      free_port: () => freePort(),
      input: (message, signal) =>
        options.ask(stringField(message, 'prompt'), message['password'] === true, signal),
    };
  }

  /** Never rejects. */
  readonly handle = async (message: BridgeMessage, signal: AbortSignal): Promise<BridgeReply> => {
    try {
      if (!isProcessCall(message.op))
        throw new ProcessError('RuntimeError', `unknown call "${message.op}"`);
      return { ok: await this.#handlers[message.op](message, signal) };
    } catch (error) {
      return {
        error: {
          pythonType: pythonType(error, signal),
          message: String(error instanceof Error ? error.message : error),
        },
      };
    }
  };

  /** Ends all of them; settles when they are gone. */
  async killAll(): Promise<void> {
    await Promise.all([...this.#processes.values()].map((process) => process.kill()));
    this.#processes.clear();
    this.#standIns.clear();
  }

  /** For the exit of the kernel, where nothing can be awaited. */
  killAllNow(): void {
    for (const process of this.#processes.values()) process.killNow();
    this.#reaper.close();
  }

  async #shell(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const interpreter = message['interpreter'];
    const answer = await runShell(
      {
        command: stringField(message, 'command'),
        interpreter: typeof interpreter === 'string' ? interpreter : null,
        capture: message['capture'] === true,
        ...this.#context(message),
        onOutput: (name, text) => this.#options.output({ kind: 'stream', name, text }),
        onGroup: (pid, lives) => (lives ? this.#reaper.add(pid) : this.#reaper.remove(pid)),
      },
      signal,
    );
    signal.throwIfAborted();
    return { ...answer };
  }

  /* ---------------------------------------------------------------- background programs */

  async #spawn(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const command = stringField(message, 'command');
    const words = splitCommand(command);
    const [program, ...args] = words;
    if (program === undefined) throw new ProcessError('ValueError', 'The command is empty.');
    const launch = parseServerLaunch(words);
    if (launch !== null) return { pid: await this.#launchServer(command, launch, message, signal) };
    const child = await started(spawn(program, args, this.#spawnOptions(message, {})), program);
    return { pid: this.#add(child, { command, kind: 'shell', url: null }) };
  }

  /** An explicit choice of server or model wins; then the user's own SGLang; then the bundled runtime. */
  async #launchServer(
    command: string,
    launch: ServerLaunch,
    message: BridgeMessage,
    signal: AbortSignal,
  ): Promise<number> {
    const { endpoint, model } = this.#options;
    if (endpoint !== null) return this.#standIn(endpoint);
    const options = this.#spawnOptions(message, launch.environment);
    const about = { command, kind: 'runtime', url: `http://127.0.0.1:${launch.port}` } as const;
    if (model !== null)
      return this.#add(this.#runtime(withModel(launch.flags, model), options), about);
    const context = { cwd: options.cwd, environment: options.env };
    const installed = await findInstalledSglang(launch.python, context);
    signal.throwIfAborted();
    if (installed !== null) {
      this.#notice('info', installedText(installed.version, installed.gpu));
      const [program = 'python3', ...args] =
        launch.command[0] === '-m' ? ['python3', ...launch.command] : launch.command;
      return this.#add(await started(spawn(program, args, options), program), about);
    }
    const chosen = await this.#chosenModel(launch, options.cwd, signal);
    const flags = chosen === null ? launch.flags : withModel(launch.flags, chosen);
    return this.#add(this.#runtime(flags, options), about);
  }

  /** Asks only for names of models; a path means what it says. */
  async #chosenModel(
    { modelPath }: ServerLaunch,
    cwd: string,
    signal: AbortSignal,
  ): Promise<string | null> {
    const { chooseModel } = this.#options;
    if (chooseModel === undefined || modelPath === null) return null;
    if (!/^[\w.-]+\/[\w.-]+$/.test(modelPath) || existsSync(resolve(cwd, modelPath))) return null;
    const chosen = await chooseModel(modelPath, signal);
    signal.throwIfAborted();
    return chosen;
  }

  #runtime(
    flags: readonly string[],
    options: SpawnOptions,
  ): ChildProcess & { readonly pid: number } {
    const args = [this.#options.runtime, ...flags, '--parent-pid', String(process.pid)];
    const child = spawn(process.execPath, args, {
      ...options,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    if (child.pid === undefined)
      throw new ProcessError('OSError', 'The bundled runtime could not be started.');
    // SAFETY: `pid` was just seen to be a number.
    return child as ChildProcess & { readonly pid: number };
  }

  #standIn(endpoint: string): number {
    this.#notice('info', `No server was started: this kernel uses the server at ${endpoint}.`);
    const pid = FIRST_STAND_IN + this.#standIns.size;
    this.#standIns.set(pid, null);
    return pid;
  }

  #add(
    child: ChildProcess & { readonly pid: number },
    about: Pick<ChildProcessInfo, 'command' | 'kind' | 'url'>,
  ): number {
    // SGLang starts it with stderr in stdout.
    const print = (text: string): void =>
      this.#options.output({ kind: 'stream', name: 'stdout', text });
    const lines = new RuntimeLines(print, (text) => this.#notice('warning', text));
    const managed = new ManagedProcess(child, about, (text) => {
      if (about.kind === 'runtime') this.#options.log?.(text.trimEnd());
      if (about.kind === 'runtime') lines.push(text);
      else print(text);
    });
    this.#processes.set(managed.pid, managed);
    this.#reaper.add(managed.pid);
    this.#options.onProcess(managed.info);
    void managed.exited.then(() => {
      lines.end();
      this.#reaper.remove(managed.pid);
      return this.#options.onProcess(managed.info);
    });
    return managed.pid;
  }

  async #kill(pid: number): Promise<JsonValue> {
    if (this.#standIns.has(pid)) this.#standIns.set(pid, -15);
    else await this.#end(this.#process(pid));
    return null;
  }

  /** Settles when it is gone and its last words are in the cell. */
  async #end(managed: ManagedProcess): Promise<void> {
    await managed.kill();
    if (managed.exit !== null) await managed.exited;
  }

  #exitCode(pid: number): number | null {
    const standIn = this.#standIns.get(pid);
    if (standIn !== undefined) return standIn;
    const { exit } = this.#process(pid);
    return exit === null ? null : (exit.code ?? -15);
  }

  async #wait(pid: number, timeout: number | null, signal: AbortSignal): Promise<JsonValue> {
    if (this.#standIns.has(pid)) return this.#exitCode(pid) ?? 0;
    const late = new ProcessError(
      'TimeoutError',
      `Process ${pid} still runs after ${timeout} seconds.`,
    );
    await settled(this.#process(pid).exited, timeout, late, signal);
    return this.#exitCode(pid);
  }

  #process(pid: number): ManagedProcess {
    const managed = this.#processes.get(pid);
    if (managed === undefined)
      throw new ProcessError('ProcessLookupError', `This kernel did not start a process ${pid}.`);
    return managed;
  }

  /* ---------------------------------------------------------------- servers */

  async #waitForServer(message: BridgeMessage, signal: AbortSignal): Promise<JsonValue> {
    const asked = stringField(message, 'url').replace(/\/+$/, '');
    const { endpoint, endpointOptions } = this.#options;
    const isEndpoint = endpoint !== null && isLoopback(asked);
    const url = isEndpoint ? endpoint : loopbackUrl(asked);
    await waitForServer(
      {
        urls: url.split(',').map((each) => each.trim().replace(/\/+$/, '')),
        access: isEndpoint ? (endpointOptions ?? {}) : {},
        timeout: timeoutOf(message),
        process: [...this.#processes.values()].findLast((managed) => managed.url === url) ?? null,
        onSlow: () =>
          this.#notice(
            'warning',
            `Still waiting for a server at ${asked}; no cell of this kernel has started one there.`,
          ),
      },
      signal,
    );
    this.#readyNote();
    return null;
  }

  /** SGLang's helper ends with a note of this kind, shown like the notebook's own output. */
  #readyNote(): void {
    const text =
      'NOTE: The server is ready. It runs beside this notebook, so its log lines appear among the ' +
      'outputs of the cells; what the notebook itself prints with print_highlight looks like this.';
    const payload: HighlightPayload = { text };
    const data = { [HIGHLIGHT_MIME]: payload, 'text/plain': text };
    this.#options.output({ kind: 'display', data, displayId: null });
  }

  #notice(severity: NoticePayload['severity'], text: string): void {
    const payload: NoticePayload = { severity, text };
    this.#options.output({
      kind: 'display',
      data: { [NOTICE_MIME]: payload, 'text/plain': text },
      displayId: null,
    });
  }

  /* ---------------------------------------------------------------- environment */

  #spawnOptions(message: BridgeMessage, extra: Readonly<Record<string, string>>): SpawnOptions {
    const { cwd, environment } = this.#context(message);
    return {
      cwd,
      env: { ...environment, ...extra },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: process.platform !== 'win32',
      windowsHide: true,
    };
  }

  /** Folder and environment of the cell at this moment: `os.chdir` and `os.environ` count. */
  #context(message: BridgeMessage): {
    readonly cwd: string;
    readonly environment: Readonly<Record<string, string>>;
  } {
    const changes = Object.entries(Object(message['env']) as Readonly<Record<string, unknown>>);
    const environment = { ...this.#options.environment };
    for (const [name, value] of changes) {
      if (typeof value === 'string') environment[name] = value;
      else delete environment[name];
    }
    return {
      cwd: typeof message['cwd'] === 'string' ? message['cwd'] : this.#options.cwd,
      environment,
    };
  }
}

function installedText(version: string, gpu: string): string {
  const which = version === 'unknown' ? 'SGLang' : `SGLang ${version}`;
  return (
    `Your Python's own ${which} runs this server (${gpu}). ` +
    'To use the bundled runtime instead, set SGLNB_SERVER=bundled.'
  );
}

function pidOf(message: BridgeMessage): number {
  return Number(message['pid']);
}

function timeoutOf(message: BridgeMessage): number | null {
  return typeof message['timeout'] === 'number' ? message['timeout'] : null;
}

function pythonType(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'KeyboardInterrupt';
  if (error instanceof ProcessError) return error.pythonType;
  return error instanceof ShellError ? 'OSError' : 'RuntimeError';
}

/** Fails as Python's `Popen` does when there is no such program. */
function started(
  child: ChildProcess,
  program: string,
): Promise<ChildProcess & { readonly pid: number }> {
  return new Promise((resolve, reject) => {
    // SAFETY: a process that was spawned has a number.
    child.once('spawn', () => resolve(child as ChildProcess & { readonly pid: number }));
    child.once('error', (error: NodeJS.ErrnoException) => {
      const type = error.code === 'ENOENT' ? 'FileNotFoundError' : 'OSError';
      reject(new ProcessError(type, `${program} could not be started: ${error.message}`));
    });
  });
}

function settled<T>(
  promise: Promise<T>,
  seconds: number | null,
  late: Error,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = seconds === null ? null : setTimeout(() => reject(late), seconds * 1_000);
    const abort = (): void => reject(late);
    signal.addEventListener('abort', abort, { once: true });
    void promise.then(resolve, reject).finally(() => {
      if (timer !== null) clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        resolve(typeof address === 'object' && address !== null ? address.port : 0),
      );
    });
  });
}
